"""How much a set of runs would teach about a target, before any of them is trained.

Under a law linearised at a family theta, the log-loss at the target has variance

    v = g' (P + sum_i w_i g_i g_i' / sigma^2)^-1 g,

with g the gradient of the log-loss at the target, g_i at the readings, P the prior's precision
and sigma the residual of one run: the Laplace posterior that :mod:`kleiber.fitting.posterior`
will have (c-optimal design; Chaloner and Verdinelli 1995, Bayesian experimental design, eq. 6).
The family is not known yet, so v is averaged over families drawn from the prior. No law is
exact, so the error of the law itself is added: see :class:`ModelError`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kleiber.fitting.evidence import (
    BEGINNING,
    CHECKPOINT,
    LEAST_RATIO,
    LEAST_TOKENS,
    MOST_CHECKPOINTS,
    Evidence,
)
from kleiber.fitting.posterior import Posterior
from kleiber.fitting.prior import Prior
from kleiber.fitting.shares import SIZE, Design, gradient, mid_schedule
from kleiber.laws.base import Array
from kleiber.units import flops_6nd

MEAN_OF_ABSOLUTE = float(np.sqrt(2.0 / np.pi))  # E|x| of a normal of sd 1
HALF_WIDTH = 1.6448536269514722  # of 90 % of a normal of sd 1


@dataclass(frozen=True)
class ModelError:
    """How wrong the law itself is at a target, in log-loss: sd^2 = floor^2 + (slope * far)^2.

    ``far`` is the log of the scale-up from the nearest run, in params or tokens, whichever is
    more. The additive law, fitted with the target, still misses it by about half a percent of
    the loss, and by more the farther the target is: the defaults are those with which intervals
    over 14 clusters of public families were about as wide as the errors were. Without this term
    a plan of many tiny runs looks as good as one that comes near the target. The luck of the
    target's own run is within the floor.
    """

    floor: float = 0.006
    slope: float = 0.006

    def variance(self, far: Array) -> Array:
        """Return the variance at a log scale-up; at an infinite one, where no run is, the floor."""
        return self.floor**2 + (self.slope * np.where(np.isfinite(far), far, 0.0)) ** 2


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
class Belief:
    """What is known of a family before the planned runs: families drawn, and what holds them.

    ``theta`` (M, 6), ``precision`` (6, 6) the prior's, ``sigma`` of one run. Of runs at hand:
    ``seen`` (6, 6, M), their information times sigma^2; ``params`` and ``tokens`` (n,) of their
    ends.
    """

    theta: Array
    precision: Array
    sigma: float
    seen: Array
    params: Array
    tokens: Array

    @classmethod
    def of_prior(cls, prior: Prior, draws: int, seed: int) -> Belief:
        """Return the prior's belief; draws come in pairs, mirrored about the mean."""
        half = prior.draws((draws + 1) // 2, seed)
        theta = np.concatenate([half, 2.0 * prior.mean - half])[:draws]
        nothing = np.zeros((SIZE, SIZE, len(theta)))
        return cls(theta, prior.precision, prior.sigma, nothing, np.empty(0), np.empty(0))

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
            one[0, used] for one in (evidence.at.log_params, evidence.at.log_tokens, evidence.at.mid)
        )
        _, dz = gradient(theta, Design(x, y, mid))
        seen = np.einsum("mni,mnj,n->ijm", dz, dz, evidence.w[0, used])
        ends = mid == 0.0
        return cls(
            theta,
            prior.precision,
            float(posterior.sigma[0]),
            seen,
            np.exp(x[ends]),
            np.exp(y[ends]),
        )


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

    def information(self, params: Array, tokens: Array) -> Array:
        """Return what each run says (6, 6, C, M), times sigma^2."""
        theta = self.belief.theta
        x, y = np.log(params), np.log(tokens)
        _, g = gradient(theta, Design(x, y, np.zeros_like(x)))
        found = np.einsum("mci,mcj->ijcm", g, g)
        if not self.checkpoints:
            return found
        fraction = np.geomspace(BEGINNING, 1.0, MOST_CHECKPOINTS + 1)[:-1, None]
        usable = fraction * tokens >= np.maximum(LEAST_TOKENS, LEAST_RATIO * params)
        mid = np.broadcast_to(mid_schedule(fraction), usable.shape)
        at = Design(np.tile(x, len(fraction)), (y + np.log(fraction)).ravel(), mid.ravel())
        _, g = gradient(theta, at)
        g = g.reshape(len(theta), *usable.shape, SIZE)
        return found + np.einsum("mfci,mfcj,fc->ijcm", g, g, CHECKPOINT * usable, optimize=True)

    def variances(self, information: Array) -> Array:
        """Return the law's variance at the target (S, M) of sets' summed information.

        ``information`` (6, 6, S, M) as above, of the planned runs alone.
        """
        belief = self.belief
        total = information + belief.seen[:, :, None]
        total /= belief.sigma**2
        total += belief.precision[:, :, None, None]
        return _quadratic(total, self._at_target())

    def _at_target(self) -> Array:
        """Return the gradient at the target (6, M)."""
        at = Design.finals(self.target.params, self.target.tokens)
        return gradient(self.belief.theta, at)[1][:, 0].T

    def far(self, params: Array, tokens: Array) -> Array:
        """Return the log scale-up from each run (C,), or from a nearer one that is at hand."""
        own = self.target.far(params, tokens)
        return np.minimum(own, self.nearest)

    @property
    def nearest(self) -> float:
        """The log scale-up from the nearest run at hand, infinite where there is none."""
        far = self.target.far(self.belief.params, self.belief.tokens)
        return float(far.min(initial=np.inf))

    def errors(self, information: Array, far: Array) -> Array:
        """Return the expected absolute error (S,) of sets, as a share of the loss."""
        total = self.variances(information) + self.model.variance(far)[:, None]
        return MEAN_OF_ABSOLUTE * np.sqrt(total).mean(axis=1)

    def promise(self, params: Array, tokens: Array) -> Promise:
        """Return what a set of runs promises; an empty one says what is known without it."""
        if len(params):
            information = self.information(params, tokens).sum(axis=2, keepdims=True)
            far = np.array([self.far(params, tokens).min()])
        else:
            information = np.zeros((SIZE, SIZE, 1, len(self.belief.theta)))
            far = np.array([self.nearest])
        variances = self.variances(information)[0]
        return Promise(variances, float(self.model.variance(far)[0]), float(far[0]))


@dataclass(frozen=True, eq=False)
class Promise:
    """The error that a set of runs leads one to expect, in log-loss.

    ``variances`` (M,) of the law at the target, one a drawn family; ``model`` the variance of
    the law's own error; ``far`` the log scale-up from the nearest run.
    """

    variances: Array
    model: float
    far: float

    @property
    def sd(self) -> Array:
        """The sd (M,) of the whole error."""
        return np.sqrt(self.variances + self.model)

    @property
    def error(self) -> float:
        """The expected absolute error, as a share of the loss."""
        return MEAN_OF_ABSOLUTE * float(self.sd.mean())

    @property
    def of_law(self) -> float:
        """The part that more and better runs would lower, were the law exact."""
        return MEAN_OF_ABSOLUTE * float(np.sqrt(self.variances).mean())

    @property
    def of_model(self) -> float:
        """The part that is the law's own fault."""
        return MEAN_OF_ABSOLUTE * float(np.sqrt(self.model))

    @property
    def half_width(self) -> float:
        """Half the width of a 90 % interval."""
        return HALF_WIDTH * float(self.sd.mean())


def _quadratic(a: Array, g: Array) -> Array:
    """Return g' a^-1 g (S, M) of positive matrices a (6, 6, S, M) and g (6, M), eliminating.

    One elimination step for all matrices at once is ten times as fast as a call of LAPACK each.
    """
    n = len(g)
    rest = np.empty((n + 1, n + 1, *a.shape[2:]))
    rest[:n, :n], rest[:n, n], rest[n, :n], rest[n, n] = a, g[:, None], g[:, None], 0.0
    for _ in range(n):
        row = rest[0, 1:] / rest[0, 0]
        rest = rest[1:, 1:] - rest[1:, 0][:, None] * row[None]
    return -rest[0, 0]
