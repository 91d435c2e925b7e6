"""Sums of powers: the value, gradient and centring that such laws share.

For terms j with ``log T_j = c_j - e_j x_j`` (c the log-coefficient, e the exponent, x the log
of the predictor), ``z = log sum_j T_j`` has the derivatives ``p_j`` by c_j and ``-p_j x_j`` by
e_j, where ``p_j = T_j / sum T`` is the share of the term in the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kleiber.laws.base import Array, Law, Parameter, Term


def layout(
    terms: Sequence[Term], names: Sequence[str], predictors: Sequence[str]
) -> list[tuple[int, int, int]]:
    """Return (coefficient, exponent, predictor) places of every term; -1 for a constant's."""
    places: list[tuple[int, int, int]] = []
    for term in terms:
        if term.predictor is None or term.exponent is None:
            places.append((names.index(term.coefficient), -1, -1))
        else:
            places.append(
                (
                    names.index(term.coefficient),
                    names.index(term.exponent),
                    predictors.index(term.predictor),
                )
            )
    return places


def log_sum(
    places: Sequence[tuple[int, int, int]], theta: Array, logs: Array
) -> tuple[Array, Array]:
    """Return z[..., n] and dz[..., K, n] of a sum of powers at theta[..., K], logs[P, n]."""
    n = logs.shape[1]
    log_terms = np.empty((len(places), *theta.shape[:-1], n))
    for j, (c, e, x) in enumerate(places):
        log_terms[j] = theta[..., c, None]
        if e >= 0:
            log_terms[j] -= theta[..., e, None] * logs[x]
    top = log_terms.max(axis=0)
    shares = np.exp(log_terms - top)
    total = shares.sum(axis=0)
    shares /= total
    gradient = np.zeros((*theta.shape, n))
    for j, (c, e, x) in enumerate(places):
        gradient[..., c, :] = shares[j]
        if e >= 0:
            gradient[..., e, :] = -shares[j] * logs[x]
    return top + np.log(total), gradient


def recentre_terms(places: Sequence[tuple[int, int, int]], theta: Array, shift: Array) -> Array:
    """Return theta for predictors whose logs are measured from ``shift``."""
    moved = theta.copy()
    for c, e, x in places:
        if e >= 0:
            moved[..., c] -= theta[..., e] * shift[x]
    return moved


def sum_of_powers(
    *,
    name: str,
    title: str,
    equation: str,
    source: str,
    parameters: tuple[Parameter, ...],
    terms: tuple[Term, ...],
    predictors: tuple[str, ...],
) -> Law:
    """Build a law from its terms; gradient, centring and closed-form optimum follow."""
    places = layout(terms, [p.name for p in parameters], predictors)
    powers = [(c, e, x) for c, e, x in places if e >= 0]

    def gradient(theta: Array, logs: Array) -> tuple[Array, Array]:
        return log_sum(places, theta, logs)

    def recentre(theta: Array, shift: Array) -> Array:
        return recentre_terms(places, theta, shift)

    def optimum(theta: Array) -> tuple[Array, Array]:
        return two_power_optimum(theta, powers[0], powers[1])

    return Law(
        name=name,
        title=title,
        equation=equation,
        source=source,
        parameters=parameters,
        predictors=predictors,
        gradient=gradient,
        recentre=recentre,
        terms=terms,
        optimum=optimum if predictors == ("params", "tokens") else None,
    )


def two_power_optimum(
    theta: Array, first: tuple[int, int, int], second: tuple[int, int, int]
) -> tuple[Array, Array]:
    """Return (log_scale, slope) of the best params for ``params * tokens = G``.

    At the minimum of A/N^alpha + B/(G/N)^beta, ``alpha A N^-alpha = beta B (G/N)^-beta``:
    ``log N = [log(alpha A / (beta B)) + beta log G] / (alpha + beta)`` (Hoffmann et al. 2022).
    """
    a, alpha = theta[..., first[0]], theta[..., first[1]]
    b, beta = theta[..., second[0]], theta[..., second[1]]
    total = alpha + beta
    with np.errstate(divide="ignore", invalid="ignore"):
        return (a + np.log(alpha) - b - np.log(beta)) / total, beta / total
