"""The Farseer law: a floor that size lowers, and a data term whose every part depends on size.

As published (Li et al. 2025, Predictable Scale: Part II, eq. 3; N in any unit, D raw tokens)::

    L(N, D) = exp(a3 N^gamma + b3) + exp(a2 N^beta + b2) D^-exp(a1 N^alpha + b1)

with a3 < 0 < gamma (the floor falls with size), beta < 0 < a2 (so does the data term's
coefficient) and a1 < 0 < alpha (and its exponent). With these signs the law is written here in
positive parameters, A1 = -a1, A2 = a2, A3 = -a3 and beta for -beta. A power of N^0.1 inside an
exponential is ill determined by itself, while its logarithm moves by ``exponent x shift`` when
N is centred: the coefficients A1, A2, A3 are carried as logarithms. Tokens are not centred: the
exponent depends on size, so a data term anchored elsewhere than at one token is another law.

What data fix is the level, the slope and, loosely, the bend of each of the three curves in
log N. As an exponent goes to zero, ``b - A N^gamma`` goes to ``level - slope log N`` with A and
b going to infinity along a ridge: a solver steps in levels and slopes (:func:`_bend`), and the
exponents end at 0.01, where the curve is straight but for half a per cent of log N. On public
data they often do: such a fit says that it is at a bound, and its A and b mean nothing apart.
A curve that size does not move has A = 0, called so at exp(-18).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from kleiber.laws.base import Array, Law, Mask, coefficient, exponent

_A3, _GAMMA, _OFF3, _A2, _BETA, _OFF2, _A1, _ALPHA, _OFF1 = range(9)
_FLOOR, _DATA = slice(0, 3), slice(3, 9)
_N, _D = range(2)
_FLATTEST, _STEEPEST = 0.01, 2.0  # of the powers of N; at zero they are the offset
_LARGEST = 60.0  # of the exponent of tokens
_HIGHEST = 690.0  # of the log of a term, and of its inverse: the loss stays finite, and not zero
_WIDEST = 1e6  # of a power of N: far above its logarithm's 690, since an offset may undo it
_SHRINK = 0.1  # a bent step may not cut a slope to less than this part
_TYPICAL = 23.0  # log of 1e10 tokens, where starts anchor the data term


@dataclass(frozen=True)
class _Parts:
    """What z and its derivatives are made of, each (..., n); zero weight where a part is held."""

    lower: Array
    more: Array
    slower: Array
    fall: Array
    z: Array
    in_floor: Array
    in_data: Array


def _parts(theta: Array, logs: Array) -> _Parts:
    """Evaluate the three powers of N, what tokens take, z, and the shares of the two terms."""
    x, y = logs[_N], logs[_D]

    def power(size: int, along: int, sign: float) -> Array:
        raw = theta[..., size, None] + sign * theta[..., along, None] * x
        return np.exp(np.minimum(raw, np.log(_WIDEST)))

    lower, more, slower = power(_A3, _GAMMA, 1.0), power(_A2, _BETA, -1.0), power(_A1, _ALPHA, 1.0)
    floor = theta[..., _OFF3, None] - lower
    fall = np.exp(np.minimum(theta[..., _OFF1, None] - slower, np.log(_LARGEST))) * y
    data = theta[..., _OFF2, None] + more - fall
    held = np.clip(floor, -_HIGHEST, _HIGHEST), np.clip(data, -_HIGHEST, _HIGHEST)
    z = np.logaddexp(*held)
    in_floor, in_data = np.exp(held[0] - z), np.exp(held[1] - z)
    return _Parts(
        lower, more, slower, fall, z, in_floor * (held[0] == floor), in_data * (held[1] == data)
    )


def _gradient(theta: Array, logs: Array) -> tuple[Array, Array]:
    """Return z and dz of the logarithm of the two terms' sum."""
    parts = _parts(theta, logs)
    gradient = np.empty((*theta.shape, logs.shape[1]))
    gradient[..., _FLOOR, :] = _floor_slopes(parts, logs) * parts.in_floor[..., None, :]
    gradient[..., _DATA, :] = _data_slopes(parts, logs) * parts.in_data[..., None, :]
    return parts.z, gradient


def _floor_slopes(parts: _Parts, logs: Array) -> Array:
    """Return the derivative (..., 3, n) of the log of the floor by A3, gamma and b3."""
    ones = np.ones_like(parts.lower)
    return np.stack([-parts.lower, -parts.lower * logs[_N], ones], axis=-2)


def _data_slopes(parts: _Parts, logs: Array) -> Array:
    """Return the derivative (..., 6, n) of the log of the data term by its parameters."""
    x, more, rising = logs[_N], parts.more, parts.fall * parts.slower
    ones = np.ones_like(more)
    return np.stack([more, -more * x, ones, rising, rising * x, -parts.fall], axis=-2)


def _curvature(theta: Array, logs: Array, c: Array) -> Array:
    """Return the sum over points (B, K, K) of c times the second derivative of z.

    With floor f, data term g and shares p and q: ``p d2 log f + q d2 log g + p q d d'``, d the
    difference of the slopes of their logs; d2 log f and d2 log g are sums of outer products.
    """
    x, parts = logs[_N], _parts(theta, logs)
    p, q = parts.in_floor, parts.in_data
    ones = np.ones_like(x)
    apart = np.concatenate([_floor_slopes(parts, logs), -_data_slopes(parts, logs)], axis=1)
    total = (apart * (c * p * q)[:, None, :]) @ apart.swapaxes(1, 2)
    rising = parts.fall * parts.slower
    for first, sign, weight in (
        (_A3, 1.0, -p * parts.lower),
        (_A2, -1.0, q * parts.more),
        (_A1, 1.0, q * rising),
    ):
        along = np.stack([ones, sign * x])
        total[:, first : first + 2, first : first + 2] += np.einsum(
            "bn,in,jn->bij", c * weight, along, along, optimize=True
        )
    inner = np.stack([-parts.slower, -parts.slower * x, np.ones_like(rising)], axis=1)
    total[:, _A1:, _A1:] -= (inner * (c * q * parts.fall)[:, None, :]) @ inner.swapaxes(1, 2)
    return total


def _bend(theta: Array, moved: Array, means: Array, loose: Mask) -> Array:
    """Return where a step leads when levels and slopes at the data's centre move linearly.

    Of the floor's and the exponent's log these are ``b - A`` and ``log(A gamma)``; of the data
    term's, at the mean of log tokens, ``b2 + A2 - e y`` and the slope in log N, to which the
    change of the exponent e with size adds. To first order nothing is changed.
    """
    step, bent, y = moved - theta, moved.copy(), means[_D]

    def slope(size: int, along: int) -> tuple[Array, Array]:
        """Return the log of a slope, before the step and after it."""
        before = theta[:, size] + np.log(theta[:, along])
        return before, before + step[:, size] + step[:, along] / theta[:, along]

    def put(place: int, values: Array) -> None:
        if loose[place]:
            bent[:, place] = values

    levels: list[Array] = []
    for size, along, offset in ((_A3, _GAMMA, _OFF3), (_A1, _ALPHA, _OFF1)):
        large = np.exp(theta[:, size])
        put(size, slope(size, along)[1] - np.log(moved[:, along]))
        level = theta[:, offset] - large + step[:, offset] - large * step[:, size]
        put(offset, level + np.exp(bent[:, size]))
        levels = [theta[:, offset] - large, step[:, offset] - large * step[:, size]]
    falling, falling_step = np.exp(levels[0]), levels[1]
    before, after = slope(_A2, _BETA)
    slower, slower_after = slope(_A1, _ALPHA)
    cross = falling * y * np.exp(slower)
    change = cross * (falling_step + slower_after - slower) - np.exp(before) * (after - before)
    now = np.exp(bent[:, _OFF1] - np.exp(bent[:, _A1]))  # the exponent at the centre
    left = now * y * np.exp(bent[:, _A1]) * moved[:, _ALPHA] - (cross - np.exp(before)) - change
    sound = left > _SHRINK * np.exp(before)
    steep = np.where(sound, np.log(np.where(sound, left, 1.0)), after)
    put(_A2, steep - np.log(moved[:, _BETA]))
    large = np.exp(theta[:, _A2])
    level = theta[:, _OFF2] + large - falling * y
    level = level + step[:, _OFF2] + large * step[:, _A2] - falling * y * falling_step
    put(_OFF2, level - np.exp(bent[:, _A2]) + now * y)
    return bent


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

    Each power starts at a local slope (A x exponent) and an exponent. Size bends the data term
    either by its coefficient or by its exponent: real data have an optimum of each kind, of
    which now the one and now the other is lower, so both are started.
    """
    rows: list[list[float]] = []
    powers = ((0.05, 0.3, 0.02), (0.02, 0.2, 0.02), (0.05, 0.05, 0.3))  # gamma, beta, alpha
    for share, falling, data_slope, slower_slope, (gamma, beta, alpha) in itertools.product(
        (0.5, 0.75, 0.9), (0.15, 0.3, 0.5), (0.1, 0.4), (0.05, 0.2), powers
    ):
        lower, slower = 0.05 / gamma, slower_slope / alpha
        more = (data_slope + falling * slower_slope * _TYPICAL) / beta
        rows.append(
            [
                *(np.log(lower), gamma, level + np.log(share) + lower),
                *(np.log(more), beta, level + np.log1p(-share) - more + falling * _TYPICAL),
                *(np.log(slower), alpha, np.log(falling) + slower),
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
    curvature=_curvature,
    bend=_bend,
    vanishing=("A3", "A2", "A1"),
)
