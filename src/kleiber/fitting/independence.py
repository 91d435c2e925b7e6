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


def observations(r: Array, w: Array, run: NDArray[np.int64], along: Array) -> Array:
    """Return the worth (B,) of residuals (B, n) of runs, read in the order of ``along`` (n,).

    Points of weight zero, ``w`` (n,) or (B, n), are not there.
    """
    there = np.broadcast_to(w > 0, r.shape)
    order = np.lexsort((along, run))
    first = np.searchsorted(run[order], np.arange(int(run.max()) + 1))
    counts = np.add.reduceat(there[:, order].astype(np.float64), first, axis=1)
    if counts.max(initial=1.0) <= 1.0:
        return counts.sum(axis=1)
    limit = CLIP * np.median(np.abs(r), axis=1, keepdims=True)
    clipped = np.where(there, np.clip(r, -limit, limit), 0.0)[:, order]
    same = np.diff(run[order]) == 0
    ahead, behind = clipped[:, 1:][:, same], clipped[:, :-1][:, same]
    power = 0.5 * np.sum(ahead**2 + behind**2, axis=1)
    rho = np.sum(ahead * behind, axis=1) / np.maximum(power, 1e-300)
    rho = np.clip(rho, 0.0, 0.9999)
    each = counts * ((1.0 - rho) / (1.0 + rho))[:, None]
    return np.clip(each, np.minimum(counts, 1.0), np.minimum(counts, MOST)).sum(axis=1)
