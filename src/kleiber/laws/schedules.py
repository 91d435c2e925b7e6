"""Schedules: the learning rate of every step of a run, the warm-up included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kleiber.errors import UsageError, ValuesError
from kleiber.laws.base import Array

Decay = Literal["exponential", "linear"]


@dataclass(frozen=True, eq=False)
class Schedule:
    """A learning rate for every step: ``rates[t]`` is step t's; step 0 alone may have none.

    Raises ValuesError for rates that no later step can have: zero, negative or not finite. A
    decay to nothing at all has no place in the multi-power law, whose last change would be of
    infinite delay.
    """

    name: str
    rates: Array

    def __post_init__(self) -> None:
        rates = np.array(self.rates, dtype=np.float64)
        sound = rates.ndim == 1 and len(rates) > 1 and bool(np.all(np.isfinite(rates)))
        if not (sound and rates[0] >= 0 and np.all(rates[1:] > 0)):
            worst = float(np.min(rates[1:])) if rates.ndim == 1 and len(rates) > 1 else np.nan
            raise ValuesError(
                f"The schedule '{self.name}' has rates of shape {rates.shape} whose least after "
                f"step 0 is {worst:g}; every step needs a positive, finite learning rate.",
                remedy="Give one positive rate a step; end a decay at a small rate, not at zero.",
            )
        rates.setflags(write=False)
        object.__setattr__(self, "rates", rates)

    def __len__(self) -> int:
        return len(self.rates)


def _warm(warmup: int, peak: float, steps: int, name: str) -> Array:
    """Return the linear warm-up from nothing to the peak, (warmup,), or raise a UsageError."""
    if not (0 <= warmup < steps and peak > 0):
        raise UsageError(
            f"The schedule '{name}' has {steps} steps, {warmup} of them warm-up, and the peak "
            f"{peak:g}.",
            remedy="Give a positive peak and fewer steps of warm-up than of training.",
        )
    return np.linspace(0.0, peak, warmup)


def _after(
    name: str, steps: int, peak: float, warmup: int, rate: Callable[[Array], Array]
) -> Schedule:
    """Return warm-up, then ``rate`` of the steps after it."""
    first = _warm(warmup, peak, steps, name)
    return Schedule(name, np.concatenate([first, rate(np.arange(warmup, steps, dtype=np.float64))]))


def constant(steps: int, *, peak: float, warmup: int = 0, name: str = "constant") -> Schedule:
    """Return a constant rate after a linear warm-up."""
    return _after(name, steps, peak, warmup, lambda t: np.full_like(t, peak))


def cosine(
    steps: int, *, peak: float, end: float, warmup: int = 0, name: str = "cosine"
) -> Schedule:
    """Return half a cosine from the peak to the end's rate after a linear warm-up."""

    def rate(t: Array) -> Array:
        return end + 0.5 * (peak - end) * (1.0 + np.cos(np.pi * (t - warmup) / (steps - warmup)))

    return _after(name, steps, peak, warmup, rate)


def warmup_stable_decay(
    steps: int,
    *,
    peak: float,
    end: float,
    decay_from: int,
    shape: Decay = "exponential",
    warmup: int = 0,
    name: str = "wsd",
) -> Schedule:
    """Return a constant rate that decays to the end's from one step on."""
    if not warmup <= decay_from < steps:
        raise UsageError(
            f"The decay of '{name}' begins at step {decay_from}, which is not between {warmup} "
            f"and {steps - 1}.",
            remedy="Begin the decay after the warm-up and before the last step.",
        )

    def rate(t: Array) -> Array:
        done = np.maximum(t - decay_from, 0.0) / (steps - decay_from)
        if shape == "linear":
            return peak * (1.0 - done) + end * done
        return peak ** (1.0 - done) * end**done

    return _after(name, steps, peak, warmup, rate)


def two_stage(
    steps: int,
    *,
    peak: float,
    second: float,
    change_at: int,
    warmup: int = 0,
    name: str = "two-stage",
) -> Schedule:
    """Return a constant rate that steps to another one."""
    return _after(name, steps, peak, warmup, lambda t: np.where(t < change_at, peak, second))
