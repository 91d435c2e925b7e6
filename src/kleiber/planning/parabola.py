"""Approach 2 in arrays: a parabola through each budget's losses, a power law through its minima.

Hoffmann et al. 2022, section 3.2. Every function takes many resamples at once, as counts
(B, n) of how often each of the n runs is in a resample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.laws.base import Array, Mask

FEWEST = 3  # different sizes that a parabola takes


@dataclass(frozen=True)
class Design:
    """Runs of one point each, (n,), and the budget that each belongs to.

    ``group`` indexes ``budgets``; ``params`` and ``tokens`` are raw counts.
    """

    params: Array
    tokens: Array
    group: NDArray[np.int64]
    budgets: Array

    def __len__(self) -> int:
        return len(self.group)

    def members(self, place: int) -> NDArray[np.intp]:
        """Return the indices of a budget's runs."""
        return np.flatnonzero(self.group == place)


@dataclass(frozen=True)
class Minima:
    """The minimum of every budget's parabola, in logs, (B, G) each; NaN where there is none.

    ``curvature`` is the second derivative of the loss by the log of params.
    """

    params: Array
    tokens: Array
    curvature: Array


@dataclass(frozen=True)
class PowerLaw:
    """``log value = log_scale + exponent * log flops``, (B,) each."""

    log_scale: Array
    exponent: Array

    def log_at(self, flops: float | Array) -> Array:
        """Return the log of the value (B, ...) at a budget or at several."""
        logs = np.log(flops)
        return self.log_scale[:, None] + np.multiply.outer(self.exponent, np.atleast_1d(logs))


def minima(design: Design, loss: Array, counts: Array | None = None) -> Minima:
    """Return the minima of least-squares parabolas of the loss in log params, and in log tokens.

    On runs of exactly one compute the two are the same parabola; otherwise they need not be.
    """
    times = np.ones((1, len(design))) if counts is None else counts
    shape = (len(times), len(design.budgets))
    found = [np.full(shape, np.nan) for _ in range(3)]
    for place in range(len(design.budgets)):
        own = design.members(place)
        for column, values in ((0, design.params), (1, design.tokens)):
            vertex, bend = _vertex(np.log(values[own]), loss[own], times[:, own])
            found[column][:, place] = vertex
            if column == 0:
                found[2][:, place] = bend
    return Minima(*found)


def _vertex(x: Array, loss: Array, times: Array) -> tuple[Array, Array]:
    """Return the vertex (B,) and the second derivative (B,) of parabolas through (x, loss)."""
    middle, half = 0.5 * (x.max() + x.min()), 0.5 * float(np.ptp(x))
    none = np.full(len(times), np.nan)
    if half == 0.0:
        return none, none
    scaled = (x - middle) / half
    powers = scaled[:, None] ** np.arange(3)
    _, sizes = np.unique(x, return_inverse=True)
    there = np.stack([times[:, sizes == i].sum(axis=1) > 0 for i in range(sizes.max() + 1)])
    enough = there.sum(axis=0) >= FEWEST
    moments: Array = np.einsum("bn,ni,nj->bij", times, powers, powers)
    moments[~enough] = np.eye(3)
    right: Array = np.einsum("bn,n,ni->bi", times, loss, powers)
    solved = np.asarray(np.linalg.solve(moments, right[:, :, None])[:, :, 0], dtype=np.float64)
    slope, bend = solved[:, 1], solved[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = np.where(enough & (bend > 0.0), middle - half * slope / (2.0 * bend), np.nan)
    return vertex, np.where(enough, 2.0 * bend / half**2, np.nan)


def inside(design: Design, found: Minima) -> Minima:
    """Return the minima that lie inside their budget's grid; the others are no better than none."""
    params, tokens = found.params.copy(), found.tokens.copy()
    for place in range(len(design.budgets)):
        logs = np.log(design.params[design.members(place)])
        out = ~((params[:, place] >= logs.min()) & (params[:, place] <= logs.max()))
        params[out, place] = tokens[out, place] = np.nan
    return Minima(params, tokens, found.curvature)


def power_law(budgets: Array, logs: Array) -> PowerLaw:
    """Return the least-squares power law (B,) through the logs (B, G), NaN left out."""
    known = np.isfinite(logs)
    x = np.where(known, np.log(budgets), 0.0)
    y = np.where(known, logs, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        many = known.sum(axis=1)
        x_mean, y_mean = x.sum(axis=1) / many, y.sum(axis=1) / many
        dx = np.where(known, x - x_mean[:, None], 0.0)
        exponent = (dx * y).sum(axis=1) / (dx * dx).sum(axis=1)
        exponent = np.where(many > 1, exponent, np.nan)
    return PowerLaw(y_mean - exponent * x_mean, exponent)


def resamples(design: Design, replicates: int, seed: int) -> Array:
    """Return counts (B, n) of runs drawn again within each budget, so that none empties."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((replicates, len(design)))
    for place in range(len(design.budgets)):
        own = design.members(place)
        counts[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), replicates)
    return counts


def grouped(flops: Array, tolerance: float, budgets: Sequence[float] | None) -> list[Mask]:
    """Return which runs share a budget, as masks in rising order of compute.

    Without ``budgets``, a new one begins where the next run has over ``tolerance`` more
    compute; with them, runs within ``tolerance`` of one belong to it.
    """
    logs = np.log(flops)
    if budgets is not None:
        return [np.abs(logs - np.log(one)) <= np.log1p(tolerance) for one in sorted(budgets)]
    order = np.argsort(logs)
    steps = np.diff(logs[order]) > np.log1p(tolerance)
    code = np.empty(len(logs), dtype=np.int64)
    code[order] = np.concatenate([[0], np.cumsum(steps)])
    return [code == i for i in range(code.max() + 1)]
