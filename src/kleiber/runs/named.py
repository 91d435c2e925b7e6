"""Public sets where a table is asked for: ``set:colpret/OPT`` as a source of runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING

from kleiber.errors import UsageError
from kleiber.runs.notes import listing
from kleiber.runs.sets.manifest import files_of, sets

if TYPE_CHECKING:
    from kleiber.runs.table import Runs
    from kleiber.units import ParamsAre

SET = "set:"


def read_named(
    source: str, options: Mapping[str, object], params_are: ParamsAre | None = None
) -> Runs:
    """Return a family of a public set, or without a family all of a set's cross-entropies.

    Parameters
    ----------
    source
        ``set:NAME/FAMILY`` or ``set:NAME``; files are in $KLEIBER_DATA, else in the cache.
    options
        What else the caller asked of the reading, by option; a set needs none of it.
    params_are
        What params count, where the set's files do not say it.

    Raises
    ------
    UsageError
        For an unknown set or family, with near names; for an option of reading.
    InputError
        For files that are not there, or are not the published ones; UnitError for accuracies.
    """
    from kleiber.runs.collections import load

    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UsageError(
            f"'{source}' is a public set, whose files say what they hold, and "
            f"{listing(given)} {'was' if len(given) == 1 else 'were'} given.",
            remedy=f"Leave out {listing(f'--{name}' for name in given)}.",
        )
    name, _, family = source.removeprefix(SET).partition("/")
    return load(name, family or None, params_are=params_are)


def as_named(path: str) -> str:
    """Return ``set:NAME/FAMILY`` for a path that begins with a set's name, "" for another."""
    first, _, rest = path.partition("/")
    return f"{SET}{path}" if rest and files_of(first) else ""


def set_of(path: str) -> str:
    """Return the public set that a path is a file of, "" for another table."""
    parts = PurePath(path).parts
    for name in sets():
        for file in files_of(name):
            own = PurePath(file.path).parts
            if parts[-len(own) :] == own and name in parts[: -len(own)]:
                return name
    return ""
