"""The knowledge law: bits per parameter from size, demand, exposures, bits a weight, architecture.

A model of P parameters that saw each fact E times, of data that ask for x bits a parameter, has a
plateau (f is its architecture's factor, 1 of the reference's)::

    kappa = plateau f (P / P0)^size / (1 + (H / E)^steepness),   H = half (P / P0)^-hastening

for P0 = 10,000: the plateau rises with the size, and half of it is learnt at H exposures, of which
a larger model needs fewer. It stores what it is asked for, or that plateau (:mod:`.capacity`)::

    R0 = (x^-s + kappa^-s)^(-1/s)

and of that, its matrices rounded to b bits a weight, it keeps the share::

    R / R0 = exp(-2^(fall (margin - b)) (R0 / kappa)^room g),   g = 1 / (1 + (H / E)^steepness)

that falls with every bit, less in a model with room to spare, and less in one that has learnt a
share g of what it can. Weights in float have b = 32.

The columns: ``tokens`` holds x, ``loss`` holds R, ``exposures`` E, ``weight_bits`` b; one column an
architecture beside the reference holds e for it and 1 for all others, so that its log is 1 or 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Literal

import numpy as np

from kleiber.errors import UsageError
from kleiber.laws.base import Array, Law, Parameter, coefficient, exponent

Growth = Literal["threshold", "power"]
Rounding = Literal["learnt", "share", "plateau"]

REFERENCE = 10_000.0  # parameters that plateau and half are said for
MANY = 1000.0  # exposures that the power of exposures is said for
FLOAT = 32.0  # bits a weight of what is not rounded
OWN = math.e  # what an architecture's own column holds; 1 in all others'
_P, _X, _E, _B = range(4)
_LN2, _MOST = math.log(2.0), 7.0  # exp(-exp(7)): nothing is kept

_SIZE = (
    coefficient("plateau", "bits per parameter of a full model of 10,000 that saw everything"),
    exponent("size", "power of the parameters by which the plateau rises", -1.0, 3.0),
    exponent("sharpness", "how sharp the joint of demand and plateau is", 0.5, 40.0),
)
_ROUNDED = (
    exponent("margin", "bits a weight at which a full model keeps 37 %", 0.0, 16.0),
    exponent("fall", "doublings of the loss for each bit a weight less", 0.05, 8.0),
    exponent("room", "power of R0 / plateau by which room to spare lessens the loss", 0.0, 20.0),
)
_GROWN: dict[Growth, tuple[Parameter, ...]] = {
    "threshold": (
        coefficient("half", "exposures at which 10,000 parameters learn half their plateau"),
        exponent("steepness", "how steeply the plateau rises with exposures there", 0.1, 20.0),
        exponent("hastening", "power of the parameters by which fewer exposures do", -3.0, 5.0),
    ),
    "power": (exponent("rise", "power of the exposures by which the plateau rises", -1.0, 5.0),),
}


def _grown(growth: Growth, own: Array, size: Array, seen: Array) -> tuple[Array, list[Array]]:
    """Return the log of the share of the plateau that is learnt, and its slopes by ``own``."""
    if growth == "power":
        log_e = seen - math.log(MANY)
        return own[..., 0, None] * log_e, [np.broadcast_to(log_e, (*own.shape[:-1], len(log_e)))]
    half, steep, haste = (own[..., i, None] for i in range(3))
    short = half - haste * size - seen  # log H / E
    lost = np.logaddexp(0.0, steep * short)
    slope = -np.exp(steep * short - lost)
    return -lost, [slope * steep, slope * short, -slope * steep * size]


def _gradient(growth: Growth, rounding: Rounding, theta: Array, logs: Array) -> tuple[Array, Array]:
    """Return z and dz of ``log R0 - 2^(fall (margin - b)) (R0 / kappa)^room g``."""
    plateau, size_power, sharpness = (theta[..., i, None] for i in range(3))
    margin, fall, room = (theta[..., i, None] for i in range(3, 6))
    grown_to = 6 + len(_GROWN[growth])
    size, bits = logs[_P] - math.log(REFERENCE), np.exp(logs[_B])
    learnt, by_learnt = _grown(growth, theta[..., 6:grown_to], size, logs[_E])
    kinds = theta[..., grown_to:] @ logs[4:]
    kappa = plateau + size_power * size + learnt + kinds
    doublings = _LN2 * fall * (margin - bits)
    by_margin, by_fall = _LN2 * fall, _LN2 * (margin - bits)
    on_plateau = rounding == "plateau"
    loss = np.exp(np.minimum(doublings, _MOST))
    if on_plateau:
        kappa = kappa - loss
    above = logs[_X] - kappa
    bent = np.logaddexp(0.0, -sharpness * above)
    below = np.exp(-sharpness * above - bent)  # 1 where the data limit R0, 0 where the model does
    full, by_sharpness = -bent / sharpness, (bent / sharpness + below * above) / sharpness
    if on_plateau:  # room plays no part
        by_kappa, by_loss, by_room = 1.0 - below, -(1.0 - below) * loss, np.zeros_like(bent)
        z = kappa + full
    else:
        so_far = learnt if rounding == "learnt" else 0.0
        loss = np.exp(np.minimum(doublings + room * full + so_far, _MOST))
        by_kappa, by_loss, by_room = 1.0 - below + loss * room * below, -loss, -loss * full
        by_sharpness = by_sharpness * (1.0 - loss * room)
        z = kappa + full - loss
    gradient = np.empty((*theta.shape, logs.shape[1]))
    parts = [by_kappa, by_kappa * size, by_sharpness, by_loss * by_margin, by_loss * by_fall]
    through = by_kappa - loss if rounding == "learnt" else by_kappa
    parts += [by_room, *(through * one for one in by_learnt)]
    for place, part in enumerate(parts):
        gradient[..., place, :] = part
    gradient[..., grown_to:, :] = by_kappa[..., None, :] * logs[4:]
    return z, gradient


def _recentre(growth: Growth, theta: Array, shift: Array) -> Array:
    """Return theta for logs measured from ``shift``; only params and exposures can be moved."""
    moved = theta.copy()
    moved[..., 0] += theta[..., 1] * shift[_P]
    if growth == "power":
        moved[..., 0] += theta[..., 6] * shift[_E]
    else:
        moved[..., 6] -= theta[..., 8] * shift[_P] + shift[_E]
    return moved


def _guesses(growth: Growth, kinds: int, level: float) -> Array:
    """Return starts (S, K): plateaus above the mean, learnt early or late, roundings of 3 to 5."""
    first = [level + np.array([0.1, 0.5, 1.0]), [0.0, 0.3], [3.0, 8.0]]
    rounded = [[3.5, 4.5], [1.5, 2.5], [0.5, 4.0]]
    grown = (
        [np.log([100.0, 300.0]), [1.0, 2.5], [0.0, 0.5]]
        if growth == "threshold"
        else [[0.1, 0.3, 0.6]]
    )
    starts = np.array(list(product(*first, *rounded, *grown)))
    return np.pad(starts, ((0, 0), (0, kinds)))


def knowledge_law(
    architectures: Sequence[str] = (),
    *,
    growth: Growth = "threshold",
    rounding: Rounding = "learnt",
) -> Law:
    """Return the law of so many architectures beside the reference's, a factor each.

    ``growth`` is how the plateau is learnt: at a threshold of exposures, or as a power of them;
    ``rounding`` what fewer bits a weight cost: a share of what is stored, in proportion to what was
    learnt or not, or a share of the plateau.

    Raises
    ------
    UsageError
        For two architectures of one name, or one that is named as a parameter is.
    """
    own = (*_SIZE, *_ROUNDED, *_GROWN[growth])
    names = [*(one.name for one in own), "params", "tokens", "exposures", "weight_bits"]
    names += architectures
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"The knowledge law would have two of {', '.join(twice)}.",
            remedy="Name each architecture once, and none as a parameter of the law is named.",
        )
    kinds = tuple(
        coefficient(name, f"plateau of {name} over that of the reference architecture")
        for name in architectures
    )
    grown = (
        "/ (1 + (half / exposures * (params / 1e4)^-hastening)^steepness)"
        if growth == "threshold"
        else "* (exposures / 1000)^rise"
    )
    return Law(
        name="knowledge",
        title="Knowledge",
        equation=f"R = softmin(demand, plateau * (params / 1e4)^size {grown}) "
        "* exp(-2^(fall * (margin - weight_bits)) * full^room * learnt)",
        source="kleiber's, through the settings of Allen-Zhu and Li 2024, Knowledge Capacity "
        "Scaling Laws, results 1, 4, 5 and 8",
        parameters=(*own, *kinds),
        predictors=("params", "tokens", "exposures", "weight_bits", *architectures),
        gradient=partial(_gradient, growth, rounding),
        recentre=partial(_recentre, growth),
        guesses=partial(_guesses, growth, len(kinds)),
        centre=np.zeros_like,  # every count is measured from one of its own
        words={
            "tokens": "demand",
            "loss": "bits per parameter",
            "weight_bits": "bits a weight",
        },
    )


KNOWLEDGE = knowledge_law()
