"""A grid of cells, trained in processes of their own and watched: one live line for each."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell

LINE = 2.0  # bits a parameter: where published models end
WIDE = 40  # characters of the bar
QUIET = 10  # lines a run says where nobody is watching


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

    Finished cells are read, unfinished ones go on. The first error is raised when all others
    have ended, so that nothing is lost.
    """
    from kleiber.knowledge.cell import stacks
    from kleiber.launching import Job, run_local
    from kleiber.training.machine import cores, environment

    groups = stacks(cells)
    at_once = min(len(groups), jobs or (cores() if device == "cpu" else 1))
    threads = max(1, cores() // max(1, at_once)) if len(groups) > 1 else cores()
    if device == "cpu" and max(cell.width for cell in cells) <= ONE_THREAD:
        threads = 1
    started = [
        Job(
            _command(
                [cells[i] for i in group], [folders[i] for i in group], threads, glances, device
            ),
            environment(threads),
        )
        for group in groups
    ]
    results: dict[int, dict[str, Any]] = {}
    errors: list[dict[str, str]] = []
    screen = Screen([cell.name for cell in cells], quiet=quiet)
    try:
        for job, event in run_local(started, at_once=at_once):
            number = groups[job][event.get("number", 0)]
            if "started" in event:
                continue
            if "result" in event:
                results[number] = event["result"]
            if "error" in event:
                errors.append(event["error"])
            screen.show(number, event)
    finally:
        screen.close()
    if errors:
        raise InputError(errors[0]["message"], remedy=errors[0]["remedy"])
    return [results[number] for number in range(len(cells))]


ONE_THREAD = 64  # up to this width a second thread costs more than it brings


def _command(
    cells: Sequence[Cell], folders: Sequence[Path], threads: int, glances: int, device: str
) -> list[str]:
    job = {
        "cells": [cell.to_dict() for cell in cells],
        "folders": [str(folder) for folder in folders],
        "threads": threads,
        "glances": glances,
        "device": device,
    }
    return [sys.executable, "-m", "kleiber.knowledge.worker", json.dumps(job)]


class Screen:
    """Progress on stderr: a line that moves on a terminal, a line now and then elsewhere."""

    def __init__(self, names: Sequence[str], *, quiet: bool) -> None:
        self.names, self.quiet = names, quiet
        self.live = sys.stderr.isatty()
        self.last: dict[int, dict[str, Any]] = {}
        self.tenths: dict[int, int] = {}
        self.done = 0

    def show(self, number: int, event: dict[str, Any]) -> None:
        """Show what one process said."""
        if self.quiet:
            return
        if "result" in event:
            self.done += 1
            self._line(f"{self.names[number]:<28}{_bar(event['result'])}", keep=True)
        elif "error" in event:
            self._line(f"{self.names[number]:<28}{event['error']['message']}", keep=True)
        else:
            self.last[number] = event
            share = QUIET * event["step"] // event["steps"]
            news = share > self.tenths.get(number, -1) or "bits_per_param" in event
            self.tenths[number] = share
            if self.live or news:
                self._line(f"{self.names[number]:<28}{_progress(event)}", keep=not self.live)

    def close(self) -> None:
        """Leave the cursor on a line of its own."""
        if self.live and not self.quiet:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _line(self, text: str, *, keep: bool) -> None:
        if self.live:
            print(f"\r\x1b[K{text}", end="\n" if keep else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


def _progress(event: dict[str, Any]) -> str:
    """Return how far a run is, how fast, how long still."""
    if "bits_per_param" in event:
        return f"{event['step'] / event['steps']:>4.0%} {_bar(event)}"
    left = f"{duration(event['seconds_left'])} left"
    speed = f"{event['tokens_per_second'] / 1e3:,.0f}K tokens/s"
    return f"{event['step'] / event['steps']:>4.0%}  loss {event['loss']:.3f} nats  {speed}  {left}"


def _bar(event: dict[str, Any]) -> str:
    """Return the bits a parameter as a bar on the way to 2, with the ceiling of the data."""
    bits, most = event["bits_per_param"], event["max_bits_per_param"]
    filled = min(WIDE, max(0, round(WIDE * bits / LINE)))
    return f"{'█' * filled}{'·' * (WIDE - filled)} {bits:6.3f} bits/param (data: {most:.2f})"


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
