"""The compute of a target that is given as a size, in what the ladders count compute by.

Measured FLOPs hold attention and the head, which 6 x params x tokens leaves out: a size turned
into compute by that rule alone would lie 15 to 20 % below the ladders' own count for small models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from kleiber.judging.compare.common import SAME
from kleiber.judging.compare.rungs import Arm, arms_of, flops_of
from kleiber.units import flops_6nd, format_count


@dataclass(frozen=True)
class Sized:
    """A target of params and tokens; ``ratios`` are A's and B's compute over 6 x params x tokens.

    They are of the largest rungs, 1 where compute is not measured.
    """

    params: float
    tokens: float
    ratios: tuple[float, float]

    @property
    def ratio(self) -> float:
        """The middle of both recipes' ratios, which are compared at one compute."""
        return float(np.sqrt(self.ratios[0] * self.ratios[1]))

    @property
    def flops(self) -> float:
        """The target's compute."""
        return flops_6nd(self.params, self.tokens) * self.ratio

    def __str__(self) -> str:
        """Say how the compute was found."""
        said = f"6 x {format_count(self.params)} params x {format_count(self.tokens)} tokens"
        if self.ratios == (1.0, 1.0):
            return said
        return (
            f"{said}, times {self.ratio:.4g}, the measured FLOPs\nover it at the largest rungs "
            f"(A {self.ratios[0]:.4g}, B {self.ratios[1]:.4g})"
        )


def sized(
    a: object,
    b: object = None,
    *,
    params: float,
    tokens: float,
    recipes: tuple[str, str] | None = None,
) -> Sized:
    """Return a target of a size for two recipes; sources and errors are those of compare."""
    first, second = arms_of(a, b, recipes)
    return Sized(params, tokens, (_ratio(first), _ratio(second)))


def _ratio(arm: Arm) -> float:
    """Return compute over 6 x params x tokens at the largest rung."""
    if arm.convention == "6ND":
        return 1.0
    finals = arm.table.frame.filter(pl.col("final"))
    flops = flops_of(finals, measured=True)
    rule = flops_of(finals, measured=False)
    top = flops >= flops.max() / SAME
    return float(np.exp(np.log(flops[top] / rule[top]).mean()))
