"""The preset cpu: minutes a run on one core, bioD in texts of 20 tokens, models of 5 to 30k."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from kleiber.knowledge.cell import Cell
from kleiber.knowledge.preset import preset
from kleiber.studies.capacity.scale import Depth, Scale, Size

STRINGS = {"K": 8, "C": 1, "D": 64, "L": 1, "T": 64, "name_tokens": 3}
FEW = {**STRINGS, "K": 4, "name_tokens": 4}  # names for junk without end


def high(people: int = 420, width: int = 16, **changes: Any) -> Cell:
    """Return a cell at 1000 exposures, by the rules of the preset curve."""
    given: dict[str, Any] = {
        "people": people, "exposures": 1000, "layers": 2, "width": width,
        "heads": max(1, width // 8), "batch": max(1, round(people / 10)), "strings": STRINGS,
        "lr_times_width": 0.288, "decay_over_run": 18,
    }  # fmt: skip
    return Cell.of({**given, **changes})


def low(people: int = 580, width: int = 24, **changes: Any) -> Cell:
    """Return a cell at 100 exposures: a text a step, 58,000 steps, as the preset curve has it."""
    given: dict[str, Any] = {
        "exposures": 100, "batch": max(1, round(people / 500)), "lr_times_width": 0.034,
        "decay_over_run": 2,
    }  # fmt: skip
    return high(people, width, **{**given, **changes})


def mixed(**changes: Any) -> Cell:
    """Return the cell that junk is mixed into: one layer, a useful text a step on average."""
    given: dict[str, Any] = {
        "people": 400, "exposures": 100, "layers": 1, "width": 24, "heads": 3,
        "batch": 1 + junk_parts(changes), "strings": FEW, "lr": 0.002,
    }  # fmt: skip
    return Cell.of({**given, **changes})


def junk_parts(changes: Mapping[str, Any]) -> int:
    """Return how many texts of junk are shown for each useful one."""
    if "domains" in changes:
        return sum(one["parts"] for one in changes["domains"] if one["people"] != "useful")
    return changes.get("mix", {}).get("junk_parts", 0)


def deep(people: int, layers: int, heads: int) -> Cell:
    """Return a cell at 1000 exposures of 3 layers or more, at the rate found for such."""
    return high(people, layers=layers, heads=heads, lr_times_width=0.2)


def strings(**sizes: Any) -> Cell:
    """Return a cell of bioD with other sizes."""
    return high(strings={**STRINGS, **sizes})


def spoken(form: str, **changes: Any) -> Cell:
    """Return a cell of biographies in words, from small pools."""
    given: dict[str, Any] = {"people": 300, "exposures": 1000, "batch": 16, "format": form}
    (cell,) = preset("bios-mini").cells(**{**given, **changes})
    return cell


SCALE = Scale(
    name="cpu",
    device="cpu",
    sizes=(
        Size("width 16", high(420)),
        Size("width 20", high(630, 20)),
        Size("width 24", high(870, 24)),
        Size("width 32", high(1500, 32)),
        Size("width 32, over-filled", high(2000, 32)),
    ),
    peak="width 32",
    overfilled="width 32, over-filled",
    depths=tuple(
        Depth(size, deep(people, layers, heads))
        for size, people, shapes in (
            ("width 16", 420, ((3, 1), (4, 2), (6, 1))),
            ("width 20", 630, ((3, 2), (4, 1), (6, 2))),
            ("width 24", 870, ((3, 2), (4, 3), (6, 1))),
        )
        for layers, heads in shapes
    ),
    mixes=(1, 3, 7),
    long_mixed=300,
    high=high,
    low=low,
    paired=partial(high, 580, 24),
    mixed=mixed,
    strings=strings,
    spoken=spoken,
    saturated=preset("cpu").cells(seeds=1)[0],
    saturated_seeds=6,
    heads={"llama": 2, "llama-tied": 2, "mistral": 4, "gpt2-quarter": 1, "gpt2-nomlp": 1},
    heads_low={"llama": 3, "mistral": 4, "gpt2-quarter": 2, "gpt2-nomlp": 2},
    notes={
        1: (
            "Depth is compared at three numbers of parameters, 2 layers of the width named "
            "against 3, 4 and 6. The peak rate of 3 layers and more is .2 / width, of 2 layers "
            ".288 / width: each the best of a few at one cell and one seed. Heads are as many as "
            "bring the width near to equal parameters.",
        ),
        3: ("420 people over-fill every one of these models.",),
        5: (
            "One peak rate by the rule of the preset curve, which was found with gpt2. Heads "
            "are as many as bring the width nearest to equal parameters (mistral: four, which "
            "share one head of keys).",
        ),
        6: ("Heads are as many as bring the width near to equal parameters.",),
    },
)
