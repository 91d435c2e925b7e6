"""The most probable law of many families at once, under a prior, and how sure it is.

Residuals of the log-loss are Student (nu = 4) with a scale of the family's own, itself held near
the prior's. Gauss-Newton steps, damped row by row, on the negative log-posterior of the
coordinates; the scale is renewed by its EM step in between. Both only ever go down.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kleiber.fitting.evidence import Evidence
from kleiber.fitting.prior import Prior
from kleiber.fitting.shares import LEVEL, SIZE, Design, gradient, log_loss
from kleiber.laws.base import Array, Index, Mask

NU = 4.0  # degrees of freedom of the residuals
SCALE_POINTS = 4.0  # runs that the prior's residual scale is worth
STEPS = 60
WIDTHS = (16, 48, 96)  # points a row up to which rows are solved together
ENOUGH = 1e-9  # decrease of the negative log-posterior below which a row has arrived


@dataclass(frozen=True)
class Posterior:
    """The mode and its curvature, row by row.

    ``theta`` (B, 6), ``precision`` (B, 6, 6) of the Laplace approximation, ``sigma`` (B,) the
    residual scale of one run, ``value`` (B,) the negative log-posterior, ``converged`` (B,).
    """

    theta: Array
    precision: Array
    sigma: Array
    value: Array
    converged: Array

    @property
    def covariance(self) -> Array:
        """The covariance (B, 6, 6) of the coordinates."""
        return np.asarray(np.linalg.inv(self.precision), dtype=np.float64)

    def predict(self, at: Design) -> tuple[Array, Array]:
        """Return the log-loss (B, n) at a design (B, n) and the sd (B, n) of a new run's."""
        z, dz = gradient(self.theta, at)
        variance = np.einsum("bni,bij,bnj->bn", dz, self.covariance, dz)
        return z, np.sqrt(variance + self.sigma[:, None] ** 2)


def solve(
    evidence: Evidence,
    prior: Prior | Priors,
    start: Array | None = None,
    steps: int = STEPS,
) -> Posterior:
    """Return the posterior mode of every row of evidence, from the prior's mean by default.

    Rows of like widths are solved together, so that one long row does not pad all others; the
    answer of a row without evidence is the prior's mean.
    """
    rows = len(evidence)
    held = prior if isinstance(prior, Priors) else Priors.same(prior, rows)
    used = evidence.widths()
    parts: list[tuple[Index, Posterior]] = []
    for low, high in pairwise((-1, *WIDTHS, max(int(used.max(initial=0)), WIDTHS[-1]) + 1)):
        some = np.flatnonzero((used > low) & (used <= high))
        if len(some):
            first = None if start is None else start[some]
            own = evidence.take(some).narrowed(int(used[some].max()))
            parts.append((some, _solve(own, held.take(some), first, steps)))
    order = np.argsort(np.concatenate([some for some, _ in parts]), kind="stable")
    return Posterior(
        *(
            np.concatenate([getattr(found, name) for _, found in parts])[order]
            for name in Posterior.__annotations__
        )
    )


def _solve(evidence: Evidence, held: Priors, start: Array | None, steps: int) -> Posterior:
    """Return the modes of rows of one width."""
    rows = len(evidence)
    theta = (held.mean if start is None else start).copy()
    if start is None:
        theta[:, LEVEL] += _level_gap(theta, evidence)
    sigma = held.sigma.copy()
    damping = np.full(rows, 1e-3)
    value = _value(theta, sigma, evidence, held)
    converged = np.zeros(rows, dtype=bool)
    live: Index = np.arange(rows, dtype=np.intp)
    for _ in range(steps):
        some, own = evidence.take(live), held.take(live)
        t, s = theta[live], sigma[live]
        g, h = _slopes(t, s, some, own)
        scale = np.einsum("bii->bi", h)
        damped = h + (damping[live, None] * scale)[:, :, None] * np.eye(SIZE)
        step: Array = np.asarray(np.linalg.solve(damped, -g[..., None]), dtype=np.float64)[..., 0]
        moved = t + np.clip(step, -2.0, 2.0)
        new = _value(moved, s, some, own)
        good = new <= value[live]
        theta[live] = np.where(good[:, None], moved, t)
        damping[live] = np.where(good, damping[live] / 5.0, damping[live] * 8.0)
        sigma[live] = _renew(theta[live], s, some, own)
        now = _value(theta[live], sigma[live], some, own)
        done = (good & (value[live] - now < ENOUGH)) | (damping[live] > 1e9)
        value[live] = now
        converged[live] = done
        live = live[~done]
        if not len(live):
            break
    precision = _slopes(theta, sigma, evidence, held)[1]
    return Posterior(theta, precision, sigma, value, converged)


@dataclass(frozen=True)
class Priors:
    """One prior a row: mean (B, 6), precision (B, 6, 6), sigma (B,), tails (B,)."""

    mean: Array
    precision: Array
    sigma: Array
    tails: Array

    @classmethod
    def same(cls, prior: Prior, rows: int) -> Priors:
        """Return one prior for all rows."""
        return cls.of([prior] * rows)

    @classmethod
    def of(cls, priors: list[Prior]) -> Priors:
        """Return the priors of rows."""
        inverse: dict[int, Array] = {id(p): p.precision for p in priors}
        return cls(
            np.stack([p.mean for p in priors]),
            np.stack([inverse[id(p)] for p in priors]),
            np.array([p.sigma for p in priors]),
            np.array([p.tails for p in priors]),
        )

    def take(self, rows: Index | Mask) -> Priors:
        """Return some rows."""
        return Priors(self.mean[rows], self.precision[rows], self.sigma[rows], self.tails[rows])

    def worth(self, theta: Array) -> Array:
        """Return the precision (B, 6, 6) that the tails leave the prior at coordinates (B, 6)."""
        return _distance(theta, self)[2][:, None, None] * self.precision


def _distance(theta: Array, held: Priors) -> tuple[Array, Array, Array]:
    """Return the squared distance from the prior, its half gradient, and the tails' weight."""
    off = theta - held.mean
    pull = np.einsum("bij,bj->bi", held.precision, off)
    d2 = np.einsum("bi,bi->b", off, pull)
    return d2, pull, (held.tails + SIZE) / (held.tails + d2)


def _value(theta: Array, sigma: Array, evidence: Evidence, held: Priors) -> Array:
    """Return the negative log-posterior (B,), constants left out."""
    r = evidence.y - log_loss(theta, evidence.at)
    s2 = sigma**2
    fit = 0.5 * (NU + 1.0) * np.log1p(r**2 / (NU * s2[:, None])) + np.log(sigma)[:, None]
    d2 = _distance(theta, held)[0]
    scale = SCALE_POINTS * (np.log(sigma) + 0.5 * held.sigma**2 / s2)
    tails = 0.5 * (held.tails + SIZE) * np.log1p(d2 / held.tails)
    total = np.einsum("bn,bn->b", evidence.w, fit) + scale + tails
    return np.where(np.isfinite(total), total, np.inf)


def _slopes(theta: Array, sigma: Array, evidence: Evidence, held: Priors) -> tuple[Array, Array]:
    """Return the gradient (B, 6) and the Gauss-Newton curvature (B, 6, 6)."""
    z, dz = gradient(theta, evidence.at)
    r = evidence.y - z
    s2 = sigma[:, None] ** 2
    u = evidence.w * (NU + 1.0) / (NU * s2 + r**2)
    weighted = dz * u[..., None]
    _, pull, tail = _distance(theta, held)
    g = -np.einsum("bni,bn->bi", weighted, r) + tail[:, None] * pull
    h = weighted.swapaxes(1, 2) @ dz + tail[:, None, None] * held.precision
    return g, h


def _renew(theta: Array, sigma: Array, evidence: Evidence, held: Priors) -> Array:
    """Return the EM step of the residual scale (B,)."""
    r2 = (evidence.y - log_loss(theta, evidence.at)) ** 2
    u = (NU + 1.0) / (NU + r2 / sigma[:, None] ** 2)
    total = np.einsum("bn,bn->b", evidence.w, u * r2) + SCALE_POINTS * held.sigma**2
    return np.sqrt(total / (evidence.w.sum(axis=1) + SCALE_POINTS))


def _level_gap(theta: Array, evidence: Evidence) -> Array:
    """Return by how much (B,) the data lie above the prior's mean law."""
    r = evidence.y - log_loss(theta, evidence.at)
    total = np.maximum(evidence.w.sum(axis=1), 1e-300)
    return np.einsum("bn,bn->b", evidence.w, r) / total
