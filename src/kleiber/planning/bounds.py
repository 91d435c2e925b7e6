"""Intervals of anything that a fit's free coordinates decide, by the methods of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from kleiber.errors import UsageError
from kleiber.fitting import intervals
from kleiber.fitting.bootstrap import bootstrap, jackknife
from kleiber.fitting.covariance import covariance, t_quantile
from kleiber.fitting.intervals import Method, jackknife_variance
from kleiber.fitting.result import Fit
from kleiber.laws.base import Array

Coordinates = Callable[[Array], Array]  # phi (B, F) -> (B, m)
_STEP = 1e-6


def method_for(fit: Fit, method: str | None) -> Method:
    """Return the method asked for, or the fit's own; a profile is refused."""
    chosen = intervals.check_method(method or fit.default_interval)
    if chosen == "profile":
        raise UsageError(
            "Profile intervals of an allocation are not built.",
            remedy="Use delta, bootstrap or jackknife (--interval).",
        )
    return chosen


def bounds(
    fit: Fit,
    coordinates: Coordinates,
    best: Array,
    level: float,
    method: Method,
    missing: float = np.nan,
) -> tuple[Array, Array]:
    """Return lower and upper (m,) of the coordinates whose values at the optimum are ``best``.

    Unknown where the runs are too few. Where a resample's refit has none, ``missing`` stands in;
    NaN leaves that refit out.
    """
    problem = fit.problem
    tail = 0.5 - 0.5 * intervals.check_level(level)
    if not intervals.possible(problem, fit.spread, method):
        return best * np.nan, best * np.nan
    if method == "jackknife":
        draws = coordinates(jackknife(problem).phi)
        half = stdtrit(problem.runs - 1, 1.0 - tail) * np.sqrt(jackknife_variance(draws))
        return best - half, best + half
    if method == "bootstrap":
        draws = coordinates(bootstrap(problem, fit.bootstraps, fit.seed).phi)
        draws = np.where(np.isnan(draws), missing, draws)
        if np.isposinf(missing):  # an end between a draw and infinity is the further one
            ends = [np.quantile(draws, q, axis=0, method=m) for q, m in _outward(tail)]
            return ends[0], ends[1]
        with np.errstate(invalid="ignore"):  # between two infinite draws
            low, high = np.nanquantile(draws, [tail, 1.0 - tail], axis=0)
        return low, high
    phi = fit.solved.phi
    steps = _STEP * np.eye(phi.shape[1])
    slope = (coordinates(phi + steps) - coordinates(phi - steps)) / (2.0 * _STEP)
    variance = covariance(problem, fit.solved, fit.spread).along(slope[None])[0]
    half = t_quantile(fit.spread, level) * np.sqrt(variance)
    return best - half, best + half


def _outward(tail: float) -> tuple[tuple[float, Literal["lower"]], tuple[float, Literal["higher"]]]:
    """Return both quantiles with the rule that never interpolates inward."""
    return (tail, "lower"), (1.0 - tail, "higher")
