"""A ladder: a recipe at several scales, ordered from the cheapest rung to the dearest.

::

    about = "..."
    name = "red"                            # of the runs, else the recipe's own
    recipe = "nanodo-paper"                 # a shipped one, a TOML file beside this one,
    # [recipe]                              # or the recipe itself as a table
    seeds = "3 if D <= 48 else 1"           # a number, a formula of scale, or a list of seeds
    [changes]                               # of the recipe, for all rungs
    vocab = 256
    [scales]                                # lists of equal length, or one value for all
    D = [16, 24, 32]
    L = [2, 2, 3]
    [[rung]]                                # or rung by rung, with anything of a recipe changed
    D = 64
    L = 4
    lr = "c/D/2"
    seeds = [0, 7]
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kleiber.errors import InputError
from kleiber.recipes.recipe import Recipe, checked_scale, plain_scale, read_toml, recipe
from kleiber.recipes.rung import LARGEST, Rung, is_finite, shown

KNOWN = ("about", "name", "recipe", "changes", "seeds", "scales", "rung")
MOST = 10_000  # rungs of a ladder; more is a slip of the pen


@dataclass(frozen=True)
class Ladder:
    """Rungs in their order, the recipe that made them, and where it is from."""

    name: str
    rungs: tuple[Rung, ...]
    recipe: Recipe
    about: str = ""

    @classmethod
    def of(
        cls,
        content: Mapping[str, Any],
        *,
        name: str,
        source: str,
        beside: Path | None = None,
    ) -> Ladder:
        """Return the ladder of a TOML file's content; InputError for what it cannot mean."""
        for key in content:
            if key not in KNOWN:
                raise InputError(
                    f"There is no setting {key} in {source}.",
                    remedy=f"A ladder has {', '.join(KNOWN)}; what changes the recipe goes under "
                    "[changes].",
                )
        used = _recipe(content, name=name, source=source, beside=beside)
        changes = _table(content, "changes", source)
        used = used.changed(changes, source=source)
        if "name" in content:  # so that two ladders of one recipe are told apart
            used = replace(used, name=name)
        scales = _scales(content, source)
        seeds = content.get("seeds", 1)
        rungs = [
            used.rung(own, seed=seed)
            for scale in scales
            for own in [checked_scale({k: v for k, v in scale.items() if k != "seeds"}, source)]
            for seed in _seeds(scale.get("seeds", seeds), used, own, source)
        ]
        return cls(name, _ordered(rungs, source), used, str(content.get("about", "")))

    @property
    def fingerprint(self) -> str:
        """A short stable name of all its rungs."""
        text = " ".join(f"{rung.name} {rung.fingerprint}" for rung in self.rungs)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def groups(self) -> list[list[Rung]]:
        """Return the rungs that differ in their seed alone together, in the ladder's order."""
        found: dict[str, list[Rung]] = {}
        for rung in self.rungs:
            found.setdefault(rung.name.rpartition("-s")[0], []).append(rung)
        return list(found.values())


def ladder(path: str | os.PathLike[str]) -> Ladder:
    """Return the ladder in a TOML file."""
    place = Path(path)
    content = read_toml(place, "ladder")
    name = content.get("name", place.stem)
    if not isinstance(name, str):
        raise InputError(f"name is {name!r} in '{path}'; a text is expected.", remedy="Correct it.")
    return Ladder.of(content, name=name, source=f"'{path}'", beside=place.parent)


def _recipe(content: Mapping[str, Any], *, name: str, source: str, beside: Path | None) -> Recipe:
    """Return the recipe that a ladder names or holds."""
    held = content.get("recipe")
    if isinstance(held, str):
        return recipe(held, beside=beside)
    if isinstance(held, Mapping):
        rest = {key: value for key, value in held.items() if key != "name"}
        return Recipe.of(rest, name=str(held.get("name", name)), source=f"[recipe] of {source}")
    found = "no recipe" if held is None else f"recipe {held!r}"
    raise InputError(
        f"{source} has {found}; the name of one, a TOML file or a table [recipe] is expected.",
        remedy='Write recipe = "nanodo-paper", or recipe = "mine.toml".',
    )


def _table(content: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    held = content.get(key, {})
    if not isinstance(held, Mapping):
        raise InputError(
            f"{key} is {held!r} in {source}; a table is expected.",
            remedy=f"Write it under [{key}].",
        )
    return held


def _scales(content: Mapping[str, Any], source: str) -> list[dict[str, Any]]:
    """Return every scale that a ladder lists, by its fields' full names."""
    found = _zipped(_table(content, "scales", source), source)
    rows = content.get("rung", [])
    if not (isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows)):
        raise InputError(
            f"rung is {rows!r} in {source}; tables are expected.",
            remedy="Write each rung under a line [[rung]].",
        )
    found += [dict(row) for row in rows]
    if not found:
        raise InputError(
            f"{source} lists no scale, so its ladder has no rung.",
            remedy="Add [[rung]] with D and L, or [scales] with lists of them.",
        )
    return [plain_scale(scale, source) for scale in found]


def _zipped(lists: Mapping[str, Any], source: str) -> list[dict[str, Any]]:
    """Return scales given as lists side by side; a single value is every scale's."""
    long = {
        key: value for key, value in lists.items() if isinstance(value, list) and key != "seeds"
    }
    lengths = {key: len(value) for key, value in long.items()}
    if lists and len(set(lengths.values())) != 1:
        said = ", ".join(f"{key} of {count}" for key, count in lengths.items()) or "no list"
        raise InputError(
            f"[scales] of {source} has {said}; lists of equal length are expected.",
            remedy="Give every list one value a rung; a value for all of them needs no list.",
        )
    count = next(iter(lengths.values()), 0)
    return [
        {key: value[i] if key in long else value for key, value in lists.items()}
        for i in range(count)
    ]


def _seeds(given: Any, used: Recipe, scale: Mapping[str, Any], source: str) -> Sequence[int]:
    """Return the seeds of a scale: so many from 0, a formula's number of them, or those listed."""
    if isinstance(given, list):
        if given and all(isinstance(one, int) and 0 <= one < LARGEST for one in given):
            return sorted(set(given))
        said = ", ".join(map(shown, given))
        raise InputError(
            f"seeds is [{said}] in {source}; whole numbers from 0 are expected.",
            remedy="Write seeds = 3, or seeds = [0, 1, 2].",
        )
    if not (is_finite(given) or isinstance(given, str)):
        raise InputError(
            f"seeds is {shown(given)} in {source}; a number, a formula or a list is expected.",
            remedy='Write seeds = 3, or seeds = "3 if D <= 48 else 1".',
        )
    count = used.number(given, scale, field="seeds")
    if count != int(count) or not 1 <= count <= MOST:
        raise InputError(
            f"seeds in {source} comes to {count:g}; a whole number of 1 or more is expected.",
            remedy='Write seeds = 3, or seeds = "3 if D <= 48 else 1".',
        )
    return range(int(count))


def _ordered(rungs: list[Rung], source: str) -> tuple[Rung, ...]:
    """Return the rungs from the cheapest to the dearest, or refuse one that is listed twice."""
    if len(rungs) > MOST:
        raise InputError(
            f"{source} makes {len(rungs):,} rungs; at most {MOST:,} are expected.",
            remedy="Split it into several ladders.",
        )
    seen: set[str] = set()
    for rung in rungs:
        if rung.name in seen:
            raise InputError(
                f"{source} lists the rung {rung.name} twice.", remedy="List it once, or change it."
            )
        seen.add(rung.name)
    cost = [(rung.width**2 * rung.layers * rung.shown_tokens, i) for i, rung in enumerate(rungs)]
    return tuple(rungs[i] for _, i in sorted(cost))
