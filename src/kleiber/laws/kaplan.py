"""The Kaplan law: one joint power of model size and data, without a floor."""

from __future__ import annotations

import numpy as np

from kleiber.laws.base import Array, Law, coefficient, exponent

_EXPONENTS = np.geomspace(0.02, 0.5, 12)
_NC, _ALPHA_N, _DC, _ALPHA_D = range(4)


def _gradient(theta: Array, logs: Array) -> tuple[Array, Array]:
    """Return z and dz of ``alpha_D * log[(Nc/N)^(alpha_N/alpha_D) + Dc/D]``."""
    nc, alpha_n = theta[..., _NC, None], theta[..., _ALPHA_N, None]
    dc, alpha_d = theta[..., _DC, None], theta[..., _ALPHA_D, None]
    ratio = alpha_n / alpha_d
    size, data = ratio * (nc - logs[0]), dc - logs[1]
    inner = np.logaddexp(size, data)
    share = np.exp(size - inner)
    z = alpha_d * inner
    by_ratio = alpha_d * share * (nc - logs[0])
    gradient = np.empty((*theta.shape, logs.shape[1]))
    gradient[..., _NC, :] = alpha_n * share
    gradient[..., _ALPHA_N, :] = by_ratio / alpha_d
    gradient[..., _DC, :] = alpha_d * (1.0 - share)
    gradient[..., _ALPHA_D, :] = inner - by_ratio * ratio / alpha_d
    return z, gradient


def _recentre(theta: Array, shift: Array) -> Array:
    """Return theta for predictors whose logs are measured from ``shift``."""
    moved = theta.copy()
    moved[..., _NC] -= shift[0]
    moved[..., _DC] -= shift[1]
    return moved


def _optimum(theta: Array) -> tuple[Array, Array]:
    """Minimise (Nc/N)^r + Dc N/G over N, r = alpha_N/alpha_D: ``N^(1+r) = r Nc^r G / Dc``."""
    ratio = theta[..., _ALPHA_N] / theta[..., _ALPHA_D]
    scale = (np.log(ratio) + ratio * theta[..., _NC] - theta[..., _DC]) / (1.0 + ratio)
    return scale, 1.0 / (1.0 + ratio)


def _guesses(level: float) -> Array:
    """Return starts (S, 4) in which size and data share the inner sum equally at the centre."""
    alpha_n, alpha_d = np.meshgrid(_EXPONENTS, _EXPONENTS, indexing="ij")
    alpha_n, alpha_d = alpha_n.ravel(), alpha_d.ravel()
    half = level / alpha_d - np.log(2.0)
    return np.stack([half * alpha_d / alpha_n, alpha_n, half, alpha_d], axis=1)


KAPLAN = Law(
    name="kaplan",
    title="Kaplan",
    equation="L = [(Nc / params)^(alpha_N / alpha_D) + Dc / tokens]^alpha_D",
    source="Kaplan et al. 2020, Scaling Laws for Neural Language Models, eq. 1.5",
    parameters=(
        coefficient("Nc", "parameters at which the loss would be one nat, data unlimited"),
        exponent("alpha_N", "how fast the loss falls with parameters", lower=1e-4),
        coefficient("Dc", "tokens at which the loss would be one nat, size unlimited"),
        exponent("alpha_D", "how fast the loss falls with tokens", lower=1e-4),
    ),
    predictors=("params", "tokens"),
    gradient=_gradient,
    recentre=_recentre,
    optimum=_optimum,
    guesses=_guesses,
)
