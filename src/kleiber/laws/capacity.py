"""The capacity law: bits per parameter follow what the data demand, up to a plateau.

A model of P parameters trained on data of B bits (for people: ``N log2(N0/N) + N log2 S0``)
is asked to hold x = B/P bits a parameter. Small x it stores nearly whole; of large x it
stores its capacity, the plateau kappa. The joint between the two is a smooth minimum::

    R = ((c x)^-s + kappa^-s)^(-1/s)

R is within the factor 2^(1/s) of its two limits at x = kappa / c, and nearer everywhere else.

The columns keep the names that every law's have: ``tokens`` holds x and ``loss`` holds R, both
in bits a parameter; ``params`` is carried along and not read.
"""

from __future__ import annotations

import numpy as np

from kleiber.laws.base import Array, Law, coefficient, exponent

_PLATEAU, _SHARE, _SHARPNESS = range(3)


def _gradient(theta: Array, logs: Array) -> tuple[Array, Array]:
    """Return z and dz of ``log kappa - softplus(-s d)/s``, ``d = log(c x) - log kappa``."""
    plateau, sharpness = theta[..., _PLATEAU, None], theta[..., _SHARPNESS, None]
    above = theta[..., _SHARE, None] + logs[0] - plateau
    bent = np.logaddexp(0.0, -sharpness * above)
    below = np.exp(-sharpness * above - bent)  # 1 where the data limit R, 0 where the model does
    gradient = np.empty((*theta.shape, logs.shape[1]))
    gradient[..., _PLATEAU, :] = 1.0 - below
    gradient[..., _SHARE, :] = below
    gradient[..., _SHARPNESS, :] = (bent / sharpness + below * above) / sharpness
    return plateau - bent / sharpness, gradient


def _recentre(theta: Array, shift: Array) -> Array:
    """Return theta for a demand whose log is measured from ``shift``."""
    moved = theta.copy()
    moved[..., _SHARE] += shift[0]
    return moved


def _guesses(level: float) -> Array:
    """Return starts (S, 3): plateau and demand a little above the mean, joints soft to sharp."""
    plateau, demand, sharpness = np.meshgrid(
        level + np.array([0.05, 0.2, 0.5, 1.0]),
        level + np.array([0.0, 0.2, 0.5, 1.0]),
        [1.0, 2.0, 4.0, 8.0, 16.0],
        indexing="ij",
    )
    return np.stack([plateau.ravel(), demand.ravel(), sharpness.ravel()], axis=1)


CAPACITY = Law(
    name="capacity",
    title="Capacity",
    equation="R = (1 / (share * demand)^sharpness + 1 / plateau^sharpness)^(-1 / sharpness)",
    source="two limits of Allen-Zhu and Li 2024, Knowledge Capacity Scaling Laws, result 1; "
    "the smooth minimum between them is kleiber's",
    parameters=(
        coefficient("plateau", "bits per parameter of an over-filled model: its capacity"),
        coefficient("share", "share of the demanded bits that a model with room to spare stores"),
        exponent("sharpness", "how sharp the joint is of the two limits", lower=0.5, upper=40.0),
    ),
    predictors=("tokens",),
    gradient=_gradient,
    recentre=_recentre,
    guesses=_guesses,
    words={"tokens": "demand", "loss": "bits per parameter"},
)
