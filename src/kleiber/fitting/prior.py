"""A prior over families: where a law's shared coordinates lie before a run is seen.

See :mod:`kleiber.fitting.shares` for the coordinates. A prior is used with Student tails, so
that an unusual family can leave it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kleiber.fitting.shares import SIZE
from kleiber.laws.base import Array

TAILS = 3.0  # degrees of freedom of a prior in use
LEVEL_SD = 0.5  # the log of the loss at the reference: units and tokenizers move it


@dataclass(frozen=True, eq=False)
class Prior:
    """A normal over the shared coordinates: ``mean`` (6,), ``covariance`` (6, 6).

    ``sigma`` is the expected residual of one run in log-loss, ``clusters`` how many
    independent sources taught the prior, ``sources`` their names.
    """

    name: str
    mean: Array
    covariance: Array
    sigma: float = 0.006
    tails: float = TAILS
    sources: tuple[str, ...] = ()

    @property
    def precision(self) -> Array:
        """The inverse covariance (6, 6)."""
        return np.asarray(np.linalg.inv(self.covariance), dtype=np.float64)

    def draws(self, n: int, seed: int) -> Array:
        """Return n families (n, 6) drawn from the normal, the tails left out."""
        rng = np.random.default_rng(seed)
        return rng.multivariate_normal(self.mean, self.covariance, size=n)


def diagonal(name: str, mean: Sequence[float], sd: Sequence[float], sigma: float) -> Prior:
    """Return a prior whose coordinates are independent."""
    spread = np.asarray(sd, dtype=np.float64)
    assert len(spread) == SIZE
    return Prior(name, np.asarray(mean, dtype=np.float64), np.diag(spread**2), sigma)


# Textbook knowledge and nothing learnt: exponents near a third, three quarters of the loss of a
# 1B model on 20B tokens irreducible, params and tokens even; spreads that exclude little.
WEAK = diagonal(
    "weak",
    (np.log(2.6), -1.0, 0.0, np.log(0.35), np.log(0.38), 0.03),
    (LEVEL_SD, 1.0, 1.2, 0.45, 0.45, 0.03),
    0.006,
)
