"""A fit for the verbs that use one: read from a saved file, or made from a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kleiber.cli.options import Fitting, Reading, is_saved_fit
from kleiber.cli.output import problems_of, say_notes
from kleiber.errors import UsageError

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
