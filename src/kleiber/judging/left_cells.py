"""The knowledge law tried on cells that it has not seen: one left out at a time.

A cell goes with all its roundings. One whose architecture no other cell has cannot be predicted,
since the factor is its own; it is not tried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kleiber.judging.knowledge import FLOOR, fit_cells
from kleiber.judging.readings import Cell


@dataclass(frozen=True)
class Left:
    """One reading of a cell that was left out: what it stores and what the others say of it.

    ``lower`` and ``upper`` bound a cell's mean with the probability that the law's intervals have.
    """

    cell: Cell
    weight_bits: float
    stored: float
    said: float
    lower: float
    upper: float

    @property
    def error(self) -> float:
        """Return how much too many bits per parameter were predicted."""
        return self.said - self.stored

    @property
    def floored(self) -> bool:
        """Whether it stores nothing that the law could be wrong about."""
        return self.stored <= FLOOR

    @property
    def inside(self) -> bool:
        """Whether the interval holds what is stored."""
        return self.lower <= self.stored <= self.upper


def left_out(cells: Sequence[Cell], **options: Any) -> tuple[Left, ...]:
    """Predict every cell from all others; options as :func:`kleiber.judging.knowledge.fit_cells`.

    Raises
    ------
    FitError
        Where the others are too few.
    """
    kinds = [cell.architecture for cell in cells]
    found: list[Left] = []
    for i, cell in enumerate(cells):
        if kinds.count(cell.architecture) < 2:
            continue
        made = fit_cells([*cells[:i], *cells[i + 1 :]], **options)
        for width, bits in cell.bits.items():
            given = {"exposures": cell.exposures, "weight_bits": width}
            said = made.bits(
                cell.params, cell.demand, architecture=cell.architecture, new=True, **given
            )
            value, lower, upper = (float(said[name]) for name in ("value", "lower", "upper"))
            found.append(Left(cell, width, max(bits, FLOOR), value, lower, upper))
    return tuple(found)


def rms(left: Sequence[Left]) -> float:
    """Return the root mean square error in bits per parameter, a cell counting once.

    Readings at the floor do not count: there the law cannot be far off.
    """
    by_cell: dict[int, list[float]] = {}
    for one in left:
        if not one.floored:
            by_cell.setdefault(id(one.cell), []).append(one.error**2)
    if not by_cell:
        return math.nan
    return math.sqrt(sum(sum(e) / len(e) for e in by_cell.values()) / len(by_cell))
