"""Two arms as numbers: mean losses at rungs, their noise, and what pairs of seeds share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kleiber.judging.compare.curves import Axes
from kleiber.judging.compare.rungs import Arm, Rung, by_seed, matched
from kleiber.laws.base import Array

LEAST_DF = 4  # degrees of freedom below which the spread between seeds is no estimate
LEAST_PAIRS = 6  # of seeds, for a correlation
UNKNOWN = 0.002  # nats: the spread between seeds where nothing measures it (published: .0019)


@dataclass(frozen=True)
class Ladders:
    """The rungs of both arms, A's before B's, in n entries.

    ``sd`` is of one run about its rung (nats), from ``df`` degrees of freedom; ``misfit`` is of a
    rung about any smooth curve, of which both arms share ``together`` at one compute, since a
    rung is odd in the same way for both. ``correlation`` is of paired runs, ``pairs`` the entries
    (of A, of B) at one compute, with the seeds that both have in ``shared``.
    """

    flops: Array
    mean: Array
    count: Array
    arm: Array
    spread: tuple[Array, ...]
    pairs: tuple[tuple[int, int], ...]
    shared: tuple[int, ...]
    sd: float
    df: int
    correlation: float
    misfit: float = 0.0
    together: float = 0.0

    def __len__(self) -> int:
        return self.mean.size

    @property
    def measured(self) -> bool:
        """Whether the spread between seeds was measured."""
        return self.df >= LEAST_DF

    @property
    def middle(self) -> float:
        """The middle of the log computes."""
        return float(np.mean(np.log(self.flops)))

    @property
    def tops(self) -> tuple[float, float]:
        """The largest compute of A and of B."""
        of_a = self.arm > 0
        return float(self.flops[of_a].max()), float(self.flops[~of_a].max())

    @property
    def reach(self) -> float:
        """The compute up to which the comparison is supported by both arms, or by its ladder.

        A single run has no reach of its own.
        """
        sizes = [int((self.arm == side).sum()) for side in (0.5, -0.5)]
        tops = [top for top, size in zip(self.tops, sizes, strict=True) if size > 1]
        return min(tops)

    def axes(self, flops: Array | None = None, arm: Array | float | None = None) -> Axes:
        """Return where curves are read: at the rungs, or at other computes of one arm."""
        at = self.flops if flops is None else flops
        which = self.arm if arm is None else np.broadcast_to(arm, at.shape)
        log = np.log(at)
        # below the smallest rung the small-scale term stays what it is there: nothing tells more
        above = np.maximum(log - float(np.log(self.flops.min())), 0.0)
        return Axes(log - self.middle, above, np.asarray(which))

    def inverse(self) -> Array:
        """Return the inverse of the covariance."""
        return inverse(self.covariance())

    def covariance(self) -> Array:
        """Return the covariance (n, n) of the rungs' means."""
        found = np.diag(self.sd**2 / self.count) + self.of_misfit()
        for (i, j), both in zip(self.pairs, self.shared, strict=True):
            paired = self.correlation * self.sd**2 * both / (self.count[i] * self.count[j])
            found[i, j] += paired
            found[j, i] += paired
        return found

    def of_misfit(self) -> Array:
        """Return the part of the covariance (n, n) that no seed averages out."""
        found = np.eye(len(self)) * self.misfit**2
        for i, j in self.pairs:
            found[i, j] = found[j, i] = self.together * self.misfit**2
        return found

    def below(self, flops: float) -> Ladders:
        """Return the rungs of at most a compute."""
        return self.take(np.flatnonzero(self.flops <= flops))

    def take(self, index: NDArray[np.intp]) -> Ladders:
        """Return some of the entries, with the same noise."""
        place = {int(old): new for new, old in enumerate(index)}
        kept = [
            (k, (place[i], place[j]))
            for k, (i, j) in enumerate(self.pairs)
            if i in place and j in place
        ]
        return replace(
            self,
            flops=self.flops[index],
            mean=self.mean[index],
            count=self.count[index],
            arm=self.arm[index],
            spread=tuple(self.spread[int(i)] for i in index),
            pairs=tuple(pair for _, pair in kept),
            shared=tuple(self.shared[k] for k, _ in kept),
        )

    def differences(self) -> tuple[Array, Array, Array]:
        """Return compute, mean difference A - B and its standard error where both have a rung."""
        first = np.array([i for i, _ in self.pairs], dtype=int)
        second = np.array([j for _, j in self.pairs], dtype=int)
        full = self.covariance()
        variance = full[first, first] + full[second, second] - 2.0 * full[first, second]
        return (
            np.sqrt(self.flops[first] * self.flops[second]),
            self.mean[first] - self.mean[second],
            np.sqrt(np.maximum(variance, 1e-18)),
        )


def inverse(matrix: Array) -> Array:
    """Return a matrix's inverse."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def ladders_of(first: Arm, second: Arm) -> Ladders:
    """Return two arms as numbers, with the noise that their repeated runs show."""
    rungs = [*first.rungs, *second.rungs]
    offset = len(first.rungs)
    pairs = [(i, offset + j) for i, j in matched(first, second)]
    spread = tuple(np.array(rung.losses) - rung.mean for rung in rungs)
    df = sum(len(rest) - 1 for rest in spread)
    total = float(sum((rest**2).sum() for rest in spread))
    shared = [len({*by_seed(rungs[i])} & {*by_seed(rungs[j])}) if pairs else 0 for i, j in pairs]
    return Ladders(
        flops=np.array([rung.flops for rung in rungs]),
        mean=np.array([rung.mean for rung in rungs]),
        count=np.array([len(rung.losses) for rung in rungs], dtype=float),
        arm=np.repeat((0.5, -0.5), (offset, len(rungs) - offset)),
        spread=spread,
        pairs=tuple(pairs),
        shared=tuple(shared),
        sd=float(np.sqrt(total / df)) if df >= LEAST_DF and total > 0 else UNKNOWN,
        df=df if total > 0 else 0,
        correlation=_correlation(rungs, pairs),
    )


def _correlation(rungs: Sequence[Rung], pairs: Sequence[tuple[int, int]]) -> float:
    """Return the correlation of paired runs about their rungs, 0 where too few tell it."""
    left, right = paired_rests(rungs, pairs)
    if left.size < LEAST_PAIRS:
        return 0.0
    scale = float(np.sqrt((left**2).sum() * (right**2).sum()))
    if scale <= 0:
        return 0.0
    found = float((left * right).sum()) / scale
    error = 1.0 / np.sqrt(left.size)  # a chance correlation is not taken for a shared seed's
    return float(np.clip(found, 0.0, 0.95)) if found > error else 0.0


def paired_rests(rungs: Sequence[Rung], pairs: Sequence[tuple[int, int]]) -> tuple[Array, Array]:
    """Return what paired runs of A and of B have over the means of their shared seeds."""
    left: list[float] = []
    right: list[float] = []
    for i, j in pairs:
        a, b = by_seed(rungs[i]), by_seed(rungs[j])
        both = sorted({*a} & {*b})
        if len(both) < 2:
            continue
        left += list(np.array([a[s] for s in both]) - np.mean([a[s] for s in both]))
        right += list(np.array([b[s] for s in both]) - np.mean([b[s] for s in both]))
    return np.array(left), np.array(right)
