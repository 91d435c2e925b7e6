"""Compute-equivalent gain: how many times its compute A needs to reach what B reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.judging.compare.resample import Draws
from kleiber.laws.base import Array

PLACES = 9  # computes at which the gain is said
REACH = 1e3  # the rival's compute is looked for so far to either side
_GRID = 241


@dataclass(frozen=True)
class Gain:
    """Gain of B over A as a function of compute (FLOPs): above 1 B is better.

    Infinite where A's curve never comes so low within a thousand times the span.
    """

    flops: tuple[float, ...]
    lower: tuple[float, ...]
    median: tuple[float, ...]
    upper: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the gain as plain data, columns of one length."""
        return {name: list(values) for name, values in vars(self).items()}


def gain(draws: Draws, target: float, level: float = 0.9) -> Gain:
    """Return C_A(L_B(C)) / C from where both are known to the target, by replicates."""
    least = draws.data.least(target)
    at = np.exp(np.log(least) + np.log(target / least) * np.arange(PLACES) / (PLACES - 1))
    low, high = np.log(least / REACH), np.log(target * REACH)
    grid = low + (high - low) * np.arange(_GRID) / (_GRID - 1)
    # a small-scale term may turn a curve near its start: the lowest so far is what is reached
    reached = np.minimum.accumulate(draws.curve(np.exp(grid), 0.5), axis=1)
    wanted = draws.curve(at, -0.5)
    needed = np.stack([_inverse(grid, *pair) for pair in zip(reached, wanted, strict=True)])
    factor = np.exp(needed - np.log(at))
    tail = 0.5 - 0.5 * level
    rows = [np.sort(factor, axis=0)[_rank(len(factor), q)] for q in (tail, 0.5, 1.0 - tail)]
    lower, median, upper = (tuple(row.tolist()) for row in rows)
    return Gain(tuple(at.tolist()), lower, median, upper)


def _rank(count: int, q: float) -> int:
    """Return the row of a quantile: no two draws are mixed, since one may be infinite."""
    return min(int(q * count), count - 1)


def _inverse(grid: Array, falling: Array, wanted: Array) -> Array:
    """Return the log compute at which a falling curve (n,) has each loss (k,)."""
    return np.interp(wanted, falling[::-1], grid[::-1], left=np.inf, right=-np.inf)
