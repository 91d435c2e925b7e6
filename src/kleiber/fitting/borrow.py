"""A law fitted with borrowed strength: under a learnt prior and under a weak one, always both.

The runs decide how far the learnt prior is believed. Where they are less probable under it than
under the weak one, the weak prior's answer stands; where the two answers lie further apart than
either is sure of itself, their mean does, since then a prior and not the runs speaks. Their gap
is shown, and enters the interval's scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kleiber.fitting.evidence import Evidence
from kleiber.fitting.posterior import SCALE_POINTS, Posterior, Priors, solve
from kleiber.fitting.prior import WEAK, Prior
from kleiber.fitting.shares import Design, gradient
from kleiber.laws.base import Array

APART = 1.5  # posterior standard deviations that two priors' answers may differ by
FLOOR = 0.01  # log-loss by which such a law may miss at its own scale, and again per e-fold beyond


@dataclass(frozen=True)
class Answers:
    """What a design's runs would lose, (B, n) each; z is the log-loss.

    ``sd`` is the posterior's for a new run, ``gap`` learnt minus weak, ``weak`` the part of the
    weak answer in ``z`` (0, a half, 1), ``scale`` what an interval is a multiple of.
    """

    z: Array
    sd: Array
    gap: Array
    weak: Array
    scale: Array


@dataclass(frozen=True)
class Borrowed:
    """Rows of evidence fitted under a learnt prior and under a weak one."""

    learnt: Posterior
    weak: Posterior
    log_odds: Array  # (B,) of the runs, learnt over weak
    largest: Array  # (B,) log params of the largest run seen

    def predict(self, at: Design) -> Answers:
        """Return the blended answer at a design (B, n) and everything that is behind it."""
        z1, sd1 = self.learnt.predict(at)
        z0, sd0 = self.weak.predict(at)
        gap = z1 - z0
        apart = np.abs(gap) > APART * np.minimum(sd0, sd1)
        weak = np.where(self.log_odds[:, None] < 0.0, 1.0, np.where(apart, 0.5, 0.0))
        sd = np.sqrt((1.0 - weak) * sd1**2 + weak * sd0**2)
        largest = np.where(np.isfinite(self.largest), self.largest, np.inf)  # nothing seen
        beyond = np.maximum(at.log_params - largest[:, None], 0.0)
        scale = np.sqrt(sd**2 + FLOOR**2 * (1.0 + beyond**2) + (0.5 * gap) ** 2)
        return Answers((1.0 - weak) * z1 + weak * z0, sd, gap, weak, scale)

    def prior_share(self, prior: Priors, at: Design) -> Array:
        """Return the part (B, n) of what is known of the answer that the learnt prior brings.

        The posterior variance of the prediction is a sum of what the runs' and the prior's
        precision contribute; this is the prior's part, 1 where the runs say nothing.
        """
        _, dz = gradient(self.learnt.theta, at)
        pulled = np.einsum("bij,bnj->bni", self.learnt.covariance, dz)
        whole = np.einsum("bni,bni->bn", dz, pulled)
        held = prior.worth(self.learnt.theta)
        own = np.einsum("bni,bij,bnj->bn", pulled, held, pulled)
        return own / whole


def borrow(evidence: Evidence, learnt: Prior | Priors, weak: Prior = WEAK) -> Borrowed:
    """Fit every row of evidence under both priors, in one batch each."""
    rows = len(evidence)
    first = learnt if isinstance(learnt, Priors) else Priors.same(learnt, rows)
    second = Priors.same(weak, rows)
    strong, plain = solve(evidence, first), solve(evidence, second)
    seen = np.where(evidence.w > 0, evidence.at.log_params, -np.inf)
    return Borrowed(
        strong,
        plain,
        _log_evidence(strong, first) - _log_evidence(plain, second),
        seen.max(axis=1, initial=-np.inf),
    )


def _log_evidence(found: Posterior, prior: Priors) -> Array:
    """Return Laplace's log-evidence (B,) of the runs, constants common to all priors left out.

    The last term is of the density of the residual scale, which integrates to sigma^-4.
    """
    own, held = np.linalg.slogdet(found.precision)[1], np.linalg.slogdet(prior.precision)[1]
    return -found.value - 0.5 * own + 0.5 * held + SCALE_POINTS * np.log(prior.sigma)
