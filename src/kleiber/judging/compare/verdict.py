"""From replicates of the difference at the target to three probabilities and one word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kleiber.laws.base import Array

Verdict = Literal["A", "B", "tie", "undecided"]
SURE = 0.9  # probability from which a verdict is given
SUPPORTED = 10.0  # times the ladder's top: beyond it no simulated rule was to be believed


@dataclass(frozen=True)
class Range:
    """A quantity's median and its interval."""

    lower: float
    median: float
    upper: float


@dataclass(frozen=True)
class Chances:
    """P(A is better by more than the margin), P(neither is), P(B is)."""

    a: float
    tie: float
    b: float


def chances(difference: Array, margin: float) -> Chances:
    """Return the three probabilities from draws (B,) of L_A - L_B in nats."""
    a = float(np.mean(difference < -margin))
    b = float(np.mean(difference > margin))
    return Chances(a, float(np.mean(np.abs(difference) <= margin)), b)


def between(values: Array, level: float) -> Range:
    """Return the median and the central interval of draws (B,)."""
    tail = 0.5 - 0.5 * level
    low, middle, high = np.quantile(values, (tail, 0.5, 1.0 - tail)).tolist()
    return Range(low, middle, high)


def word(found: Chances, *, supported: bool) -> Verdict:
    """Return the verdict: a word that is nine parts in ten sure, where the ladder supports it."""
    if not supported:
        return "undecided"
    if found.a >= SURE:
        return "A"
    if found.b >= SURE:
        return "B"
    return "tie" if found.tie >= SURE else "undecided"
