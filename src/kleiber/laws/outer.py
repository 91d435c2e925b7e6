"""Chinchilla with an outer exponent: the two terms help each other less than they add."""

from __future__ import annotations

import numpy as np

from kleiber.laws.base import Array, Law, coefficient, exponent
from kleiber.laws.powers import log_sum, recentre_terms, two_power_optimum

_EXPONENTS = np.array([0.1, 0.2, 0.35, 0.6, 1.0])  # of the loss: gamma * alpha
_E, _A, _ALPHA, _B, _BETA, _GAMMA = range(6)
_SIZE, _DATA = (_A, _ALPHA, 0), (_B, _BETA, 1)


def _gradient(theta: Array, logs: Array) -> tuple[Array, Array]:
    """Return z and dz of ``log[E + (A/N^alpha + B/D^beta)^gamma]``."""
    inner, d_inner = log_sum((_SIZE, _DATA), theta, logs)
    gamma = theta[..., _GAMMA, None]
    floor = theta[..., _E, None]
    z = np.logaddexp(floor, gamma * inner)
    share = np.exp(gamma * inner - z)
    gradient = (share * gamma)[..., None, :] * d_inner
    gradient[..., _E, :] = np.exp(floor - z)
    gradient[..., _GAMMA, :] = share * inner
    return z, gradient


def _recentre(theta: Array, shift: Array) -> Array:
    """Return theta for predictors whose logs are measured from ``shift``."""
    return recentre_terms((_SIZE, _DATA), theta, shift)


def _optimum(theta: Array) -> tuple[Array, Array]:
    """Return the optimum of the inner sum: an increasing outer power does not move it."""
    return two_power_optimum(theta, _SIZE, _DATA)


def _guesses(level: float) -> Array:
    """Return starts (S, 6) over floor's share, outer exponent and the two inner exponents."""
    share, gamma, alpha, beta = (
        axis.ravel()
        for axis in np.meshgrid(
            [0.3, 0.6, 0.8], [0.3, 0.5, 0.8, 1.2, 2.0], _EXPONENTS, _EXPONENTS, indexing="ij"
        )
    )
    half = (level + np.log(1.0 - share)) / gamma - np.log(2.0)
    floor = level + np.log(share)
    return np.stack([floor, half, alpha / gamma, half, beta / gamma, gamma], axis=1)


CHINCHILLA_OUTER = Law(
    name="chinchilla-outer",
    title="Chinchilla with an outer exponent",
    equation="L = E + (A / params^alpha + B / tokens^beta)^gamma",
    source="Beck et al. 2025, xLSTM Scaling Laws, the form with gamma",
    parameters=(
        coefficient("E", "irreducible loss: the entropy of the text, nats per token"),
        coefficient("A", "size of the parameter term at one parameter, before the outer power"),
        exponent("alpha", "how fast the inner sum falls with parameters"),
        coefficient("B", "size of the data term at one token, before the outer power"),
        exponent("beta", "how fast the inner sum falls with tokens"),
        exponent("gamma", "outer exponent; 1 is the Chinchilla law", lower=0.02),
    ),
    predictors=("params", "tokens"),
    gradient=_gradient,
    recentre=_recentre,
    optimum=_optimum,
    guesses=_guesses,
)
