"""Many fits of one family at once, each of some of its points, each predicting all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kleiber.fitting import engine
from kleiber.fitting.engine import Problem
from kleiber.fitting.fit import Delta
from kleiber.fitting.newton import Solved
from kleiber.fitting.objective import Objective
from kleiber.fitting.space import Constraints
from kleiber.laws import Law
from kleiber.laws.base import Array, Mask
from kleiber.runs import Points

STEPS = 150  # of a row: one that needs more identifies nothing, and says it did not converge
FIRST_STEPS = 40  # of each look at the spread: what they decide is where residuals are clipped


@dataclass(frozen=True)
class Fits:
    """What a batch of fits says: one row a subset.

    ``predicted`` (rows, n) is the loss in nats at every point of the family, ``theta``
    (rows, K) the natural coordinates for raw counts (:class:`kleiber.laws.Law`), and
    ``converged`` (rows,) whether the optimum was reached.
    """

    predicted: Array
    theta: Array
    converged: Mask


def enough(seen: Mask, law: Law, fixed: int = 0) -> Mask:
    """Return which subsets (rows, n) have more points than the law has free parameters."""
    return seen.sum(axis=1) > len(law.parameters) - fixed


def equal_runs(points: Points, seen: Mask) -> Array:
    """Return weights (rows, n) under which each run of a subset counts one."""
    rows = np.zeros(seen.shape)
    for row, some in zip(rows, seen, strict=True):
        counts = np.bincount(points.run[some], minlength=len(points.names))
        row[some] = 1.0 / counts[points.run[some]]
    return rows


def fit_subsets(
    points: Points,
    law: Law,
    seen: Mask,
    *,
    objective: Objective = "huber",
    delta: Delta = "auto",
    fix: Mapping[str, float] | None = None,
) -> Fits:
    """Fit the law to every row of ``seen`` (rows, n) in one batch.

    The optimum of a row does not depend on which other rows are in the batch. Rows of fewer
    points than free parameters are the caller's to leave out (:func:`enough`).
    """
    problem, solved = optima(
        points,
        law,
        equal_runs(points, seen),
        objective,
        delta,
        Constraints(dict(fix or {})),
        looks=FIRST_STEPS,
    )
    return Fits(np.exp(problem.z(solved.phi)), problem.raw_theta(solved.phi), solved.converged)


def optima(
    points: Points,
    law: Law,
    w: Array,
    objective: Objective,
    delta: Delta,
    constraints: Constraints,
    looks: int = STEPS,
) -> tuple[Problem, Solved]:
    """Return the optimum of every row of weights (rows, n).

    ``looks`` stops each look at the spread that the automatic delta takes.
    """
    automatic = objective == "huber" and delta == "auto"
    first = engine.SHARPEST if automatic else delta
    problem = engine.pose(
        law,
        np.log(points.predictors(law.predictors)),
        np.log(points.loss),
        points.weight,
        run=points.run,
        objective=objective,
        delta=np.inf if isinstance(first, str) else float(first),
        constraints=constraints,
    ).having(w=w)
    if automatic:
        problem = problem.having(delta=engine.auto_delta(problem, len(w), looks))
    return problem, engine.optimise(problem, len(w), STEPS)
