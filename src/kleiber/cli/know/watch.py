"""A grid of cells, looked at first, then trained in processes of their own and watched."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.cli.know.screen import Screen, Shown
from kleiber.cli.output import say
from kleiber.errors import InputError, KleiberError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell

ONE_THREAD = 64  # up to this width a second thread costs more than it brings
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
    """Train and measure every cell in its folder; return their results, in order.

    What cannot be trained is said before anything starts. Finished cells are read, unfinished
    ones go on. The first error is raised when all others have ended, so that nothing is lost.
    """
    from kleiber.knowledge.cell import stacks
    from kleiber.knowledge.prepare import check_fits, check_folders, finished
    from kleiber.launching import Job, run_local
    from kleiber.training import RunFolder
    from kleiber.training.extra import check_device, require
    from kleiber.training.machine import cores, environment

    _check_counts(jobs, glances)
    places = [RunFolder(folder) for folder in folders]
    check_folders(cells, places)
    found = [finished(cell, place) for cell, place in zip(cells, places, strict=True)]
    results = {number: result for number, result in enumerate(found) if result is not None}
    todo = [number for number in range(len(cells)) if number not in results]
    groups = [[todo[i] for i in group] for group in stacks([cells[i] for i in todo])]
    at_once = max(1, min(len(groups), jobs or (cores() if device == "cpu" else 1)))
    if todo:
        require()
        check_device(device)
    if todo and device == "cpu":
        check_fits([[cells[i] for i in group] for group in groups], at_once=at_once)
    threads = max(1, cores() // at_once)
    if device == "cpu" and max(cell.width for cell in cells) <= ONE_THREAD:
        threads = 1
    started = [
        Job(_command(cells, folders, group, threads, glances, device), environment(threads))
        for group in groups
    ]
    errors: list[dict[str, str]] = []
    screen = Screen(_shown(cells, groups), quiet=quiet)
    for number, result in results.items():
        screen.known(number, result)
    try:
        for job, event in run_local(started, at_once=at_once):
            number = groups[job][event.get("number", 0)]
            if "started" in event:
                screen.start(number)
                continue
            if "result" in event:
                results[number] = event["result"]
            if "error" in event:
                errors.append(event["error"])
            screen.show(number, event)
    except KeyboardInterrupt:
        screen.close()
        if not quiet:
            say("stopped; the same command goes on from the last checkpoints")
        raise
    finally:
        screen.close()
    if errors:
        raise _raised(errors[0])
    return [results[number] for number in range(len(cells))]


def _check_counts(jobs: int | None, glances: int) -> None:
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs is {jobs}; at least 1 is needed.", remedy="Leave --jobs out.")
    if glances < 0:
        raise UsageError(f"--glances is {glances}.", remedy="Set --glances to 0 or more.")


def _shown(cells: Sequence[Cell], groups: Sequence[Sequence[int]]) -> list[Shown]:
    """Return each run as the screen needs it."""
    from kleiber.knowledge.prepare import record

    stack = {number: i for i, group in enumerate(groups, 1) for number in group}
    shown: list[Shown] = []
    for number, cell in enumerate(cells):
        said = record(cell)
        tokens = cell.batch * said["model"]["context"]
        work = said["steps"] * (STEP + tokens * said["flops_per_token"]["matmul"] / SPEED)
        shown.append(Shown(cell.name, work, stack.get(number, 0)))
    return shown


def _command(
    cells: Sequence[Cell],
    folders: Sequence[Path],
    group: Sequence[int],
    threads: int,
    glances: int,
    device: str,
) -> list[str]:
    job = {
        "cells": [cells[i].to_dict() for i in group],
        "folders": [str(folders[i]) for i in group],
        "threads": threads,
        "glances": glances,
        "device": device,
    }
    return [sys.executable, "-m", "kleiber.knowledge.worker", json.dumps(job)]


def _raised(said: dict[str, str]) -> KleiberError:
    """Return what a process said of its end as the error that it is here."""
    kinds = {kind.code: kind for kind in (UsageError, MissingExtraError)}
    return kinds.get(said["code"], InputError)(said["message"], remedy=said["remedy"])
