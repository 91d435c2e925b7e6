"""Experiments by name: a TOML file with what all cells share and a grid of what they don't."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.cell import Cell
from kleiber.knowledge.settings import check_kinds, check_names

FOLDER = Path(__file__).parent / "presets"
RULES = ("head_size", "steps_per_pass")  # in place of heads and of batch, for grids
KNOWN = [*RULES, *(one.name for one in fields(Cell) if one.name != "seed")]
TWO_WAYS = (
    ("lr", "lr_times_width"),
    ("weight_decay", "decay_over_run"),
    ("heads", "head_size"),
    ("batch", "steps_per_pass"),
)
AXES = ("people", "width", "exposures")  # what a grid may list several of


@dataclass(frozen=True)
class Preset:
    """An experiment: its cells for the first seed, and how many seeds it asks for."""

    name: str
    about: str
    seeds: int
    shared: Mapping[str, Any]
    grid: Sequence[Mapping[str, Any]]

    def cells(self, *, seeds: int | None = None, **changes: Any) -> list[Cell]:
        """Return every cell, seed by seed; ``changes`` replace what the preset says."""
        count = self.seeds if seeds is None else seeds
        if count < 1:
            raise UsageError(f"{count} seeds were asked for.", remedy="Set --seeds to 1 or more.")
        given = {name: value for name, value in changes.items() if value is not None}
        found: list[Cell] = []
        for seed in range(count):
            for block in self.grid:
                settings = _replaced(_replaced(self.shared, block), given) | {"seed": seed}
                listed = [_as_list(settings[axis]) for axis in AXES]
                for values in itertools.product(*listed):
                    cell = Cell.of(_ruled({**settings, **dict(zip(AXES, values, strict=True))}))
                    if cell not in found:
                        found.append(cell)
        return found


def _replaced(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with others in their place; of two ways to say one thing, the later wins."""
    kept = dict(before)
    for one, other in TWO_WAYS:
        if one in after or other in after:
            kept[one] = kept[other] = None
    return {**kept, **after}


def _ruled(settings: dict[str, Any]) -> dict[str, Any]:
    """Return one cell's settings with heads and batch worked out of the rules given for them."""
    head_size, steps = (settings.pop(rule, None) for rule in RULES)
    if head_size is not None:
        settings["heads"] = max(1, settings["width"] // head_size)
    if steps is not None:
        settings["batch"] = max(1, round(settings["people"] / steps))
    return settings


def presets() -> dict[str, str]:
    """Return the names of the presets, with what each is about."""
    return {path.stem: preset(path.stem).about for path in sorted(FOLDER.glob("*.toml"))}


def preset(name: str) -> Preset:
    """Return a preset by its name, or the one in a TOML file of one's own."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if name.endswith(".toml"):
            raise UsageError(
                f"There is no file '{name}'.", remedy="Check the path of the preset."
            ) from None
        known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.toml")))
        raise UsageError(
            f"There is no preset '{name}'.",
            remedy=f"Use one of {known}, or a TOML file of your own.",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason = str(error).rstrip(".")
        raise InputError(
            f"'{path}' is no TOML: {reason}.", remedy="Correct it, or start from a preset."
        ) from None
    about, seeds = content.pop("about", ""), content.pop("seeds", 1)
    check_kinds({"about": about, "seeds": seeds}, {"about": "str", "seeds": "int"})
    grid = content.pop("grid", [{}])
    if not (isinstance(grid, list) and grid and all(isinstance(block, dict) for block in grid)):
        raise InputError(
            f"grid in '{path}' is {grid!r}; tables are expected.",
            remedy="Write each block under a line [[grid]].",
        )
    try:
        for block in grid:
            check_names({**content, **block}, KNOWN, AXES)
    except InputError as error:
        raise InputError(f"'{path}': {error.message}", remedy=error.remedy) from None
    return Preset(path.stem, about, seeds, content, grid)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
