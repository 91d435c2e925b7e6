"""The spread of residuals, robustly, and the Huber delta that follows from it.

The scale is Huber's Proposal 2: the s at which the clipped residuals have the second moment
that normal noise of scale s would give them. Residuals of n runs with p free parameters are
shorter than the noise by ``sqrt((n - p)/n)`` on average, so fewer are clipped; leaving that
out makes a 3x3 ladder's intervals a fifth too wide.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from kleiber.laws.base import Array

TUNING = 1.345  # 95 % efficiency on normal noise (Huber 1981)
SMALLEST = 1e-7  # residuals below are arithmetic, not noise


def clipped_moments(c: float | Array) -> tuple[Array, Array]:
    """Return E[clip(Z, c)^2] and P(|Z| <= c) of a standard normal Z."""
    c = np.asarray(c, dtype=np.float64)
    inside: Array = np.asarray(erf(c / np.sqrt(2.0)), dtype=np.float64)
    finite = np.where(np.isfinite(c), c, 0.0)
    density = np.exp(-0.5 * finite * finite) / np.sqrt(2.0 * np.pi)
    square = inside - 2.0 * finite * density + finite * finite * (1.0 - inside)
    return np.where(np.isfinite(c), square, 1.0), inside


def robust_scale(r: Array, w: Array, worth: Array, dof: Array) -> Array:
    """Return Proposal 2's scale, shape (B,), of residuals (B, n) with weights w.

    ``worth`` (B,) is the number of independent observations that the points amount to, and
    ``dof`` (B,) what free parameters leave of it.
    """
    wide = np.broadcast_to(w, r.shape)
    wide = wide * (worth / wide.sum(axis=-1))[:, None]
    expected, _ = clipped_moments(TUNING * np.sqrt(worth / dof))
    square = np.sum(wide * r * r, axis=-1) / dof
    s = np.minimum(np.sqrt(square), _median_scale(r, dof / worth))
    s = np.maximum(s, SMALLEST)
    for _ in range(60):
        clipped = np.minimum(np.abs(r), TUNING * s[..., None])
        fresh = np.sqrt(np.sum(wide * clipped * clipped, axis=-1) / (dof * expected))
        fresh = np.maximum(fresh, SMALLEST)
        settled = np.all(np.abs(fresh - s) <= 1e-9 * s)
        s = fresh
        if settled:
            break
    return s


def _median_scale(r: Array, share: Array) -> Array:
    """Return a first scale that no diverged run moves: a median over the residuals left free.

    A fit with p parameters can pass through p points, so their small residuals say nothing.
    """
    n = r.shape[-1]
    free = min(max(round(float(np.mean(share)) * n), 1), n)
    largest: Array = np.sort(np.abs(r), axis=-1)[..., n - free :]
    middle: Array = np.quantile(largest, 0.5, axis=-1)
    return 2.0 * middle / 0.6745
