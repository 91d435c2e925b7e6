"""All numbers of one scale: a recipe's fields, each worked out when another asks for it.

Fields may name each other in any order; a circle is refused with its path. Beside the fields and
the recipe's constants a formula may use the field's usual letters::

    D width          V vocab      T tokens      N  12 D**2 L, the blocks' matrices at F = 4 D
    L layers         S context    B batch       P  all parameters, embedding and head with them
    H heads                       F hidden      C  6 N T, training FLOPs as the paper counts them
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from kleiber.errors import InputError
from kleiber.recipes.formula import Formula, parse
from kleiber.recipes.rung import UNBOUNDED, Rung

LETTERS = {
    **{"D": "width", "L": "layers", "H": "heads", "V": "vocab", "S": "context"},
    **{"T": "tokens", "B": "batch"},
}
WORKED_OUT = {  # by this file, whatever the recipe says
    "F": "hidden channels of the MLP",
    "N": "12 D**2 L",
    "P": "all parameters",
    "C": "6 N T",
}
KINDS = {one.name: str(one.type) for one in fields(Rung) if one.name not in ("name", "recipe")}
KINDS = {**KINDS, "head_size": "int"}
del KINDS["seed"]
WORDS = tuple(name for name, kind in KINDS.items() if kind == "str")
FLAGS = tuple(name for name, kind in KINDS.items() if kind == "bool")
NUMBERS = tuple(name for name in KINDS if name not in (*WORDS, *FLAGS, "betas"))
USUAL = {one.name: one.default for one in fields(Rung) if one.default is not MISSING}
TWO_WAYS = (("heads", "head_size"), ("tokens", "steps"))  # each follows from the other
ROUNDED = ("tokens",)  # to the nearest whole one; other counts must come out whole
NORM_VECTORS = {"layer": 2, "layer-unbiased": 1, "rms": 1}  # a weight, and a bias or none
SLACK = 1e-9  # of a whole number that float64 arithmetic missed


def names_of(constants: Mapping[str, Any]) -> dict[str, str]:
    """Return every name that a formula may use, with what it is."""
    plain = dict.fromkeys((*NUMBERS, *FLAGS, *constants), "")
    return {**LETTERS, **WORKED_OUT, **plain}


class Scale:
    """The numbers of one recipe at one scale.

    ``settings`` are a recipe's with a scale's in their place: plain values and formulas as text.
    """

    def __init__(
        self, settings: Mapping[str, Any], constants: Mapping[str, Any], *, source: str
    ) -> None:
        self.settings, self.constants, self.source = settings, constants, source
        known = names_of(constants)
        self.formulas: dict[str, Formula] = {}
        for name, value in {**settings, **constants}.items():
            if isinstance(value, str) and name not in WORDS:
                self.formulas[name] = parse(value, field=name, source=source, known=known)
        self._found: dict[str, float] = {}
        self._pair = [_formulas_of_pair(one, source, known) for one in settings.get("betas", ())]
        plain = ((letter, settings.get(LETTERS[letter])) for letter in "DL")
        self.at = ", ".join(f"{a}={n:g}" for a, n in plain if isinstance(n, int | float))

    def values(self) -> dict[str, Any]:
        """Return all fields of a rung, its labels left out."""
        found: dict[str, Any] = {}
        for name in KINDS:
            if name in WORDS:
                found[name] = self.settings.get(name, USUAL.get(name))
            elif name == "betas":
                found[name] = self._betas()
            elif name != "head_size":
                found[name] = self._of_kind(name, self.number(name))
        return found

    def number(self, name: str, path: tuple[str, ...] = ()) -> float:
        """Return the number of a name; InputError for a circle or what nobody gives."""
        name = LETTERS.get(name, name)
        if name in self._found:
            return self._found[name]
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            raise InputError(
                f"Formulas in {self.source} go in a circle: {circle}.",
                remedy="Give one of them without the others.",
            )
        inner = (*path, name)
        try:
            found = self._work_out(name, lambda other: self.number(other, inner))
        except RecursionError:
            raise InputError(
                f"Formulas in {self.source} ask for one another in too long a chain, from "
                f"{inner[0]} to {name}.",
                remedy="Give some of them as numbers.",
            ) from None
        except ZeroDivisionError:
            raise self._no_number(name, "it divides by zero") from None
        except (OverflowError, ValueError):  # such as an infinite one, rounded
            raise self._no_number(name, "it grows beyond what a number can hold") from None
        if found is None:
            raise InputError(
                f"{f'{path[-1]} needs {name}, which' if path else name} is given by neither "
                f"{self.source} nor its scales.",
                remedy=f"Add {name} to the recipe, or to each scale of the ladder.",
            )
        if math.isnan(found) or (math.isinf(found) and name not in UNBOUNDED):
            raise self._no_number(name, f"it is {found}")
        self._found[name] = found
        return found

    def _no_number(self, name: str, why: str) -> InputError:
        return InputError(
            f"{name} in {self.source} cannot be worked out{f' at {self.at}' if self.at else ''}: "
            f"{why}.",
            remedy=f"Correct what {name} is worked out from, of a scale that can be.",
        )

    def _work_out(self, name: str, get: Callable[[str], float]) -> float | None:
        """Return the number of a name from its value, its formula or another's; None without."""
        if name in self.formulas:
            return self.formulas[name].value(get, self.at)
        if name in self.settings or name in self.constants:
            return float(self.settings.get(name, self.constants.get(name)))  # pyright: ignore[reportArgumentType]
        if name == "heads" and "head_size" in self.settings:
            return get("width") / get("head_size")
        if name == "head_size" and "heads" in self.settings:
            return get("width") / get("heads")
        if name == "steps" and "tokens" in self.settings:
            return float(math.ceil(get("tokens") / (get("batch") * get("context")) - SLACK))
        if name == "tokens" and "steps" in self.settings:
            return get("steps") * get("batch") * get("context")
        if name == "F":
            return float(round(get("mlp_ratio") * get("width")))
        if name == "N":
            return 12 * get("width") ** 2 * get("layers")
        if name == "P":
            return self._params(get)
        if name == "C":
            return 6 * get("N") * get("tokens")
        return float(USUAL[name]) if name in USUAL else None

    def _params(self, get: Callable[[str], float]) -> float:
        """Return all parameters, as ``training.count`` counts them."""
        d, hidden, biased = get("width"), get("F"), get("biases")
        vectors = NORM_VECTORS.get(self._word("norm"), 1)
        ways_in = 2 if self._word("mlp") == "gated" else 1
        attention = 4 * d * d + biased * 4 * d
        mlp = (ways_in + 1) * hidden * d + biased * (ways_in * hidden + d)
        if self._word("mlp") == "none":
            mlp = 0.0
        norms = get("layers") * (1 if self._word("mlp") == "none" else 2) + 1
        ends = get("vocab") * d * (1 if get("tied") else 2)
        return ends + get("layers") * (attention + mlp) + norms * vectors * d

    def _word(self, name: str) -> str:
        return str(self.settings.get(name, USUAL.get(name)))

    def _betas(self) -> tuple[float, float]:
        if not self._pair:
            return USUAL["betas"]
        one, two = (
            part.value(lambda other: self.number(other, ("betas",)), self.at)
            if isinstance(part, Formula)
            else float(part)
            for part in self._pair
        )
        return one, two

    def _of_kind(self, name: str, value: float) -> Any:
        """Return a number as its field's kind; a count that does not come out whole is refused."""
        if KINDS[name] == "bool":
            return bool(value)
        if KINDS[name] != "int":
            return value
        whole = round(value) if math.isfinite(value) else 0
        if name not in ROUNDED and abs(value - whole) > SLACK * max(1.0, abs(value)):
            said = f', by "{self.formulas[name].text}"' if name in self.formulas else ""
            remedy = f"Write round(...), ceil(...) or floor(...) in the formula of {name}."
            if name == "heads" and "head_size" in self.settings:
                said, remedy = (
                    ", by width / head_size",
                    "Choose a head_size that divides the width.",
                )
            raise InputError(
                f"{name} in {self.source} comes to {value:g}{f' at {self.at}' if self.at else ''}"
                f"{said}; a whole number is expected.",
                remedy=remedy,
            )
        return whole


def _formulas_of_pair(value: Any, source: str, known: Mapping[str, str]) -> Any:
    """Return one of betas, a number or its formula."""
    if isinstance(value, str):
        return parse(value, field="betas", source=source, known=known)
    return value
