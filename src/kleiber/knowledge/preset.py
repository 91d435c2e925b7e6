"""Experiments by name: a TOML file with what all cells share and a grid of what they don't."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.cell import Cell

FOLDER = Path(__file__).parent / "presets"
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
            raise UsageError(f"{count} seeds.", remedy="Set --seeds to 1 or more.")
        given = {name: value for name, value in changes.items() if value is not None}
        if "lr" in given:
            given["lr_times_width"] = None
        found: list[Cell] = []
        for seed in range(count):
            for block in self.grid:
                settings = {**self.shared, **block, "seed": seed}
                if "lr" in block:
                    settings["lr_times_width"] = None
                settings |= given
                listed = [_as_list(settings[axis]) for axis in AXES]
                for values in itertools.product(*listed):
                    cell = Cell.of({**settings, **dict(zip(AXES, values, strict=True))})
                    if cell not in found:
                        found.append(cell)
        return found


def presets() -> dict[str, str]:
    """Return the names of the presets, with what each is about."""
    return {path.stem: preset(path.stem).about for path in sorted(FOLDER.glob("*.toml"))}


def preset(name: str) -> Preset:
    """Return a preset by its name, or the one in a TOML file of one's own."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.toml")))
        raise UsageError(
            f"There is no preset '{name}'.",
            remedy=f"Use one of {known}, or a TOML file of your own.",
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"'{path}' is no TOML: {error}.", remedy="Correct it, or start from a preset."
        ) from None
    about, seeds = content.pop("about", ""), content.pop("seeds", 1)
    grid = content.pop("grid", [{}])
    missing = [
        axis for axis in AXES if axis not in content and not all(axis in block for block in grid)
    ]
    if missing:
        raise InputError(
            f"'{path}' says no {', '.join(missing)}.", remedy="Name them, or list them in a grid."
        )
    return Preset(path.stem, about, seeds, content, grid)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
