"""The hierarchical bootstrap: seeds within rungs, rungs about curves, candidates, and priors.

Each replicate draws its candidate by weight, the noise's scale from its own uncertainty, every
rung's seeds anew (both arms' together where they are paired) and every rung's distance from a
smooth curve, and moves the prior's centres by their own spread; then it is fitted. In the linear
case that is a draw from the posterior (randomised maximum a posteriori), so that what the rungs
do not tell stays as uncertain as it was before them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from kleiber.judging.compare import curves
from kleiber.judging.compare.candidates import Candidates, candidates_of
from kleiber.judging.compare.curves import SIZE
from kleiber.judging.compare.ladders import Ladders, inverse
from kleiber.laws.base import Array

LEAST_POOL = 8  # residuals of seeds below which noise is drawn from a normal
ODD = 0.05  # chance below which what rungs miss a curve by is no noise between seeds
LEAST_SHARED, SHRUNK = 4, 4.0  # rungs for a correlation, and how many of none it is drawn by
LEAST_FREE = 2.0  # degrees of freedom that the richest form leaves


@dataclass(frozen=True)
class Draws:
    """B fitted replicates: parameters (B, 8), decays (B,), and which candidate each is of."""

    data: Ladders
    p: Array
    decay: Array
    candidate: NDArray[np.int64]
    weights: dict[str, float]

    def curve(self, flops: Array, arm: float) -> Array:
        """Return the losses (B, n) of an arm (+1/2 is A, -1/2 is B) at computes (n,)."""
        return curves.losses(self.p, self.decay, self.data.axes(flops, arm))

    def difference(self, flops: Array) -> Array:
        """Return L_A - L_B (B, n) at computes (n,)."""
        return self.curve(flops, 0.5) - self.curve(flops, -0.5)


def draw(
    data: Ladders,
    rng: np.random.Generator,
    replicates: int,
    *,
    candidates: Candidates | None = None,
) -> Draws:
    """Return fitted replicates of two ladders."""
    data = with_noise(data)
    known = candidates or candidates_of(data)
    chosen = rng.choice(len(known.weight), replicates, p=known.weight)
    y = data.mean + noise(data, rng, replicates)
    centre = known.centre[chosen] + rng.normal(size=(replicates, SIZE)) * known.sd[chosen]
    made = curves.solve(
        y,
        data.inverse(),
        data.axes(),
        known.decay[chosen],
        centre,
        known.sd[chosen],
        known.start[chosen],
        steps=8,
    )
    return Draws(data, made.p, known.decay[chosen], chosen, known.by_name())


def with_noise(data: Ladders) -> Ladders:
    """Return the ladders with the noise that the richest form leaves, where seeds do not tell it.

    With repeated runs, what rungs miss a smooth curve by beyond the seeds' spread is their
    misfit; without them, all of it is the noise, and never less than the usual spread of seeds
    over four.
    """
    rich = candidates_of(data, forms=("separate",), term=False)
    rest = data.mean - curves.losses(rich.start, rich.decay, data.axes())[0]
    slope = curves.gradient(rich.start, rich.decay, data.axes())[0]
    inner = data.inverse()
    bent = slope.T @ inner @ slope
    told = float(np.trace(inverse(bent + np.diag(rich.sd[0] ** -2.0)) @ bent))
    free = len(data) - told  # of the values that the prior leaves free
    if data.measured:
        if free < LEAST_FREE or rest @ inner @ rest < float(chdtri(free, ODD)):
            return data
        seeds = np.square(data.sd * data.scale) / data.count
        extra = float((rest**2).sum()) / free - float(seeds.mean())
        shared = _together(data, rest)
        return replace(data, misfit=float(np.sqrt(max(extra, 0.0))), together=shared)
    if free < LEAST_FREE:
        return data
    sd = float(np.sqrt((rest**2 * data.count).sum() / free))
    sd = max(sd, data.sd / 4.0)
    # a rung's one run: its noise and its oddity cannot be told apart, and both may be shared
    return replace(
        data,
        sd=sd,
        scale=np.ones(len(data)),
        df=0,
        free=free,
        correlation=_together(data, rest),
        shared=data.runs_in_pairs(),
    )


def _together(data: Ladders, rest: Array) -> float:
    """Return the correlation (0 to .9) of both arms' misses at one rung, drawn towards none."""
    if len(data.pairs) < LEAST_SHARED:
        return 0.0
    left, right = (rest[[pair[k] for pair in data.pairs]] for k in (0, 1))
    scale = float(np.sqrt((left @ left) * (right @ right)))
    found = float(left @ right) / scale if scale > 0 else 0.0
    return float(np.clip(found * len(left) / (len(left) + SHRUNK), 0.0, 0.9))


def noise(data: Ladders, rng: np.random.Generator, replicates: int) -> Array:
    """Return the noise (B, n) of the rungs' means."""
    n, free = len(data), data.noise_df
    scale = np.sqrt(free / rng.chisquare(free, replicates))[:, None]
    pool = _pool(data)
    if pool.size < LEAST_POOL or data.correlation > 0:
        root = np.linalg.cholesky(replace(data, misfit=0.0).covariance())
        found = rng.normal(size=(replicates, n)) @ root.T
    else:
        found = np.empty((replicates, n))
        for i, count in enumerate(data.count.astype(int)):
            picked = rng.integers(pool.size, size=(replicates, count))
            found[:, i] = data.scale[i] * pool[picked].mean(axis=1)
    if data.misfit > 0:
        found = found + rng.normal(size=(replicates, n)) @ np.linalg.cholesky(data.of_misfit()).T
    return scale * found


def _pool(data: Ladders) -> Array:
    """Return all runs' distances from their rungs, as large as those of a rung of many runs.

    And as large as noise is at the largest rung.
    """
    return np.concatenate(
        [
            rest * np.sqrt(len(rest) / (len(rest) - 1)) / scale if len(rest) > 1 else rest[:0]
            for rest, scale in zip(data.spread, data.scale, strict=True)
        ]
    )
