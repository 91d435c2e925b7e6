"""What past families teach: the prior under which they are most probable together.

Expectation-maximisation with each family's posterior as its expectation (its mode and Laplace
covariance). Families of one source are one witness: their weights add up to one. A starting
prior counts as ``worth`` further witnesses, so that a few families do not make it narrow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from kleiber.fitting.evidence import Evidence
from kleiber.fitting.posterior import solve
from kleiber.fitting.prior import LEVEL_SD, TAILS, WEAK, Prior
from kleiber.fitting.shares import LEVEL
from kleiber.laws.base import Array

WORTH = 0.5  # witnesses that the weak prior counts for
ROUNDS = 12
WARM_STEPS = 8  # of the solver in a round, from the round before
NEVER = 1e6  # tails of a normal: while it is learnt every family counts in full


def learn(
    evidence: Evidence,
    clusters: Sequence[str],
    *,
    base: Prior = WEAK,
    worth: float = WORTH,
    start: Array | None = None,
    rounds: int = ROUNDS,
    name: str = "learnt",
) -> tuple[Prior, Array]:
    """Return the prior that families (rows of evidence) of named clusters teach, and their modes.

    ``start`` (B, 6) warm-starts the families. The level keeps its free spread: it is moved by
    units and tokenizers, not by scale.
    """
    sizes = Counter(clusters)
    w = np.array([1.0 / sizes[one] for one in clusters])
    total = w.sum() + worth
    prior = Prior(name, base.mean, base.covariance, base.sigma, NEVER)
    theta = start
    for _ in range(rounds):
        found = solve(evidence, prior, start=theta, steps=40 if theta is None else WARM_STEPS)
        theta = found.theta
        mean = (w @ theta + worth * base.mean) / total
        off, back = theta - mean, base.mean - mean
        spread = np.einsum("b,bij->ij", w, found.covariance + off[:, :, None] * off[:, None, :])
        spread = (spread + worth * (base.covariance + np.outer(back, back))) / total
        spread[LEVEL, :] = spread[:, LEVEL] = 0.0
        spread[LEVEL, LEVEL] = LEVEL_SD**2
        sigma = np.exp((w @ np.log(found.sigma) + worth * np.log(base.sigma)) / total)
        prior = Prior(name, mean, spread, float(sigma), NEVER)
    assert theta is not None
    sources = tuple(sorted(sizes))
    return Prior(name, prior.mean, prior.covariance, prior.sigma, TAILS, sources), theta
