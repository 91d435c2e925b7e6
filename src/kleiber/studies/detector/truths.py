"""The declared distribution of true curves, and the ladders drawn from it.

A ladder has 7 rungs over 3 decades of compute, 3 seeds a rung and a noise of .002 nats a run; the
target is 10 times its top. Curves are E + A C^-a with C in units of the smallest rung. In half of
the cells one arm also has a small-scale term of .02 C^-.6.

| | crossing | none below the target |
|---|---|---|
| E, a, A | uniform in 1.4..2, .12...18, 2..2.6 | the same |
| gap at the smallest rung | log-uniform in .03..0.12 nats | the same |
| how the arms differ | half exponents, half floors | a third each: a pure multiplier; exponents \
that cross 30 to 1000 tops away; floors .003 to .02 nats apart the same way |
| crossing / ladder's top | log-uniform in .1..8 | |

A draw whose curves, term included, do not cross (once, or not at all) as its cell says is drawn
again; which arm is A is a coin's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kleiber.judging.compare.rungs import Arm, Rung
from kleiber.laws.base import Array
from kleiber.runs import Runs

RUNGS, DECADES, SEEDS, NOISE = 7, 3.0, 3, 0.002
TARGET = 10.0 ** (DECADES + 1.0)
TERM, DECAY = 0.02, 0.6
UNIT = 1e15  # FLOPs of the smallest rung
Way = Literal["multiplier", "exponents", "floors", "same"]


@dataclass(frozen=True)
class Curve:
    """E + A C^-a + T C^-t, C in units of the smallest rung."""

    floor: float
    size: float
    exponent: float
    term: float = 0.0
    decay: float = DECAY

    def loss(self, compute: Array) -> Array:
        """Return the true losses."""
        power = self.size * compute**-self.exponent
        return self.floor + power + self.term * compute**-self.decay


@dataclass(frozen=True)
class Truth:
    """Two true curves: their difference at the target, and where they cross (NaN: nowhere).

    ``harmful`` says that the term is in the arm that is better at the smallest rung, where it
    hides the gap.
    """

    a: Curve
    b: Curve
    way: Way
    difference: float
    crossing: float
    harmful: bool


def truth_of(a: Curve, b: Curve, way: Way) -> Truth | None:
    """Return a truth, None where the curves cross more than once."""
    places = np.logspace(0.0, np.log10(TARGET), 4001)
    apart = a.loss(places) - b.loss(places)
    swaps = np.flatnonzero(np.sign(apart[1:]) != np.sign(apart[:-1]))
    if len(swaps) > 1:
        return None
    better, worse = (a, b) if a.floor + a.size < b.floor + b.size else (b, a)
    crossing = float(places[swaps[0]]) if len(swaps) else float("nan")
    return Truth(a, b, way, float(apart[-1]), crossing, better.term > worse.term)


def draw_truth(
    rng: np.random.Generator, *, crossing: bool, term: Literal["none", "one", "other"]
) -> Truth:
    """Draw a truth that does or does not cross below the target."""
    while True:
        a, b, way = _pair(rng, crossing=crossing)
        small, decay = (TERM, DECAY) if term == "one" else (0.0, DECAY)
        if term == "other":
            small = float(np.exp(rng.uniform(np.log(0.01), np.log(0.04))))
            decay = float(rng.uniform(0.3, 1.2))
        in_a = bool(rng.integers(2))
        a = Curve(a.floor, a.size, a.exponent, small if in_a else 0.0, decay)
        b = Curve(b.floor, b.size, b.exponent, 0.0 if in_a else small, decay)
        if rng.integers(2):
            a, b = b, a
        found = truth_of(a, b, way)
        if found is not None and np.isfinite(found.crossing) == crossing:
            return found


def _pair(rng: np.random.Generator, *, crossing: bool) -> tuple[Curve, Curve, Way]:
    """Draw two curves without a term, the first worse at the smallest rung."""
    floor, exponent, size = rng.uniform(1.4, 2.0), rng.uniform(0.12, 0.18), rng.uniform(2.0, 2.6)
    gap = float(np.exp(rng.uniform(np.log(0.03), np.log(0.12))))
    top = 10.0**DECADES
    ways: tuple[Way, ...] = ("exponents", "floors", "multiplier")
    way = ways[int(rng.integers(2 if crossing else 3))]
    where = top * 10.0 ** (rng.uniform(-1.0, np.log10(8.0)) if crossing else rng.uniform(1.5, 3.0))
    worse = Curve(floor, size, exponent)
    if way == "multiplier":
        return worse, Curve(floor, size - gap, exponent), way
    if way == "exponents":
        slower = exponent - float(np.log(size / (size - gap)) / np.log(where))
        return worse, Curve(floor, size - gap, slower), way
    if crossing:
        more = gap / (1.0 - where**-exponent)
        below = floor - more * where**-exponent
        return Curve(below, size, exponent), Curve(floor, size - more, exponent), way
    above = float(np.exp(rng.uniform(np.log(0.003), np.log(0.02))))
    return Curve(floor + above, size, exponent), Curve(floor, size - gap, exponent), way


def computes() -> Array:
    """Return the rungs' compute in units of the smallest."""
    return np.logspace(0.0, DECADES, RUNGS)


def ladder(truth: Truth, rng: np.random.Generator) -> tuple[Arm, Arm]:
    """Train, so to say, a ladder of each recipe."""
    first, second = (_arm(name, curve, rng) for name, curve in (("A", truth.a), ("B", truth.b)))
    return first, second


def _arm(name: str, curve: Curve, rng: np.random.Generator) -> Arm:
    losses = curve.loss(computes())[:, None] + NOISE * rng.standard_normal((RUNGS, SEEDS))
    rungs = tuple(
        Rung(
            flops=float(at * UNIT),
            losses=tuple(row),
            seeds=("",) * SEEDS,
            params=float(np.sqrt(at * UNIT / 120.0)),
            tokens=float(20.0 * np.sqrt(at * UNIT / 120.0)),
        )
        for at, row in zip(computes(), losses.tolist(), strict=True)
    )
    return Arm(name, rungs, "measured", _NO_TABLE)


_NO_TABLE = Runs.read({"params": [1.0], "tokens": [1.0], "loss": [1.0]})
