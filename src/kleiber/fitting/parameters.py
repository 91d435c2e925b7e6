"""Intervals of a fit's parameters, in natural coordinates for raw counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import stdtrit

from kleiber.fitting import newton, space
from kleiber.fitting.bootstrap import bootstrap, jackknife
from kleiber.fitting.covariance import Noise, covariance, t_quantile
from kleiber.fitting.engine import Problem
from kleiber.fitting.intervals import FEWEST_RUNS, Method, jackknife_variance
from kleiber.fitting.newton import Solved
from kleiber.fitting.space import Constraints
from kleiber.laws.base import Array

PROFILE_STEPS = 14


def bounds(
    problem: Problem,
    solved: Solved,
    spread: Noise,
    level: float,
    method: Method,
    *,
    constraints: Constraints,
    replicates: int,
    seed: int,
) -> tuple[Array, Array]:
    """Return lower and upper natural coordinates (K,) of one fit (a batch of one)."""
    centre = problem.raw_theta(solved.phi)[0]
    if method == "jackknife" and problem.runs >= FEWEST_RUNS:
        error = np.sqrt(jackknife_variance(problem.raw_theta(jackknife(problem).phi)))
        half = float(stdtrit(problem.runs - 1, 0.5 + 0.5 * level)) * error
        return _boxed(problem, centre - half, centre + half)
    if not spread.known:
        return np.full_like(centre, np.nan), np.full_like(centre, np.nan)
    quantile = float(t_quantile(spread, level)[0])
    if method == "bootstrap":
        draws = problem.raw_theta(bootstrap(problem, replicates, seed).phi)
        tail = 0.5 - 0.5 * level
        low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
        return low, high
    error = standard_errors(problem, solved, spread)
    if method == "delta":
        return _boxed(problem, centre - quantile * error, centre + quantile * error)
    return _profile(problem, solved, spread, constraints, centre, error, quantile)


def standard_errors(problem: Problem, solved: Solved, spread: Noise) -> Array:
    """Return the delta method's standard errors (K,) of natural coordinates for raw counts."""
    matrix, _ = space.affine(problem.law, problem.shift)
    slope = matrix @ problem.space.Z
    variance = covariance(problem, solved, spread).along(slope.T[None])[0]
    return np.sqrt(np.maximum(variance, 0.0))


def _boxed(problem: Problem, low: Array, high: Array) -> tuple[Array, Array]:
    """Keep exponents within the law's own bounds."""
    limits = [(-np.inf, np.inf) if p.linear else (p.lower, p.upper) for p in problem.law.parameters]
    lower, upper = np.array(limits).T
    return np.clip(low, lower, upper), np.clip(high, lower, upper)


def _profile(
    problem: Problem,
    solved: Solved,
    spread: Noise,
    constraints: Constraints,
    centre: Array,
    error: Array,
    quantile: float,
) -> tuple[Array, Array]:
    """Hold each parameter at trial values and refit, until an F test objects."""
    low, high = centre.copy(), centre.copy()
    for k, parameter in enumerate(problem.law.parameters):
        if error[k] <= 0.0:
            continue
        deviance = _Deviance(problem, solved, spread, constraints, parameter.name)
        for sign, side in ((-1.0, low), (1.0, high)):
            limit = parameter.lower if sign < 0 else parameter.upper
            edge = np.inf if parameter.linear else abs(limit - centre[k])
            side[k] = centre[k] + sign * deviance.root(centre[k], sign, error[k], quantile, edge)
    return low, high


class _Deviance:
    """The rise of the objective, in squared t units, when one parameter is held elsewhere."""

    def __init__(
        self, problem: Problem, solved: Solved, spread: Noise, constraints: Constraints, name: str
    ) -> None:
        self.problem, self.name, self.constraints = problem, name, constraints
        self.base = float(solved.objective[0])
        self.unit = float(
            2.0 * spread.worth[0] * spread.slope[0] / (spread.square[0] * spread.scale[0] ** 2)
        )
        self.theta = problem.space.theta(solved.phi)

    def at(self, coordinate: float) -> float:
        """Return the square root of the deviance with the parameter at a natural coordinate."""
        law = self.problem.law
        parameter = law.parameters[law.index(self.name)]
        held = float(parameter.from_natural(np.array(coordinate)))
        fixed = replace(self.constraints, fix={**self.constraints.fix, self.name: held})
        free = space.build(law, fixed, self.problem.shift, float(np.mean(self.problem.data.y)))
        start = self.theta[:, list(free.free)]
        found = newton.solve(self.problem.model, self.problem.data, free, start)
        self.theta = free.theta(found.phi)
        return float(np.sqrt(max((found.objective[0] - self.base) * self.unit, 0.0)))

    def root(self, centre: float, sign: float, error: float, quantile: float, edge: float) -> float:
        """Return the distance from the optimum at which the deviance reaches the t quantile."""
        inner, inner_root, outer = 0.0, 0.0, min(quantile * error, edge)
        for _ in range(PROFILE_STEPS):
            found = self.at(centre + sign * outer)
            if abs(found - quantile) <= 1e-3 * quantile or (outer >= edge and found < quantile):
                return outer
            slope = (found - inner_root) / (outer - inner) if outer != inner else 0.0
            fresh = outer + (quantile - found) / slope if slope > 0 else 2.0 * outer
            inner, inner_root = outer, found
            outer = min(max(fresh, 0.3 * outer), 3.0 * outer, edge)
        return outer if abs(found - quantile) <= 0.05 * quantile else np.inf
