"""From points and choices to optima: pose a problem, start it, solve it, for many rows at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kleiber.fitting import newton, space, start
from kleiber.fitting.independence import observations
from kleiber.fitting.models import Powers, model_of
from kleiber.fitting.newton import Solved
from kleiber.fitting.objective import Objective, residuals, value
from kleiber.fitting.problem import Data, Model, Space
from kleiber.fitting.scale import TUNING, robust_scale
from kleiber.fitting.space import Constraints
from kleiber.laws.base import Array, Index, Law

SHARPEST = 1e-3  # the published Huber delta: also the robust first look of delta="auto"
AUTO_ROUNDS = 3


@dataclass(frozen=True)
class Problem:
    """One law on one design: what every replicate, start and profile of a fit shares."""

    law: Law
    shift: Array
    space: Space
    model: Model
    data: Data
    run: NDArray[np.int64]
    runs: int

    @property
    def free(self) -> int:
        """The number of free parameters."""
        return self.space.Z.shape[1]

    def observations(self, r: Array) -> Array:
        """Return how many independent observations (B,) residuals (B, n) amount to."""
        return observations(r, self.data.w, self.run, self.data.logs.sum(axis=0))

    def having(self, **changes: object) -> Problem:
        """Return the problem with other y, w or delta."""
        return replace(self, data=replace(self.data, **changes))  # type: ignore[arg-type]

    def z(self, phi: Array) -> Array:
        """Return the predicted log-loss (B, n) of the data's points."""
        return self.model.log_loss(self.space.theta(phi))

    def residuals(self, phi: Array) -> Array:
        """Return what the objective sees, (B, n)."""
        return residuals(self.data.kind, self.z(phi), self.data.y)

    def objective(self, phi: Array) -> Array:
        """Return the objective (B,) at phi (B, F), or at one phi (1, F) for all weights."""
        data = self.data
        return value(data.kind, self.residuals(phi), data.w, data.delta)

    def jacobian(self, phi: Array) -> Array:
        """Return the derivative (B, F, n) of the residuals by the free coordinates."""
        z, dz = self.model.gradient(self.space.theta(phi))
        if self.data.kind == "raw":
            dz = dz * np.exp(z)[:, None, :]
        return self.space.Z.T @ dz

    def at(self, phi: Array, logs: Array) -> tuple[Array, Array]:
        """Return z (B, m) and dz/dphi (B, F, m) at raw log-predictors (P, m)."""
        z, dz = self.law.gradient(self.space.theta(phi), logs - self.shift[:, None])
        return z, self.space.Z.T @ dz

    def raw_theta(self, phi: Array) -> Array:
        """Return natural coordinates (B, K) for raw counts."""
        return self.law.recentre(self.space.theta(phi), -self.shift)


def pose(
    law: Law,
    logs: Array,
    y: Array,
    w: Array,
    *,
    run: NDArray[np.int64],
    objective: Objective,
    delta: float | Array,
    constraints: Constraints,
) -> Problem:
    """Return the problem of fitting ``law`` to raw log-predictors (P, n) and log-losses."""
    shift = law.shift(np.average(logs, axis=1, weights=w if w.ndim == 1 else None))
    centred = logs - shift[:, None]
    free = space.build(law, constraints, shift, float(np.mean(y)))
    data = Data(centred, y, w, delta, objective)
    runs = int(run.max()) + 1
    return Problem(law, shift, free, model_of(law, centred), data, run, runs)


def starts(problem: Problem, rows: int, *, extra: int = 0, seed: int = 0) -> Array:
    """Return starts (rows, 1 + extra, F): the best of a global search first."""
    if isinstance(problem.model, Powers):
        return start.project(
            problem.model.places, problem.data, problem.space, rows, extra=extra, seed=seed
        )
    return start.guess(problem.law, problem.data, problem.space, rows, extra)


def optimise(problem: Problem, rows: int = 1, steps: int | None = None) -> Solved:
    """Return the optimum of every row from its best start (three starts for laws without terms).

    ``steps`` stops every row after so many.
    """
    first = starts(problem, rows, extra=0 if isinstance(problem.model, Powers) else 2)
    model, data, space = problem.model, problem.data, problem.space
    _, many, free = first.shape
    if many == 1:
        return newton.solve(model, data, space, first[:, 0], steps=steps)
    index: Index = np.repeat(np.arange(rows, dtype=np.intp), many)
    solved = newton.solve(model, data.rows(index), space, first.reshape(-1, free), steps=steps)
    nearest: Index = np.argmin(solved.objective.reshape(rows, many), axis=1)
    best: Index = nearest + np.arange(rows, dtype=np.intp) * many
    return Solved(*(getattr(solved, name)[best] for name in Solved.__annotations__))


def auto_delta(problem: Problem, rows: int = 1, steps: int | None = None) -> Array:
    """Return delta (rows, 1) = 1.345 robust scales of the residuals.

    The first look is the published delta of 1e-3, which no diverged run can pull; scale and
    fit are then alternated. ``steps`` stops each of those fits early; with a diverged run
    among nine an early stop costs a tenth of the coverage.
    """
    sharp = problem.having(delta=SHARPEST)
    solved = optimise(sharp, rows, steps)
    w = np.broadcast_to(problem.data.w, (rows, problem.data.logs.shape[1]))
    phi = solved.phi
    delta = np.full((rows, 1), SHARPEST)
    for _ in range(AUTO_ROUNDS):
        r = sharp.residuals(phi)
        worth = problem.observations(r)
        dof = np.maximum(worth - problem.free, 1.0)
        delta = TUNING * robust_scale(r, w, worth, dof)[:, None]
        current = problem.having(delta=delta)
        phi = newton.solve(current.model, current.data, current.space, phi, steps=steps).phi
    return delta
