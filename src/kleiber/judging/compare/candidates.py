"""Nested candidates for how two recipes' curves are related, weighed by hidden top rungs.

Four forms, each without and with a small-scale term that decays faster than the power part:

| form | shared | can cross |
|---|---|---|
| multiplier | floor and exponent | no: a pure multiplier of reducible loss |
| shared exponent | exponent | yes |
| shared floor | floor | yes |
| separate | nothing | yes |

What a form frees is held by a normal prior, as wide as the observed difference: two recipes
whose losses differ by .02 nats rarely differ by .2 in their floors. The small-scale term is at
the smallest rung of the order of 1 % of the reducible loss there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.judging.compare import curves
from kleiber.judging.compare.curves import DE, DQ, DR, LOG_A, SIZE, T_A, T_B, E, R
from kleiber.judging.compare.ladders import Ladders, inverse
from kleiber.laws.base import Array

DECAYS = (0.4, 0.6, 0.9)  # exponents tried for the small-scale term
TERM = 0.01  # of the reducible loss at the smallest rung
HELD = 1e-7  # sd of a value that is held
EXPONENT, EXPONENT_SPREAD = 0.15, 0.6  # of loss over compute: prior median and sd of its log
FLOOR, FLOOR_SPREAD = 0.6, 0.3  # of the lowest loss: prior mean and sd of the floor
LEAST_DIFFERENCE = 0.005  # nats: two recipes may differ in their floors by as much, unseen
MULTIPLIER_SPREAD = 1.0  # of log of the reducible losses' ratio
LEAST_LEFT = 6  # entries of both arms that are left when a top rung is hidden
HIDDEN = 3  # top rungs that are hidden, one after another
KEPT = 0.1  # of the weight stays as it was before the test: a few rungs are a weak judge
FORMS = ("multiplier", "shared exponent", "shared floor", "separate")

Index = NDArray[np.intp]


@dataclass(frozen=True)
class Candidates:
    """K candidates: their names, decays (K,), prior centres and sds (K, 8), and weights (K,)."""

    names: tuple[str, ...]
    decay: Array
    centre: Array
    sd: Array
    weight: Array
    start: Array

    def by_name(self) -> dict[str, float]:
        """Return the weight of every form, its decays taken together."""
        found: dict[str, float] = {}
        for name, share in zip(self.names, self.weight, strict=True):
            found[name] = found.get(name, 0.0) + float(share)
        return found


def candidates_of(
    data: Ladders, *, forms: tuple[str, ...] = FORMS, term: bool = True
) -> Candidates:
    """Return the candidates fitted to all rungs and weighed by rolling hidden top rungs."""
    names, decay, sd, prior = _nested(data, forms, term)
    centre = np.zeros((len(names), SIZE))
    floor, reducible = _level(data)
    centre[:, E], centre[:, R] = floor, np.log(reducible)
    centre[:, LOG_A] = np.log(EXPONENT)
    weight = data.inverse()
    y = np.tile(data.mean, (len(names), 1))
    made = curves.solve(y, weight, data.axes(), decay, centre, sd, centre, steps=30)
    score = np.zeros(len(names))
    for kept, hidden in _folds(data):
        score += _held_out(data, kept, hidden, decay, centre, sd, made.p)
    share = prior * np.exp(score - score.max())
    share = (1.0 - KEPT) * share / share.sum() + KEPT * prior
    return Candidates(names, decay, centre, sd, share, made.p)


def _nested(
    data: Ladders, forms: tuple[str, ...], term: bool
) -> tuple[tuple[str, ...], Array, Array, Array]:
    """Return every candidate's name, decay, prior sds and weight before the test."""
    floor, middle = _level(data)
    apart = max(difference_size(data), LEAST_DIFFERENCE)
    span = float(np.ptp(np.log(data.flops)))
    exponent_sd = apart / (middle * EXPONENT * max(span, 1.0) / 2.0)
    small_sd = TERM * (float(data.mean.max()) - floor)
    names: list[str] = []
    decay: list[float] = []
    sd: list[Array] = []
    prior: list[float] = []
    for form in forms:
        for with_term in (False, True) if term else (False,):
            for one in DECAYS if with_term else DECAYS[1:2]:
                row = np.full(SIZE, HELD)
                row[E], row[R], row[LOG_A] = FLOOR_SPREAD * data.mean.min(), 3.0, EXPONENT_SPREAD
                row[DR] = MULTIPLIER_SPREAD
                if form in ("shared exponent", "separate"):
                    row[DE] = apart
                if form in ("shared floor", "separate"):
                    row[DQ] = exponent_sd
                if with_term:
                    row[T_A] = row[T_B] = small_sd
                names.append(f"{form} + small-scale term" if with_term else form)
                decay.append(one)
                sd.append(row)
                prior.append(1.0 / (len(DECAYS) if with_term else 1))
    share = np.array(prior)
    return tuple(names), np.array(decay), np.stack(sd), share / share.sum()


def _level(data: Ladders) -> tuple[float, float]:
    """Return the prior's floor and the reducible loss in the middle of the ladders."""
    floor = FLOOR * float(data.mean.min())
    return floor, float(np.exp(np.log(data.mean - floor).mean()))


def difference_size(data: Ladders) -> float:
    """Return how far apart the arms are (root mean square, nats), where both are known.

    Arms of which that is nowhere are compared along the other's losses, held beyond its ends.
    """
    log, of_a = np.log(data.flops), data.arm > 0
    if of_a.all() or not of_a.any():
        return 0.0
    if len(data.common):
        return float(np.sqrt(np.mean(data.differences()[1] ** 2)))
    shorter = of_a if of_a.sum() <= (~of_a).sum() else ~of_a
    along = np.interp(log[shorter], log[~shorter], data.mean[~shorter])
    return float(np.sqrt(np.mean((data.mean[shorter] - along) ** 2)))


def _folds(data: Ladders) -> list[tuple[Index, Index]]:
    """Return kept and hidden entries: the top rung hidden, then it and the next, one ahead."""
    if not data.pairs:
        return []
    folds: list[tuple[Index, Index]] = []
    for i, j in sorted(data.pairs, key=lambda pair: data.flops[pair[0]])[-HIDDEN:]:
        least = min(data.flops[i], data.flops[j])
        kept = np.flatnonzero(data.flops < least * 0.999)
        if len(kept) >= LEAST_LEFT and len({*data.arm[kept].tolist()}) == 2:
            folds.append((kept, np.array([i, j])))
    return folds


def _held_out(
    data: Ladders,
    kept: Index,
    hidden: Index,
    decay: Array,
    centre: Array,
    sd: Array,
    start: Array,
) -> Array:
    """Return the log density (K,) that each candidate gave a hidden rung's difference."""
    full = data.covariance()
    y = np.tile(data.mean[kept], (len(decay), 1))
    weight = inverse(full[np.ix_(kept, kept)])
    made = curves.solve(y, weight, data.axes().take(kept), decay, centre, sd, start)
    there = data.axes().take(hidden)
    apart = np.array([1.0, -1.0])
    error = (data.mean[hidden] - curves.losses(made.p, decay, there)) @ apart
    slope = np.einsum("kip,i->kp", curves.gradient(made.p, decay, there), apart)
    uncertain = np.asarray(np.linalg.solve(made.hessian, slope[..., None]), dtype=np.float64)
    own = np.einsum("kp,kp->k", slope, uncertain[..., 0])
    variance = own + apart @ full[np.ix_(hidden, hidden)] @ apart
    return -0.5 * error**2 / variance - 0.5 * np.log(variance)
