"""What runs of one setting came to over their seeds: test loss as approximation and gap, apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from kleiber.recipes import Rung
from kleiber.studies.paradigms.grids import Grid

LEVEL = 0.9
Losses = Mapping[int, float]  # by the seed, so that differences are of pairs


@dataclass(frozen=True)
class Setting:
    """Runs that differ in their seed alone; losses in nats a token, by their seed.

    ``test`` is on windows of the text that were not shown, ``seen`` on some that were:
    ``test = seen + gap``. A run whose loss was no number counts in ``failed`` alone.
    """

    rung: Rung  # of the first seed
    test: Losses
    seen: Losses
    failed: int = 0

    @property
    def gap(self) -> Losses:
        """The generalisation gap, by its seed."""
        return {seed: test - self.seen[seed] for seed, test in self.test.items()}

    def mean(self, what: str) -> float:
        """Return the mean of test, seen or gap; infinity where a seed failed."""
        return math.inf if self.failed else _mean(getattr(self, what))


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


def difference(values: Losses, others: Losses, tries: int = 1) -> Difference:
    """Return the mean of values less others, of the seeds that both have, and its interval.

    The interval is at LEVEL. Of the best of several ``tries`` it is wider: each is at
    1 - (1 - LEVEL) / tries (Bonferroni), so that choosing the best does not count as finding it.
    One pair has a value and no interval, none has neither.
    """
    apart = np.array([values[seed] - others[seed] for seed in values if seed in others])
    if len(apart) < 2:
        value = float(apart[0]) if len(apart) else math.nan
        return Difference(value, math.nan, math.nan, len(apart))
    tail = 0.5 * (1 - LEVEL) / tries
    spread = float(apart.std(ddof=1)) / math.sqrt(len(apart))
    half = float(stdtrit(len(apart) - 1, 1 - tail)) * spread
    mean = float(apart.mean())
    return Difference(mean, mean - half, mean + half, len(apart))


def settings(grid: Grid, runs: Mapping[str, Mapping[str, Any]]) -> list[Setting]:
    """Return a grid's settings in its order, of finished runs by their names."""
    found: list[Setting] = []
    rungs, seeds = grid.rungs(), grid.seeds
    for i in range(0, len(rungs), seeds):
        done = {r.seed: runs[r.name] for r in rungs[i : i + seeds] if r.name in runs}
        test, seen = (
            {seed: float(run[which]) for seed, run in done.items()}
            for which in ("unseen_loss", "seen_loss")
        )
        found.append(Setting(rungs[i], test, seen, seeds - len(done)))
    return found


def row(grid: Grid, one: Setting) -> dict[str, Any]:
    """Return a setting as a table's row."""
    lacking = {"test": math.nan, "test sd": math.nan, "seen": math.nan, "gap": math.nan}
    held = (
        {
            "test": _mean(one.test),
            "test sd": _spread(one.test),
            "seen": _mean(one.seen),
            "gap": _mean(one.gap),
            "gap sd": _spread(one.gap),
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
        "tests": list(one.test.values()),
        "seens": list(one.seen.values()),
    }


def _mean(losses: Losses) -> float:
    return float(np.mean(list(losses.values())))


def _spread(losses: Losses) -> float:
    return float(np.std(list(losses.values()), ddof=1)) if len(losses) > 1 else math.nan
