"""Progress on stderr: lines that stay, and on a terminal one that moves.

``Screen`` is what is seen; ``Watched`` lets one be told by what trains in processes of its own.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kleiber.cli.output import say

Stacks = Mapping[int, int]

TENTHS = 10  # lines that a run says
WIPE = "\r\x1b[K"


@dataclass(frozen=True)
class Shown:
    """A run as the screen knows it: a name, and about how long it takes beside the others."""

    name: str
    work: float
    stack: int = 0  # runs of one stack share its readings


class Screen:
    """What is said while runs are trained; ``said`` and ``measured`` are of what they train."""

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
        return f"loss {result['loss']:.4f} nats"

    def measured(self, event: dict[str, Any]) -> str | None:
        """Return what a reading measured beside the loss, None where it did not."""
        return None

    def close(self) -> None:
        """Leave the cursor on a line of its own."""
        if self.live:
            print(WIPE, end="", file=sys.stderr, flush=True)

    def _read(self, number: int, event: dict[str, Any]) -> None:
        """Take in a reading, and keep a line of what a single run measured."""
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
        measured = self.measured(event)
        if measured is not None:
            self._keep(f"{share:>4.0%}  {measured}")
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


class Watched:
    """A screen as the watch of a grid or a ladder, made when it is known which runs there are.

    ``make`` takes the stack that each run trains in, by their numbers.
    """

    def __init__(self, make: Callable[[Stacks], Screen], *, quiet: bool) -> None:
        self.make, self.quiet = make, quiet
        self.screen: Screen | None = None

    def begin(self, groups: Sequence[Sequence[int]]) -> None:
        """Open the screen."""
        stack = {number: i for i, group in enumerate(groups, 1) for number in group}
        self.screen = self.make(stack)

    def known(self, number: int, result: dict[str, Any]) -> None:
        """Take note of a run that was finished before."""
        if self.screen is not None:
            self.screen.known(number, result)

    def start(self, number: int) -> None:
        """Show that a run began."""
        if self.screen is not None:
            self.screen.start(number)

    def show(self, number: int, event: dict[str, Any]) -> None:
        """Show how far a run is."""
        if self.screen is not None:
            self.screen.show(number, event)

    def close(self, *, stopped: bool) -> None:
        """Close the screen, and say how to go on."""
        if self.screen is not None:
            self.screen.close()
        if stopped and not self.quiet:
            say("stopped; the same command goes on from the last checkpoints")


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
