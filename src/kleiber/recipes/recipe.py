"""A recipe: formulas from scale to hyper-parameters, in a TOML file of plain keys.

::

    about = "what it is, and where it is from"
    lr = "c/D"                      # a formula of scale, or a number
    tokens = "20*(12*D**2*L + D*V)"
    qk_norm = true
    [constants]
    c = 2
    [chosen]                        # what a paper did not say, and why this was taken
    warmup = "the usual twentieth"

Keys are the fields of a :class:`~kleiber.recipes.rung.Rung`, and ``head_size`` in place of heads.
"""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kleiber.errors import InputError, UsageError
from kleiber.recipes.formula import FUNCTIONS, parse
from kleiber.recipes.rung import UNBOUNDED, Rung, is_finite, shown
from kleiber.recipes.scale import FLAGS, KINDS, LETTERS, TWO_WAYS, WORDS, Scale, names_of

FOLDER = Path(__file__).parent
SAID = ("layers", "width")  # of a scale, in a rung's name by their letters
TABLES = ("about", "constants", "chosen")


@dataclass(frozen=True)
class Recipe:
    """A recipe as it was read: ``settings`` are values and formulas, nothing worked out yet.

    ``chosen`` names the fields that a published recipe leaves open, with why each is what it is;
    ``source`` is said in errors.
    """

    name: str
    settings: Mapping[str, Any]
    about: str = ""
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    chosen: Mapping[str, str] = field(default_factory=dict[str, str])
    source: str = "the recipe"

    def __post_init__(self) -> None:
        """Refuse what no recipe has, and formulas that cannot be read."""
        _check_name(self.name, self.source)
        _check_constants(self.constants, self.source)
        _check_settings(self.settings, self.source, "The recipe")
        for name in self.chosen:
            if name not in KINDS:
                raise _unknown(name, f"[chosen] of {self.source}")
        Scale(self.settings, self.constants, source=self.source)

    @classmethod
    def of(cls, content: Mapping[str, Any], *, name: str, source: str) -> Recipe:
        """Return the recipe of a TOML file's content."""
        rest = dict(content)
        about, constants, chosen = rest.pop("about", ""), *(rest.pop(t, {}) for t in TABLES[1:])
        if not isinstance(about, str):
            raise _not_of_kind("about", about, "a text", source)
        for table, held in (("constants", constants), ("chosen", chosen)):
            if not isinstance(held, Mapping):
                raise _not_of_kind(table, held, f"a table [{table}]", source)
        return cls(name, rest, about, constants, chosen, source)

    def changed(
        self, changes: Mapping[str, Any], *, source: str, name: str | None = None
    ) -> Recipe:
        """Return the recipe with other settings in place of its own; ``source`` says whose.

        What is changed is no longer what a paper left open. ``name`` tells it from its origin.
        """
        if name is not None:
            return replace(self, name=name).changed(changes, source=source)
        if not changes:
            return self
        _check_settings(changes, source, "A change")
        both = f"{self.source} as {source} changes it"
        left = {name: why for name, why in self.chosen.items() if name not in changes}
        settings = _replaced(self.settings, changes)
        return replace(self, settings=settings, chosen=left, source=both)

    def rung(self, scale: Mapping[str, Any], *, seed: int = 0) -> Rung:
        """Return the rung of a scale: its width, its layers, and whatever else it sets.

        A rung is named after the recipe, its width, its layers, what else the scale sets, and its
        seed, so that no other rung changes its name.
        """
        plain = checked_scale(scale, self.source)
        own = {name: value for name, value in plain.items() if name not in SAID}
        settings = _replaced(self.settings, plain)
        values = Scale(settings, self.constants, source=self.source).values()
        parts = [self.name, f"D{values['width']}", f"L{values['layers']}"]
        parts += [f"{name}{_said(values.get(name, value))}" for name, value in sorted(own.items())]
        return Rung(name="-".join([*parts, f"s{seed}"]), recipe=self.name, seed=seed, **values)

    def number(self, formula: object, scale: Mapping[str, Any], *, field: str) -> float:
        """Return what a formula beside the recipe's own comes to at a scale."""
        if not isinstance(formula, str):
            if not is_finite(formula):
                raise _not_of_kind(field, formula, "a finite number or a formula", self.source)
            return float(formula)  # pyright: ignore[reportArgumentType]
        known = names_of(self.constants)
        parsed = parse(formula, field=field, source=self.source, known=known)
        plain = checked_scale(scale, self.source)
        settings = _replaced(self.settings, plain)
        numbers = Scale(settings, self.constants, source=self.source)
        return parsed.value(numbers.number, numbers.at)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, as its TOML file has them."""
        tables = {"constants": dict(self.constants), "chosen": dict(self.chosen)}
        held = {name: table for name, table in tables.items() if table}
        return {"about": self.about, **self.settings, **held}


def recipe(name: str, *, beside: Path | None = None) -> Recipe:
    """Return a recipe by its shipped name, or the one in a TOML file of one's own.

    A path is looked for from ``beside``, the folder of the ladder that names it.
    """
    if not name.endswith(".toml"):
        if name not in recipes():
            raise UsageError(
                f"There is no recipe '{name}'.",
                remedy=f"Use one of {', '.join(recipes())}, or a TOML file of your own.",
            )
        path = FOLDER / f"{name}.toml"
        return Recipe.of(read_toml(path, "recipe"), name=name, source=f"{name}.toml")
    path = (beside or Path()) / name
    return Recipe.of(read_toml(path, "recipe"), name=path.stem, source=f"'{path}'")


def recipes() -> list[str]:
    """Return the names of the recipes that are shipped."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_toml(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """Return a TOML file's content; ``what`` it should be is said where it is not."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"There is no file '{path}'.", remedy=f"Check the path of the {what}."
        ) from None
    except (ValueError, RecursionError) as error:  # of its grammar, bytes or digits; its depth
        reason = str(error).rstrip(".")
        raise InputError(
            f"'{path}' is no TOML: {reason}.", remedy=f"Correct the {what}'s file."
        ) from None


def checked_scale(scale: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a scale by its fields' names, or raise InputError for a setting that no rung has."""
    plain = plain_scale(scale, source)
    _check_settings(plain, f"a scale of {source}", "A scale")
    return plain


def plain_scale(scale: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a scale by its fields' names, where some were given by their letters."""
    found: dict[str, Any] = {}
    for name, value in scale.items():
        full = LETTERS.get(name, name)
        if full in found:
            raise InputError(
                f"A scale for {source} gives {full} twice, once as {name}.",
                remedy="Give it once.",
            )
        found[full] = value
    return found


def _replaced(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with others in their place; of two ways to say one thing, the later wins."""
    kept = dict(before)
    for pair in TWO_WAYS:
        if any(name in after for name in pair):
            kept = {name: value for name, value in kept.items() if name not in pair}
    return {**kept, **after}


def _said(value: Any) -> str:
    """Return a value as a part of a folder's name."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return "".join(letter if letter.isalnum() or letter in "._+" else "_" for letter in text)


def _check_name(name: str, source: str) -> None:
    fits = name and name[0].isalnum() and all(c.isalnum() or c in "-_." for c in name)
    if not fits:
        raise InputError(
            f"A recipe is called '{name}' in {source}; its runs' folders take its name, which "
            "is of letters, digits, '-', '_' and '.'.",
            remedy="Give it another name.",
        )


def _check_constants(constants: Mapping[str, Any], source: str) -> None:
    taken = names_of({})
    for name, value in constants.items():
        if name in taken or name in FUNCTIONS:
            what = taken.get(name) or ("a function" if name in FUNCTIONS else "a field")
            raise InputError(
                f"The constant {name} in {source} is a name that formulas have already: {what}.",
                remedy="Call it something else.",
            )
        if not name.isidentifier():
            raise InputError(
                f"The constant '{name}' in {source} is no name of letters and digits.",
                remedy="Call it something else, such as c or D0.",
            )
        if not (is_finite(value) or isinstance(value, str)):
            raise _not_of_kind(name, value, "a finite number or a formula", source)


def _check_settings(settings: Mapping[str, Any], source: str, whose: str) -> None:
    """Refuse names that no rung has, values of the wrong kind, and one thing said twice."""
    for name, value in settings.items():
        if name not in KINDS:
            raise _unknown(name, source)
        if name in WORDS:
            fits, kind = isinstance(value, str), "a text"
        elif name in FLAGS:
            fits, kind = isinstance(value, bool | str), "true, false or a formula"
        elif name == "betas":
            fits = isinstance(value, list | tuple) and len(value) == 2
            fits = fits and all(is_finite(one) or isinstance(one, str) for one in value)
            kind = "a list of two numbers"
        else:
            endless = name in UNBOUNDED and value == math.inf
            fits = endless or is_finite(value) or isinstance(value, str)
            kind = "a number or a formula" if name in UNBOUNDED else "a finite number or a formula"
        if not fits:
            raise _not_of_kind(name, value, kind, source)
    for one, other in TWO_WAYS:
        if one in settings and other in settings:
            raise InputError(
                f"{whose} gives both {one} and {other} in {source}, and each follows from the "
                "other.",
                remedy="Leave one of them out.",
            )


def _unknown(name: str, source: str) -> InputError:
    near = difflib.get_close_matches(name, KINDS, n=1)
    return InputError(
        f"There is no setting {name} in {source}{f'; is {near[0]} meant?' if near else '.'}",
        remedy=f"The settings are {', '.join(sorted(KINDS))}; other names go under [constants].",
    )


def _not_of_kind(name: str, value: object, kind: str, source: str) -> InputError:
    return InputError(
        f"{name} is {shown(value)} in {source}; {kind} is expected.", remedy=f"Correct {name}."
    )
