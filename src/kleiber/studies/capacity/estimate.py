"""What a result still has to train, said before it starts: runs, steps, about how long.

A run takes as long as the slowest of three things: its steps (each costs something however small),
its FLOPs, and the writing of its texts. On a GPU the FLOPs of all runs share one device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kleiber.errors import InputError
from kleiber.planning.cost import prices
from kleiber.studies.capacity.work import FULL, Work, reached, works_of
from kleiber.units import format_count

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell


@dataclass(frozen=True)
class Machine:
    """How fast runs are, as assumed; ``shared`` where runs at once share the arithmetic."""

    name: str
    step: float  # seconds that a step costs at least
    flops: float  # a second, at width 768 and more where ``narrow``
    narrow: bool
    texts: float  # tokens of text that one process writes a second
    start: float  # seconds of a run beside its steps: start, compiling, measuring
    shared: bool

    def arithmetic(self, work: Work) -> float:
        """Return the seconds of a run's FLOPs."""
        return work.flops / (self.flops * (reached(work.cell.width) if self.narrow else 1.0))

    def alone(self, stack: Sequence[Work]) -> float:
        """Return the seconds of runs that train as one stack, nothing else beside them."""
        flops = sum(self.arithmetic(work) for work in stack)
        step, texts = stack[0].steps * self.step, sum(work.tokens for work in stack) / self.texts
        slowest = max(step, flops, texts) if self.shared else step + flops
        return self.start + slowest

    def seconds(self, stacks: Sequence[Sequence[Work]], at_once: int) -> float:
        """Return the seconds of all stacks, so many at once."""
        if not stacks:
            return 0.0
        each = [self.alone(stack) for stack in stacks]
        least = sum(self.arithmetic(w) for stack in stacks for w in stack) if self.shared else 0.0
        return max(*each, sum(each) / at_once, least)

    def __str__(self) -> str:
        """Say the assumptions."""
        narrow = f", less in proportion below width {FULL}" if self.narrow else ""
        return (
            f"{self.name}: {self.flops / 1e12:.3g} TFLOP/s{narrow}, at least {1e3 * self.step:g} "
            f"ms a step"
        )


# From runs of the presets cpu and curve on one core, 10,000 to 58,000 steps: right within a third.
CPU = Machine("one core", 2e-3, 2e10, narrow=False, texts=8e6, start=20, shared=False)
_H200 = prices("h200")
# Not measured. 8M tokens of biographies a second are written by one core.
GPU = Machine(
    "one H200, not measured", 2e-3, _H200.gpu.peak * _H200.mfu,
    narrow=True, texts=8e6, start=60, shared=True,
)  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """What is to do: runs in all, those to train, their steps, FLOPs and about how many seconds."""

    runs: int
    todo: int
    steps: int
    flops: float
    seconds: float
    machine: Machine
    at_once: int

    def __str__(self) -> str:
        """Say it in a line."""
        runs = f"{self.runs} run{'' if self.runs == 1 else 's'}"
        if not self.todo:
            return f"{runs}, trained before"
        before = f", {self.runs - self.todo} trained before" if self.todo < self.runs else ""
        return (
            f"{runs}{before}: {self.todo} to train, {format_count(self.steps)} steps, "
            f"{self.flops:.2g} FLOPs, about {said(self.seconds)} with {self.at_once} at once "
            f"({self.machine})"
        )


def estimate(
    cells: Sequence[Cell], places: Sequence[Path], *, device: str, at_once: int
) -> Estimate:
    """Return what training cells in their folders comes to; what has finished costs nothing."""
    from kleiber.knowledge.cell import stacks

    own = {str(place): cell for cell, place in zip(cells, places, strict=True)}
    todo = [cell for place, cell in own.items() if not _finished(cell, Path(place))]
    works = works_of(todo)
    groups = [[works[i] for i in group] for group in stacks(todo)]
    machine = CPU if device == "cpu" else GPU
    return Estimate(
        runs=len(own),
        todo=len(todo),
        steps=sum(work.steps for work in works),
        flops=sum(work.flops for work in works),
        seconds=machine.seconds(groups, at_once),
        machine=machine,
        at_once=max(1, min(at_once, len(groups))),
    )


def said(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _finished(cell: Cell, place: Path) -> bool:
    from kleiber.knowledge.prepare import finished
    from kleiber.training import RunFolder

    try:
        return place.exists() and finished(cell, RunFolder(place)) is not None
    except InputError:  # training says what is wrong with it
        return False
