"""A fit for the verbs that use one: read from a saved file, or made from a table.

And the table of measured capacities that kleiber know capacity leaves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.cli.options import Fitting, Reading, is_saved_fit
from kleiber.cli.output import problems_of, say_notes
from kleiber.errors import InputError, UsageError

if TYPE_CHECKING:
    from kleiber.fitting import Fit
    from kleiber.runs.problems import Problem


def saved_or_made(
    files: Sequence[str],
    reading: Reading | None,
    fitting: Fitting | None,
    bootstraps: int | None,
    *,
    quiet: bool,
) -> tuple[Fit, tuple[Problem, ...]]:
    """Load a saved fit, or read a table, fit it, and find what would mislead the fit."""
    from kleiber.fitting import load

    if len(files) == 1 and is_saved_fit(files[0]):
        if (reading or Reading()) != Reading() or (fitting or Fitting()) != Fitting():
            raise UsageError(
                f"'{files[0]}' is a saved fit: it is neither read nor fitted again.",
                remedy="Leave out the options of reading and fitting, or give the table of runs.",
            )
        return replace(load(files[0]), **({"bootstraps": bootstraps} if bootstraps else {})), ()
    runs = (reading or Reading()).read(files)
    if not quiet:
        say_notes(runs)
    made = (fitting or Fitting()).fit(runs, bootstraps or 0)
    return made, problems_of(runs, made)


def capacity_table(files: Sequence[str]) -> Path | None:
    """Return the table of measured capacities that was named, by itself or by its folder."""
    if len(files) != 1:
        return None
    path = Path(files[0])
    table = path / "capacity.jsonl" if path.is_dir() else path
    try:
        with table.open("rb") as file:
            return table if b'"max_bits_per_param"' in file.readline(100_000) else None
    except OSError:
        return None


def read_capacity(path: Path) -> list[dict[str, Any]]:
    """Return measured capacities, a row each, or raise InputError naming the line."""
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"'{path}' line {number} is no JSON: {str(error).rstrip('.')}.",
                remedy="Make it again with kleiber know capacity, which keeps finished runs.",
            ) from None
        if not isinstance(row, dict):
            raise InputError(f"'{path}' line {number} is no object.", remedy="Remove that line.")
        rows.append(row)
    return rows
