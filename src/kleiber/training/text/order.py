"""Which window each place of a run shows: exact counts of what differs and what comes again.

A run shows ``shown`` windows, of which ``unique`` differ; places count them from 0. The first
``unique`` places show each of them once, every later pass the same ones in another order, and the
last pass ends where the run does. Which windows of a text these are is a permutation of all of
them by the seed, so that a shorter run, or one with fewer unique windows, sees the first of those
that a longer one sees, in the same order in the first pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import UsageError
from kleiber.training.chance import draw, permute

TEXT, PASS = 200, 201
"""What these draws are for, their first keys."""


@dataclass(frozen=True)
class Order:
    """The windows of a run by their place; ``available`` is None where a text does not end."""

    shown: int
    unique: int
    seed: int
    available: int | None = None

    @classmethod
    def of(cls, shown: int, epochs: float, seed: int, available: int | None = None) -> Order:
        """Return the order of a run of so many windows, which it shows so many times over.

        The windows that differ are shown / epochs, rounded up: none is shown more often than
        ``epochs``, rounded up.
        """
        if not 1 <= epochs <= shown:
            raise UsageError(
                f"{epochs:g} epochs of {shown:,} windows in all; 1 to {shown:,} are possible.",
                remedy="Correct epochs in the recipe.",
            )
        return cls(shown, math.ceil(round(shown / epochs, 6)), seed, available)

    @property
    def epochs(self) -> float:
        """How often a window is shown, on average."""
        return self.shown / self.unique

    def windows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the window at each place."""
        turns, found = np.divmod(places, self.unique)
        for turn in np.unique(turns):
            if turn:  # the first pass is in the order of the text's permutation
                here = turns == turn
                key = int(draw(self.seed, PASS, int(turn)))
                found[here] = permute(key, found[here], self.unique)
        if self.available is None:
            return found
        return permute(int(draw(self.seed, TEXT)), found, self.available)

    def left(self, count: int) -> NDArray[np.int64]:
        """Return up to ``count`` windows of a text that the run does not show, of its last.

        Runs of one seed leave the same ones, however few differ, where they leave enough.
        """
        if self.available is None:
            raise UsageError("An endless text leaves nothing over; ask for its held-out windows.")
        first = max(self.unique, self.available - count)
        places = np.arange(first, self.available)
        return permute(int(draw(self.seed, TEXT)), places, self.available)


@dataclass(frozen=True)
class Counted:
    """What the batches of a run over any text count alike."""

    order: Order
    context: int
    size: int  # windows a step
    about: dict[str, Any]

    @property
    def width(self) -> int:
        """Tokens that a window predicts."""
        return self.context

    @property
    def windows(self) -> int:
        """Windows that the run shows."""
        return self.order.shown

    @property
    def steps(self) -> int:
        """Batches of the run."""
        return self.order.shown // self.size

    @property
    def tokens(self) -> int:
        """Targets that the run shows."""
        return self.order.shown * self.context

    def places(self, step: int) -> tuple[int, int]:
        """Return the first place of a step and the one behind its last, or raise UsageError."""
        if not 0 <= step < self.steps:
            raise UsageError(f"step {step} of {self.steps} steps; they count from 0.")
        return step * self.size, (step + 1) * self.size
