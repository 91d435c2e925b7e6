"""Where two recipes swap order: how likely below the target, where, and whether it was seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from scipy.special import fdtri, stdtr

from kleiber.judging.compare.ladders import Ladders
from kleiber.judging.compare.resample import Draws
from kleiber.laws.base import Array

Kind = Literal["observed", "extrapolated", "none"]
CALLED = 0.5  # probability above which a crossing is called
SURE = 0.9
LEVEL = 0.9
PLACES = 161  # of the grid of compute on which signs are read
LEAST_DRAWS = 20  # that cross, for an interval
ALPHA = 0.05  # of the sign tests of rungs, all together


@dataclass(frozen=True)
class Crossover:
    """P(the recipes swap order between the smallest rung and the target), and where (FLOPs).

    The interval is given that they cross; NaN where hardly a replicate does. ``kind`` is
    "observed" where rungs on both sides have opposite signs beyond the noise of seeds, "none"
    where a crossing is less likely than not or no rung tells the recipes apart. ``said`` keeps
    "they do not cross" apart from "cannot tell". ``bracket`` holds the rungs on either side of an
    observed one, which ``probability``, of the curves, need not follow.
    """

    probability: float
    lower: float
    median: float
    upper: float
    kind: Kind
    said: Literal["they cross", "they do not cross", "cannot tell"]
    bracket: tuple[float, float] | None
    level: float

    def to_dict(self) -> dict[str, Any]:
        """Return the crossover as plain data."""
        return asdict(self)


def crossover(draws: Draws, target: float, level: float = LEVEL) -> Crossover:
    """Return the last swap of order below the target over all replicates."""
    data = draws.data
    least = data.least(target)
    places = np.log(least) + np.log(target / least) * np.arange(PLACES) / (PLACES - 1)
    where = last_swap(places, draws.difference(np.exp(places)))
    swapped = np.isfinite(where)
    share = float(swapped.mean())
    seen = bracket(data, target)
    tail = 0.5 - 0.5 * level
    low, mid, high = (
        np.exp(np.quantile(where[swapped], (tail, 0.5, 1.0 - tail)))
        if swapped.sum() >= LEAST_DRAWS
        else (np.nan, np.nan, np.nan)
    )
    told = differ(data)
    kind: Kind = "extrapolated" if share > CALLED and told else "none"
    if seen is not None:  # whatever the curves, which may fit neither side
        kind = "observed"
    return Crossover(
        probability=share,
        lower=float(low),
        median=float(mid),
        upper=float(high),
        kind=kind,
        said=(
            "they cross"
            if seen is not None or (share >= SURE and told)
            else "they do not cross"
            if share <= 1.0 - SURE
            else "cannot tell"
        ),
        bracket=seen,
        level=level,
    )


def differ(data: Ladders) -> bool:
    """Return whether the rungs tell the recipes apart at all: curves of one recipe always swap.

    An F test of all differences against zero.
    """
    if not len(data.common):
        return True
    _, apart, _ = data.differences()
    square = float(apart @ np.linalg.solve(data.of_differences(), apart)) / len(apart)
    return square > float(fdtri(len(apart), data.noise_df, 1.0 - ALPHA))


def last_swap(places: Array, difference: Array) -> Array:
    """Return the last place where a difference (B, n) changes sign, NaN where it never does."""
    above = difference >= 0
    swaps = above[:, 1:] != above[:, :-1]
    found = swaps.any(axis=1)
    last = swaps.shape[1] - 1 - np.argmax(swaps[:, ::-1], axis=1)
    row = np.arange(len(difference))
    before, after = difference[row, last], difference[row, last + 1]
    part = before / np.where(found, before - after, 1.0)
    return np.where(found, places[last] + part * (places[last + 1] - places[last]), np.nan)


def bracket(data: Ladders, target: float) -> tuple[float, float] | None:
    """Return the computes of the rungs on either side of an observed swap of order.

    Every common rung's difference is tested against zero (two-sided t), by Holm over rungs; a
    swap is observed between the last rung of one sign and the next of the other.
    """
    if len(data.common) < 2:
        return None
    flops, apart, error = data.differences(repeated=True)
    chance = np.asarray(2.0 * stdtr(data.noise_df, -np.abs(apart) / error), dtype=np.float64)
    sign = np.where(holm(chance), np.sign(apart), 0.0)
    told = np.flatnonzero(sign)
    told = told[flops[told] <= target]
    swaps = [(i, j) for i, j in pairwise(told.tolist()) if sign[i] != sign[j]]
    if not swaps:
        return None
    i, j = swaps[-1]
    return float(flops[i]), float(flops[j])


def holm(chance: Array, alpha: float = ALPHA) -> Array:
    """Return which p-values (n,) are significant together (Holm 1979)."""
    order = np.argsort(chance)
    passed = chance[order] <= alpha / (len(chance) - np.arange(len(chance)))
    found = np.zeros(len(chance), dtype=bool)
    found[order[: len(chance) if passed.all() else int(np.argmin(passed))]] = True
    return found
