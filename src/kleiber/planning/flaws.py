"""What is wrong with isoFLOP profiles, by stable codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from kleiber.laws.base import Mask
from kleiber.planning.parabola import FEWEST, Design, Minima
from kleiber.units import format_count

OFF_CENTRE = 0.5  # of the grid's half width in log params
LARGE_BIAS = 0.02  # of the tokens

TITLES: dict[str, str] = {
    "I001": "minimum outside the grid",
    "I002": "no minimum: the parabola is concave",
    "I003": "too few sizes for a parabola",
    "I004": "off-centre grid",
    "I005": "compute is not 6 * params * tokens",
    "I006": "runs of no budget",
    "I007": "the parabolas' own bias",
    "I008": "two budgets make the power law",
}


@dataclass(frozen=True)
class Flaw:
    """One diagnosis of isoFLOP profiles; an issue leaves a budget out or doubts the answer."""

    code: str
    severity: Literal["issue", "tip"]
    message: str
    remedy: str

    @property
    def title(self) -> str:
        """Return what the code stands for."""
        return TITLES[self.code]

    def to_dict(self) -> dict[str, str]:
        """Return the flaw as plain data."""
        return {**asdict(self), "title": self.title}


def judge(design: Design, found: Minima) -> tuple[Mask, list[Flaw]]:
    """Return which budgets (G,) have a minimum inside their grid, and what is wrong with each."""
    used, flaws = np.zeros(len(design.budgets), dtype=bool), list[Flaw]()
    for place, budget in enumerate(design.budgets):
        logs = np.log(design.params[design.members(place)])
        at, vertex = f"At {budget:.3g} FLOPs", float(found.params[0, place])
        sizes = len(np.unique(logs))
        if sizes < FEWEST:
            flaws.append(
                Flaw("I003", "issue", f"{at} there are {sizes} sizes; a parabola takes {FEWEST}, "
                     "and more to be judged.", "Train more sizes at this budget.")
            )  # fmt: skip
            continue
        if not math.isfinite(vertex):
            flaws.append(
                Flaw("I002", "issue", f"{at} the parabola through {len(logs)} runs has no minimum.",
                     "Train sizes on both sides of the best one; look for a diverged run.")
            )  # fmt: skip
            continue
        low, high = float(logs.min()), float(logs.max())
        if not low <= vertex <= high:
            flaws.append(
                Flaw("I001", "issue", f"{at} the parabola's minimum of "
                     f"{format_count(math.exp(min(vertex, 300.0)))} params lies outside the grid "
                     f"of {format_count(math.exp(low))} to {format_count(math.exp(high))}.",
                     "Train sizes beyond that end of the grid.")
            )  # fmt: skip
            continue
        used[place] = True
        offset = (vertex - 0.5 * (low + high)) / (0.5 * (high - low))
        if abs(offset) > OFF_CENTRE:
            side = "upper" if offset > 0 else "lower"
            flaws.append(
                Flaw("I004", "tip", f"{at} the minimum lies {abs(offset):.0%} of the way from the "
                     f"grid's middle to its {side} end, which biases it.",
                     "Centre the grid on the minimum.")
            )  # fmt: skip
    return used, flaws


def own_bias(known: Sequence[tuple[float, float]]) -> list[Flaw]:
    """I007: what parabolas get wrong without any noise, at (FLOPs, bias in tokens) pairs."""
    worst = max(known, key=lambda one: abs(one[1]), default=(0.0, 0.0))
    if abs(worst[1]) <= LARGE_BIAS:
        return []
    return [
        Flaw(
            "I007",
            "issue",
            "On noise-free losses of the fitted surface at these same runs the parabolas are off "
            f"by up to {worst[1]:+.1%} of the tokens, at {worst[0]:.3g} FLOPs.",
            "Believe the surface; or narrow the grids and centre them on the minima.",
        )
    ]
