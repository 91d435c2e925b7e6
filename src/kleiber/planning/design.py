"""How much a set of runs would teach about a target, before any of them is trained.

Under a law linearised at a family theta, the log-loss at the target has variance

    v = g' A^-1 g,    A = P + sum_i w_i g_i g_i' / sigma^2,

with g the gradient of the log-loss at the target, g_i at the readings, P the prior's precision
and sigma the residual of one run: the Laplace posterior that :mod:`kleiber.fitting.posterior`
will have (c-optimal design; Chaloner and Verdinelli 1995, Bayesian experimental design, eq. 6).
No law is exact: with d the departure from it, the fitted law carries those of the runs to the
target with the weights h_i = g' A^-1 g_i / sigma^2, and is wrong by sum_i h_i d_i - d there. The
variance of that is added; see :class:`ModelError`. The family is not known yet, so the error is
averaged over families drawn from the prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kleiber.fitting.evidence import (
    BEGINNING,
    CHECKPOINT,
    LEAST_RATIO,
    LEAST_TOKENS,
    MOST_CHECKPOINTS,
    Evidence,
)
from kleiber.fitting.posterior import Posterior, Priors
from kleiber.fitting.prior import Prior
from kleiber.fitting.shares import SIZE, Design, gradient, mid_schedule
from kleiber.laws.base import Array, Index
from kleiber.units import flops_6nd

MEAN_OF_ABSOLUTE = float(np.sqrt(2.0 / np.pi))  # E|x| of a normal of sd 1
HALF_WIDTH = 1.6448536269514722  # of 90 % of a normal of sd 1


@dataclass(frozen=True)
class ModelError:
    """How a family departs from any law of the kind, in log-loss.

    A smooth random field over log params and log tokens of standard deviation ``sd``, whose
    values are nearly equal at runs much nearer than ``length`` e-folds and independent at runs
    much farther; and ``floor``, by which the target's own run lies off it, luck included. With
    the defaults a hand-made ladder misses by about what such laws were found to miss by over 14
    clusters of public families: .6 % of the loss, and .6 % more with every e-fold of scale-up.
    Without this term the law is trusted over any distance, and a plan of many tiny runs looks
    as good as one that comes near the target.
    """

    floor: float = 0.006
    sd: float = 0.01
    length: float = 3.0

    def alike(self, one: Array, other: Array) -> Array:
        """Return the correlation (n, m) of the field at runs (2, n) and (2, m) of logs."""
        gap = one[:, :, None] - other[:, None, :]
        return np.exp(-0.5 * np.einsum("inm,inm->nm", gap, gap) / self.length**2)


@dataclass(frozen=True)
class Target:
    """The run to predict: raw params and tokens."""

    params: float
    tokens: float

    @property
    def flops(self) -> float:
        """Its price, 6 * params * tokens."""
        return flops_6nd(self.params, self.tokens)

    def far(self, params: Array, tokens: Array) -> Array:
        """Return the log of the scale-up from runs, in params or tokens, whichever is more."""
        up = np.maximum(np.log(self.params) - np.log(params), np.log(self.tokens) - np.log(tokens))
        return np.maximum(up, 0.0)


@dataclass(frozen=True, eq=False)
class Says:
    """What runs say about drawn families, before they are trained.

    ``information`` (6, 6, C, M), times sigma^2; ``slopes`` (6, C, M) of the log-loss at their
    ends; ``places`` (2, C), log params and log tokens.
    """

    information: Array
    slopes: Array
    places: Array

    @classmethod
    def nothing(cls, families: int) -> Says:
        """Return what no run says."""
        empty = np.zeros((SIZE, 0, families))
        return cls(np.zeros((SIZE, SIZE, 1, families)), empty, np.zeros((2, 0)))

    def take(self, rows: Sequence[int] | Index) -> Says:
        """Return some of the runs."""
        return Says(self.information[:, :, rows], self.slopes[:, rows], self.places[:, rows])

    def joined(self, other: Says) -> Says:
        """Return a set of runs with another, their information summed."""
        total = self.information.sum(axis=2) + other.information.sum(axis=2)
        return Says(
            total[:, :, None],
            np.concatenate([self.slopes, other.slopes], axis=1),
            np.concatenate([self.places, other.places], axis=1),
        )


@dataclass(frozen=True, eq=False)
class Belief:
    """What is known of a family before the planned runs: families drawn, and what holds them.

    ``theta`` (M, 6), ``precision`` (6, 6) the prior's, ``sigma`` of one run. Of runs at hand:
    ``says``, what they say; ``params`` and ``tokens`` (n,) of their ends.
    """

    theta: Array
    precision: Array
    sigma: float
    says: Says
    params: Array
    tokens: Array

    @classmethod
    def of_prior(cls, prior: Prior, draws: int, seed: int) -> Belief:
        """Return the prior's belief; draws come in pairs, mirrored about the mean."""
        half = prior.draws((draws + 1) // 2, seed)
        theta = np.concatenate([half, 2.0 * prior.mean - half])[:draws]
        return cls.of_families(prior, theta)

    @classmethod
    def of_families(cls, prior: Prior, theta: Array) -> Belief:
        """Return a belief in given families (M, 6), held by the prior."""
        says = Says.nothing(len(theta))
        return cls(theta, prior.precision, prior.sigma, says, np.empty(0), np.empty(0))

    @classmethod
    def of_runs(
        cls, prior: Prior, posterior: Posterior, evidence: Evidence, draws: int, seed: int
    ) -> Belief:
        """Return the belief once some runs are at hand: the posterior of one row of evidence."""
        mode, rng = posterior.theta[0], np.random.default_rng(seed)
        half = rng.multivariate_normal(mode, posterior.covariance[0], size=(draws + 1) // 2)
        theta = np.concatenate([half, 2.0 * mode - half])[:draws]
        used = evidence.w[0] > 0
        x, y, mid = (
            one[0, used]
            for one in (evidence.at.log_params, evidence.at.log_tokens, evidence.at.mid)
        )
        _, dz = gradient(theta, Design(x, y, mid))
        seen = np.einsum("mni,mnj,n->ijm", dz, dz, evidence.w[0, used])
        ends = mid == 0.0
        slopes, places = np.moveaxis(dz[:, ends], 0, -1).swapaxes(0, 1), np.stack([x, y])[:, ends]
        says = Says(seen[:, :, None], slopes, places)
        held = Priors.same(prior, 1).worth(posterior.theta)[0]  # what the tails leave of it
        return cls(theta, held, float(posterior.sigma[0]), says, *np.exp(places))


@dataclass(frozen=True, eq=False)
class Criterion:
    """The expected error at one target of any set of runs.

    ``checkpoints`` says whether the readings before a run's end are kept and used: they cost
    nothing, and are worth what :mod:`kleiber.fitting.evidence` gives them.
    """

    belief: Belief
    target: Target
    model: ModelError
    checkpoints: bool = True

    def says(self, params: Array, tokens: Array) -> Says:
        """Return what each run would say."""
        theta = self.belief.theta
        x, y = np.log(params), np.log(tokens)
        slopes = gradient(theta, Design(x, y, np.zeros_like(x)))[1].T
        found = slopes[:, None] * slopes[None]
        if self.checkpoints:
            fraction = np.geomspace(BEGINNING, 1.0, MOST_CHECKPOINTS + 1)[:-1, None]
            usable = fraction * tokens >= np.maximum(LEAST_TOKENS, LEAST_RATIO * params)
            mid = np.broadcast_to(mid_schedule(fraction), usable.shape)
            at = Design(np.tile(x, len(fraction)), (y + np.log(fraction)).ravel(), mid.ravel())
            g = gradient(theta, at)[1].reshape(len(theta), *usable.shape, SIZE)
            w = CHECKPOINT * usable
            found = found + np.einsum("mfci,mfcj,fc->ijcm", g, g, w, optimize=True)
        return Says(found, slopes, np.stack([x, y]))

    @cached_property
    def _at_target(self) -> Array:
        """The gradient at the target (6, M)."""
        at = Design.finals(self.target.params, self.target.tokens)
        return gradient(self.belief.theta, at)[1][:, 0].T

    @cached_property
    def _place(self) -> Array:
        """The log params and log tokens (2, 1) of the target."""
        return np.log([[self.target.params], [self.target.tokens]])

    def variances(self, had: Says, more: Says | None = None) -> tuple[Array, Array]:
        """Return the variance at the target of the law and of the departure, (C, M) each.

        Of the set ``had``, whose information is summed, with each run of ``more`` in turn; of
        ``had`` alone, C = 1, where there is none.
        """
        belief, model, g = self.belief, self.model, self._at_target
        total = had.information if more is None else had.information + more.information
        total = total / belief.sigma**2
        total += belief.precision[:, :, None, None]
        a = _solved(total, g)
        law = np.einsum("im,icm->cm", g, a)
        a /= belief.sigma**2
        h = np.einsum("inm,icm->ncm", had.slopes, a)
        flat = h.reshape(len(h), law.size)
        own = model.alike(had.places, had.places)
        share = 1.0 + np.einsum("nk,nk->k", flat, own @ flat).reshape(law.shape)
        share -= 2.0 * np.einsum("n,ncm->cm", model.alike(had.places, self._place)[:, 0], h)
        if more is not None:
            new = np.einsum("icm,icm->cm", more.slopes, a)
            with_had = np.einsum("nc,ncm->cm", model.alike(had.places, more.places), h)
            with_target = model.alike(more.places, self._place)
            share += new * (new + 2.0 * with_had - 2.0 * with_target)
        return law, model.sd**2 * share + model.floor**2

    @property
    def nearest(self) -> float:
        """The log scale-up from the nearest run at hand, infinite where there is none."""
        far = self.target.far(self.belief.params, self.belief.tokens)
        return float(far.min(initial=np.inf))

    def errors(self, had: Says, more: Says | None = None) -> Array:
        """Return the expected absolute error (C,) of sets, as a share of the loss."""
        law, departure = self.variances(had, more)
        return MEAN_OF_ABSOLUTE * np.sqrt(law + departure).mean(axis=1)

    def promise(self, params: Array, tokens: Array) -> Promise:
        """Return what a set of runs promises; an empty one says what is known without it."""
        had, far = self.belief.says, self.nearest
        if len(params):
            had = had.joined(self.says(params, tokens))
            far = min(far, float(self.target.far(params, tokens).min()))
        law, departure = self.variances(had)
        return Promise(law[0], departure[0], far)


@dataclass(frozen=True, eq=False)
class Promise:
    """The error that a set of runs leads one to expect, in log-loss.

    ``law`` (M,) its variance by the law, ``departure`` (M,) by what departs from it, one a
    drawn family; ``far`` the log scale-up from the nearest run.
    """

    law: Array
    departure: Array
    far: float

    @property
    def sd(self) -> Array:
        """The sd (M,) of the whole error."""
        return np.sqrt(self.law + self.departure)

    @property
    def error(self) -> float:
        """The expected absolute error, as a share of the loss."""
        return MEAN_OF_ABSOLUTE * float(self.sd.mean())

    @property
    def of_law(self) -> float:
        """The part that more and better runs would lower, were the law exact."""
        return MEAN_OF_ABSOLUTE * float(np.sqrt(self.law).mean())

    @property
    def of_model(self) -> float:
        """The part that is the law's own fault."""
        return MEAN_OF_ABSOLUTE * float(np.sqrt(self.departure).mean())

    @property
    def half_width(self) -> float:
        """Half the width of a 90 % interval."""
        return HALF_WIDTH * float(self.sd.mean())


def _solved(a: Array, g: Array) -> Array:
    """Return a^-1 g (6, C, M) of positive matrices a (6, 6, C, M), which are used up, g (6, M).

    One step of the elimination for all matrices at once is far faster than a LAPACK call each.
    """
    n = len(g)
    x = np.broadcast_to(g[:, None], a.shape[1:]).copy()
    for k in range(n - 1):
        row = a[k, k + 1 :] / a[k, k]
        x[k + 1 :] -= row * x[k]
        a[k + 1 :, k + 1 :] -= a[k + 1 :, k][:, None] * row[None]
    for k in range(n - 1, -1, -1):
        x[k] = (x[k] - np.einsum("icm,icm->cm", a[k, k + 1 :], x[k + 1 :])) / a[k, k]
    return x
