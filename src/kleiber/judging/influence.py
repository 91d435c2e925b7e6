"""Which size harms a fit: each left out in turn, and how the target is then predicted.

The same fits cross-validate: each predicts the size that it did not see. Whether the size
that is hardest to predict is the one to leave out can therefore be looked up here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kleiber.errors import UsageError, ValuesError
from kleiber.fitting.fit import Delta
from kleiber.fitting.objective import check_objective
from kleiber.judging import cells as grid
from kleiber.judging.backtest import MOST_POINTS
from kleiber.judging.cells import Cell, Cut
from kleiber.judging.subsets import enough, fit_subsets
from kleiber.laws import Law, get
from kleiber.laws.base import Array, Mask
from kleiber.runs import Points, Runs
from kleiber.units import format_count

LEAST_SIZES = 3  # below the target: one left out leaves two


@dataclass(frozen=True)
class LeftOut:
    """One group of sizes left out: what the rest then predicts.

    ``error`` is the mean absolute relative error on the target's finals, ``own`` the same on
    the finals of the sizes left out, and ``harm`` by how much the target's error with every
    size exceeds ``error``: above zero where the fit is better without.
    """

    sizes: tuple[float, ...]
    error: float
    own: float
    harm: float


@dataclass(frozen=True)
class Influence:
    """Every size's influence on the prediction of the target; ``error`` is with all of them."""

    source: str
    target: float
    error: float
    left_out: tuple[LeftOut, ...]

    @property
    def hardest(self) -> LeftOut:
        """Return the size that the others predict worst."""
        return max(self.left_out, key=lambda one: one.own)

    @property
    def worst(self) -> LeftOut:
        """Return the size that the fit can least spare."""
        return max(self.left_out, key=lambda one: one.error)

    @property
    def most_harmful(self) -> LeftOut:
        """Return the size without which the target is predicted best."""
        return min(self.left_out, key=lambda one: one.error)

    def sentence(self) -> str:
        """Return which size harms the fit, and which cross-validation would have left out."""
        harmful, hardest = self.most_harmful, self.hardest
        first = (
            f"Without {_named(harmful)} the error at {format_count(self.target)} is "
            f"{100 * harmful.error:.2g} % and not {100 * self.error:.2g} %"
            if harmful.harm > 0
            else f"No size harms the fit: with all of them the error at "
            f"{format_count(self.target)} is {100 * self.error:.2g} %"
        )
        return (
            f"{first}; the size that the others predict worst is {_named(hardest)}, and without "
            f"it the error is {100 * hardest.error:.2g} %."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the influence as plain data."""
        return {"schema": "kleiber.influence/1", **asdict(self), "sentence": self.sentence()}


def _named(one: LeftOut) -> str:
    low, high = format_count(min(one.sizes)), format_count(max(one.sizes))
    return low if low == high else f"{low} to {high}"


def influence(
    runs: object,
    law: str | Law = "chinchilla",
    *,
    group: float = 1.0,
    cut: str | None = None,
    objective: str = "huber",
    delta: Delta = "auto",
) -> Influence:
    """Hide the largest size, leave each other size out in turn, and predict it.

    ``group`` is the factor within which sizes count as one; ``cut`` what to drop from the start
    of each run, "10B" tokens or "10%".

    Raises
    ------
    ValuesError
        Where fewer than three sizes lie below the largest, or too few points.
    """
    table = Runs.read(runs)
    points = grid.thin(table.points(), MOST_POINTS)
    groups = grid.grouped(points, group)
    below = groups[:-1]
    if len(below) < LEAST_SIZES:
        raise ValuesError(
            f"{table.source} has {len(below)} sizes below the largest; leaving one out and "
            f"fitting the rest takes at least {LEAST_SIZES}.",
            remedy="Give runs of more sizes.",
        )
    dropped = Cut.parse(cut)
    if not isinstance(dropped, Cut):
        raise UsageError(
            f"Leaving sizes out takes one cut for all of them; found '{cut}'.",
            remedy="Cut tokens (10B) or a fraction (10%).",
        )
    seen = subsets(points, below, dropped)
    if not enough(seen, get(law)).all():
        raise ValuesError(
            f"{table.source} has too few points to fit {get(law).name} with a size left out.",
            remedy="Give more runs or checkpoints, or choose a law of fewer parameters.",
        )
    made = fit_subsets(points, get(law), seen, objective=check_objective(objective), delta=delta)
    return judge(points, groups, made.predicted, table.source)


def subsets(points: Points, below: Sequence[tuple[float, ...]], cut: Cut) -> Mask:
    """Return the rows (1 + k, n): every one of k groups of sizes, then each of them left out."""
    sets = [below, *([one for one in below if one != out] for out in below)]
    cells = [Cell(tuple(size for one in some for size in one)) for some in sets]
    return grid.weights(points, cells, cut) > 0


def judge(
    points: Points, groups: Sequence[tuple[float, ...]], predicted: Array, source: str
) -> Influence:
    """Return the influence of each group below the last, given ``predicted`` (1 + k, n).

    The rows of ``predicted`` are those of :func:`subsets`.
    """
    off = np.abs(predicted / points.loss - 1.0)
    target = np.isin(points.params, groups[-1]) & points.final
    whole = float(off[0, target].mean())
    found: list[LeftOut] = []
    for row, sizes in zip(off[1:], groups[:-1], strict=True):
        own = np.isin(points.params, sizes) & points.final
        error = float(row[target].mean())
        found.append(LeftOut(sizes, error, float(row[own].mean()), whole - error))
    return Influence(source, max(groups[-1]), whole, tuple(found))
