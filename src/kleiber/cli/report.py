"""kleiber report: a fit, or a measured capacity, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kleiber.cli.options import Files, FitIntervals, Fitting, Reading, count_if
from kleiber.cli.output import command, print_json, say
from kleiber.cli.source import capacity_table, saved_or_made
from kleiber.errors import UsageError


def report(
    files: Files,
    /,
    *,
    out: Annotated[str, Parameter(name=("--out", "-o"))],
    params: str | None = None,
    tokens: str | None = None,
    title: str | None = None,
    reading: Reading | None = None,
    fitting: Fitting | None = None,
    intervals: FitIntervals | None = None,
    json: bool = False,
) -> None:
    """Write a fit as one HTML page that asks nothing of any network.

    FILES are a table of runs or a saved fit; or what kleiber know capacity left: its
    capacity.jsonl, or the folder that holds it.

    Parameters
    ----------
    out
        The page to write, such as report.html.
    params
        Model size to predict on the page, such as 7e9 or 7B.
    tokens
        Training tokens to predict on the page, such as 140e9 or 140B.
    title
        Title of the page.
    json
        Print one JSON object with the page's path, size and findings instead of text.
    """
    from kleiber.judging import check
    from kleiber.reporting import hide_again, write

    asked = intervals or FitIntervals()
    results = capacity_table(files)
    if results is not None:
        given = {"--params": params, "--tokens": tokens}
        _refuse([name for name, value in given.items() if value is not None], reading, fitting)
        _capacity(results, out, title=title or "", level=asked.level, quiet=json)
        return
    wanted = (count_if(params, "--params"), count_if(tokens, "--tokens", "140B"))
    made, problems = saved_or_made(files, reading, fitting, asked.bootstraps, quiet=json)
    prediction = None
    if wanted != (None, None):
        prediction = made.predict(*wanted, level=asked.level, method=asked.method)
    findings = check(made, prediction)
    target = write(
        made,
        out,
        prediction=prediction,
        hidden=hide_again(made, level=asked.level, method=asked.method),
        findings=findings,
        problems=problems,
        command=command(),
        level=asked.level,
        method=asked.method,
        title=title or "",
    )
    if json:
        print_json(
            {
                "schema": "kleiber.report/1",
                "path": str(target),
                "bytes": target.stat().st_size,
                "findings": [finding.to_dict() for finding in findings],
                "problems": [problem.to_dict() for problem in problems],
                "command": command(),
            }
        )
    else:
        say(f"wrote {target}")


def _refuse(given: list[str], reading: Reading | None, fitting: Fitting | None) -> None:
    """Raise UsageError for what means nothing to measured capacities."""
    if (reading or Reading()) != Reading() or (fitting or Fitting()) != Fitting():
        given = [*given, "the options of reading and fitting"]
    if given:
        raise UsageError(
            f"These are measured capacities, to which {' and '.join(given)} mean nothing.",
            remedy="Leave them out; --title and --level stay.",
        )


def _capacity(results: Path, out: str, *, title: str, level: float, quiet: bool) -> None:
    """Write the page of measured capacities."""
    from kleiber.cli.source import read_capacity
    from kleiber.judging.capacity import fit_plateaus
    from kleiber.reporting import write_capacity

    rows = read_capacity(results)
    plateaus = fit_plateaus(rows, level=level)
    target = write_capacity(
        rows, out, plateaus, command=command(), title=title, source=str(results)
    )
    if not quiet:
        say(f"wrote {target}")
        return
    print_json(
        {
            "schema": "kleiber.report/1",
            "path": str(target),
            "bytes": target.stat().st_size,
            "findings": [finding.to_dict() for one in plateaus for finding in one.findings],
            "problems": [],
            "command": command(),
        }
    )
