"""The cells that several results share, at the preset cpu: minutes a run on one core."""

from __future__ import annotations

from typing import Any

from kleiber.knowledge.cell import Cell

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
    """Return the cell that junk is mixed into: one layer, few people, learnt at 300 exposures."""
    given: dict[str, Any] = {
        "people": 200, "exposures": 300, "layers": 1, "width": 16, "heads": 2, "batch": 4,
        "strings": FEW, "lr": 0.006,
    }  # fmt: skip
    return Cell.of({**given, **changes})


def spoken(form: str, **changes: Any) -> Cell:
    """Return a cell of biographies in words, from small pools."""
    from kleiber.knowledge.preset import preset

    given: dict[str, Any] = {"people": 300, "exposures": 1000, "batch": 16, "format": form}
    (cell,) = preset("bios-mini").cells(**{**given, **changes})
    return cell
