"""The same optima for laws whose origin cannot be moved, such as Farseer.

There size decides how tokens count: along a curve of one cost the loss may fall, rise and fall
again. The curve is scanned, and the least loss that is found is then solved for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kleiber.laws.base import Array, Law

_FEWEST, _MOST, _SCANNED = 3.0, 60.0, 300  # logs of counts, and places along the curve
_BARE, _LONG = np.log(0.1), np.log(1e6)  # of tokens a param: beyond, Farseer's floor runs away
_STEP = 1e-4  # of a log, for differences: errors of 1e-9 of the slope


def log_loss(law: Law, theta: Array, x: Array, y: Array) -> Array:
    """Return z (B, m) at theta (B, K) and logs of params and tokens (B, m), a row at a time."""
    places = {"params": x, "tokens": y}
    logs = np.stack([places[name] for name in law.predictors], axis=1)
    with np.errstate(all="ignore"):  # far from the runs such laws may overflow
        return np.stack([law.gradient(theta[i : i + 1], logs[i])[0][0] for i in range(len(theta))])


def slopes(law: Law, theta: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return z, -dz/dx and -dz/dy, each (B,), by central differences."""
    dx, dy = _STEP * np.array([[0, -1, 1, 0, 0], [0, 0, 0, -1, 1]])
    z = log_loss(law, theta, x[:, None] + dx, y[:, None] + dy)
    return z[:, 0], (z[:, 1] - z[:, 2]) / (2 * _STEP), (z[:, 3] - z[:, 4]) / (2 * _STEP)


def bracket(law: Law, theta: Array, params_at: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Return logs of tokens (B,) on both sides of the least loss along a curve.

    ``params_at`` maps logs of tokens (B,) to those of params. Where the least loss is at an end
    of what is scanned, both sides are one.
    """
    places = np.linspace(_FEWEST, _MOST, _SCANNED)
    y = np.broadcast_to(places, (len(theta), _SCANNED))
    x = np.stack([params_at(np.full(len(theta), one)) for one in places], axis=1)
    sane = (x >= _FEWEST) & (y - x >= _BARE) & (y - x <= _LONG)
    z = np.where(sane, log_loss(law, theta, np.where(sane, x, _FEWEST), y), np.inf)
    best = np.argmin(np.where(np.isnan(z), np.inf, z), axis=1)
    inner = np.clip(best, 1, _SCANNED - 2)
    rows = np.arange(len(theta))
    sound = (best == inner) & np.isfinite(z[rows, inner - 1] + z[rows, inner + 1])
    low, high = places[inner - 1], places[inner + 1]
    return low, np.where(sound, high, low)
