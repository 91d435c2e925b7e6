"""The over-training law: Chinchilla in compute and tokens per parameter, with one exponent."""

from __future__ import annotations

import numpy as np

from kleiber.laws.base import Array, Law, coefficient, exponent

_E, _A, _B, _ETA = range(4)
_LOG_SIX = float(np.log(6.0))
_ETAS = np.geomspace(0.03, 0.6, 16)


def _gradient(theta: Array, logs: Array) -> tuple[Array, Array]:
    """Return z and dz of ``log[E + (a M^eta + b M^-eta) C^-eta]``, M = D/N and C = 6 N D.

    ``a M^eta C^-eta = a (6 N^2)^-eta`` and ``b M^-eta C^-eta = b (6 D^2)^-eta``.
    """
    eta = theta[..., _ETA, None]
    by_size, by_data = _LOG_SIX + 2.0 * logs[0], _LOG_SIX + 2.0 * logs[1]
    floor = np.broadcast_to(theta[..., _E, None], (*theta.shape[:-1], logs.shape[1]))
    size = theta[..., _A, None] - eta * by_size
    data = theta[..., _B, None] - eta * by_data
    z = np.logaddexp(np.logaddexp(size, data), floor)
    gradient = np.empty((*theta.shape, logs.shape[1]))
    gradient[..., _E, :] = np.exp(floor - z)
    gradient[..., _A, :] = np.exp(size - z)
    gradient[..., _B, :] = np.exp(data - z)
    gradient[..., _ETA, :] = -gradient[..., _A, :] * by_size - gradient[..., _B, :] * by_data
    return z, gradient


def _recentre(theta: Array, shift: Array) -> Array:
    """Return theta for predictors whose logs are measured from ``shift``."""
    moved = theta.copy()
    moved[..., _A] -= 2.0 * theta[..., _ETA] * shift[0]
    moved[..., _B] -= 2.0 * theta[..., _ETA] * shift[1]
    return moved


def _optimum(theta: Array) -> tuple[Array, Array]:
    """Return the best split of ``N D = G``: at ``a M^eta = b M^-eta``, so ``N^2 = M^-1 G``."""
    eta = theta[..., _ETA]
    with np.errstate(divide="ignore", invalid="ignore"):
        return (theta[..., _A] - theta[..., _B]) / (4.0 * eta), np.full_like(eta, 0.5)


def _guesses(level: float) -> Array:
    """Return starts (S, 4) over the floor's share, the size term's share of the rest and eta."""
    share, size, eta = (
        axis.ravel()
        for axis in np.meshgrid([0.2, 0.4, 0.6, 0.75, 0.9], [0.1, 0.3, 0.5, 0.7, 0.9], _ETAS)
    )
    rest = level + np.log(1.0 - share) + eta * _LOG_SIX
    return np.stack(
        [level + np.log(share), rest + np.log(size), rest + np.log(1.0 - size), eta], axis=1
    )


OVERTRAINING = Law(
    name="overtraining",
    title="Over-training",
    equation="L = E + (a * M^eta + b / M^eta) / C^eta, M = tokens / params, "
    "C = 6 * params * tokens",
    source="Gadre et al. 2024, Language models scale reliably with over-training and on "
    "downstream tasks, eq. 4",
    parameters=(
        coefficient("E", "irreducible loss: the entropy of the text, nats per token"),
        coefficient("a", "size of the term of over-training, for tokens per parameter of 1"),
        coefficient("b", "size of the term of under-training, for tokens per parameter of 1"),
        exponent("eta", "how fast the loss falls with compute at one ratio", lower=1e-3, upper=2.5),
    ),
    predictors=("params", "tokens"),
    gradient=_gradient,
    recentre=_recentre,
    optimum=_optimum,
    guesses=_guesses,
)
