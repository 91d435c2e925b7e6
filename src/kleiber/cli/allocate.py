"""kleiber allocate: the best run of a compute budget."""

from __future__ import annotations

from kleiber.cli.options import Files, Fitting, Intervals, Reading
from kleiber.cli.output import command, print_json
from kleiber.cli.source import saved_or_made


def allocate(
    files: Files,
    /,
    *,
    flops: str,
    reading: Reading | None = None,
    fitting: Fitting | None = None,
    intervals: Intervals | None = None,
    json: bool = False,
) -> None:
    """Split a compute budget into params and tokens for the least loss, with intervals.

    Parameters
    ----------
    flops
        Budget in FLOPs, counted as 6 * params * tokens, such as 1e24.
    json
        Print one JSON object instead of text.
    """
    from kleiber import planning

    asked = intervals or Intervals()
    made = saved_or_made(files, reading, fitting, asked.bootstraps or 0, quiet=json)
    best = planning.allocate(made, flops, level=asked.level, method=asked.method)
    if json:
        content = {"schema": "kleiber.allocate/1", "law": made.law.name, **best.to_dict()}
        print_json({**content, "synthetic": made.data.synthetic, "command": command()})
    else:
        print(best.text())
        if made.data.synthetic:
            print("SYNTHETIC DATA: generated from a known law, no model was trained")
