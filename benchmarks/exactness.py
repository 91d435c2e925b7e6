"""Is the optimum the optimum? Other solvers and other starts look for a lower one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from peers import huber_and_gradient, huber_of, tight_least_squares
from scipy.optimize import minimize
from workload import Array, Workload

from kleiber.fitting import newton
from kleiber.fitting.engine import Problem
from kleiber.fitting.newton import Solved


@dataclass(frozen=True)
class Excess:
    """How far objectives lie above the best found: worst relative, worst absolute, and how many."""

    relative: float
    absolute: float
    compared: int
    arrived: float  # the share of independent starts that found the best as well
    gained: float  # the most by which ours is below what the others found, relative


def multistart(work: Workload, solved: Solved, replicates: int, starts: int, seed: int) -> Excess:
    """Compare some replicates with the best of many random starts by scipy alone.

    Each start is BFGS with the exact gradient, then the trust region of ``least_squares`` at
    tolerances of 1e-15; neither shares code, coordinates or centring with the engine.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(work.counts), size=replicates, replace=False)
    relative, absolute, arrived = [], [], []
    for i in chosen:
        rows = work.rows(i)
        columns = (work.x[rows], work.v[rows], work.y[rows])
        found = np.array([_solve(_random_start(work, rng), columns) for _ in range(starts)])
        best = float(found.min())
        relative.append(solved.objective[i] / best - 1.0)
        absolute.append(solved.objective[i] - best)
        arrived.append(float(np.mean(found <= best * (1.0 + 1e-8))))
    return Excess(
        max(0.0, *relative), max(0.0, *absolute), replicates, float(np.mean(arrived)),
        max(0.0, -min(relative)),
    )  # fmt: skip


def from_the_point_estimate(problem: Problem, solved: Solved, point: Solved) -> Excess:
    """Compare every replicate with the engine's own solution from one other start."""
    start = np.broadcast_to(point.phi[np.argmin(point.objective)], solved.phi.shape)
    other = newton.solve(problem.model, problem.data, problem.space, start)
    gap = solved.objective - np.minimum(solved.objective, other.objective)
    agree = np.abs(other.objective / solved.objective - 1.0) <= 1e-8
    gained = np.max(other.objective / solved.objective - 1.0)
    return Excess(
        float(np.max(gap / other.objective)), float(gap.max()), len(gap), float(agree.mean()),
        max(0.0, float(gained)),
    )  # fmt: skip


def _random_start(work: Workload, rng: np.random.Generator) -> Array:
    """Draw exponents in [0.05, 1.5] and shares of the loss at the centre of the data."""
    alpha, beta = rng.uniform(0.05, 1.5, size=2)
    level = np.log(rng.dirichlet(np.ones(3))) + work.y.mean()
    a, b = level[0] + alpha * work.x.mean(), level[1] + beta * work.v.mean()
    return np.array([a, b, level[2], alpha, beta])


def _solve(start: Array, columns: tuple[Array, Array, Array]) -> float:
    """Return the objective that one start reaches."""
    with np.errstate(all="ignore"):
        near = minimize(huber_and_gradient, start, args=columns, jac=True, method="BFGS").x
        if not np.all(np.isfinite(near)):
            return np.inf
        try:
            end = tight_least_squares(near, *columns).x
        except (ValueError, np.linalg.LinAlgError):  # a start that ran away
            return huber_of(near, *columns)
    return huber_of(end, *columns)
