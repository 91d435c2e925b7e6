"""Intervals of a fit's parameters, in natural coordinates for raw counts."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from kleiber.fitting import newton, space
from kleiber.fitting.bootstrap import bootstrap, jackknife
from kleiber.fitting.covariance import Noise, covariance, t_quantile
from kleiber.fitting.engine import Problem
from kleiber.fitting.intervals import Method, jackknife_variance, possible
from kleiber.fitting.newton import Solved
from kleiber.fitting.space import Constraints
from kleiber.laws.base import Array

PROFILE_STEPS = 30
FIRST_STEP = 0.05  # of an exponent on a bound, whose standard error is unknown
LONGEST = 5.0  # of a first step: a standard error may be beyond any use
LARGEST = 1e300  # a coefficient beyond is infinite


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
    if not possible(problem, spread, method):
        return np.full_like(centre, np.nan), np.full_like(centre, np.nan)
    if method == "jackknife":
        error = np.sqrt(jackknife_variance(problem.raw_theta(jackknife(problem).phi)))
        half = float(stdtrit(problem.runs - 1, 0.5 + 0.5 * level)) * error
        return _boxed(problem, constraints, centre - half, centre + half)
    quantile = float(t_quantile(spread, level)[0])
    if method == "bootstrap":
        draws = problem.raw_theta(bootstrap(problem, replicates, seed).phi)
        tail = 0.5 - 0.5 * level
        low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
        return low, high
    error = standard_errors(problem, solved, spread)
    if method == "delta":
        error[on_bound(problem, solved)] = np.nan  # a bound says nothing of how far it may be
        return _boxed(problem, constraints, centre - quantile * error, centre + quantile * error)
    return _profile(problem, solved, spread, constraints, centre, error, quantile)


def on_bound(problem: Problem, solved: Solved) -> list[int]:
    """Return the places of the parameters of one fit that rest on a bound."""
    free, phi = problem.space, solved.phi[0]
    edge = (phi <= free.lower + newton.AT_BOUND) | (phi >= free.upper - newton.AT_BOUND)
    return [place for place, on in zip(free.free, edge, strict=True) if on]


def standard_errors(problem: Problem, solved: Solved, spread: Noise) -> Array:
    """Return the delta method's standard errors (K,) of natural coordinates for raw counts."""
    matrix, _ = space.affine(problem.law, problem.shift)
    slope = matrix @ problem.space.Z
    variance = covariance(problem, solved, spread).along(slope.T[None])[0]
    return np.sqrt(np.maximum(variance, 0.0))


def _limits(problem: Problem, constraints: Constraints) -> tuple[Array, Array]:
    """Return the boxes (K,) of natural coordinates for raw counts: the law's and the user's."""
    lower = np.array([-np.inf if p.linear else p.lower for p in problem.law.parameters])
    upper = np.array([np.inf if p.linear else p.upper for p in problem.law.parameters])
    for f, place in enumerate(problem.space.free):
        if not problem.law.parameters[place].linear:
            lower[place], upper[place] = problem.space.lower[f], problem.space.upper[f]
    for name, (low, high) in constraints.bounds.items():
        place = problem.law.index(name)
        parameter = problem.law.parameters[place]
        if parameter.linear:
            lower[place], upper[place] = parameter.to_natural(low), parameter.to_natural(high)
    return lower, upper


def _boxed(
    problem: Problem, constraints: Constraints, low: Array, high: Array
) -> tuple[Array, Array]:
    """Keep parameters within their bounds."""
    lower, upper = _limits(problem, constraints)
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
    lower, upper = _limits(problem, constraints)
    edged = on_bound(problem, solved)
    for k, parameter in enumerate(problem.law.parameters):
        step = min(quantile * error[k], LONGEST)
        if k in edged:
            step = 1.0 if parameter.linear else FIRST_STEP
        if step <= 0.0:
            continue
        deviance = _Deviance(problem, solved, spread, constraints, parameter.name)
        low[k] = deviance.root(centre[k], -1.0, step, quantile, lower[k])
        high[k] = deviance.root(centre[k], 1.0, step, quantile, upper[k])
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
        self.best = problem.space.theta(solved.phi)
        self.theta = self.best

    def at(self, coordinate: float) -> float:
        """Return the square root of the deviance with the parameter at a natural coordinate."""
        law = self.problem.law
        parameter = law.parameters[law.index(self.name)]
        held = float(parameter.from_natural(np.array(coordinate)))
        held = min(max(held, parameter.lower), parameter.upper, LARGEST)
        bounds = {k: v for k, v in self.constraints.bounds.items() if k != self.name}
        fixed = Constraints({**self.constraints.fix, self.name: held}, self.constraints.tie, bounds)
        free = space.build(law, fixed, self.problem.shift, float(np.mean(self.problem.data.y)))
        found = newton.solve(self.problem.model, self.problem.data, free, free.phi(self.theta))
        self.theta = free.theta(found.phi)
        return float(np.sqrt(max((found.objective[0] - self.base) * self.unit, 0.0)))

    def root(self, centre: float, sign: float, step: float, quantile: float, limit: float) -> float:
        """Return where, from the optimum on, the deviance reaches the t quantile.

        That is the limit where it never does.
        """
        self.theta = self.best
        edge = abs(limit - centre)
        below, above = 0.0, np.inf  # distances that the runs accept, and that they do not
        inner, inner_root, outer = 0.0, 0.0, min(step, edge)
        for _ in range(PROFILE_STEPS):
            found = self.at(centre + sign * outer)
            if abs(found - quantile) <= 1e-3 * quantile:
                return centre + sign * outer
            if found < quantile and outer >= edge:
                return limit
            below, above = (outer, above) if found < quantile else (below, outer)
            slope = (found - inner_root) / (outer - inner) if outer != inner else 0.0
            inner, inner_root = outer, found
            fresh = outer + (quantile - found) / slope if slope > 0 else np.inf
            if np.isfinite(above):
                outer = fresh if below < fresh < above else 0.5 * (below + above)
            else:
                outer = min(max(fresh, 1.1 * outer), 3.0 * outer, edge)
        return centre + sign * outer if np.isfinite(above) else limit
