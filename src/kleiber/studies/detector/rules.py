"""The rules that are compared: this package's, and three that people use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from kleiber.judging.compare.crossing import CALLED, LEAST_DRAWS, crossover, last_swap
from kleiber.judging.compare.ladders import Ladders
from kleiber.judging.compare.resample import draw
from kleiber.judging.compare.verdict import between
from kleiber.laws.base import Array

REPLICATES = 1000
PLAIN = 200  # replicates of the plain separate fits
STEP, SECTIONS, GOLDEN = 0.02, 30, 0.6180339887498949
EXPONENTS: Array = STEP * np.arange(1, 31, dtype=np.float64)
TAIL = 1.6449  # of 90 %


@dataclass(frozen=True)
class Said:
    """What a rule says: whether they cross below the target, the difference there, log10 C*."""

    called: bool
    lower: float
    median: float
    upper: float
    where: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    draws: Array | None = None


def nested(data: Ladders, target: float, rng: np.random.Generator) -> Said:
    """Ask this package: nested candidates, hidden top rungs, hierarchical bootstrap."""
    draws = draw(data, rng, REPLICATES)
    found = crossover(draws, target)
    apart = draws.difference(np.array([target]))[:, 0]
    said = between(apart, 0.9)
    where = (found.lower, found.median, found.upper)
    low, middle, high = (float(np.log10(x)) for x in where)
    return Said(
        found.kind != "none", said.lower, said.median, said.upper, (low, middle, high), apart
    )


def separate(data: Ladders, target: float, rng: np.random.Generator) -> Said:
    """Fit E + A C^-a to each arm by itself: least squares, E and A not negative."""
    sides = [np.flatnonzero(data.arm == side) for side in (0.5, -0.5)]
    places = np.linspace(np.log(data.flops.min()), np.log(target), 161)
    curves: list[Array] = []
    for rows in sides:
        sds = data.sd * data.scale[rows] / np.sqrt(data.count[rows])
        y = data.mean[rows] + rng.normal(size=(PLAIN, len(rows))) * sds
        curves.append(_plain(data.flops[rows], y, np.exp(places)))
    apart = curves[0] - curves[1]
    swaps = last_swap(places, apart)
    seen = np.isfinite(swaps)
    said = between(apart[:, -1], 0.9)
    where = (np.nan, np.nan, np.nan)
    if seen.sum() >= LEAST_DRAWS:
        low, middle, high = (np.quantile(swaps[seen], (0.05, 0.5, 0.95)) / np.log(10.0)).tolist()
        where = (low, middle, high)
    return Said(float(seen.mean()) > CALLED, said.lower, said.median, said.upper, where)


def _plain(flops: Array, y: Array, at: Array) -> Array:
    """Return the fitted losses (B, k) at computes (k,) of mean losses (B, n).

    The exponent's cost is searched on a grid, then by golden sections about its lowest.
    """
    x = np.log(flops / flops.min())
    costs = np.stack([_given(np.full(len(y), one), x, y)[0] for one in EXPONENTS])
    best = EXPONENTS[np.clip(np.argmin(costs, axis=0), 1, len(EXPONENTS) - 2)]
    low: Array = best - STEP
    high: Array = best + STEP
    for _ in range(SECTIONS):
        left: Array = high - GOLDEN * (high - low)
        right: Array = low + GOLDEN * (high - low)
        lower = _given(left, x, y)[0] < _given(right, x, y)[0]
        low, high = np.where(lower, low, left), np.where(lower, right, high)
    exponent: Array = 0.5 * (low + high)
    _, floor, size = _given(exponent, x, y)
    return floor[:, None] + size[:, None] * np.exp(-exponent[:, None] * np.log(at / flops.min()))


def _given(exponent: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return cost, E and A (B,) of the best curve with exponents (B,), E and A not negative."""
    power = np.exp(-exponent[:, None] * x)
    centred = power - power.mean(axis=1, keepdims=True)
    size = np.maximum((centred * y).sum(axis=1) / (centred**2).sum(axis=1), 0.0)
    floor = y.mean(axis=1) - size * power.mean(axis=1)
    below = floor < 0
    size = np.where(below, (power * y).sum(axis=1) / (power**2).sum(axis=1), size)
    floor = np.where(below, 0.0, floor)
    return ((y - floor[:, None] - size[:, None] * power) ** 2).sum(axis=1), floor, size


def straight(data: Ladders, target: float, rng: np.random.Generator) -> Said:
    """Draw a straight line of the difference over log compute."""
    flops, apart, _ = data.differences()
    x = np.log(flops)
    design = np.stack([np.ones(len(x)), x], axis=1)
    level, slope = np.linalg.lstsq(design, apart, rcond=None)[0].tolist()
    rest = apart - level - slope * x
    free = len(x) - 2
    scale = float(rest @ rest) / free
    spread = x - x.mean()
    far = np.log(target) - x.mean()
    error = float(np.sqrt(scale * (1.0 / len(x) + far**2 / (spread @ spread))))
    middle = level + slope * float(np.log(target))
    half = float(stdtrit(free, 0.95)) * error
    zero = -level / slope if slope else np.nan
    inside = x.min() < zero < np.log(target)
    where = (np.nan, zero / np.log(10.0), np.nan)
    return Said(bool(inside), middle - half, middle, middle + half, where)


def rank(data: Ladders, target: float, rng: np.random.Generator) -> Said:
    """Hold the order at the largest rung; it crossed if the smallest has the other order."""
    flops, apart, error = data.differences()
    top, bottom = int(np.argmax(flops)), int(np.argmin(flops))
    half = TAIL * float(error[top])
    there = float(apart[top])
    swapped = bool(np.sign(apart[bottom]) != np.sign(there))
    return Said(swapped, there - half, there, there + half)


RULES = {
    "kleiber compare": nested,
    "plain separate fits": separate,
    "straight line": straight,
    "rank at the top": rank,
}
