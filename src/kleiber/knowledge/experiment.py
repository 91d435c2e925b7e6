"""One cell from its people to its bits: train, measure, and leave a run folder behind."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from kleiber.errors import InputError
from kleiber.knowledge.cell import Cell
from kleiber.knowledge.measure import Measurement, measure
from kleiber.knowledge.prepare import RESULT, about, record
from kleiber.knowledge.random_strings import Memorised, RandomStrings, memorised
from kleiber.knowledge.shares import said, useful_share
from kleiber.knowledge.texts import Source
from kleiber.training import GPT, RunFolder, count_params, train
from kleiber.training.extra import check_device
from kleiber.training.folder import PROCESS
from kleiber.training.load import fill
from kleiber.training.lock import held
from kleiber.training.loop import level
from kleiber.training.memory import check_memory
from kleiber.training.model import initialise
from kleiber.training.step import pays

GLANCE = 400  # people of a measurement on the way


def run(
    cells: Sequence[Cell],
    folders: Sequence[RunFolder],
    *,
    device: str = "cpu",
    glances: int = 0,
    save_every: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Train cells of one shape as one stack and measure each; yield readings, then the results.

    Every event says whose it is by ``number``; a reading is of the first cell. ``glances``
    measurements of it are taken on the way, on few people, to watch the bits rise. A folder whose
    run has ended is measured again if its result is missing, else read. Cells that stand at
    different steps are stacks of their own, one after the other.
    """
    check_device(device)
    for stack in level(folders):
        mine = [cells[i] for i in stack], [folders[i] for i in stack]
        for event in _run(*mine, device=device, glances=glances, save_every=save_every):
            yield {**event, "number": stack[event["number"]]}


def _run(
    cells: Sequence[Cell],
    folders: Sequence[RunFolder],
    *,
    device: str,
    glances: int,
    save_every: int | None,
) -> Iterator[dict[str, Any]]:
    """Train cells that stand at the same step as one stack and measure each, or read what ended."""
    if all(folder.done for folder in folders):
        for number, (cell, folder) in enumerate(zip(cells, folders, strict=True)):
            folder.claim(record(cell))
            known = (folder.path / RESULT).exists()
            result = folder.read_json(RESULT) if known else measure_folder(folder, device=device)
            yield {"number": number, "result": result}
        return
    sources = [cell.source() for cell in cells]
    shape = cells[0].model(sources[0])
    batches = [cell.batches(source) for cell, source in zip(cells, sources, strict=True)]
    trainings = [cell.training(ours.steps) for cell, ours in zip(cells, batches, strict=True)]
    check_memory(
        shape,
        batch=cells[0].batch,
        window=batches[0].width,
        precision=cells[0].precision,
        at_once=len(cells),
        device=device,
    )
    with ExitStack() as ours:
        for cell, folder in zip(cells, folders, strict=True):
            folder.claim(record(cell))
            ours.enter_context(held(folder.path / PROCESS, cell.name))
        if pays(shape, trainings[0], batches[0].steps, device=device):
            yield {"number": 0, "note": "compiling, about half a minute"}
        began, wall = _cpu_seconds(), time.perf_counter()
        every = max(1, 100 // glances) if glances else 0
        readings = train(
            shape,
            trainings,
            batches,
            folders,
            about=[about(cell, source) for cell, source in zip(cells, sources, strict=True)],
            device=device,
            save_every=save_every,
        )
        for count, reading in enumerate(readings, 1):
            said = reading.event(0)
            if every and reading.model is not None and (count % every == 0 or count == 1):
                said |= _glance(reading.model, sources[0])
            yield said
        spent = {
            "stack": len(cells),
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": (_cpu_seconds() - began) / len(cells),
        }
        yield {"number": 0, "note": "measuring"}
        for number, folder in enumerate(folders):
            result = {**measure_folder(folder, device=device), **spent}
            folder.write_json(RESULT, result)
            yield {"number": number, "result": result}


def measure_folder(folder: RunFolder, *, device: str = "cpu") -> dict[str, Any]:
    """Measure the trained model in a run folder, controls with it, from its weights alone."""
    check_device(device)
    cell, source, model = load_folder(folder)
    untrained = GPT(model.config)
    initialise(untrained, cell.seed)
    model, untrained = model.to(device), untrained.to(device)
    if isinstance(source, RandomStrings):
        found: Measurement | Memorised = memorised(model, source, untrained=untrained)
    else:
        found = measure(model, source, texts=cell.texts, untrained=untrained)
    steps = folder.record()["steps"]
    return result_row(cell, found, source, steps=steps, run=folder.path.name)


def load_folder(folder: RunFolder) -> tuple[Cell, Source, GPT]:
    """Return what a run folder was taught, the people, and the trained model."""
    held = folder.record()
    if "cell" not in held:
        raise InputError(
            f"'{folder.path}' is a run that no people were taught in.",
            remedy="Name a folder that kleiber know train or capacity wrote.",
        )
    cell = Cell.of(held["cell"])
    source = cell.source()
    model = GPT(cell.model(source))
    fill(model, folder)
    return cell, source, model


def result_row(
    cell: Cell, found: Measurement | Memorised, source: Source, *, steps: int, run: str
) -> dict[str, Any]:
    """Return a measured run as one row: what it was, what it stores, its controls.

    Bits are per parameter, every expert's among them: ``bits_per_param`` of people,
    ``memorised_bits_per_param`` of random strings, which is another quantity and goes by its own
    name everywhere. ``params_active`` are those that a token passes, where they are fewer.
    """
    params = count_params(cell.model(source))
    own = {"params_active": params["active"]} if params["active"] != params["total"] else {}
    return {
        "run": run,
        "format": cell.format,
        **found.to_dict(),
        **own,
        "exposures": cell.exposures,
        "seed": cell.seed,
        "layers": cell.layers,
        "width": cell.width,
        "vocab": source.vocab,
        "embedding_share": params["embedding"] / params["total"],
        "steps": steps,
        "texts_per_step": cell.people * cell.exposures / steps,
        "mix": said(cell.shares),
        "useful_share": useful_share(cell.shares),
        "lr": cell.rate,
    }


def _glance(model: GPT, source: Source) -> dict[str, float]:
    """Return the bits of a few people on the way, and what all that there is would come to."""
    if isinstance(source, RandomStrings):
        seen = memorised(model, source, most_strings=GLANCE, controls=False)
        now, most = seen.memorised_bits_per_param, seen.max_memorised_bits_per_param
        return {"memorised_bits_per_param": now, "max_memorised_bits_per_param": most}
    found = measure(model, source, texts=1, most_people=GLANCE, controls=False)
    now, most = found.bits_per_param, found.max_bits_per_param
    return {"bits_per_param": now, "max_bits_per_param": most}


def _cpu_seconds() -> float:
    """Return this process's CPU seconds and those of the compilers that it started."""
    own, theirs = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + theirs.ru_utime + theirs.ru_stime
