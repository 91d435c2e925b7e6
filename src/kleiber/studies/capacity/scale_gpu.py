"""The preset gpu: the paper's pools, 50,000 people, 512-token windows, half an hour a result.

Settings are of arXiv 2404.05405, appendix A, for 50,000 people: a batch of 96 windows and decay .02
at 1000 exposures, of 12 and .01 at 100, the rate .001 falling to a tenth. Words are tokens, so
that a model has 2,947 rows where the published one has 3,275.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kleiber.knowledge.cell import Cell
from kleiber.knowledge.equal import params_of
from kleiber.studies.capacity.scale import Scale, Size
from kleiber.studies.capacity_fit import FIGURE

PEOPLE = 50_000
HEAD = 64
STRINGS = {"K": 8, "C": 1, "D": 64, "L": 1, "T": 64, "name_tokens": 4}


def high(layers: int = 2, width: int = 192, **changes: Any) -> Cell:
    """Return a cell at 1000 exposures; GPT2-2-3 if nothing else is said, its R^max about 2."""
    given: dict[str, Any] = {
        "people": PEOPLE, "exposures": 1000, "layers": layers, "width": width,
        "heads": width // HEAD, "batch": 96, "format": "bioS", "context": 512, "lr": 0.001,
        "weight_decay": 0.02, "final_lr": 0.1, "precision": "bf16",
    }  # fmt: skip
    return Cell.of({**given, **changes})


def low(**changes: Any) -> Cell:
    """Return the same model at 100 exposures, in 56,000 small steps."""
    given: dict[str, Any] = {"exposures": 100, "batch": 12, "weight_decay": 0.01}
    return high(**{**given, **changes})


def strings(**sizes: Any) -> Cell:
    """Return a cell of bioD with as many people."""
    return high(format="bioD", strings={**STRINGS, **sizes})


def figure(cell: Cell) -> float:
    """Return the bits per parameter of the published figure at a cell's own parameters.

    The stored bits of figure 1(a) for 50,000 people, on straight lines between its dots.
    """
    params = params_of(cell)
    sizes, stored = zip(*FIGURE[PEOPLE], strict=True)
    return float(np.interp(params / 1e6, sizes, stored)) * 1e6 / params


SIZES = {
    "GPT2-4-2": high(4, 128),
    "GPT2-2-3": high(),
    "GPT2-4-3": high(4),
}
HEADS = {"llama": 2, "llama-tied": 2, "mistral": 4, "gpt2-quarter": 3, "gpt2-nomlp": 3}
MADE = "Parameters are made equal by the width, so that a head is not of 64 channels in each arm."
ONE_RATE = "One peak rate for every arm; the published numbers are of the best of three."
SCALE = Scale(
    name="gpu",
    device="cuda",
    jobs=4,
    long_seeds=1,
    saturated_seeds=1,
    sizes=[Size(name, cell, figure(cell)) for name, cell in SIZES.items()],
    overfilled="GPT2-4-2",
    high=high,
    low=low,
    paired=high,
    mixed=low,
    strings=strings,
    spoken=lambda form: high(format=form),
    saturated=SIZES["GPT2-2-3"],
    rates=(0.5, 1.0),
    rates_mixed=(1.0,),
    exposures=(100, 200),
    experts=32,
    heads=HEADS,
    heads_low=HEADS,
    notes={
        1: (
            "Figure 1(a) was digitised by others; between its dots for 50,000 people a straight "
            "line is read at the parameters that the model has here. Words are tokens, and 2,947 "
            "rows are in use where the published models have 3,275.",
        ),
        3: ("The published grid of sizes is not known; these models are over-filled three times.",),
        5: (MADE,),
        6: (MADE,),
        8: ("The model is result 1's GPT2-2-3.",),
        10: (ONE_RATE,),
        11: (ONE_RATE,),
        12: (ONE_RATE,),
    },
)
