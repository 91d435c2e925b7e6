"""The Farseer law: a floor that size lowers, and a data term whose every part depends on size.

As published (Li et al. 2025, Predictable Scale: Part II, eq. 3; N in any unit, D raw tokens)::

    L(N, D) = exp(a3 N^gamma + b3) + exp(a2 N^beta + b2) D^-exp(a1 N^alpha + b1)

with a3 < 0 < gamma (the floor falls with size), beta < 0 < a2 (so does the data term's
coefficient) and a1 < 0 < alpha (and its exponent). With these signs the law is written here in
positive parameters, A1 = -a1, A2 = a2, A3 = -a3 and beta for -beta. A power of N^0.1 inside an
exponential is ill determined by itself, while its logarithm moves by ``exponent x shift`` when
N is centred: the coefficients A1, A2, A3 are carried as logarithms. Tokens are not centred: the
exponent depends on size, so a data term anchored elsewhere than at one token is another law.
"""

from __future__ import annotations

import itertools

import numpy as np

from kleiber.laws.base import Array, Law, coefficient, exponent

_A3, _GAMMA, _OFF3, _A2, _BETA, _OFF2, _A1, _ALPHA, _OFF1 = range(9)
_N, _D = range(2)
_FLATTEST, _STEEPEST = 0.01, 2.0  # of the powers of N; at zero they are the offset
_LARGEST = 60.0  # log of what may stand in an exponent: beyond, the law has long overflowed
_TYPICAL = 23.0  # log of 1e10 tokens, where starts anchor the data term


def _power(theta: Array, size: int, power: int, sign: float, x: Array) -> tuple[Array, Array]:
    """Return exp(log A + sign * power * x) (..., n), held below overflow, and where it is held."""
    raw = theta[..., size, None] + sign * theta[..., power, None] * x
    return np.exp(np.minimum(raw, np.log(_LARGEST))), raw < np.log(_LARGEST)


def _gradient(theta: Array, logs: Array) -> tuple[Array, Array]:
    """Return z and dz of the logarithm of the two terms' sum."""
    x, y = logs[_N], logs[_D]
    lower, lower_free = _power(theta, _A3, _GAMMA, 1.0, x)
    more, more_free = _power(theta, _A2, _BETA, -1.0, x)
    slower, slower_free = _power(theta, _A1, _ALPHA, 1.0, x)
    floor = theta[..., _OFF3, None] - lower
    falling = np.exp(np.minimum(theta[..., _OFF1, None] - slower, np.log(_LARGEST)))
    data = theta[..., _OFF2, None] + more - falling * y
    z = np.logaddexp(floor, data)
    in_floor, in_data = np.exp(floor - z), np.exp(data - z)
    by_slower = in_data * falling * y * slower * slower_free
    by_lower, by_more = -in_floor * lower * lower_free, in_data * more * more_free
    gradient = np.empty((*theta.shape, logs.shape[1]))
    gradient[..., _A3, :] = by_lower
    gradient[..., _GAMMA, :] = by_lower * x
    gradient[..., _OFF3, :] = in_floor
    gradient[..., _A2, :] = by_more
    gradient[..., _BETA, :] = -by_more * x
    gradient[..., _OFF2, :] = in_data
    gradient[..., _A1, :] = by_slower
    gradient[..., _ALPHA, :] = by_slower * x
    gradient[..., _OFF1, :] = -in_data * falling * y
    return z, gradient


def _recentre(theta: Array, shift: Array) -> Array:
    """Return theta for params whose logs are measured from ``shift``; tokens are not moved."""
    moved = theta.copy()
    moved[..., _A3] += theta[..., _GAMMA] * shift[_N]
    moved[..., _A2] -= theta[..., _BETA] * shift[_N]
    moved[..., _A1] += theta[..., _ALPHA] * shift[_N]
    return moved


def _centre(means: Array) -> Array:
    """Return the shift: params are centred, tokens stay raw."""
    return np.array([means[_N], 0.0])


def _guesses(level: float) -> Array:
    """Return starts (S, 9) for centred params, the data term anchored at 1e10 tokens.

    Each of the three powers is started at a local slope (A x exponent) and an exponent.
    """
    rows: list[list[float]] = []
    for share, falling, floor_slope, data_slope, power in itertools.product(
        (0.5, 0.75, 0.9), (0.15, 0.3, 0.5), (0.03, 0.1), (0.1, 1.0), (0.05, 0.15, 0.4)
    ):
        lower, more, slower = floor_slope / power, data_slope / power, 0.03 / power
        rows.append(
            [
                *(np.log(lower), power, level + np.log(share) + lower),
                *(np.log(more), power, level + np.log1p(-share) - more + falling * _TYPICAL),
                *(np.log(slower), power, np.log(falling) + slower),
            ]
        )
    return np.array(rows)


FARSEER = Law(
    name="farseer",
    title="Farseer",
    equation="L = exp(b3 - A3 params^gamma) "
    "+ exp(b2 + A2 params^-beta) / tokens^exp(b1 - A1 params^alpha)",
    source="Li et al. 2025, Predictable Scale: Part II, Farseer, eq. 3, its signs made explicit",
    parameters=(
        coefficient("A3", "how much size lowers the log of the floor, at one parameter"),
        exponent("gamma", "power of that", _FLATTEST, _STEEPEST),
        exponent("b3", "log of the floor of a model without size", -np.inf, np.inf),
        coefficient("A2", "how much smallness raises the log of the data term, at one parameter"),
        exponent("beta", "power of that", _FLATTEST, _STEEPEST),
        exponent("b2", "log of the data term at one token, size unlimited", -np.inf, np.inf),
        coefficient("A1", "how much size lowers the log of the data exponent, at one parameter"),
        exponent("alpha", "power of that", _FLATTEST, _STEEPEST),
        exponent("b1", "log of the data exponent of a model without size", -np.inf, np.inf),
    ),
    predictors=("params", "tokens"),
    gradient=_gradient,
    recentre=_recentre,
    guesses=_guesses,
    centre=_centre,
)
