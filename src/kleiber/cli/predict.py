"""kleiber predict: the loss of a run not yet trained."""

from __future__ import annotations

from collections.abc import Sequence

from kleiber.cli.options import Files, Fitting, Intervals, Reading, count_if
from kleiber.cli.output import (
    command,
    findings_text,
    print_json,
    problems_text,
    save_plot,
    say_notes,
)
from kleiber.cli.source import saved_or_made


def predict(
    files: Files,
    /,
    *,
    params: str | None = None,
    tokens: str | None = None,
    unique_tokens: str | None = None,
    experts: str | None = None,
    prior: str | None = None,
    without: str | None = None,
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
    prior
        Borrow strength from past families: bundled, weak, or a file of kleiber calibrate. Works
        from a single run; the interval is calibrated on families left out [default: none].
    without
        Source to leave out of the prior by name; one whose runs these are is left out unasked.
    plot
        Draw loss against compute with the band and the prediction, to .svg, .png, .html or
        .json.
    json
        Print one JSON object instead of text.
    """
    from kleiber.errors import UsageError
    from kleiber.judging import check

    asked = intervals or Intervals()
    wanted = (count_if(params, "--params"), count_if(tokens, "--tokens", "140B"))
    if prior is not None and prior != "none":
        given = {"--plot": plot, "--unique-tokens": unique_tokens, "--experts": experts}
        refused = [name for name, value in given.items() if value is not None]
        if fitting not in (None, Fitting()):
            refused.append("an option of fitting")
        _with_prior((prior, without), files, wanted, reading, asked, refused, json=json)
        return
    if without is not None:
        raise UsageError(
            f"--without {without} leaves a source out of a prior, and none is asked for.",
            remedy="Add --prior bundled, or leave --without out.",
        )
    more = {
        "unique_tokens": count_if(unique_tokens, "--unique-tokens", "25B"),
        "experts": count_if(experts, "--experts", "64"),
    }
    method = asked.method
    made, problems = saved_or_made(files, reading, fitting, asked.bootstraps, quiet=json)
    found = made.predict(*wanted, level=asked.level, method=method, **more)
    findings = check(made, found)
    if plot:
        save_plot(plot, made, found, asked.level)
    if json:
        content = made.to_dict(asked.level, method)
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


def _with_prior(
    prior: tuple[str, str | None],
    files: Files,
    wanted: tuple[float | None, float | None],
    reading: Reading | None,
    asked: Intervals,
    refused: Sequence[str],
    *,
    json: bool,
) -> None:
    """Predict under a prior and print what the answer rests on."""
    from kleiber.errors import UsageError
    from kleiber.judging.forecast import forecast

    params, tokens = wanted
    if params is None or tokens is None:
        lacks = "--params" if params is None else "--tokens"
        raise UsageError(
            f"A forecast is of a size and of tokens, and {lacks} is missing.",
            remedy="Write for example --params 7B --tokens 140B.",
        )
    if refused:
        raise UsageError(
            "A forecast with a prior fits the Chinchilla law in its own way; "
            f"{refused[0]} was given.",
            remedy="Leave it out, or leave --prior out.",
        )
    width = asked.width
    runs = (reading or Reading()).read(files)
    if not json:
        say_notes(runs)
    found = forecast(
        runs,
        params,
        tokens,
        prior=prior[0],
        without=prior[1],
        level=asked.level,
        interval=width,
    )
    if json:
        print_json({**found.to_dict(), "command": command()})
        return
    print(found.text())
    if found.synthetic:
        print("SYNTHETIC DATA: generated from a known law, no model was trained")
    for label, text in [*problems_text(found.problems), *findings_text(found.findings)]:
        print(f"{label}: {text}")
