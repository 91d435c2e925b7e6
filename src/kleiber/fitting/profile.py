"""Profile likelihood: how far a prediction can be pulled before the runs object.

A pretended run at the target, with loss ``y*``, pulls the fit; the interval is every ``y*``
that the runs accept at the level of an F test. For a straight line this is the t interval of
a new observation; here it follows the law's curvature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kleiber.fitting import newton
from kleiber.fitting.covariance import Noise, covariance, t_quantile
from kleiber.fitting.engine import Problem
from kleiber.fitting.models import model_of
from kleiber.fitting.newton import Solved
from kleiber.laws.base import Array

Pulled = Callable[[Array], tuple[Array, Array]]

SECANTS = 20
TOLERANCE = 1e-3  # of the t quantile: far below what the data can tell
LONGEST = 0.5  # of a first step, in log-loss: a standard error may be beyond any use
HEAVY = 1e4  # the pretended run's weight when the mean curve, not a new run, is profiled


def profile(
    problem: Problem, solved: Solved, spread: Noise, target: Array, level: float, *, mean: bool
) -> tuple[Array, Array]:
    """Return bounds (B,) at one target (P, 1): of the log-loss, or of the loss for "raw"."""
    quantile = t_quantile(spread, level)
    centre, gradient = problem.at(solved.phi, target)
    centre, gradient = centre[:, 0], gradient[:, :, 0]
    if problem.data.kind == "raw":
        centre, gradient = np.exp(centre), gradient * np.exp(centre)[:, None]
    variance = covariance(problem, solved, spread).along(gradient[:, :, None])[:, 0]
    half = quantile * np.sqrt(variance + (0.0 if mean else 1.0) * spread.scale**2)
    half = np.minimum(half, LONGEST * (centre if problem.data.kind == "raw" else 1.0))
    pulled = _pull(problem, solved, spread, target, mean=mean)
    return tuple(_root(pulled, centre, sign * half, quantile) for sign in (-1.0, 1.0))  # type: ignore[return-value]


def _pull(problem: Problem, solved: Solved, spread: Noise, target: Array, *, mean: bool) -> Pulled:
    """Return a function from the pretended loss (B,) to (deviance (B,), where the curve went)."""
    batch, n = len(solved.phi), problem.data.logs.shape[1]
    logs = np.concatenate([problem.data.logs, target - problem.shift[:, None]], axis=1)
    model = model_of(problem.law, logs)
    weight = spread.square / spread.slope / spread.worth * (HEAVY if mean else 1.0)
    w = np.concatenate([np.broadcast_to(problem.data.w, (batch, n)), weight[:, None]], axis=1)
    delta = np.full((batch, n + 1), np.inf)
    delta[:, :n] = problem.data.delta
    y = np.concatenate([np.broadcast_to(problem.data.y, (batch, n)), np.zeros((batch, 1))], axis=1)
    scaled = 2.0 * spread.worth * spread.slope / (spread.square * spread.scale**2)
    raw = problem.data.kind == "raw"

    def pulled(pretended: Array) -> tuple[Array, Array]:
        y[:, n] = np.log(np.maximum(pretended, 1e-12)) if raw else pretended
        data = replace(problem.data, logs=logs, y=y, w=w, delta=delta)
        found = newton.solve(model, data, problem.space, solved.phi)
        reached = model.log_loss(problem.space.theta(found.phi))[:, n]
        reached = np.exp(reached) if raw else reached
        own = 0.5 * weight * (reached - pretended) ** 2
        rise = found.objective - (own if mean else 0.0) - solved.objective
        return scaled * np.maximum(rise, 0.0), reached if mean else pretended

    return pulled


def _root(pulled: Pulled, centre: Array, offset: Array, quantile: Array) -> Array:
    """Find where the square root of the deviance meets the t quantile, by secants in the offset.

    Infinite where the runs accept every pretended loss; the centre where nothing can move.
    """
    sign, first = np.copysign(1.0, offset), np.maximum(np.abs(offset), 1e-300)
    below, above = np.zeros_like(first), np.full_like(first, np.inf)
    inner, inner_root = np.zeros_like(first), np.zeros_like(first)
    outer, reached = first.copy(), centre
    far = np.ones(len(first), dtype=bool)
    for _ in range(SECANTS):
        deviance, reached = pulled(centre + sign * outer)
        root = np.sqrt(deviance)
        far = np.abs(root - quantile) > TOLERANCE * quantile
        if not np.any(far):
            break
        below = np.where(root < quantile, outer, below)
        above = np.where(root >= quantile, outer, above)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            fresh = outer + (quantile - root) * (outer - inner) / (root - inner_root)
        inner, inner_root = np.where(far, outer, inner), np.where(far, root, inner_root)
        onward = np.where(fresh > outer, np.minimum(fresh, 4.0 * outer), 4.0 * outer)
        middle = np.where((fresh > below) & (fresh < above), fresh, 0.5 * (below + above))
        outer = np.where(far, np.where(np.isfinite(above), middle, onward), outer)
    found = np.where(far & ~np.isfinite(above), sign * np.inf, reached)
    return np.where(offset == 0.0, centre, found)
