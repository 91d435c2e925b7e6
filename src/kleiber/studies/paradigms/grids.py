"""The runs of the study: one recipe, one dial at a time, on much text once or little text often.

Every run shows the same number of tokens. What turns from the old paradigm to the new one is how
many of them differ: all, or a 64th of them 64 times over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kleiber.recipes import Recipe, Rung, recipe

SEEDS = 3
ONCE, OFTEN = 1, 64  # epochs
CHANGES: Mapping[str, Any] = {
    "layers": 2, "context": 64, "batch": 16, "tokens": 524_288, "weight_decay": 0.0,
    "lr": "c/D*sqrt(B/16)", "qk_norm": True,
}  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Runs over one dial: ``dial`` is the field it turns, ``others`` what else tells runs apart."""

    name: str
    title: str
    dial: str
    said: str  # the dial, as an axis names it
    scales: Sequence[Mapping[str, Any]]
    others: Sequence[str] = ("epochs",)
    seeds: int = SEEDS

    def rungs(self) -> list[Rung]:
        """Return every run of the grid, seeds of one setting together."""
        made = base()
        return [made.rung(scale, seed=seed) for scale in self.scales for seed in range(self.seeds)]


def base() -> Recipe:
    """Return the recipe that all dials start from: nanodo-mini with QK-norm and no weight decay."""
    return recipe("nanodo-mini").changed(CHANGES, source="the study paradigms")


WIDTHS, EPOCHS, WIDTH = (8, 16, 32, 64), (1, 4, 16, 64), 32
RATES = tuple(0.0032 * 2.5**i for i in range(-1, 6))  # .0013 to .31
BATCHES, FACTORS = (1, 2, 8, 32, 128), (1.0, 2.0)
STRENGTHS = {"l2": (1e-5, 1e-4, 1e-3, 1e-2), "coupled": (0.1, 1.0, 4.0)}

GRIDS = (
    Grid(
        name="regimes",
        title="Width, and how often the same text is shown",
        dial="width",
        said="width",
        scales=[{"D": width, "epochs": epochs} for epochs in EPOCHS for width in WIDTHS],
        seeds=6,  # three leave the right side of the U at 16 epochs open
    ),
    Grid(
        name="rate",
        title="Learning rate",
        dial="lr",
        said="peak learning rate",
        scales=[{"D": WIDTH, "epochs": e, "lr": rate} for e in (ONCE, OFTEN) for rate in RATES],
    ),
    Grid(
        name="batch",
        title="Batch, at one compute, the better of two learning rates for each",
        dial="batch",
        said="batch, windows a step",
        scales=[
            {"D": WIDTH, "epochs": e, "batch": batch, "lr": f"{factor}*c/D*sqrt(B/16)"}
            for e in (ONCE, OFTEN)
            for batch in BATCHES
            for factor in FACTORS
        ],
        others=("epochs", "lr"),
    ),
    Grid(
        name="decay",
        title="L2 in the gradient, and weight decay beside it",
        dial="weight_decay",
        said="strength",
        scales=[
            {"D": WIDTH, "epochs": e, "decay": mode, "weight_decay": strength}
            for e in (ONCE, OFTEN)
            for mode, strengths in STRENGTHS.items()
            for strength in strengths
        ],
        others=("epochs", "decay"),
    ),
)
