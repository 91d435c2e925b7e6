"""The Chinchilla law in coordinates that families share: values at one fixed run.

At the reference run (1e9 params, 2e10 tokens) a family is described by the log of its loss
there, the share of that loss which scale can remove, the part of this share that params remove,
and the two exponents::

    L = e^level * [1 - S + S R (N/N0)^-alpha + S (1-R) (D/D0)^-beta] * e^(mid g)

with S = logistic(removable) and R = logistic(by_params). Every term is positive by
construction, a change of unit or tokenizer moves the level alone, and, unlike at the centre of
the data, the values of two families mean the same whatever sizes they were trained at. The last
factor is the excess of a checkpoint whose learning rate has not yet decayed: g falls from 1 to
0 along the run as a cosine schedule does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kleiber.laws.base import TINY_LOG, Array

REFERENCE = (1e9, 2e10)  # params, tokens
NAMES = ("level", "removable", "by_params", "log_alpha", "log_beta", "mid")
SIZE = len(NAMES)
LEVEL, REMOVABLE, BY_PARAMS, LOG_ALPHA, LOG_BETA, MID = range(SIZE)
_LOG_REFERENCE = np.log(REFERENCE)


@dataclass(frozen=True)
class Design:
    """Where losses are asked for: log params, log tokens, schedule; each (B, n) or (n,)."""

    log_params: Array
    log_tokens: Array
    mid: Array

    @classmethod
    def finals(cls, params: float | Array, tokens: float | Array) -> Design:
        """Return the ends of runs of raw counts, whose schedule has decayed."""
        x, y = np.broadcast_arrays(np.log(params), np.log(tokens))
        return cls(np.atleast_1d(x), np.atleast_1d(y), np.zeros(x.shape or (1,)))


def mid_schedule(fraction: Array) -> Array:
    """Return g = (1 + cos(pi f)) / 2 at the fraction f of a run's tokens: 1 at its start."""
    return 0.5 + 0.5 * np.cos(np.pi * np.clip(fraction, 0.0, 1.0))


def log_loss(theta: Array, at: Design) -> Array:
    """Return the log-loss (B, n) of families theta (B, 6)."""
    return _parts(theta, at)[0]


def gradient(theta: Array, at: Design) -> tuple[Array, Array]:
    """Return the log-loss (B, n) and its derivative (B, n, 6) by the coordinates."""
    z, e, a, b, total = _parts(theta, at)
    s, r = _logistic(theta[:, REMOVABLE, None]), _logistic(theta[:, BY_PARAMS, None])
    alpha, beta = np.exp(theta[:, LOG_ALPHA, None]), np.exp(theta[:, LOG_BETA, None])
    x, y = at.log_params - _LOG_REFERENCE[0], at.log_tokens - _LOG_REFERENCE[1]
    dz = np.empty((*z.shape, SIZE))
    dz[..., LEVEL] = 1.0
    dz[..., REMOVABLE] = ((1.0 - s) * (a + b) - s * e) / total
    dz[..., BY_PARAMS] = ((1.0 - r) * a - r * b) / total
    dz[..., LOG_ALPHA] = -alpha * x * a / total
    dz[..., LOG_BETA] = -beta * y * b / total
    dz[..., MID] = at.mid
    return z, dz


def _parts(theta: Array, at: Design) -> tuple[Array, Array, Array, Array, Array]:
    """Return z, the three terms relative to the reference loss, and their sum, each (B, n)."""
    s, r = _logistic(theta[:, REMOVABLE, None]), _logistic(theta[:, BY_PARAMS, None])
    alpha, beta = np.exp(theta[:, LOG_ALPHA, None]), np.exp(theta[:, LOG_BETA, None])
    with np.errstate(over="ignore"):
        a = s * r * np.exp(-alpha * (at.log_params - _LOG_REFERENCE[0]))
        b = s * (1.0 - r) * np.exp(-beta * (at.log_tokens - _LOG_REFERENCE[1]))
    e = 1.0 - s
    total = e + a + b
    z = theta[:, LEVEL, None] + np.log(total) + theta[:, MID, None] * at.mid
    return z, e, a, b, total


def _logistic(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def values(theta: Array) -> dict[str, float]:
    """Return E, A, B, alpha, beta (raw counts, nats) of one family's coordinates (6,)."""
    level, s, r = np.exp(theta[LEVEL]), _logistic(theta[REMOVABLE]), _logistic(theta[BY_PARAMS])
    alpha, beta = np.exp(theta[LOG_ALPHA]), np.exp(theta[LOG_BETA])
    return {
        "E": float(level * (1.0 - s)),
        "A": float(level * s * r * REFERENCE[0] ** alpha),
        "B": float(level * s * (1.0 - r) * REFERENCE[1] ** beta),
        "alpha": float(alpha),
        "beta": float(beta),
    }


def coordinates(E: float, A: float, B: float, alpha: float, beta: float, mid: float = 0.0) -> Array:
    """Return the coordinates (6,) of a Chinchilla law's values; the inverse of :func:`values`."""
    a, b = A * REFERENCE[0] ** -alpha, B * REFERENCE[1] ** -beta
    total = E + a + b

    def logit(top: float, bottom: float) -> float:
        return float(np.log(top) - np.log(bottom)) if top > 0 and bottom > 0 else TINY_LOG

    return np.array([np.log(total), logit(a + b, E), logit(a, b), np.log(alpha), np.log(beta), mid])
