"""Where a fit begins: variable projection on a grid of exponents, all replicates at once.

Given its exponents a sum of powers is linear in its coefficients, so for each grid cell the
best coefficients are a small non-negative least squares. Its sums over points are linear in
the weights: one matrix product serves every bootstrap replicate (Golub & Pereyra 1973).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kleiber.errors import UsageError
from kleiber.fitting.problem import Data, Space
from kleiber.laws.base import Array, Index, Law

GRID = np.geomspace(0.03, 1.6, 15)
NEARLY_ZERO = 1e-3  # a coefficient that least squares puts at zero starts at this share
BLOCK_CELLS = 16_000
MOST_POINTS = 4_000


@dataclass(frozen=True)
class _Basis:
    """The functions of one grid: for each free coefficient (A, B|1, n), and the known part."""

    functions: list[Array]
    known: Array
    coefficients: list[int]
    axes: list[int]
    grid: list[Array]


def _axis(lower: float, upper: float) -> Array:
    """Return the grid of one exponent within its box."""
    inside: Array = GRID[(GRID >= lower) & (GRID <= upper)]
    return inside if len(inside) else np.linspace(lower, upper, 5)


def _basis(places: Sequence[tuple[int, int, int]], logs: Array, space: Space) -> _Basis:
    """Evaluate every term on the grid of the free exponents, coefficient left out."""
    columns = range(space.Z.shape[1])
    roles = {c for c, _, _ in places}
    coefficients = [f for f in columns if space.free[f] in roles]
    axes = [f for f in columns if f not in coefficients]
    grid = [_axis(float(space.lower[f]), float(space.upper[f])) for f in axes]
    shapes = [tuple(-1 if k == i else 1 for k in range(len(axes))) for i in range(len(axes))]
    cells: list[Array] = [g.reshape(shape) for g, shape in zip(grid, shapes, strict=True)]
    n = logs.shape[1]

    def along(row: int) -> Array:
        """Return one centred coordinate on the grid, free coefficients at log 1."""
        total: Array = np.full((1,) * len(axes), space.origin[row])
        for f, cell in zip(axes, cells, strict=True):
            if space.Z[row, f] != 0.0:
                total = total + space.Z[row, f] * cell
        return total

    functions: list[Array] = [np.zeros((1,) * len(axes) + (n,)) for _ in coefficients]
    known: Array = np.zeros((1,) * len(axes) + (n,))
    for c, e, x in places:
        exponent = along(e)[..., None] if e >= 0 else 0.0
        term = np.exp(along(c)[..., None] - exponent * (logs[x] if e >= 0 else np.zeros(n)))
        owner = [k for k, f in enumerate(coefficients) if space.Z[c, f] != 0.0]
        if owner:
            functions[owner[0]] = functions[owner[0]] + term
        else:
            known = known + term
    return _Basis(functions, known, coefficients, axes, grid)


def _nonnegative(gram: list[list[Array]], right: list[Array]) -> tuple[Array, Array]:
    """Return (gain, coefficients) of the best non-negative least squares, by all subsets.

    ``gram`` and ``right`` hold (B, cells) arrays. The gain is the drop of the sum of squares
    from its value without any free term.
    """
    m = len(right)
    best = np.zeros_like(right[0])
    values = np.zeros((m, *right[0].shape))
    for size in range(m, 0, -1):
        for subset in combinations(range(m), size):
            found = _solve_subset(gram, right, subset)
            positive = np.logical_and.reduce([c > 0 for c in found])
            gain = sum(c * right[i] for c, i in zip(found, subset, strict=True))
            better = positive & (gain > best)
            best = np.where(better, gain, best)
            for i in range(m):
                fresh = found[subset.index(i)] if i in subset else 0.0
                values[i] = np.where(better, fresh, values[i])
    return best, values


def _solve_subset(
    gram: list[list[Array]], right: list[Array], subset: tuple[int, ...]
) -> list[Array]:
    """Solve the normal equations of one, two or three terms in closed form."""
    if len(subset) == 1:
        (i,) = subset
        return [right[i] / gram[i][i]]
    if len(subset) == 2:
        i, j = subset
        det = gram[i][i] * gram[j][j] - gram[i][j] ** 2
        det = np.where(det > 1e-12 * gram[i][i] * gram[j][j], det, np.nan)
        return [
            (right[i] * gram[j][j] - right[j] * gram[i][j]) / det,
            (right[j] * gram[i][i] - right[i] * gram[i][j]) / det,
        ]
    i, j, k = subset
    # eliminate the first unknown, solve the remaining two
    fj, fk = gram[i][j] / gram[i][i], gram[i][k] / gram[i][i]
    jj, kk = gram[j][j] - fj * gram[i][j], gram[k][k] - fk * gram[i][k]
    jk = gram[j][k] - fj * gram[i][k]
    rj, rk = right[j] - fj * right[i], right[k] - fk * right[i]
    det = jj * kk - jk * jk
    det = np.where(det > 1e-12 * gram[j][j] * gram[k][k], det, np.nan)
    cj, ck = (rj * kk - rk * jk) / det, (rk * jj - rj * jk) / det
    return [(right[i] - gram[i][j] * cj - gram[i][k] * ck) / gram[i][i], cj, ck]


def project(
    places: Sequence[tuple[int, int, int]],
    data: Data,
    space: Space,
    rows: int,
    *,
    extra: int = 0,
    seed: int = 0,
) -> Array:
    """Return starts phi, shape (rows, 1 + extra, F): the best grid cell, then others.

    The extra starts of a row are the other local minima of its grid and cells drawn at
    random, each with its own best coefficients.
    """
    data = _thinned(data, np.random.default_rng(seed))
    basis = _basis(places, data.logs, space)
    cells = int(np.prod([len(g) for g in basis.grid])) if basis.grid else 1
    step = max(1, BLOCK_CELLS // cells)
    rng = np.random.default_rng(seed)
    parts = [
        _project_block(basis, data.rows(slice(i, i + step)), space, min(step, rows - i), extra, rng)
        for i in range(0, rows, step)
    ]
    return np.concatenate(parts)


def _thinned(data: Data, rng: np.random.Generator) -> Data:
    """Return at most MOST_POINTS points, evenly drawn: a start needs no more, memory is bounded."""
    n = data.logs.shape[1]
    if n <= MOST_POINTS:
        return data
    kept = np.sort(rng.choice(n, MOST_POINTS, replace=False))
    delta = data.delta
    if isinstance(delta, np.ndarray) and delta.shape[-1] == n:
        delta = delta[..., kept]
    return Data(data.logs[:, kept], data.y[..., kept], data.w[..., kept], delta, data.kind)


def _project_block(
    basis: _Basis, data: Data, space: Space, rows: int, extra: int, rng: np.random.Generator
) -> Array:
    """Choose the starts of one block of rows."""
    n = data.logs.shape[1]
    shape = tuple(len(g) for g in basis.grid)
    inverse = np.exp(-data.y)
    first = np.broadcast_to(data.w * inverse, (rows, n))
    second = np.broadcast_to(data.w * inverse**2, (rows, n))

    def total(weights: Array, values: Array) -> Array:
        """Sum a function of grid and points with each row's weights: (rows, cells)."""
        flat = weights @ values.reshape(-1, n).T
        return np.broadcast_to(flat.reshape(rows, *values.shape[:-1]), (rows, *shape)).reshape(
            rows, -1
        )

    f, known = basis.functions, basis.known
    with np.errstate(all="ignore"):
        gram = [
            [
                total(second, f[min(i, j)] * f[max(i, j)]) if j >= i else np.empty(0)
                for j in range(len(f))
            ]
            for i in range(len(f))
        ]
        right = [total(first, g) - total(second, g * known) for g in f]
        base = total(second, known * known) - 2.0 * total(first, known)
        gain, coefficients = _nonnegative(gram, right) if f else (base * 0.0, base[None][:0])
    score = base - gain
    picks: Index = np.argmin(score, axis=1)[:, None]
    if extra:
        picks = np.concatenate([picks, _others(score.reshape(rows, *shape), extra, rng)], axis=1)
    phi = np.empty((rows, picks.shape[1], space.Z.shape[1]))
    index: tuple[Index, ...] = np.unravel_index(picks, shape) if shape else ()
    for f_axis, g, i in zip(basis.axes, basis.grid, index, strict=True):
        phi[..., f_axis] = g[i]
    level = np.exp(np.broadcast_to(data.y, (rows, n)).mean(axis=1))[:, None]
    for k, f_axis in enumerate(basis.coefficients):
        chosen = np.take_along_axis(coefficients[k], picks, axis=1)
        peak = np.broadcast_to(f[k].max(axis=-1), shape).reshape(-1)[picks]
        phi[..., f_axis] = np.log(np.maximum(chosen, NEARLY_ZERO * level / peak))
    return np.clip(phi, space.lower, space.upper)


def _others(score: Array, extra: int, rng: np.random.Generator) -> Index:
    """Return cells (rows, extra): further local minima, then draws from the best quarter."""
    rows = len(score)
    flat = score.reshape(rows, -1)
    minimum = np.ones(score.shape, dtype=bool)
    for axis in range(1, score.ndim):
        edge = [(0, 0)] * score.ndim
        edge[axis] = (1, 1)
        padded = np.pad(score, edge, constant_values=np.inf)
        cut = [slice(None)] * score.ndim
        for lag in (slice(None, -2), slice(2, None)):
            cut[axis] = lag
            minimum &= score <= padded[tuple(cut)]
    order = np.where(minimum.reshape(rows, -1), flat, np.inf)
    ranked = np.argsort(order, axis=1)[:, 1 : extra + 1]
    found = np.isfinite(np.take_along_axis(order, ranked, axis=1))
    good = np.argsort(flat, axis=1)[:, : max(1, flat.shape[1] // 4)]
    drawn = np.take_along_axis(good, rng.integers(0, good.shape[1], size=(rows, extra)), axis=1)
    if ranked.shape[1] < extra:
        fill = extra - ranked.shape[1]
        ranked = np.pad(ranked, ((0, 0), (0, fill)))
        found = np.pad(found, ((0, 0), (0, fill)))
    return np.where(found, ranked, drawn)


def guess(law: Law, data: Data, space: Space, rows: int, extra: int) -> Array:
    """Return starts (rows, 1 + extra, F) of a law without linear terms: its own best guesses."""
    if law.guesses is None:
        raise UsageError(f"The law '{law.name}' declares no guesses to start from.")
    data = _thinned(data, np.random.default_rng(0))
    n = data.logs.shape[1]
    level = float(np.mean(data.y))
    table = np.clip(space.phi(law.guesses(level)), space.lower, space.upper)
    with np.errstate(all="ignore"):
        z = law.gradient(space.theta(table), data.logs)[0] - level
        z = np.where(np.all(np.isfinite(z), axis=1, keepdims=True), z, 1e9)
        w = np.broadcast_to(data.w, (rows, n))
        score = 0.5 * w @ (z * z).T - (w * (data.y - level)) @ z.T  # and a term without z
    order = np.argsort(score, axis=1)[:, : 1 + extra]
    return table[order]
