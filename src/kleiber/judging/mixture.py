"""Weights of laws by what they said of sizes that they had not seen, and their mixture.

A law's statement about a run is a Student t on the log of its loss with 4 degrees of freedom,
at the predicted value, of scale ``sqrt(own^2 + FLOOR^2 (1 + log(scale-up)^2))``: its own
standard error, and what laws miss beyond it however well they fit. Own errors alone are far too
small out of the data's range; the floor of 0.6 % and its growth were measured on public
families with the largest model hidden. One or two hidden sizes are too few for stacking, which
would put all the weight on one law; pseudo-BMA, the weight a held-out density gives, is what
they support, and t tails keep one odd size from deciding alone.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr, stdtrit

from kleiber.laws.base import Array

FLOOR = 0.006  # of the loss
DEGREES = 4.0
WIDEST = 1.0  # of an own error, in log-loss: a law that knows less than this knows nothing
ONE_SIGMA = 0.6827
_STEPS = 200


def missed(scale_up: float) -> float:
    """Return the part of a prediction's scale, in log-loss, that no law's own error holds."""
    return FLOOR * float(np.hypot(1.0, np.log(max(scale_up, 1.0))))


def scale(lower: float, upper: float, scale_up: float) -> float:
    """Return a prediction's scale in log-loss from its one-sigma bounds in nats."""
    with np.errstate(invalid="ignore", divide="ignore"):
        own = 0.5 * float(np.log(upper) - np.log(lower))
    own = own if np.isfinite(own) else WIDEST
    return float(np.hypot(min(own, WIDEST), missed(scale_up)))


def log_density(error: float, spread: float) -> float:
    """Return the log density, but for a constant, of an error in log-loss at its scale."""
    within = 1.0 + (error / spread) ** 2 / DEGREES
    return -0.5 * (DEGREES + 1.0) * float(np.log(within)) - float(np.log(spread))


def weights(scores: Array) -> Array:
    """Return weights (L,) that sum to one from summed held-out log densities (L,)."""
    found = np.exp(scores - scores.max())
    return found / found.sum()


def quantile(level: float, share: Array, centre: Array, spread: Array) -> float:
    """Return a quantile of the mixture of t distributions with shares, centres, scales (L,)."""
    reach = float(stdtrit(DEGREES, max(level, 1.0 - level))) * spread
    low, high = float((centre - reach).min()), float((centre + reach).max())
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        if float(share @ stdtr(DEGREES, (middle - centre) / spread)) < level:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
