"""What is looked at before anything is trained, without torch: settings, folders, memory.

Whoever starts the processes that train calls this first, so that what cannot work is said in a
moment and costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.cell import Cell
from kleiber.knowledge.rewritten import Rewritten
from kleiber.knowledge.texts import Source
from kleiber.training import RunFolder
from kleiber.training.memory import check_room, training_bytes
from kleiber.training.record import record_of

RESULT = "capacity.json"
WEIGHTS = "weights.safetensors"


def record(cell: Cell) -> dict[str, Any]:
    """Return the run.json of a cell, or raise for what cannot be taught or built."""
    source = cell.source()
    batches = cell.batches(source)
    training = cell.training(batches.steps)
    return record_of(cell.model(source), training, batches, about(cell, source))


def about(cell: Cell, source: Source) -> dict[str, Any]:
    """Return what a run's folder says of the data: the cell, and which files it read if any."""
    files = {"corpus": source.digest} if isinstance(source, Rewritten) else {}
    return {"cell": cell.to_dict(), **files}


def finished(cell: Cell, folder: RunFolder) -> dict[str, Any] | None:
    """Return the result that lies in a folder, None where it is still to be made.

    Raises InputError for a folder that is another run's, or no run's.
    """
    ours = folder.is_of(record(cell))
    if not (ours and folder.done and (folder.path / RESULT).exists()):
        return None
    if not (folder.path / WEIGHTS).exists():
        raise InputError(
            f"'{folder.path}' is a finished run whose {WEIGHTS} is missing; nothing was changed.",
            remedy="Put it back, or move the folder away and train again.",
        )
    return folder.read_json(RESULT)


def check_folders(cells: Sequence[Cell], folders: Sequence[RunFolder]) -> None:
    """Raise UsageError where two cells would share a folder."""
    seen: dict[str, Cell] = {}
    for cell, folder in zip(cells, folders, strict=True):
        other = seen.setdefault(str(folder.path), cell)
        if other is not cell:
            held, asked = other.to_dict(), cell.to_dict()
            names = {**held, **asked}
            apart = ", ".join(name for name in names if held.get(name) != asked.get(name))
            raise UsageError(
                f"Two runs of this grid differ only in {apart}, and would share '{folder.path}'.",
                remedy="Give each a preset, and a folder, of its own.",
            )


def check_fits(stacks: Sequence[Sequence[Cell]], *, at_once: int) -> None:
    """Raise InputError where the largest trainings at once need more memory than there is."""
    largest = sorted((stack_bytes(stack), i) for i, stack in enumerate(stacks))[-at_once:]
    check_room(sum(needed for needed, _ in largest), _said(stacks[largest[-1][1]], at_once))


def stack_bytes(stack: Sequence[Cell]) -> float:
    """Estimate the bytes that one training of cells as a stack takes."""
    cell = stack[0]
    source = cell.source()
    return training_bytes(
        cell.model(source),
        batch=cell.batch,
        window=cell.batches(source).width,
        precision=cell.precision,
        stack=len(stack),
    )


def _said(stack: Sequence[Cell], at_once: int) -> str:
    """Return what needs the memory."""
    cell = stack[0]
    params = record(cell)["params"]
    model = f"a model of {params:,} parameters on batches of {cell.batch:,} windows"
    if len(stack) > 1:
        model = f"a stack of {len(stack)}, each {model}"
    return (
        f"Training {at_once} at once, the largest {model}" if at_once > 1 else f"Training {model}"
    )
