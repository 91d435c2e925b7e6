"""The routed law: loss of a mixture of experts from the dense size and the number of experts.

A plane with a twist in logarithms, of an expert count that saturates at both ends::

    log10 L = a log10 N + b log10 E^ + c log10 N log10 E^ + d
    1/E^ = 1 / (E - 1 + 1 / (1/E_start - 1/E_max)) + 1/E_max

so that ``E^ = E_start`` for a dense model (one expert) and ``E^ -> E_max`` for many.
"""

from __future__ import annotations

import numpy as np

from kleiber.laws.base import Array, Law, coefficient, exponent

_A, _B, _C, _D, _START, _MAX = range(6)
_N, _EXPERTS = range(2)
_TEN = float(np.log(10.0))


def _saturated(experts: Array, start: Array, most: Array) -> tuple[Array, Array, Array]:
    """Return log E^ and its slopes by log E_start and log E_max, at log experts (n,)."""
    first, last = np.exp(start), np.exp(most)
    dense = 1.0 / (1.0 / first - 1.0 / last)
    grown = np.exp(experts) - 1.0 + dense
    hat = 1.0 / (1.0 / grown + 1.0 / last)
    share = (dense / grown) ** 2
    return np.log(hat), hat * share / first, hat * (1.0 - share) / last


def _gradient(theta: Array, logs: Array) -> tuple[Array, Array]:
    """Return z and dz of ``ln L``; a, b, c and d are of decimal logarithms, as published."""
    hat, by_start, by_most = _saturated(
        logs[_EXPERTS], theta[..., _START, None], theta[..., _MAX, None]
    )
    size, hat = logs[_N] / _TEN, hat / _TEN
    a, b, c, d = (theta[..., i, None] for i in (_A, _B, _C, _D))
    slope = b + c * size
    gradient = np.empty((*theta.shape, logs.shape[1]))
    gradient[..., _A, :] = _TEN * size
    gradient[..., _B, :] = _TEN * hat
    gradient[..., _C, :] = _TEN * size * hat
    gradient[..., _D, :] = _TEN
    gradient[..., _START, :] = slope * by_start
    gradient[..., _MAX, :] = slope * by_most
    return _TEN * (a * size + slope * hat + d), gradient


def _recentre(theta: Array, shift: Array) -> Array:
    """Return theta for log params measured from ``shift``; experts stay as they are."""
    moved = theta.copy()
    moved[..., _B] += theta[..., _C] * shift[_N] / _TEN
    moved[..., _D] += theta[..., _A] * shift[_N] / _TEN
    return moved


def _centre(means: Array) -> Array:
    """Return the shift: the expert count saturates where it does, so it is not moved."""
    return np.array([means[_N], 0.0])


def _guesses(level: float) -> Array:
    """Return starts (S, 6) over the slopes, the twist and where the experts saturate."""
    a, b, c, start, most = (
        axis.ravel()
        for axis in np.meshgrid(
            [-0.12, -0.08, -0.04],
            [-0.08, -0.04, -0.01],
            [0.0, 0.01],
            np.log([1.2, 2.0, 5.0]),
            np.log([100.0, 400.0, 3000.0]),
        )
    )
    middle = (start + most) / 2.0 / _TEN
    return np.stack([a, b, c, level / _TEN - b * middle, start, most], axis=1)


ROUTED = Law(
    name="routed",
    title="Routed",
    equation="log10 L = a * log10 params + b * log10 X + c * log10 params * log10 X + d, "
    "1 / X = 1 / (experts - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max",
    source="Clark et al. 2022, Unified Scaling Laws for Routed Language Models, eq. 1",
    parameters=(
        exponent("a", "slope of log loss by log params, for one effective expert", -2.0, 2.0),
        exponent("b", "slope by log experts, for one parameter", -3.0, 3.0),
        exponent("c", "how much routing loses of its use for each decade of params", -1.0, 1.0),
        exponent("d", "decimal log of the loss at one parameter", -20.0, 20.0),
        coefficient("E_start", "effective experts of a dense model", 0.1, 50.0),
        coefficient("E_max", "effective experts of a model of any number", 51.0, 1e6),
    ),
    predictors=("params", "experts"),
    gradient=_gradient,
    recentre=_recentre,
    centre=_centre,
    guesses=_guesses,
)
