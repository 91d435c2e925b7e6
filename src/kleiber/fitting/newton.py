"""Batched damped Newton: many problems of one law and one design, moved together.

Every row of the batch is one problem: a bootstrap replicate, a start, a hidden size. Rows
that are done leave the batch. The exact Hessian is what makes it fast: with a Huber delta far
below the noise most points sit on the linear branch, where Gauss-Newton and re-weighting
crawl (57 iterations against 12).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kleiber.fitting.problem import Data, Model, Space
from kleiber.laws.base import Array, Index, Mask

MAX_ITERATIONS = 300
NEARLY = 1e4  # times the least decrease: a row that predicts less may have arrived
RELATIVE_DECREASE = 1e-13  # predicted decrease over the objective at which a row is done
BLOCK_ELEMENTS = 20_000  # rows x points of one block: its arrays stay in the cache
LONGEST_STEP = 2.0  # in natural coordinates: a factor e^2 of a coefficient
SOFTEST = 4.0**10  # the multiple of delta from which a stranded row is led back, by fours
SAME_HEIGHT = 1e-9  # relative: a converged row this little above a lost one is no worse
AT_BOUND = 1e-9  # in natural coordinates: this near a bound is on it
ROUNDING = 16.0 * np.finfo(np.float64).eps  # error of one log-loss residual


@dataclass(frozen=True)
class Solved:
    """Optima of a batch of B rows.

    ``phi`` (B, F) free coordinates; ``objective`` (B,); ``gradient`` (B,) the largest entry of
    the gradient that no bound holds; ``hessian`` (B, F, F); ``converged`` and ``iterations`` (B,).
    """

    phi: Array
    objective: Array
    gradient: Array
    hessian: Array
    converged: Mask
    iterations: Array


def solve(
    model: Model,
    data: Data,
    space: Space,
    start: Array,
    patience: int = 0,
    steps: int | None = None,
) -> Solved:
    """Minimise the objective of every row from ``start`` (B, F).

    Rows that a Huber delta far below their residuals has stranded (nearly every point on the
    linear branch, no curvature to steer by) are led there again through softer deltas. Rows
    still on their way along a bent valley get ``patience`` more iterations. ``steps`` stops
    every row after so many, whatever it has reached.
    """
    if steps is not None:
        return _solve_all(model, data, space, start, steps)
    found = _solve_all(model, data, space, start)
    lost: Index = np.flatnonzero(~found.converged)
    if data.kind == "huber" and len(lost):
        hard, softer = data.rows(lost), SOFTEST
        phi = found.phi[lost]
        while softer > 1.0:
            phi = _solve_all(model, replace(hard, delta=hard.delta * softer), space, phi).phi
            softer /= 4.0
        _take_lower(found, lost, _solve_all(model, hard, space, phi))
        lost = np.flatnonzero(~found.converged)
    if patience and len(lost):
        onward = _solve_all(model, data.rows(lost), space, found.phi[lost], patience)
        _take_lower(found, lost, onward)
    return found


def _take_lower(found: Solved, lost: Index, again: Solved) -> None:
    """Replace the lost rows by others that are lower, or that converged at the same height."""
    before = found.objective[lost]
    same = again.converged & (again.objective <= before * (1.0 + SAME_HEIGHT))
    better = same | (again.objective < before)
    for name in Solved.__annotations__:
        getattr(found, name)[lost[better]] = getattr(again, name)[better]


def _derivatives(
    model: Model, data: Data, space: Space, phi: Array, rows: Index
) -> tuple[Array, Array, Array]:
    """Return f, gradient and Hessian of some rows, block by block: a block stays in the cache."""
    step = max(1, BLOCK_ELEMENTS // max(1, data.logs.shape[1]))
    parts = [
        model.derivatives(
            space.theta(phi[i : i + step]),
            data.rows(rows[i : i + step]),
        )
        for i in range(0, len(rows), step)
    ]
    f, g, h = (np.concatenate(part) for part in zip(*parts, strict=True))
    return f, g @ space.Z, space.Z.T @ h @ space.Z


def held_by_bounds(phi: Array, gradient: Array, space: Space) -> Mask:
    """Return which coordinates (B, F) rest on a bound that the gradient pushes them against."""
    low, high = phi <= space.lower + AT_BOUND, phi >= space.upper - AT_BOUND
    return (low & (gradient > 0)) | (high & (gradient < 0))


def _step(
    gradient: Array, hessian: Array, damping: Array, held: Mask, least: Array
) -> tuple[Array, Array]:
    """Return the damped Newton step (B, F) and the decrease that it predicts (B,).

    Each row is scaled by its own diagonal. Rows under way take a plain solve; those that may
    have arrived (a decrease near ``least``) or see no way down are looked at in full.
    """
    free = ~held
    size = hessian.shape[1]
    diagonal = np.abs(np.einsum("bii->bi", hessian))
    diagonal = np.where(held | (diagonal <= 0), 1.0, diagonal)
    scale = 1.0 / np.sqrt(diagonal)
    scaled = hessian * scale[:, :, None] * scale[:, None, :]
    scaled *= free[:, :, None] & free[:, None, :]
    scaled[:, range(size), range(size)] += held
    pull = gradient * scale * free
    try:
        damped = scaled + damping[:, None, None] * np.eye(size)
        step = -np.linalg.solve(damped, pull[:, :, None])[:, :, 0]
        decrease = -0.5 * np.einsum("bi,bi->b", step, pull)
    except np.linalg.LinAlgError:  # a row is exactly singular
        step, decrease = np.zeros_like(pull), np.zeros(len(pull))
    doubtful: Index = np.flatnonzero(~(decrease > NEARLY * least))
    if len(doubtful):
        step[doubtful], decrease[doubtful] = _careful_step(
            scaled[doubtful], pull[doubtful], damping[doubtful]
        )
    return step * scale, decrease


def _careful_step(scaled: Array, pull: Array, damping: Array) -> tuple[Array, Array]:
    """Return the scaled step (B, F) and the decrease that an undamped one predicts (B,).

    Negative curvature is turned round, and the smallest curvature kept is 1e-12 of the largest
    (the ridge of log A and alpha is real).
    """
    curvature, basis = np.linalg.eigh(scaled)
    steepness = np.abs(curvature)
    firm = np.maximum(steepness, 1e-12 * steepness.max(axis=1, keepdims=True, initial=0.0))
    along = np.einsum("bij,bi->bj", basis, pull)
    step = -np.einsum("bij,bj->bi", basis, along / (firm + damping[:, None]))
    return step, 0.5 * np.einsum("bj,bj->b", along / firm, along)


def least_decrease(objective: Array, weight: Array) -> Array:
    """Return the decrease (B,) that is none: relative, or lost in the rounding of the sum.

    Residuals carry an error of ROUNDING each, so a sum of ``w r^2 / 2`` one of
    ``ROUNDING sqrt(2 f sum w)``: what decides where data are free of noise.
    """
    noise = ROUNDING * np.sqrt(2.0 * objective * weight) + weight * ROUNDING**2
    return RELATIVE_DECREASE * objective + noise


def _bent(model: Model, space: Space, phi: Array, trial: Array) -> Array:
    """Return the trials (B, F) moved on in their loose coordinates, where that is finite."""
    loose = space.loose()
    moved = space.phi(model.bend(space.theta(phi), space.theta(trial), loose))
    moved = np.clip(moved, space.lower, space.upper)
    sound = np.all(np.isfinite(moved), axis=1, keepdims=True)
    return np.where(sound & loose[list(space.free)], moved, trial)


class _Rows:
    """The moving state of a batch: where each row is and what it knows there."""

    def __init__(self, start: Array) -> None:
        batch, size = start.shape
        self.phi = start.copy()
        self.objective = np.full(batch, np.inf)
        self.gradient = np.zeros((batch, size))
        self.hessian = np.zeros((batch, size, size))
        self.damping = np.full(batch, 1e-3)
        self.iterations = np.zeros(batch)
        self.converged = np.zeros(batch, dtype=bool)

    def judge(self, rows: Index, trial: Array, f: Array, gradient: Array, hessian: Array) -> None:
        """Accept the trials that lower the objective; damp the rows whose trial did not."""
        better = f < self.objective[rows]
        took, missed = rows[better], rows[~better]
        self.phi[took], self.objective[took] = trial[better], f[better]
        self.gradient[took], self.hessian[took] = gradient[better], hessian[better]
        self.damping[took] *= 0.1
        self.damping[missed] = np.maximum(self.damping[missed] * 10.0, 1e-6)
        self.iterations[rows] += 1


def _solve_all(
    model: Model, data: Data, space: Space, start: Array, iterations: int = MAX_ITERATIONS
) -> Solved:
    """Minimise every row from its start; see :func:`solve`."""
    trial = np.clip(start, space.lower, space.upper)
    state = _Rows(trial)
    whole = space.Z.shape[0] == space.Z.shape[1] and bool(np.all(space.Z == np.eye(len(space.Z))))
    weight = np.broadcast_to(data.w.sum(axis=-1), len(start))
    alive: Index = np.arange(len(start), dtype=np.intp)
    with np.errstate(all="ignore"):
        for _ in range(iterations):
            f, g, h = _derivatives(model, data, space, trial, alive)
            state.judge(alive, trial, f, g, h)
            if not np.all(np.isfinite(state.objective[alive])):
                alive = alive[np.isfinite(state.objective[alive])]
            phi, gradient = state.phi[alive], state.gradient[alive]
            held = held_by_bounds(phi, gradient, space)
            least = least_decrease(state.objective[alive], weight[alive])
            step, decrease = _step(
                gradient, state.hessian[alive], state.damping[alive], held, least
            )
            done = decrease <= least
            state.converged[alive[done]] = True
            keep = ~(done | (state.damping[alive] > 1e12))
            alive, phi, step, held = alive[keep], phi[keep], step[keep], held[keep]
            if not len(alive):
                break
            longest = np.abs(step).max(axis=1, keepdims=True)
            step *= np.minimum(1.0, LONGEST_STEP / np.maximum(longest, 1e-300))
            trial = np.clip(phi + step, space.lower, space.upper)
            if model.bends:
                trial = _bent(model, space, phi, trial)
            elif whole:  # a curved step moves every coordinate, so no bound may be near
                bent = model.retract(phi, step)
                inside = ~held & (bent >= space.lower) & (bent <= space.upper)
                trial = np.where(inside.all(axis=1, keepdims=True), bent, trial)
    held = held_by_bounds(state.phi, state.gradient, space)
    slope = np.abs(np.where(held, 0.0, state.gradient)).max(axis=1, initial=0.0)
    return Solved(
        state.phi, state.objective, slope, state.hessian, state.converged, state.iterations
    )
