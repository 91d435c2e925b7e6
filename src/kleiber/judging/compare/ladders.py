"""Two arms as numbers: mean losses at rungs, their noise, and what pairs of seeds share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kleiber.judging.compare.common import NEAR, Common, common
from kleiber.judging.compare.curves import Axes
from kleiber.judging.compare.rungs import Arm, matched
from kleiber.judging.compare.seeds import LEAST_DF, seeds_of, shared
from kleiber.laws.base import Array


@dataclass(frozen=True)
class Ladders:
    """The rungs of both arms, A's before B's, in n entries.

    ``sd`` times ``scale`` (n,) is of one run about its rung (nats), 1 at the largest, from ``df``
    degrees of freedom; where seeds do not measure it, from what the rungs miss a curve by, with
    ``free`` of them. ``spread`` are the runs about their rungs, ``misfit`` is of a rung about any
    smooth curve, of which both arms share ``together`` at one compute, since a rung is
    odd in the same way for both. ``correlation`` is of paired runs, ``pairs`` the entries (of A,
    of B) nearest to each other, with the seeds that both have in ``shared``.
    """

    flops: Array
    mean: Array
    count: Array
    arm: Array
    spread: tuple[Array, ...]
    scale: Array
    pairs: tuple[tuple[int, int], ...]
    shared: tuple[int, ...]
    sd: float
    df: int
    correlation: float
    misfit: float = 0.0
    together: float = 0.0
    free: float = 2.0

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
        """The compute up to which both arms were trained."""
        return min(self.tops)

    def least(self, target: float) -> float:
        """Return the compute from which both arms are known.

        The ladder's smallest rung where the other arm is a single run at the target or above it.
        """
        of_a = self.arm > 0
        found = float(max(self.flops[of_a].min(), self.flops[~of_a].min()))
        return found if found < target else float(self.flops.min())

    @property
    def noise_df(self) -> float:
        """Degrees of freedom of the noise: of the seeds, else of what the rungs miss curves by."""
        return self.df if self.measured else self.free

    @cached_property
    def common(self) -> Common:
        """Where both arms are known."""
        return common(self.flops, self.arm)

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
        sds = self.sd * self.scale
        found = np.diag(sds**2 / self.count) + self.of_misfit()
        for (i, j), both in zip(self.pairs, self.shared, strict=True):
            paired = self.correlation * sds[i] * sds[j] * both / (self.count[i] * self.count[j])
            found[i, j] += paired
            found[j, i] += paired
        return found

    def of_misfit(self) -> Array:
        """Return the part of the covariance (n, n) that no seed averages out."""
        found = np.eye(len(self)) * self.misfit**2
        for i, j in self.pairs:
            found[i, j] = found[j, i] = self.together * self.misfit**2
        return found

    def as_noisy_as(self, other: Ladders) -> Ladders:
        """Return the rungs with the noise that another reading of these ladders found."""
        found = replace(
            self,
            sd=other.sd,
            scale=self.scale if other.measured else np.ones(len(self)),
            df=other.df,
            free=other.free,
            correlation=other.correlation,
            misfit=other.misfit,
            together=other.together,
        )
        return found if other.measured else replace(found, shared=self.runs_in_pairs())

    def runs_in_pairs(self) -> tuple[int, ...]:
        """Return how many runs the arm with fewer has in each pair, whatever their seeds."""
        return tuple(int(min(self.count[i], self.count[j])) for i, j in self.pairs)

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
            scale=self.scale[index],
            pairs=tuple(pair for _, pair in kept),
            shared=tuple(self.shared[k] for k, _ in kept),
        )

    def differences(self, *, repeated: bool = False) -> tuple[Array, Array, Array]:
        """Return compute, mean difference A - B and its standard error where both are known.

        See :meth:`of_differences` for what the error is of.
        """
        found, covariance = self.common, self.of_differences(repeated=repeated)
        return found.flops, found.weights @ self.mean, np.sqrt(np.diag(covariance))

    def of_differences(self, *, repeated: bool = False) -> Array:
        """Return the covariance (k, k) of the differences, with what rungs lie off smooth curves.

        ``repeated`` leaves that out where seeds measure the noise: a rung that is odd is odd again
        when it is trained again, and the order of the recipes there is real.
        """
        noise = self.covariance()
        if repeated and self.measured:
            noise = noise - self.of_misfit()
        return self.common.weights @ noise @ self.common.weights.T


def inverse(matrix: Array) -> Array:
    """Return a matrix's inverse."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def ladders_of(first: Arm, second: Arm) -> Ladders:
    """Return two arms as numbers, with the noise that their repeated runs show."""
    rungs = [*first.rungs, *second.rungs]
    offset = len(first.rungs)
    pairs = tuple((i, offset + j) for i, j in matched(first, second, NEAR))
    noise = seeds_of(rungs, pairs)
    return Ladders(
        flops=np.array([rung.flops for rung in rungs]),
        mean=np.array([rung.mean for rung in rungs]),
        count=np.array([len(rung.losses) for rung in rungs], dtype=float),
        arm=np.repeat((0.5, -0.5), (offset, len(rungs) - offset)),
        spread=tuple(np.array(rung.losses) - rung.mean for rung in rungs),
        scale=noise.scale,
        pairs=pairs,
        shared=shared(rungs, pairs),
        sd=noise.sd,
        df=noise.df,
        correlation=noise.correlation,
    )
