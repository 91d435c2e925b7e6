"""The broken neural scaling law: a power law whose slope changes smoothly at each break.

With ``x`` the log of the predictor (Caballero et al. 2022, eq. 1)::

    y = E + B x^-c0 prod_i (1 + (x / d_i)^(1 / f_i))^(-c_i f_i)

the slope of log(y - E) is -c0 far before the first break and -(c0 + c_1 + ... + c_i) after the
i-th, at d_i; f_i is the width of the turn in log x. A later slope may rise: a curve that turns
up again, as many repetitions of one text make it do, is within the law.
"""

from __future__ import annotations

import itertools

import numpy as np

from kleiber.errors import UsageError
from kleiber.laws.base import Array, Law, coefficient, exponent

_E, _B, _C0, _FIRST = range(4)
_EACH = 3  # c_i, d_i, f_i
_STEEPEST, _SHARPEST, _SOFTEST = 5.0, 0.05, 5.0
_SHARES = (0.0, 0.5, 0.8)
_SLOPES = (0.05, 0.2, 0.5)
_CHANGES = (-0.6, -0.15, 0.15, 0.6)
_PLACES = (-1.5, 0.0, 1.5)  # of breaks, in log units from the centre of the data
_WIDTHS = (0.2, 1.0)
_NO_FLOOR = 12.0  # log units below the loss
_MOST_BREAKS = 4


def broken(breaks: int, predictor: str) -> Law:
    """Build the broken law of a predictor with one or more breaks.

    Raises UsageError for a number of breaks that is none, or more than data can show.
    """
    if not 1 <= breaks <= _MOST_BREAKS:
        raise UsageError(
            f"A broken law of {breaks} breaks was asked for; it has 1 to {_MOST_BREAKS}.",
            remedy=f"Without a break it is the law '{predictor}-power-floor'.",
        )
    ordinal = ("first", "second", "third", "fourth")
    parameters = [
        coefficient("E", "irreducible loss, nats per token"),
        coefficient("B", f"size of the term at {predictor} = 1, nats per token"),
        exponent("c0", f"how fast the loss falls with {predictor} before the first break"),
    ]
    for i in range(1, breaks + 1):
        said = f"{ordinal[i - 1]} break"
        parameters += [
            exponent(f"c{i}", f"how much faster it falls after the {said}", -_STEEPEST, _STEEPEST),
            coefficient(f"d{i}", f"{predictor} at the {said}"),
            exponent(f"f{i}", f"width of the {said} in log {predictor}", _SHARPEST, _SOFTEST),
        ]
    factors = "".join(
        f" (1 + ({predictor} / d{i})^(1 / f{i}))^(-c{i} f{i})" for i in range(1, breaks + 1)
    )
    number = "" if breaks == 1 else f"-{breaks}"
    many = "one break" if breaks == 1 else f"{breaks} breaks"
    return Law(
        name=f"{predictor}-broken{number}",
        title=f"broken power law in {predictor}, {many}",
        equation=f"L = E + B {predictor}^-c0{factors}",
        source="Caballero et al. 2022, Broken Neural Scaling Laws, eq. 1",
        parameters=tuple(parameters),
        predictors=(predictor,),
        gradient=_gradient,
        recentre=_recentre,
        guesses=lambda level: _guesses(level, breaks),
    )


def _turns(theta: Array) -> list[tuple[int, int, int]]:
    """Return the places of (c_i, d_i, f_i) of every break."""
    return [(i, i + 1, i + 2) for i in range(_FIRST, theta.shape[-1], _EACH)]


def _gradient(theta: Array, logs: Array) -> tuple[Array, Array]:
    """Return z and dz of ``log[E + exp(b - c0 x - sum_i c_i f_i log(1 + e^u_i))]``.

    With u_i = (x - d_i) / f_i.
    """
    x = logs[0]
    inner = theta[..., _B, None] - theta[..., _C0, None] * x
    slope = np.empty((*theta.shape, len(x)))
    slope[..., _B, :] = 1.0
    slope[..., _C0, :] = -x
    for c, d, f in _turns(theta):
        more, place, width = theta[..., c, None], theta[..., d, None], theta[..., f, None]
        u = (x - place) / width
        soft = np.logaddexp(0.0, u)  # log(1 + e^u)
        past = np.exp(np.minimum(u, 0.0) - np.logaddexp(0.0, -np.abs(u)))  # 1 / (1 + e^-u)
        inner = inner - more * width * soft
        slope[..., c, :] = -width * soft
        slope[..., d, :] = more * past
        slope[..., f, :] = -more * (soft - u * past)
    z = np.logaddexp(theta[..., _E, None], inner)
    slope *= np.exp(inner - z)[..., None, :]
    slope[..., _E, :] = np.exp(theta[..., _E, None] - z)
    return z, slope


def _recentre(theta: Array, shift: Array) -> Array:
    """Return theta for a predictor whose log is measured from ``shift``."""
    moved = theta.copy()
    moved[..., _B] -= theta[..., _C0] * shift[0]
    for _, d, _ in _turns(theta):
        moved[..., d] -= shift[0]
    return moved


def _guesses(level: float, breaks: int) -> Array:
    """Return starts: floor's share, first slope, and each break's change, place and width."""
    where = np.linspace(_PLACES[0], _PLACES[-1], max(len(_PLACES), breaks + 1))
    changes = _CHANGES if breaks == 1 else _CHANGES[1:3] if breaks > 2 else (-0.3, 0.3)
    rows: list[list[float]] = []
    for share, first, places, width in itertools.product(
        _SHARES, _SLOPES, itertools.combinations(where.tolist(), breaks), _WIDTHS
    ):
        for turns in itertools.product(changes, repeat=breaks):
            risen = sum(
                change * width * float(np.logaddexp(0.0, -place / width))
                for change, place in zip(turns, places, strict=True)
            )
            floor = level + np.log(share) if share else level - _NO_FLOOR
            row = [floor, level + np.log1p(-share) + risen, first]
            for change, place in zip(turns, places, strict=True):
                row += [change, place, width]
            rows.append(row)
    return np.array(rows)


TOKENS_BROKEN = broken(1, "tokens")
PARAMS_BROKEN = broken(1, "params")
