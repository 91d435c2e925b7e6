"""Intervals of predictions, by four methods, for one fit or a batch of them.

Bounds are for a *new run* (curve and noise of one run) or for the *mean* curve alone. The
methods' coverage and width were measured in simulation: ``results/interval_coverage.md``.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy.special import stdtrit

from kleiber.errors import UsageError
from kleiber.fitting.bootstrap import bootstrap, jackknife
from kleiber.fitting.covariance import Noise, covariance, t_quantile
from kleiber.fitting.engine import Problem
from kleiber.fitting.newton import Solved
from kleiber.fitting.profile import profile
from kleiber.laws.base import Array

Method = Literal["delta", "profile", "bootstrap", "jackknife"]
METHODS: tuple[str, ...] = get_args(Method)
FEWEST_RUNS = 3  # to leave out or to resample: of two runs, each alone has no slope


def check_method(name: str) -> Method:
    """Return a valid method's name or raise a UsageError that lists them."""
    for known in get_args(Method):
        if name == known:
            return known
    raise UsageError(
        f"There is no interval method '{name}'; the methods are {', '.join(METHODS)}.",
        remedy="Use one of those names with interval=… (--interval on the command line).",
    )


def default_method(problem: Problem, spread: Noise) -> Method:
    """Return the method that covers best at the least width, where its noise can be judged.

    That is the delta method with t quantiles; runs too few for it leave the jackknife.
    """
    return "delta" if spread.known or problem.runs < FEWEST_RUNS else "jackknife"


def possible(problem: Problem, spread: Noise, method: Method) -> bool:
    """Return whether the runs suffice for a method: a noise to judge, runs to leave out."""
    enough = problem.runs >= FEWEST_RUNS
    if method == "jackknife":
        return enough
    return spread.known and (enough or method != "bootstrap")


def check_level(level: float) -> float:
    """Return a coverage level strictly between 0 and 1 or raise a UsageError."""
    if not 0.0 < level < 1.0:
        raise UsageError(
            f"The level is {level:g}; it must lie between 0 and 1.",
            remedy="Give for example level=0.9 (--level 0.9) for a 90 % interval.",
        )
    return level


def prediction_bounds(
    problem: Problem,
    solved: Solved,
    spread: Noise,
    targets: Array,
    level: float,
    method: Method,
    *,
    mean: bool,
    replicates: int,
    seed: int,
) -> tuple[Array, Array]:
    """Return lower and upper bounds (B, m), in nats, at raw log-predictors (P, m)."""
    batch, m = len(solved.phi), targets.shape[1]
    if not possible(problem, spread, method):
        return np.full((batch, m), np.nan), np.full((batch, m), np.nan)
    if method == "delta":
        low, high = _delta(problem, solved, spread, targets, level, mean=mean)
    elif method == "profile":
        pairs = [
            profile(problem, solved, spread, targets[:, [i]], level, mean=mean) for i in range(m)
        ]
        low, high = (np.stack([pair[side] for pair in pairs], axis=1) for side in (0, 1))
    else:
        low, high = np.empty((batch, m)), np.empty((batch, m))
        for b in range(batch):
            one = _row(problem, b)
            own = Noise(*(getattr(spread, k)[b : b + 1] for k in Noise.__annotations__))
            args = (one, solved.phi[b : b + 1], own, targets, level, mean)
            if method == "bootstrap":
                low[b], high[b] = _bootstrap(*args, replicates, seed)
            else:
                low[b], high[b] = _jackknife(*args)
    if problem.data.kind == "raw":
        return low, high
    with np.errstate(over="ignore"):
        return np.exp(low), np.exp(high)


def _row(problem: Problem, b: int) -> Problem:
    """Return the problem of one row of a batch."""
    data = problem.data.rows(slice(b, b + 1))
    y = data.y[0] if data.y.ndim == 2 else data.y
    w = data.w[0] if data.w.ndim == 2 else data.w
    delta = data.delta
    if isinstance(delta, np.ndarray) and delta.ndim == 2:
        delta = float(delta[0, 0])
    return problem.having(y=y, w=w, delta=delta)


def _centre(problem: Problem, phi: Array, targets: Array) -> tuple[Array, Array]:
    """Return predictions (B, m) on the objective's scale and their gradient (B, F, m)."""
    z, dz = problem.at(phi, targets)
    if problem.data.kind == "raw":
        return np.exp(z), dz * np.exp(z)[:, None, :]
    return z, dz


def _delta(
    problem: Problem, solved: Solved, spread: Noise, targets: Array, level: float, *, mean: bool
) -> tuple[Array, Array]:
    """Add and subtract t standard errors of the linearised prediction."""
    centre, gradient = _centre(problem, solved.phi, targets)
    variance = covariance(problem, solved, spread).along(gradient)
    if not mean:
        variance = variance + (spread.scale**2)[:, None]
    half = t_quantile(spread, level)[:, None] * np.sqrt(variance)
    return centre - half, centre + half


def _bootstrap(
    problem: Problem,
    phi: Array,
    spread: Noise,
    targets: Array,
    level: float,
    mean: bool,
    replicates: int,
    seed: int,
) -> tuple[Array, Array]:
    """Take percentiles of refits on resampled runs, each with a resampled residual added."""
    draws, _ = _centre(problem, bootstrap(problem, replicates, seed).phi, targets)
    if not mean:
        rng = np.random.default_rng([seed, 1])
        r = problem.residuals(phi)[0]
        widened = r * np.sqrt(1.0 + problem.free / spread.dof[0])
        chance = problem.data.w / problem.data.w.sum()
        draws = draws - rng.choice(widened, size=(len(draws), 1), p=chance)
    tail = 0.5 - 0.5 * level
    low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
    return low, high


def _jackknife(
    problem: Problem,
    phi: Array,
    spread: Noise,
    targets: Array,
    level: float,
    mean: bool,
) -> tuple[Array, Array]:
    """Use the spread of the fits that leave one run out (Tukey), with t at runs - 1."""
    centre, _ = _centre(problem, phi, targets)
    variance = jackknife_variance(_centre(problem, jackknife(problem).phi, targets)[0])
    if not mean:
        r, w = problem.residuals(phi)[0], problem.data.w
        square = float(np.sum(w * r * r)) / (problem.runs - 1)
        variance = variance + (float(spread.scale[0]) ** 2 if spread.known else square)
    half = float(stdtrit(problem.runs - 1, 0.5 + 0.5 * level)) * np.sqrt(variance)
    return centre[0] - half, centre[0] + half


def jackknife_variance(left_out: Array) -> Array:
    """Return Tukey's variance of the fits that leave one run out, along the first axis."""
    runs = len(left_out)
    return (runs - 1) / runs * np.sum((left_out - left_out.mean(axis=0)) ** 2, axis=0)
