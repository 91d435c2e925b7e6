"""kleiber runs: what is in a table."""

from __future__ import annotations

from kleiber.cli.options import Files, Reading
from kleiber.cli.output import print_json


def runs(files: Files, /, *, reading: Reading | None = None, json: bool = False) -> None:
    """Show what a table of runs holds: families, sizes, tokens, spans, units, problems.

    Parameters
    ----------
    json
        Print one JSON object instead of text.
    """
    summary = (reading or Reading()).read(files).describe()
    if json:
        print_json({"schema": "kleiber.runs/1", **summary.to_dict()})
    else:
        print(summary.text())
