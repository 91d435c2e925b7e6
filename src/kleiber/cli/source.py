"""A fit for the verbs that use one: read from a saved file, or made from a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kleiber.cli.options import Fitting, Reading
from kleiber.cli.output import say_notes

if TYPE_CHECKING:
    from kleiber.fitting import Fit


def saved_or_made(
    files: Sequence[str],
    reading: Reading | None,
    fitting: Fitting | None,
    bootstraps: int,
    *,
    quiet: bool,
) -> Fit:
    """Load a saved fit, or read a table and fit it."""
    from kleiber.fitting import load

    if len(files) == 1 and _is_saved_fit(files[0]):
        return load(files[0])
    runs = (reading or Reading()).read(files)
    if not quiet:
        say_notes(runs)
    return (fitting or Fitting()).fit(runs, bootstraps)


def _is_saved_fit(path: str) -> bool:
    """Whether a file begins as `kleiber fit --out` writes it."""
    from kleiber.fitting.store import SCHEMA

    try:
        with open(path, "rb") as file:
            return f'"schema": "{SCHEMA}"'.encode() in file.read(200)
    except OSError:
        return False
