"""How many independent observations the checkpoints of runs are worth.

Checkpoints of one run err together: a run of a thousand of them is not a thousand runs. With
lag-one autocorrelation ``rho`` of the residuals along tokens, m checkpoints are worth
``m (1 - rho) / (1 + rho)`` observations: at least one, and at most three, the level, slope and
bend of one curve. Whatever makes a whole run lie high or low is seen once a run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kleiber.laws.base import Array

MOST = 3.0
CLIP = 4.0  # medians of |r| beyond which one residual may not decide the correlation


def observations(r: Array, run: NDArray[np.int64], along: Array) -> Array:
    """Return the worth (B,) of residuals (B, n) of runs, read in the order of ``along`` (n,)."""
    counts = np.bincount(run).astype(np.float64)
    if counts.max(initial=1.0) <= 1.0:
        return np.full(len(r), float(len(counts)))
    order = np.lexsort((along, run))
    same = np.diff(run[order]) == 0
    limit = CLIP * np.median(np.abs(r), axis=1, keepdims=True)
    clipped = np.clip(r[:, order], -limit, limit)
    ahead, behind = clipped[:, 1:][:, same], clipped[:, :-1][:, same]
    power = 0.5 * np.sum(ahead**2 + behind**2, axis=1)
    rho = np.sum(ahead * behind, axis=1) / np.maximum(power, 1e-300)
    rho = np.clip(rho, 0.0, 0.9999)
    each = counts[None, :] * ((1.0 - rho) / (1.0 + rho))[:, None]
    return np.clip(each, 1.0, np.minimum(counts, MOST)[None, :]).sum(axis=1)
