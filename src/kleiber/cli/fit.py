"""kleiber fit: a law from a table of runs."""

from __future__ import annotations

from kleiber.cli.options import Files, Fitting, Intervals, Reading
from kleiber.cli.output import command, findings_text, print_json, save_plot, say, say_notes


def fit(
    files: Files,
    /,
    *,
    reading: Reading | None = None,
    fitting: Fitting | None = None,
    intervals: Intervals | None = None,
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

    asked = intervals or Intervals()
    runs = (reading or Reading()).read(files)
    made = (fitting or Fitting()).fit(runs, asked.bootstraps or 0)
    findings = check(made)
    if json:
        content = made.to_dict(asked.level, asked.method)
        content["findings"] = [finding.to_dict() for finding in findings]
        print_json({**content, "command": command()})
    else:
        say_notes(runs)
        extra = [
            ("hidden", hidden_line(runs, made, level=asked.level)),
            *findings_text(findings),
            ("again", command()),
        ]
        print(summary(made, asked.level, asked.method, extra))
    if out:
        say(f"saved {made.save(out)}")
    if plot:
        save_plot(plot, made, level=asked.level)
