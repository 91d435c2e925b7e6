"""Borrowed strength tried on real families: a source left out, its largest size hidden.

Every family is predicted from its k smallest sizes, for every k, under a prior that never saw
its source. All cells are two batches: one under the learnt priors, one under the weak prior.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kleiber.errors import ValuesError
from kleiber.fitting import evidence
from kleiber.fitting.borrow import Borrowed, borrow
from kleiber.fitting.evidence import Evidence
from kleiber.fitting.learn import learn
from kleiber.fitting.posterior import Priors
from kleiber.fitting.prior import Prior
from kleiber.judging.cells import grouped
from kleiber.laws.base import Array, Index, Mask
from kleiber.runs import Points

MANY, GROUP = 9, 1.9  # more sizes than this are grouped by the factor
WARM_ROUNDS = 8  # of learning without a source, from the families' modes with it


@dataclass(frozen=True)
class Case:
    """A family as evidence: its points mended and thinned, and its source."""

    key: str
    cluster: str
    points: Points
    mended: tuple[str, ...] = ()

    @classmethod
    def of(cls, key: str, cluster: str, points: Points) -> Case:
        """Return a family's case."""
        whole, cut = evidence.mended(points)
        return cls(key, cluster, evidence.thinned(whole), cut)

    def row(self, seen: Mask | None = None) -> tuple[Points, Array]:
        """Return the points and the weights of those seen, of all by default."""
        everything = np.ones(len(self.points), dtype=bool)
        return self.points, evidence.weights(self.points, everything if seen is None else seen)


@dataclass(frozen=True)
class Cell:
    """k sizes of a case seen, the finals of its largest to be predicted."""

    case: Case
    k: int
    whole: bool  # all smaller sizes
    sizes: tuple[float, ...]
    hidden: Mask

    @property
    def seen(self) -> Mask:
        """Which points the fit may see."""
        return np.isin(self.case.points.params, self.sizes)

    @property
    def scale_up(self) -> float:
        """The largest hidden size over the largest seen."""
        return float(self.case.points.params[self.hidden].max() / max(self.sizes))


@dataclass(frozen=True)
class Trials:
    """Every hidden final of every cell; arrays of one length, errors in log-loss.

    ``cell`` indexes ``cells``. ``error`` is the blend's, ``learnt`` and ``weak`` the two
    priors' alone, ``best`` and ``most`` the baselines': the best loss seen and the loss of the
    run of most compute. ``sd``, ``gap`` and ``scale`` as in :class:`borrow.Answers`.
    """

    cells: tuple[Cell, ...]
    cell: Index
    error: Array
    learnt: Array
    weak: Array
    best: Array
    most: Array
    sd: Array
    gap: Array
    scale: Array
    priors: dict[str, Prior]

    @property
    def clusters(self) -> list[str]:
        """The source of each cell."""
        return [one.case.cluster for one in self.cells]

    def relative(self, errors: Array) -> Array:
        """Return each cell's mean absolute relative error of the loss (not of its log)."""
        missed = np.abs(np.expm1(errors))
        counts = np.bincount(self.cell, minlength=len(self.cells))
        return np.bincount(self.cell, missed, minlength=len(self.cells)) / counts


def cells_of(case: Case) -> list[Cell]:
    """Return a family's cells: the k smallest sizes (groups, where many) for every k.

    There are none for a family of one size, or one whose largest has no end of a run.
    """
    points = case.points
    if not len(points):
        return []
    sizes = np.unique(points.params)
    groups = grouped(points, GROUP if len(sizes) > MANY else 1.0)
    hidden = np.isin(points.params, groups[-1]) & points.final
    if not hidden.any():
        return []
    return [
        Cell(case, k, k == len(groups) - 1, tuple(s for one in groups[:k] for s in one), hidden)
        for k in range(1, len(groups))
    ]


def left_out(cases: Sequence[Case], name: str = "bundled") -> tuple[Prior, dict[str, Prior]]:
    """Return the prior that all cases teach, and by source the one taught without it."""
    rows = evidence.gather([case.row() for case in cases])
    clusters = np.array([case.cluster for case in cases])
    everyone, modes = learn(rows, list(clusters), name=name)
    without: dict[str, Prior] = {}
    for one in sorted(set(clusters)):
        others = clusters != one
        if not others.any():
            continue
        without[one], _ = learn(
            rows.take(others),
            list(clusters[others]),
            start=modes[others],
            rounds=WARM_ROUNDS,
            name=f"{name} without {one}",
        )
    return everyone, without


def trials(cases: Sequence[Case], priors: dict[str, Prior]) -> Trials:
    """Predict every cell under its source's prior, and under the weak one.

    Raises
    ------
    ValuesError
        Where there is no cell: a source that leaves no other, or families of one size.
    """
    cells = tuple(cell for case in cases if case.cluster in priors for cell in cells_of(case))
    if not cells:
        sources = sorted({case.cluster for case in cases})
        raise ValuesError(
            f"No family can be predicted with its source left out: there are {len(cases)}, of "
            f"{', '.join(sources) or 'no source'}.",
            remedy="Give families of at least two sources, of two sizes or more.",
        )
    seen = evidence.gather([cell.case.row(cell.seen) for cell in cells])
    held = Priors.of([priors[cell.case.cluster] for cell in cells])
    return judge(cells, borrow(seen, held), priors)


def judge(cells: tuple[Cell, ...], made: Borrowed, priors: dict[str, Prior]) -> Trials:
    """Compare what was predicted of every hidden final with what it was."""
    hidden = evidence.gather([(c.case.points, c.hidden.astype(np.float64)) for c in cells])
    found = made.predict(hidden.at)
    there = hidden.w > 0
    cell: Index = np.nonzero(there)[0]
    best, most = _baselines(cells)

    def errors(z: Array) -> Array:
        return (z - hidden.y)[there]

    return Trials(
        cells=cells,
        cell=cell,
        error=errors(found.z),
        learnt=errors(made.learnt.predict(hidden.at)[0]),
        weak=errors(made.weak.predict(hidden.at)[0]),
        best=errors(np.broadcast_to(best[:, None], hidden.y.shape)),
        most=errors(np.broadcast_to(most[:, None], hidden.y.shape)),
        sd=found.sd[there],
        gap=found.gap[there],
        scale=found.scale[there],
        priors=priors,
    )


def _baselines(cells: Iterable[Cell]) -> tuple[Array, Array]:
    """Return the log of the best loss seen and of the most-trained run's, one a cell."""
    best: list[float] = []
    most: list[float] = []
    for cell in cells:
        seen = cell.case.points.take(cell.seen)
        best.append(float(np.log(seen.loss.min())))
        most.append(float(np.log(seen.loss[np.argmax(seen.params * seen.tokens)])))
    return np.array(best), np.array(most)


__all__ = ["Case", "Cell", "Evidence", "Trials", "cells_of", "judge", "left_out", "trials"]
