"""The data-constrained law: repeated tokens, and parameters in excess of the data, decay in worth.

With U unique tokens of D seen, ``R_D = D/U - 1`` repetitions are worth those of fewer tokens::

    D' = U + U R_D* (1 - exp(-R_D / R_D*))

and with U_N the parameters that would be compute-optimal for U, ``R_N = N/U_N - 1`` in excess::

    N' = U_N + U_N R_N* (1 - exp(-R_N / R_N*)),   alpha A / U_N^alpha = beta B / U^beta.

Up to one epoch ``D' = D``, up to U_N parameters ``N' = N``; both joints have one slope.
"""

from __future__ import annotations

import numpy as np

from kleiber.laws.base import Array, Law, coefficient, exponent

_E, _A, _ALPHA, _B, _BETA, _RD, _RN = range(7)
_N, _D, _U = range(3)
_EXPONENTS = np.array([0.1, 0.2, 0.35, 0.6, 1.0])
_MOST_LOG = 600.0  # the ratio of a count to its unique part, beyond which exp() overflows


def _worth(excess: Array, star: Array) -> tuple[Array, Array, Array]:
    """Return log(1 + R* (1 - exp(-R/R*))) with its slopes by log(1 + R) and by log R*.

    ``excess`` is log(1 + R), at least 0.
    """
    more, limit = np.expm1(np.minimum(excess, _MOST_LOG)), np.exp(star)
    left = np.exp(-more / limit)
    gained = -limit * np.expm1(-more / limit)
    worth = 1.0 + gained
    return np.log1p(gained), (1.0 + more) * left / worth, (gained - more * left) / worth


def _gradient(theta: Array, logs: Array) -> tuple[Array, Array]:
    """Return z and dz of ``log[E + A/N'^alpha + B/D'^beta]``."""
    shape = (*theta.shape[:-1], logs.shape[1])
    floor = np.broadcast_to(theta[..., _E, None], shape)
    a, alpha = theta[..., _A, None], theta[..., _ALPHA, None]
    b, beta = theta[..., _B, None], theta[..., _BETA, None]
    unique = np.minimum(logs[_U], logs[_D])
    lead = a + np.log(alpha) - b - np.log(beta)
    enough = (lead + beta * unique) / alpha  # log U_N
    excess = np.maximum(logs[_N] - enough, 0.0)
    more_n, by_excess, by_rn = _worth(excess, theta[..., _RN, None])
    more_d, _, by_rd = _worth(logs[_D] - unique, theta[..., _RD, None])
    size = np.minimum(enough, logs[_N]) + more_n  # log N'
    data = unique + more_d  # log D'
    log_size, log_data = a - alpha * size, b - beta * data
    z = np.logaddexp(np.logaddexp(log_size, log_data), floor)
    in_size, in_data = np.exp(log_size - z), np.exp(log_data - z)
    by_enough = np.where(excess > 0.0, 1.0 - by_excess, 0.0)  # of log N', by log U_N
    through = -in_size * alpha * by_enough  # of z, by log U_N
    gradient = np.empty((*theta.shape, logs.shape[1]))
    gradient[..., _E, :] = np.exp(floor - z)
    gradient[..., _A, :] = in_size + through / alpha
    gradient[..., _ALPHA, :] = -in_size * size + through * (1.0 / alpha - enough) / alpha
    gradient[..., _B, :] = in_data - through / alpha
    gradient[..., _BETA, :] = -in_data * data + through * (unique - 1.0 / beta) / alpha
    gradient[..., _RD, :] = -in_data * beta * by_rd
    gradient[..., _RN, :] = -in_size * alpha * by_rn
    return z, gradient


def _recentre(theta: Array, shift: Array) -> Array:
    """Return theta for logs measured from ``shift``, one and the same for tokens and unique."""
    moved = theta.copy()
    moved[..., _A] -= theta[..., _ALPHA] * shift[_N]
    moved[..., _B] -= theta[..., _BETA] * shift[_D]
    return moved


def _centre(means: Array) -> Array:
    """Return the shift: unique tokens move with the tokens, of which they are a part."""
    return means[[_N, _D, _D]]


def _guesses(level: float) -> Array:
    """Return starts (S, 7): the floor's share, both exponents, both decays."""
    share, alpha, beta, rd, rn = (
        axis.ravel()
        for axis in np.meshgrid(
            [0.3, 0.6, 0.8], _EXPONENTS, _EXPONENTS, np.log([2.0, 15.0]), np.log([2.0, 15.0])
        )
    )
    half = level + np.log(0.5 * (1.0 - share))
    return np.stack([level + np.log(share), half, alpha, half, beta, rd, rn], axis=1)


REPETITION = Law(
    name="repetition",
    title="Repetition",
    equation="L = E + A / N'^alpha + B / D'^beta, "
    "D' = U + U * R_D * (1 - exp((1 - tokens / U) / R_D)), "
    "N' = U_N + U_N * R_N * (1 - exp((1 - params / U_N) / R_N)), U = unique_tokens, "
    "U_N = (alpha * A / (beta * B) * U^beta)^(1 / alpha)",
    source="Muennighoff et al. 2023, Scaling Data-Constrained Language Models, eqs. 5 and 6",
    parameters=(
        coefficient("E", "irreducible loss: the entropy of the text, nats per token"),
        coefficient("A", "size of the parameter term at one parameter, nats per token"),
        exponent("alpha", "how fast the loss falls with parameters", lower=0.01),
        coefficient("B", "size of the data term at one token, nats per token"),
        exponent("beta", "how fast the loss falls with tokens", lower=0.01),
        coefficient("R_D", "repetitions after which a token has lost its worth", 1e-3, 1e5),
        coefficient("R_N", "excess, in multiples of U_N, after which a parameter has", 1e-3, 1e5),
    ),
    predictors=("params", "tokens", "unique_tokens"),
    gradient=_gradient,
    recentre=_recentre,
    centre=_centre,
    guesses=_guesses,
)
