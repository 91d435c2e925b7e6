"""Runs of so many parameters and tokens as scales of a recipe: the width that comes nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kleiber.errors import InputError
from kleiber.recipes.recipe import Recipe
from kleiber.training.count import count_params
from kleiber.training.rung import model_of

FAR = 0.25  # share of the params asked for that the nearest width may be off
NEAR = 160  # widths looked at on either side, of which few have whole heads
WIDEST = 1 << 17


@dataclass(frozen=True)
class Row:
    """One scale of a ladder: its width and layers, what it was asked to have, and its seeds."""

    width: int
    layers: int
    tokens: int
    seeds: tuple[int, ...]
    params: int
    asked: float

    def to_dict(self) -> dict[str, Any]:
        """Return the scale as a ladder's file has it."""
        return {"D": self.width, "L": self.layers, "tokens": self.tokens, "seeds": [*self.seeds]}


def sized_rows(
    runs: Sequence[Mapping[str, Any]], recipe: Recipe, *, params_are: str, source: str
) -> list[Row]:
    """Return a row for every pair of params and tokens, with the seeds of its runs.

    Raises InputError where no width of the recipe comes near, and where two runs come to the same.
    """
    seeds: dict[tuple[float, int], list[int]] = {}
    for run in runs:
        try:
            key = float(run["params"]), round(run["tokens"])
            seeds.setdefault(key, []).append(int(run["seed"]))
        except (KeyError, TypeError, ValueError):
            raise InputError(
                f"A run of {source} is {dict(run)!r}; params, tokens and a seed are expected.",
                remedy="Make the plan again with kleiber plan --out FILE.",
            ) from None
    rows = [
        _nearest(params, tokens, tuple(sorted(some)), recipe, params_are)
        for (params, tokens), some in seeds.items()
    ]
    places = [(row.width, row.tokens) for row in rows]
    for row in rows:
        if places.count((row.width, row.tokens)) > 1:
            raise InputError(
                f"Two runs of {source} come to the same rung: D={row.width}, {row.tokens:,} "
                "tokens.",
                remedy="Use a recipe with smaller heads, whose widths lie closer.",
            )
    return rows


def _nearest(
    params: float, tokens: int, seeds: tuple[int, ...], recipe: Recipe, params_are: str
) -> Row:
    """Return the width whose model has about so many params."""

    def count(width: int) -> float:
        total = recipe.number("P", {"D": width}, field="params")
        if params_are == "total":
            return total
        ends = recipe.number("V*D*(1 if tied else 2)", {"D": width}, field="params")
        return total - ends

    low, high = 2, WIDEST
    while high - low > 2:
        middle = (low + high) // 4 * 2
        low, high = (middle, high) if count(middle) <= params else (low, middle)
    best: Row | None = None
    for width in range(max(2, low - NEAR), low + NEAR, 2):
        try:
            rung = recipe.rung({"D": width, "tokens": tokens})
        except InputError:
            continue  # a width that its heads cannot share
        counted = count_params(model_of(rung))
        found = counted["total" if params_are == "total" else "body"]
        if best is None or abs(found - params) < abs(best.params - params):
            best = Row(rung.width, rung.layers, tokens, seeds, found, params)
    if best is None:
        recipe.rung({"D": low, "tokens": tokens})  # says what is wrong with all of them
    if best is None or abs(best.params / params - 1) > FAR:
        near = f"; the nearest, D={best.width}, has {best.params:,}" if best else ""
        raise InputError(
            f"No width of the recipe {recipe.name} has about {params:,.0f} params{near}.",
            remedy="Use a recipe with a smaller vocab or smaller heads, or plan larger runs.",
        )
    return best
