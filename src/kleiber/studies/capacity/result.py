"""What a result declares: its arms, its comparisons, the numbers that were published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kleiber.studies.capacity.ratios import Ratio

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell

SHOWN, NOT_SHOWN, OPPOSITE = "shown", "not shown at this scale", "opposite"
SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One side of a comparison: a cell, taught once a seed and rate.

    ``rates`` are multiples of the cell's peak rate, the best of which by its mean over seeds
    counts. ``low`` puts the smallest sufficient exposures in place of the cell's; ``equal`` takes
    the width at which the arm has the parameters of the arm of that name; ``rounding`` is a row of
    ``knowledge.quantize`` (method, bits, weights) that the trained weights go through.
    """

    name: str
    cell: Cell
    rates: Sequence[float] = (1.0,)
    low: bool = False
    equal: str | None = None
    rounding: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Compare:
    """What one arm stores over what another does, or over a number, and where that should lie.

    One without a published number is told, and decides no verdict on what was published.
    """

    over: str
    under: str | float
    published: str | None = None
    least: float | None = None
    most: float | None = None

    def verdict(self, found: Ratio) -> str:
        """Return whether the whole interval lies where it should, or against it.

        Of one seed there is no interval, and the ratio itself is held against the bounds.
        """
        if found.floored == "both":  # of two that store nothing there is no ratio
            return NOT_SHOWN
        lower, upper = found.range
        enough = self.least is None or lower > self.least
        if enough and (self.most is None or upper < self.most):
            return SHOWN
        one_side = self.least is None or self.most is None
        least = self.least if self.least is None or not one_side else min(self.least, 1.0)
        most = self.most if self.most is None or not one_side else max(self.most, 1.0)
        below = least is not None and upper < least
        above = most is not None and lower > most
        return OPPOSITE if below or above else NOT_SHOWN

    @property
    def bounds(self) -> list[float]:
        """Return what the interval is held against."""
        return [bound for bound in (self.least, self.most) if bound is not None]

    @property
    def wanted(self) -> str:
        """Say where the ratio should lie."""
        if self.least is not None and self.most is not None:
            return f"between {self.least:g} and {self.most:g}"
        return f"above {self.least:g}" if self.least is not None else f"below {self.most:g}"

    def __str__(self) -> str:
        """Name the two sides."""
        under = self.under if isinstance(self.under, str) else f"{self.under:g} bits per parameter"
        return f"{self.over} / {under}"


@dataclass(frozen=True, kw_only=True)
class Low:
    """The search for the fewest exposures at which the clean control stores enough."""

    control: Cell
    exposures: Sequence[float] = (100, 200, 300, 500)
    enough: float = 0.5  # bits a parameter, mean over seeds


@dataclass(frozen=True, kw_only=True)
class Result:
    """A published result as a study: arms, comparisons, and how to read them."""

    number: int
    title: str
    published: str
    arms: Sequence[Arm]
    compare: Sequence[Compare]
    seeds: int = SEEDS
    low: Low | None = None
    notes: Sequence[str] = ()

    def arm(self, name: str) -> Arm:
        """Return the arm of a name."""
        return next(arm for arm in self.arms if arm.name == name)
