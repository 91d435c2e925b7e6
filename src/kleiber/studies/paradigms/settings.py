"""What runs of one setting came to over their seeds: test loss as approximation and gap, apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from kleiber.recipes import Rung
from kleiber.studies.paradigms.grids import Grid

LEVEL = 0.9


@dataclass(frozen=True)
class Setting:
    """Runs that differ in their seed alone; losses in nats a token, a seed each.

    ``test`` is on windows of the text that were not shown, ``seen`` on some that were:
    ``test = seen + gap``. A run whose loss was no number counts in ``failed`` alone.
    """

    rung: Rung  # of the first seed
    test: tuple[float, ...]
    seen: tuple[float, ...]
    failed: int = 0

    @property
    def gap(self) -> tuple[float, ...]:
        """The generalisation gap, a seed each."""
        return tuple(test - seen for test, seen in zip(self.test, self.seen, strict=True))

    def mean(self, what: str) -> float:
        """Return the mean of test, seen or gap; infinity where a seed failed."""
        return math.inf if self.failed else float(np.mean(getattr(self, what)))


@dataclass(frozen=True)
class Difference:
    """What one setting has over another, paired by seed: a mean with its t interval."""

    value: float
    lower: float
    upper: float
    seeds: int

    def __str__(self) -> str:
        """Say it."""
        return f"{self.value:+.3f} ({self.lower:+.3f} to {self.upper:+.3f})"


def difference(values: Sequence[float], others: Sequence[float], tries: int = 1) -> Difference:
    """Return the mean of values less others with its interval at LEVEL.

    Of the best of several ``tries`` the interval is wider: each is at 1 - (1 - LEVEL) / tries
    (Bonferroni), so that choosing the best does not count as finding it. One pair has a value and
    no interval, none has neither.
    """
    apart = np.array(values, dtype=float) - np.array(others, dtype=float)
    if len(apart) < 2:
        value = float(apart[0]) if len(apart) else math.nan
        return Difference(value, math.nan, math.nan, len(apart))
    tail = 0.5 * (1 - LEVEL) / tries
    spread = float(apart.std(ddof=1)) / math.sqrt(len(apart))
    half = float(stdtrit(len(apart) - 1, 1 - tail)) * spread
    mean = float(apart.mean())
    return Difference(mean, mean - half, mean + half, len(apart))


def settings(grid: Grid, runs: Mapping[str, Mapping[str, Any]], seeds: int) -> list[Setting]:
    """Return a grid's settings in its order, of finished runs by their names."""
    found: list[Setting] = []
    rungs = grid.rungs(seeds)
    for i in range(0, len(rungs), seeds):
        done = [runs[rung.name] for rung in rungs[i : i + seeds] if rung.name in runs]
        found.append(
            Setting(
                rungs[i],
                tuple(float(run["unseen_loss"]) for run in done),
                tuple(float(run["seen_loss"]) for run in done),
                seeds - len(done),
            )
        )
    return found


def row(grid: Grid, one: Setting) -> dict[str, Any]:
    """Return a setting as a table's row."""
    lacking = {"test": math.nan, "test sd": math.nan, "seen": math.nan, "gap": math.nan}
    held = (
        {
            "test": float(np.mean(one.test)),
            "test sd": float(np.std(one.test, ddof=1)) if len(one.test) > 1 else math.nan,
            "seen": float(np.mean(one.seen)),
            "gap": float(np.mean(one.gap)),
            "gap sd": float(np.std(one.gap, ddof=1)) if len(one.gap) > 1 else math.nan,
        }
        if one.test
        else lacking
    )
    return {
        grid.dial: getattr(one.rung, grid.dial),
        **{name: getattr(one.rung, name) for name in grid.others},
        "width": one.rung.width,
        "unique tokens": one.rung.unique_tokens,
        "seeds": len(one.test),
        "failed": one.failed,
        **held,
        "tests": list(one.test),
        "seens": list(one.seen),
    }
