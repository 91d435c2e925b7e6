"""What repeated runs tell of noise: its size, how it fades with compute, what pairs share.

A run's spread between seeds is ``sd (C / C_top)^-fade``, by maximum likelihood over all repeated
rungs; it fades only where that is beyond chance, since a trend of noise wants many repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from kleiber.judging.compare.rungs import COPY, Rung
from kleiber.laws.base import Array

LEAST_DF = 4  # degrees of freedom below which the spread between seeds is no estimate
LEAST_PAIRS = 6  # of seeds, for a correlation
BEYOND = 2.0  # standard errors that a correlation of seeds is beyond chance
UNKNOWN = 0.002  # nats: the spread between seeds where nothing measures it (published: .0019)
FADES: Array = np.arange(0.0, 0.8, 0.01, dtype=np.float64)
CHANCE = 0.02  # two-sided, of a fade that is there by chance: it takes noise off the top rungs

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Seeds:
    """A run's sd (nats) where noise is 1 in ``scale`` (n,), and the correlation of paired runs.

    ``df`` are the degrees of freedom behind it, 0 where no repeated run differs by more than
    arithmetic does.
    """

    sd: float
    df: int
    scale: Array
    correlation: float


def seeds_of(rungs: Sequence[Rung], pairs: Pairs) -> Seeds:
    """Return the noise of rungs, of which pairs may share seeds."""
    flops = np.array([rung.flops for rung in rungs])
    free = np.array([len(rung.losses) - 1 for rung in rungs])
    squares = np.array([np.square(np.array(rung.losses) - rung.mean).sum() for rung in rungs])
    df = int(free.sum())
    if squares.sum() <= df * (COPY * min(rung.mean for rung in rungs)) ** 2:
        return Seeds(UNKNOWN, 0, np.ones(len(rungs)), 0.0)
    if df < LEAST_DF:
        return Seeds(UNKNOWN, df, np.ones(len(rungs)), 0.0)
    scale = (flops / flops.max()) ** -fade_of(flops, free, squares)
    sd = float(np.sqrt((squares / scale**2).sum() / df))
    return Seeds(sd, df, scale, _correlation(rungs, pairs, scale))


def fade_of(flops: Array, free: Array, squares: Array) -> float:
    """Return the exponent at which noise fades with compute, 0 where that may be chance.

    Of sums of squares (n,) about the rungs' means with ``free`` (n,) degrees of freedom.
    """
    scales = np.log(flops / flops.max())[None, :] * -FADES[:, None]
    pooled = (squares * np.exp(-2.0 * scales)).sum(axis=1) / free.sum()
    likely = -0.5 * free.sum() * np.log(pooled) - (free * scales).sum(axis=1)
    best = int(np.argmax(likely))
    beyond = 2.0 * float(likely[best] - likely[0]) > float(chdtri(1, CHANCE))
    return float(FADES[best]) if beyond else 0.0


def by_seed(rung: Rung) -> Mapping[str, float]:
    """Return loss by seed where every run's is known and none is there twice, else nothing."""
    if "" in rung.seeds or len({*rung.seeds}) < len(rung.seeds):
        return {}
    return dict(zip(rung.seeds, rung.losses, strict=True))


def shared(rungs: Sequence[Rung], pairs: Pairs) -> tuple[int, ...]:
    """Return how many seeds both rungs of each pair have."""
    return tuple(len({*by_seed(rungs[i])} & {*by_seed(rungs[j])}) for i, j in pairs)


def _correlation(rungs: Sequence[Rung], pairs: Pairs, scale: Array) -> float:
    """Return the correlation of paired runs about their rungs, 0 where it may be chance."""
    left: list[float] = []
    right: list[float] = []
    free = 0
    for i, j in pairs:
        a, b = by_seed(rungs[i]), by_seed(rungs[j])
        both = sorted({*a} & {*b})
        if len(both) < 2:
            continue
        one, two = (np.array([losses[seed] for seed in both]) for losses in (a, b))
        left += ((one - one.mean()) / scale[i]).tolist()
        right += ((two - two.mean()) / scale[j]).tolist()
        free += len(both) - 1
    size = float(np.linalg.norm(left) * np.linalg.norm(right))
    if len(left) < LEAST_PAIRS or size <= 0:
        return 0.0
    found = float(np.dot(left, right)) / size
    return min(found, 0.95) if found > BEYOND / np.sqrt(free) else 0.0
