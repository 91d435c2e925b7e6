"""kleiber predict: the loss of a run not yet trained."""

from __future__ import annotations

from kleiber.cli.options import Files, Fitting, Intervals, Reading, count_if
from kleiber.cli.output import command, findings_text, print_json, problems_text, save_plot
from kleiber.cli.source import saved_or_made


def predict(
    files: Files,
    /,
    *,
    params: str | None = None,
    tokens: str | None = None,
    unique_tokens: str | None = None,
    experts: str | None = None,
    reading: Reading | None = None,
    fitting: Fitting | None = None,
    intervals: Intervals | None = None,
    plot: str | None = None,
    json: bool = False,
) -> None:
    """Predict the loss of a run from a table or a saved fit, with the interval of a new run.

    Parameters
    ----------
    params
        Model size to predict, such as 7e9 or 7B.
    tokens
        Training tokens to predict, such as 140e9 or 140B.
    unique_tokens
        How many of the tokens are unique, for a law that reads it (--law repetition).
    experts
        Experts of each routed layer, for a law that reads it (--law routed); 1 is dense.
    plot
        Draw loss against compute with the band and the prediction, to .svg, .png, .html or
        .json.
    json
        Print one JSON object instead of text.
    """
    from kleiber.judging import check

    asked = intervals or Intervals()
    wanted = (count_if(params, "--params"), count_if(tokens, "--tokens", "140B"))
    more = {
        "unique_tokens": count_if(unique_tokens, "--unique-tokens", "25B"),
        "experts": count_if(experts, "--experts", "64"),
    }
    made, problems = saved_or_made(files, reading, fitting, asked.bootstraps, quiet=json)
    found = made.predict(*wanted, level=asked.level, method=asked.method, **more)
    findings = check(made, found)
    if plot:
        save_plot(plot, made, found, asked.level)
    if json:
        content = made.to_dict(asked.level, asked.method)
        content |= {
            **found.to_dict(),
            "schema": "kleiber.predict/1",
            "findings": [finding.to_dict() for finding in findings],
            "problems": [problem.to_dict() for problem in problems],
            "command": command(),
        }
        print_json(content)
    else:
        print(found.sentence())
        if made.data.synthetic:
            print("SYNTHETIC DATA: generated from a known law, no model was trained")
        for label, text in [*problems_text(problems), *findings_text(findings)]:
            print(f"{label}: {text}")
