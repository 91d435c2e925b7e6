"""Two recipes' curves over compute in one model, fitted in batches.

The loss of recipe s (+1/2 for A, -1/2 for B) at compute C, with u = C over the ladders' middle
and v = C over their smallest rung::

    L_s(C) = E + s dE + exp(r + s dr) u^-(a exp(s dq)) + T_s v^-t

so that every nested form is the same model with some of its values held at zero: dE = dq = 0 and
T = 0 is a pure multiplier of reducible loss, which can never cross. A value is held, loosely or
fast, by the standard deviation of a normal prior about its centre; the fit minimises

    (y - L)' W (y - L) + sum (p - centre)^2 / sd^2

by damped Gauss-Newton steps on all members of a batch at once (a thousand resamples of 14 means
take some 40 ms).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.laws.base import Array

NAMES = ("E", "r", "log_a", "dE", "dr", "dq", "T_A", "T_B")
E, R, LOG_A, DE, DR, DQ, T_A, T_B = range(8)
SIZE = len(NAMES)
STEPS = 12
_LARGEST = 0.5  # step of r and log a


@dataclass(frozen=True)
class Axes:
    """Where curves are read: log compute over the middle and over the smallest rung, and arm.

    ``arm`` is +1/2 for A and -1/2 for B; all of shape (n,).
    """

    middle: Array
    smallest: Array
    arm: Array

    def take(self, index: NDArray[np.intp]) -> Axes:
        """Return some of the places."""
        return Axes(self.middle[index], self.smallest[index], self.arm[index])


def losses(p: Array, decay: Array, axes: Axes) -> Array:
    """Return losses (B, n) of parameters (B, 8), whose small-scale terms decay with (B,)."""
    power, small, _ = _parts(p, decay, axes)
    return p[:, E, None] + axes.arm * p[:, DE, None] + power + _term(p, axes) * small


def gradient(p: Array, decay: Array, axes: Axes) -> Array:
    """Return the derivatives (B, n, 8) of :func:`losses`."""
    power, small, slope = _parts(p, decay, axes)
    ones = np.ones_like(power)
    of_a = axes.arm > 0
    columns = (
        ones,
        power,
        slope,
        axes.arm * ones,
        axes.arm * power,
        axes.arm * slope,
        of_a * small,
        ~of_a * small,
    )
    return np.stack(columns, axis=-1)


def _parts(p: Array, decay: Array, axes: Axes) -> tuple[Array, Array, Array]:
    """Return the power part, the small-scale part of size 1, and d power / d log a."""
    exponent = np.exp(p[:, LOG_A, None] + axes.arm * p[:, DQ, None])
    power = np.exp(p[:, R, None] + axes.arm * p[:, DR, None] - exponent * axes.middle)
    return power, np.exp(-decay[:, None] * axes.smallest), -exponent * axes.middle * power


def _term(p: Array, axes: Axes) -> Array:
    return np.where(axes.arm > 0, p[:, T_A, None], p[:, T_B, None])


@dataclass(frozen=True)
class Solved:
    """Minima of a batch: parameters (B, 8), objective (B,), half its Hessian (B, 8, 8)."""

    p: Array
    cost: Array
    hessian: Array


def solve(
    y: Array,
    weight: Array,
    axes: Axes,
    decay: Array,
    centre: Array,
    sd: Array,
    start: Array,
    steps: int = STEPS,
) -> Solved:
    """Minimise every member's objective from its start.

    Parameters
    ----------
    y
        Mean losses, (B, n).
    weight
        Inverse covariance of the means, (n, n), the same for all, or (B, n, n).
    decay
        Exponent of the small-scale term, (B,).
    centre, sd, start
        Prior means, prior standard deviations and starting values, (B, 8).
    """
    lam = sd**-2.0
    p, damp = start.copy(), np.full(len(y), 1e-3)
    fitted = losses(p, decay, axes)
    cost = _cost(y - fitted, weight, lam, p - centre)
    diagonal = np.arange(SIZE)
    hessian = np.empty((len(y), SIZE, SIZE))
    for _ in range(steps):
        slopes = gradient(p, decay, axes)
        weighted = weight @ slopes
        hessian = np.swapaxes(slopes, 1, 2) @ weighted
        hessian[:, diagonal, diagonal] += lam
        downhill = np.einsum("bik,bi->bk", weighted, y - fitted) - lam * (p - centre)
        damped = hessian.copy()
        damped[:, diagonal, diagonal] *= 1.0 + damp[:, None]
        step = np.asarray(np.linalg.solve(damped, downhill[..., None]), dtype=np.float64)[..., 0]
        step[:, R : LOG_A + 1] = np.clip(step[:, R : LOG_A + 1], -_LARGEST, _LARGEST)
        tried = p + step
        with np.errstate(over="ignore", invalid="ignore"):
            there = losses(tried, decay, axes)
            after = _cost(y - there, weight, lam, tried - centre)
        better = after <= cost
        still = np.abs(cost - after) < 1e-7 * (1.0 + cost)
        p = np.where(better[:, None], tried, p)
        fitted = np.where(better[:, None], there, fitted)
        cost = np.where(better, after, cost)
        damp = np.where(better, 0.1 * damp, 10.0 * damp)
        if still.all():
            break
    return Solved(p, cost, hessian)


def _cost(rest: Array, weight: Array, lam: Array, away: Array) -> Array:
    """Return the objective (B,)."""
    data = np.einsum("bi,bi->b", (rest[:, None, :] @ weight)[:, 0, :], rest)
    return data + (lam * away**2).sum(axis=1)
