"""kleiber report: a fit as one page."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from kleiber.cli.options import Files, Fitting, Intervals, Reading, count_if
from kleiber.cli.output import command, print_json, say
from kleiber.cli.source import saved_or_made


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
    intervals: Intervals | None = None,
    json: bool = False,
) -> None:
    """Write a fit as one HTML page, from a table or a saved fit; it asks nothing of any network.

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

    asked = intervals or Intervals()
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
