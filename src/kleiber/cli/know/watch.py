"""A grid of cells trained with a screen that shows how far each is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.cli.know.screen import Bits
from kleiber.cli.screen import Shown, Stacks, Watched

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell

STEP, SPEED = 2e-3, 2e10  # seconds that a step costs at least, and FLOPs a second: for time left


def train_cells(
    cells: Sequence[Cell],
    folders: Sequence[Path],
    *,
    jobs: int | None = None,
    device: str = "cpu",
    glances: int = 0,
    quiet: bool = False,
) -> list[dict[str, Any]]:
    """Train and measure every cell; see :func:`kleiber.launching.train_cells`."""
    from kleiber.launching import train_cells as train

    watch = Watched(partial(_screen, cells, quiet=quiet), quiet=quiet)
    return train(cells, folders, jobs=jobs, device=device, glances=glances, watch=watch)


def _screen(cells: Sequence[Cell], stacks: Stacks, *, quiet: bool) -> Bits:
    """Return the screen of cells, each with about how long it takes."""
    from kleiber.knowledge.prepare import record

    shown: list[Shown] = []
    for number, cell in enumerate(cells):
        said = record(cell)
        tokens = cell.batch * said["model"]["context"]
        work = said["steps"] * (STEP + tokens * said["flops_per_token"]["matmul"] / SPEED)
        shown.append(Shown(cell.name, work, stacks.get(number, 0)))
    return Bits(shown, quiet=quiet)
