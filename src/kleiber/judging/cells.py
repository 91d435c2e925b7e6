"""Cells of a back-test: which runs and which part of them one fit may see.

A cell is a row of weights over one family's points. Every cell of a family is then one row
of the same batch: hiding is weighing by nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from kleiber.errors import UsageError
from kleiber.laws.base import Array, Mask
from kleiber.runs import Points

Order = Literal["smallest", "largest"]
Which = Literal["finals", "all"]


@dataclass(frozen=True)
class Cell:
    """What one fit sees: k groups of sizes, a share of their training, finals or all points."""

    sizes: tuple[float, ...]
    share: float = 1.0
    which: Which = "all"
    groups: int | None = None

    @property
    def k(self) -> int:
        """The number of sizes, sizes of one group counted once."""
        return len(self.sizes) if self.groups is None else self.groups


@dataclass(frozen=True)
class Cut:
    """What is dropped from the start of every run: tokens, a fraction, or as the data say."""

    tokens: float = 0.0
    fraction: float = 0.0

    @classmethod
    def parse(cls, text: str | None) -> Cut | Literal["evidence"]:
        """Read "10B" (tokens), "10%" (of the run) or "evidence"."""
        from kleiber.units import parse_count

        if not text:
            return cls()
        if text == "evidence":
            return "evidence"
        if text.endswith("%"):
            return cls(fraction=float(parse_count(text[:-1])) / 100.0)
        return cls(tokens=parse_count(text))


def fractions(points: Points) -> Array:
    """Return each point's share of the tokens of its whole run, shape (n,)."""
    last = np.zeros(len(points.names))
    np.maximum.at(last, points.run, points.tokens)
    return points.tokens / last[points.run]


def kept(points: Points, cut: Cut) -> Mask:
    """Return which points survive the cut; a run's final always does."""
    late = (points.tokens >= cut.tokens) & (fractions(points) >= cut.fraction)
    return late | points.final


def grouped(points: Points, factor: float) -> list[tuple[float, ...]]:
    """Return the sizes in ascending groups, each within ``factor`` of its smallest member."""
    if not (math.isfinite(factor) and factor >= 1.0):
        raise UsageError(
            f"group is {factor:g}; it is the factor within which sizes count as one, 1 or more.",
            remedy="Write for example group=1.9 (--group 1.9), or leave it out.",
        )
    found: list[list[float]] = []
    for size in np.unique(points.params).tolist():
        if found and size <= factor * found[-1][0]:
            found[-1].append(size)
        else:
            found.append([size])
    return [tuple(group) for group in found]


def by_size(
    groups: Sequence[tuple[float, ...]],
    *,
    order: Order = "smallest",
    shares: Sequence[float] = (1.0,),
    which: Sequence[Which] = ("all",),
) -> list[Cell]:
    """Return the cells of every k from 2: the k smallest (or largest) of the groups of sizes."""
    if order not in get_args(Order):
        raise UsageError(
            f"'{order}' is no order of sizes.", remedy="Use smallest or largest (--order)."
        )
    ranked = list(groups)[::-1] if order == "largest" else list(groups)
    return [
        Cell(tuple(sorted(size for group in ranked[:k] for size in group)), share, kind, k)
        for k in range(2, len(ranked) + 1)
        for share in shares
        for kind in which
    ]


def weights(points: Points, cells: Sequence[Cell], cut: Cut) -> Array:
    """Return the weights (cells, n): each run seen counts one, whatever of it is seen.

    A share below one sees the points of the first part of each run; a run of which nothing
    falls into the share is not seen.
    """
    done, early = fractions(points), kept(points, cut)
    rows = np.zeros((len(cells), len(points)))
    for row, cell in zip(rows, cells, strict=True):
        seen = np.isin(points.params, cell.sizes) & (done <= cell.share + 1e-9)
        seen &= points.final if cell.which == "finals" else early
        counts = np.bincount(points.run[seen], minlength=len(points.names))
        row[seen] = 1.0 / counts[points.run[seen]]
    return rows


def thin(points: Points, most: int) -> Points:
    """Return at most ``most`` points a run, evenly spaced in log tokens, the final among them."""
    counts = np.bincount(points.run)
    if counts.max(initial=0) <= most:
        return points
    chosen = np.zeros(len(points), dtype=bool)
    for code in range(len(points.names)):
        index = np.flatnonzero(points.run == code)
        index = index[np.argsort(points.tokens[index], kind="stable")]
        if len(index) > most:
            logs = np.log(points.tokens[index])
            wanted = np.linspace(float(logs[0]), float(logs[-1]), most)
            places = np.searchsorted(logs, wanted - 1e-12)
            index = index[np.unique(np.minimum(places, len(index) - 1))]
        chosen[index] = True
    return points.take(chosen | points.final)
