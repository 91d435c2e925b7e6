"""Settings as a TOML file or a run folder gives them: names, kinds and bounds, checked at once."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kleiber.errors import InputError, UsageError

Test = Callable[[Any], bool]


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return (_whole(value) or isinstance(value, float)) and math.isfinite(value)


def _pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_number, value))


def _sizes(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_whole(size) for size in value.values())


def _texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values())


def _tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, Mapping) for one in value)


KINDS: dict[str, tuple[str, Test]] = {
    "int": ("a whole number", _whole),
    "float": ("a number", _number),
    "str": ("text", lambda value: isinstance(value, str)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "dict[str, Any]": ("a table", lambda value: isinstance(value, Mapping)),
    "list[dict[str, Any]]": ("a list of tables", _tables),
    "dict[str, str]": ("a table of texts", _texts),
    "dict[str, int]": ("a table of whole numbers", _sizes),
    "tuple[float, float]": ("two numbers", _pair),
}


def check_names(given: Iterable[str], known: Iterable[str], needed: Iterable[str]) -> None:
    """Raise InputError for a setting that there is not, or that is missing."""
    known, given = sorted(known), set(given)
    strange = sorted(given - set(known))
    if strange:
        near = difflib.get_close_matches(strange[0], known, n=1)
        raise InputError(
            f"There is no setting {', '.join(strange)}{f'; is {near[0]} meant?' if near else '.'}",
            remedy=f"The settings are {', '.join(known)}.",
        )
    missing = sorted(set(needed) - given)
    if missing:
        raise InputError(
            f"No {', '.join(missing)} is given.", remedy="Add it to the TOML file, or as an option."
        )


def check_kinds(given: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    """Raise InputError for a value that is not of its setting's kind, an annotation as text."""
    for name, value in given.items():
        kind, _, optional = kinds[name].partition(" | ")
        what, fits = KINDS[kind]
        if not (fits(value) or (optional and value is None)):
            raise InputError(f"{name} is {value!r}; {what} is expected.", remedy=f"Correct {name}.")


def check_at_least_one(given: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise UsageError for a count below 1."""
    for name in names:
        if given[name] < 1:
            raise UsageError(
                f"{name} is {given[name]}; at least 1 is needed.",
                remedy=f"Set {name} to 1 or more.",
            )


def check_above_zero(given: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise UsageError for a number that is 0 or less; None is no number."""
    for name in names:
        if given[name] is not None and not given[name] > 0:
            raise UsageError(
                f"{name} is {given[name]}; more than 0 is needed.",
                remedy=f"Set {name} to a positive number.",
            )
