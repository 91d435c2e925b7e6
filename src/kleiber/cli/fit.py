"""kleiber fit: a law from a table of runs."""

from __future__ import annotations

from kleiber.cli.options import Files, FitIntervals, Fitting, Reading
from kleiber.cli.output import (
    command,
    findings_text,
    print_json,
    problems_of,
    problems_text,
    save_fit,
    save_plot,
    say_notes,
)


def fit(
    files: Files,
    /,
    *,
    reading: Reading | None = None,
    fitting: Fitting | None = None,
    intervals: FitIntervals | None = None,
    plot: str | None = None,
    out: str | None = None,
    json: bool = False,
) -> None:
    """Fit a scaling law exactly and say how sure its values are.

    Parameters
    ----------
    plot
        Draw loss against compute with the band, to .svg, .png, .html or .json.
    out
        Save the fit to one JSON file, which predict and allocate read.
    json
        Print one JSON object instead of text.
    """
    from kleiber.fitting.report import summary
    from kleiber.judging import check, hidden_line

    asked = intervals or FitIntervals()
    runs = (reading or Reading()).read(files)
    made = (fitting or Fitting()).fit(runs, asked.bootstraps or 0)
    findings, problems = check(made), problems_of(runs, made)
    # Files come first: where one cannot be written, nothing is printed but the error.
    if out:
        save_fit(out, made)
    if plot:
        save_plot(plot, made, level=asked.level)
    if json:
        content = made.to_dict(asked.level, asked.method)
        content["findings"] = [finding.to_dict() for finding in findings]
        content["problems"] = [problem.to_dict() for problem in problems]
        print_json({**content, "command": command()})
    else:
        say_notes(runs)
        extra = [
            ("hidden", hidden_line(runs, made, level=asked.level, method=asked.method)),
            *problems_text(problems),
            *findings_text(findings),
            ("again", command()),
        ]
        print(summary(made, asked.level, asked.method, extra))
