"""The best model for its whole life: trained once, then served for so many tokens.

With x = log params and y = log tokens, training and serving together cost

    6 * params * tokens + 2 * params * served * rate = 6 * params * (tokens + extra),

where ``rate`` is the price of a serving FLOP over that of a training FLOP and ``extra`` is
``served * rate / 3`` (Sardana et al. 2023, Beyond Chinchilla-Optimal, eq. 2). At the least
loss for a cost, and at the least cost for a loss alike,

    (dL / dx) / (dL / dy) = (tokens + extra) / tokens,

which has one root, since along either curve the left side rises with y and the right falls.
All functions here solve many rows of theta at once, to the last digits of a double.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kleiber.laws.base import Array, Law
from kleiber.planning import uneven
from kleiber.planning.cost import SERVE_FLOPS, TRAIN_FLOPS

LEAST, MOST = -60.0, 160.0  # of the log of a count: what no run reaches
SAME = 1e-9  # of the log-loss: a loss this close is reached
_ROUNDS = 100
_CHEAPEST, _DEAREST, _COSTS = 25.0, 95.0, 36  # logs of params * tokens


def extra_tokens(served: float, rate: float = 1.0) -> float:
    """Return the training tokens that cost as much as serving does."""
    return SERVE_FLOPS / TRAIN_FLOPS * rate * served


def slopes(law: Law, theta: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return z, -dz/dx and -dz/dy, each (B,), of z = log L at theta (B, K), x and y (B,).

    A law whose origin is moved is the law at moved predictors, and the move is linear: so the
    derivative by a predictor is that by theta along the law's own shift. Where a law's origin
    cannot be moved, differences stand in.
    """
    if law.centre is not None:
        return uneven.slopes(law, theta, x, y)
    places = {"params": x, "tokens": y}
    at = np.stack([places[name] for name in law.predictors])
    moved = law.recentre(theta, at)
    origin = np.zeros((len(at), 1))
    z, gradient = law.gradient(moved, origin)
    found: dict[str, Array] = {}
    for place, name in enumerate(law.predictors):
        unit = np.zeros(len(at))
        unit[place] = 1.0
        along = moved - law.recentre(moved, unit)
        found[name] = np.einsum("bk,bk->b", gradient[:, :, 0], along)
    return z[:, 0], found["params"], found["tokens"]


def best_for_cost(law: Law, theta: Array, log_cost: float | Array, extra: float) -> Array:
    """Return log params and log tokens (B, 2) of least loss for params * (tokens + extra).

    ``log_cost`` is the log of that product, one or (B,). NaN where one of the two does not lower
    the loss.
    """
    area = np.broadcast_to(np.asarray(log_cost, dtype=np.float64), (len(theta),))

    def params_at(y: Array) -> Array:
        with np.errstate(invalid="ignore"):  # no area, no params
            return area - np.logaddexp(y, _log(extra))

    def unbalance(y: Array) -> Array:
        _, by_params, by_tokens = slopes(law, theta, params_at(y), y)
        return _balance(by_params, by_tokens, y, extra)

    low, high = np.full(len(theta), LEAST), area - LEAST
    if law.centre is not None:
        low, high = uneven.bracket(law, theta, params_at)
    y = root(unbalance, low, high)
    return np.stack([params_at(y), y], axis=1)


def best_for_loss(law: Law, theta: Array, loss: float, extra: float) -> Array:
    """Return log params and log tokens (B, 2) of least params * (tokens + extra) for a loss.

    NaN where no size reaches the loss.
    """
    target, rows = np.log(loss), len(theta)
    low, high = np.full(rows, LEAST), np.full(rows, MOST)
    if law.centre is not None:
        return _through_costs(law, theta, float(target), extra)

    def params_at(y: Array) -> Array:
        x = root(lambda x: target - slopes(law, theta, x, y)[0], low, high)
        return np.where(np.isfinite(x), x, MOST)  # so few tokens that no size reaches it

    def unbalance(y: Array) -> Array:
        x = params_at(y)
        _, by_params, by_tokens = slopes(law, theta, x, y)
        return _balance(by_params, by_tokens, y, extra)

    y = root(unbalance, low, high)
    x = params_at(y)
    reached = np.abs(slopes(law, theta, x, y)[0] - target) < SAME
    return np.where(reached[:, None], np.stack([x, y], axis=1), np.nan)


def _through_costs(law: Law, theta: Array, target: float, extra: float) -> Array:
    """Return what best_for_loss does, by the cost whose least loss is the one asked for.

    For laws along whose curves of equal loss the balance need not have one root.
    """

    def short(area: Array) -> Array:
        point = best_for_cost(law, theta, area, extra)
        known = np.where(np.isfinite(point), point, 1.0)
        left = target - slopes(law, theta, known[:, 0], known[:, 1])[0]
        return np.where(np.isfinite(point[:, 0]), left, np.nan)

    scanned = np.linspace(_CHEAPEST, _DEAREST, _COSTS)
    gaps = np.stack([short(np.full(len(theta), one)) for one in scanned], axis=1)
    reached = np.nan_to_num(gaps, nan=-np.inf) >= 0.0
    first = np.argmax(reached, axis=1)
    rows = np.arange(len(theta))
    sound = reached.any(axis=1) & (first > 0) & np.isfinite(gaps[rows, np.maximum(first - 1, 0)])
    low, high = scanned[np.maximum(first - 1, 0)], scanned[first]
    area = root(short, low, np.where(sound, high, low))  # one end twice has no root
    point = best_for_cost(law, theta, np.where(sound, area, high), extra)
    return np.where(sound[:, None], point, np.nan)


def log_cost(point: Array, extra: float) -> Array:
    """Return the log of params * (tokens + extra) at (..., 2) of log params and log tokens."""
    with np.errstate(invalid="ignore"):  # no point, no cost
        return point[..., 0] + np.logaddexp(point[..., 1], _log(extra))


def _log(extra: float) -> float:
    return float(np.log(extra)) if extra > 0 else -np.inf


def _balance(by_params: Array, by_tokens: Array, y: Array, extra: float) -> Array:
    """Return how far the ratio of slopes is above (tokens + extra) / tokens, in logs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(by_params) - np.log(by_tokens)
    return ratio - (np.logaddexp(y, _log(extra)) - y)


def root(function: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return the root (B,) of a function that rises from below 0 at low to above 0 at high.

    Chandrupatla's bisection with inverse quadratic steps (1997), all rows at once; NaN where
    the ends have one sign.
    """
    new, old = low.astype(np.float64), high.astype(np.float64)
    at_new, at_old = function(new), function(old)
    sound = (at_new <= 0.0) & (at_old >= 0.0)
    third, at_third = old, at_old
    share = np.full(len(new), 0.5)
    best = np.where(np.abs(at_new) < np.abs(at_old), new, old)
    for _ in range(_ROUNDS):
        point = new + share * (old - new)
        value = function(point)
        same = np.sign(value) == np.sign(at_new)
        third, at_third = np.where(same, new, old), np.where(same, at_new, at_old)
        old, at_old = np.where(same, old, new), np.where(same, at_old, at_new)
        new, at_new = point, value
        nearer = np.abs(at_new) < np.abs(at_old)
        best = np.where(nearer, new, old)
        tolerance = 4.0 * np.finfo(float).eps * np.abs(best) + 1e-300
        width = np.abs(old - new)
        done = (width <= 2.0 * tolerance) | (at_new == 0.0) | ~sound
        if done.all():
            break
        least = tolerance / np.where(done, 1.0, width)
        share = _next_share((new, old, third), (at_new, at_old, at_third), least)
        share[done] = 0.0  # a row that has ended stays where it is
    return np.where(sound, best, np.nan)


def _next_share(
    points: tuple[Array, Array, Array], values: tuple[Array, Array, Array], least: Array
) -> Array:
    """Return where between new and old to look next: inverse quadratic where that is safe."""
    (a, b, c), (fa, fb, fc) = points, values
    with np.errstate(all="ignore"):
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        safe = (phi**2 < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
        step = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        share = np.where(safe & np.isfinite(step), step, 0.5)
    edge = np.minimum(least, 0.5)
    return np.clip(share, edge, 1.0 - edge)
