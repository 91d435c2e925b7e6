"""A grid of cells of knowledge, looked at first, then trained in processes of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kleiber.errors import InputError, KleiberError, MissingExtraError, UsageError
from kleiber.launching.local import Job, run_local

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell

ONE_THREAD = 64  # up to this width a second thread costs more than it brings


class Watch(Protocol):
    """Who is told how a grid goes; numbers are of its cells."""

    def begin(self, groups: Sequence[Sequence[int]]) -> None:
        """Hear which cells train together, before anything starts."""
        ...

    def known(self, number: int, result: dict[str, Any]) -> None:
        """Hear of a cell that was finished before."""
        ...

    def start(self, number: int) -> None:
        """Hear that the process of a cell began."""
        ...

    def show(self, number: int, event: dict[str, Any]) -> None:
        """Hear how far a cell is, its result, or its error."""
        ...

    def close(self, *, stopped: bool) -> None:
        """Hear the end, also of a grid that was stopped."""
        ...


class Trainer(Protocol):
    """What a study trains its cells with: :func:`train_cells`, or one that shows it on a screen."""

    def __call__(
        self, cells: Sequence[Cell], folders: Sequence[Path], *, jobs: int | None = None
    ) -> list[dict[str, Any]]:
        """Return every cell's result, in order."""
        ...


def train_cells(
    cells: Sequence[Cell],
    folders: Sequence[Path],
    *,
    jobs: int | None = None,
    device: str = "cpu",
    glances: int = 0,
    watch: Watch | None = None,
) -> list[dict[str, Any]]:
    """Train and measure every cell in its folder; return their results, in order.

    What cannot be trained is said before anything starts. Finished cells are read, unfinished
    ones go on. The first error is raised when all others have ended, so that nothing is lost.
    """
    from kleiber.knowledge.cell import stacks
    from kleiber.knowledge.prepare import check_fits, check_folders, finished
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
    if watch is not None:
        watch.begin(groups)
        for number, result in results.items():
            watch.known(number, result)
    errors = _listen(started, at_once, groups, results, watch)
    if errors:
        raise _raised(errors[0])
    return [results[number] for number in range(len(cells))]


def _listen(
    started: Sequence[Job],
    at_once: int,
    groups: Sequence[Sequence[int]],
    results: dict[int, dict[str, Any]],
    watch: Watch | None,
) -> list[dict[str, str]]:
    """Run the jobs, fill in the results that come, and return the errors."""
    errors: list[dict[str, str]] = []
    stopped = False
    try:
        for job, event in run_local(started, at_once=at_once):
            number = groups[job][event.get("number", 0)]
            if "result" in event:
                results[number] = event["result"]
            if "error" in event:
                errors.append(event["error"])
            if watch is not None and "started" in event:
                watch.start(number)
            elif watch is not None:
                watch.show(number, event)
    except KeyboardInterrupt:
        stopped = True
        raise
    finally:
        if watch is not None:
            watch.close(stopped=stopped)
    return errors


def _check_counts(jobs: int | None, glances: int) -> None:
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs is {jobs}; at least 1 is needed.", remedy="Leave --jobs out.")
    if glances < 0:
        raise UsageError(f"--glances is {glances}.", remedy="Set --glances to 0 or more.")


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
