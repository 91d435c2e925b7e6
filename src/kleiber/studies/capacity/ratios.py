"""How many times as much one arm stores as another: ratios paired by seed, with a t interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kleiber.errors import InputError

LEVEL = 0.9
FLOOR = 0.01  # bits a parameter: what stores less, or nothing, counts as this much
FLOORED = {(False, False): "", (True, False): "over", (False, True): "under", (True, True): "both"}
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Ratio:
    """A geometric mean of paired ratios, its interval, and the spread of their logarithms."""

    value: float
    lower: float  # NaN, as are upper and spread, of one seed
    upper: float
    seeds: int
    spread: float  # standard deviation of the logarithms, nats
    level: float = LEVEL
    floored: str = ""  # "over", "under" or "both": stored less than FLOOR, counted as FLOOR

    @property
    def range(self) -> tuple[float, float]:
        """Return the interval, or the value twice where there is none."""
        unknown = math.isnan(self.spread)
        return (self.value, self.value) if unknown else (self.lower, self.upper)

    def seeds_to_settle(self, bound: float) -> int | None:
        """Return how many seeds of this spread put the bound outside the interval; None: no number.

        As if mean and spread stayed what they are.
        """
        if math.isnan(self.spread):
            return None
        away = abs(math.log(self.value / bound))
        for seeds in range(2, MOST_SEEDS):
            if _half(self.spread, seeds, self.level) < away:
                return seeds
        return None

    def __str__(self) -> str:
        """Say the ratio with its interval and level."""
        if math.isnan(self.spread):
            return f"{self.value:.3g} (one seed, no interval)"
        return (
            f"{self.value:.3g} ({self.level:.0%} interval {self.lower:.3g} to {self.upper:.3g}, "
            f"{self.seeds} seeds)"
        )


def paired_ratio(
    over: Sequence[float], under: Sequence[float] | float, *, level: float = LEVEL
) -> Ratio:
    """Return the ratio of what two arms store, seed by seed, or of an arm to a number.

    ``exp(mean ± t s / sqrt(n))`` of the n differences of logarithms; t of n - 1 degrees of freedom.
    One pair has a ratio and no interval.
    """
    if isinstance(under, int | float):
        under = [float(under)] * len(over)
    if len(over) != len(under) or not over:
        raise InputError(
            f"{len(over)} values against {len(under)}: a ratio needs pairs.",
            remedy="Train the same seeds of both arms.",
        )
    pairs = np.array([over, under], dtype=float)
    logs = np.log(np.maximum(pairs, FLOOR))
    each = logs[0] - logs[1]
    mean = float(each.mean())
    spread = float(each.std(ddof=1)) if len(each) > 1 else math.nan
    half = _half(spread, len(each), level)
    return Ratio(
        value=math.exp(mean),
        lower=math.exp(mean - half),
        upper=math.exp(mean + half),
        seeds=len(each),
        spread=spread,
        level=level,
        floored=FLOORED[bool((pairs[0] < FLOOR).any()), bool((pairs[1] < FLOOR).any())],
    )


def _half(spread: float, seeds: int, level: float) -> float:
    return float(stats.t.ppf((1 + level) / 2, seeds - 1)) * spread / math.sqrt(seeds)
