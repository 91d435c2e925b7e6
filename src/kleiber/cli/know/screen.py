"""Progress on stderr: for one run its bits rising, for a grid one line that moves."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LINE = 2.0  # bits a parameter: where published models end
BAR = 30  # characters from 0 to the line
TENTHS = 10  # lines that a run says
WIPE = "\r\x1b[K"


@dataclass(frozen=True)
class Shown:
    """A run as the screen knows it: a name, and about how long it takes beside the others."""

    name: str
    work: float
    stack: int = 0  # runs of one stack share its readings


class Screen:
    """What is said while runs are trained: lines that stay, and on a terminal one that moves."""

    def __init__(self, runs: Sequence[Shown], *, quiet: bool) -> None:
        self.runs, self.quiet = runs, quiet
        self.live = sys.stderr.isatty() and not quiet
        self.done: set[int] = set()
        self.share: dict[int, float] = {}  # of a run that has begun
        self.notes: dict[int, str] = {}
        self.tenths: dict[int, int] = {}
        self.began = time.monotonic()
        self.before = 0.0  # work that earlier sessions did
        self.width = max([len(run.name) for run in runs], default=0)

    def start(self, number: int) -> None:
        """Show that a process was started."""
        self.notes[number] = "starting"
        self._move()

    def show(self, number: int, event: dict[str, Any]) -> None:
        """Show what a run said."""
        if "result" in event:
            self._finish(number, event["result"])
        elif "error" in event:
            self.done.add(number)
            self._keep(f"{self.runs[number].name}  {event['error']['message']}")
        elif "note" in event:
            self.notes[number] = event["note"]
        else:
            self._read(number, event)
        self._move()

    def known(self, number: int, result: dict[str, Any]) -> None:
        """Take note of a run that an earlier session finished."""
        self.before += self.runs[number].work
        self.done.add(number)
        if len(self.runs) == 1:
            self._keep(f"{self.runs[number].name}  {self.said(result)}")

    def said(self, result: dict[str, Any]) -> str:
        """Return what a finished run is said to have come to."""
        return bar(result)

    def close(self) -> None:
        """Leave the cursor on a line of its own."""
        if self.live:
            print(WIPE, end="", file=sys.stderr, flush=True)

    def _read(self, number: int, event: dict[str, Any]) -> None:
        """Take in a reading, and keep a line of it where it measured the bits of a single run."""
        share = event["step"] / event["steps"]
        for i, run in enumerate(self.runs):  # a stack moves as one
            if i == number or (run.stack and run.stack == self.runs[number].stack):
                if i not in self.share:
                    self.before += run.work * max(0.0, share - 0.02)
                self.share[i] = share
        left = f"{duration(event['seconds_left'])} left"
        self.notes[number] = f"{share:.0%}, loss {event['loss']:.3f} nats, {left}"
        if len(self.runs) > 1:
            return
        tenth = int(TENTHS * share)
        if bits_of(event) is not None:
            self._keep(f"{share:>4.0%}  {bar(event)}")
        elif tenth > self.tenths.get(number, 0) and not self.live:
            self._keep(f"{self.runs[number].name}  {self.notes[number]}")
        self.tenths[number] = tenth

    def _finish(self, number: int, result: dict[str, Any]) -> None:
        self.done.add(number)
        self.notes.pop(number, None)
        if len(self.runs) > 1:
            count = f"{len(self.done):>{len(str(len(self.runs)))}}/{len(self.runs)}"
            self._keep(f"{count}  {self.runs[number].name:<{self.width}}  {self.said(result)}")

    def _keep(self, text: str) -> None:
        """Say a line that stays."""
        if not self.quiet:
            print(f"{WIPE if self.live else ''}{text}", file=sys.stderr, flush=True)

    def _move(self) -> None:
        """Say the line that moves: one run's state, or the grid's."""
        if not self.live:
            return
        now = [number for number in self.notes if number not in self.done]
        if len(self.runs) == 1:
            text = self.notes.get(0, "") if now else ""
        else:
            text = self._grid(now)
        room = shutil.get_terminal_size().columns - 1
        print(f"{WIPE}{text[:room]}", end="", file=sys.stderr, flush=True)

    def _grid(self, now: list[int]) -> str:
        """Return done and total, the time left over all, and the runs that are going on."""
        going = [f"{self.runs[i].name} {self.share.get(i, 0.0):.0%}" for i in now]
        left = f", {self._left()}" if self._left() else ""
        return f"{len(self.done)} of {len(self.runs)} done{left} | {'; '.join(going)}"

    def _left(self) -> str:
        """Return the time left over all runs at the speed so far, empty where nothing is known."""
        total = sum(run.work for run in self.runs)
        done = sum(
            run.work * (1.0 if i in self.done else self.share.get(i, 0.0))
            for i, run in enumerate(self.runs)
        )
        here, seconds = done - self.before, time.monotonic() - self.began
        if here <= 0 or done >= total:
            return ""
        return f"about {duration(seconds / here * (total - done))} left"


def bits_of(row: dict[str, Any]) -> tuple[float, float] | None:
    """Return what was stored and what there is, in bits a parameter; None where neither is said.

    Of random strings it is what was memorised, which is another quantity.
    """
    for kind in ("", "memorised_"):
        if f"{kind}bits_per_param" in row:
            return row[f"{kind}bits_per_param"], row[f"max_{kind}bits_per_param"]
    return None


def bar(row: dict[str, Any]) -> str:
    """Return bits a parameter as a bar on the way to the line, and all that the data holds."""
    bits, most = bits_of(row) or (0.0, 0.0)
    filled = min(BAR, max(0, round(BAR * bits / LINE)))
    track = f"{'█' * filled}{'·' * (BAR - filled)}│{LINE:.0f}"
    return f"{track}  {bits:6.3f} bits/param, data {most:.2f}"


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
