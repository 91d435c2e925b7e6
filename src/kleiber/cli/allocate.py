"""kleiber allocate: the best run of a compute budget."""

from __future__ import annotations

from kleiber.cli.options import Files, Fitting, Intervals, Reading, count
from kleiber.cli.output import command, findings_text, print_json, problems_text
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
    from kleiber.judging import check

    asked = intervals or Intervals()
    budget = count(flops, "--flops", "1e24")
    made, problems = saved_or_made(files, reading, fitting, asked.bootstraps, quiet=json)
    best = planning.allocate(made, budget, level=asked.level, method=asked.method)
    findings = check(made)
    if json:
        content = {"schema": "kleiber.allocate/1", "law": made.law.name, **best.to_dict()}
        content["findings"] = [finding.to_dict() for finding in findings]
        content["problems"] = [problem.to_dict() for problem in problems]
        print_json({**content, "synthetic": made.data.synthetic, "command": command()})
    else:
        print(best.text())
        if made.data.synthetic:
            print("SYNTHETIC DATA: generated from a known law, no model was trained")
        for label, text in [*problems_text(problems), *findings_text(findings)]:
            print(f"{label}: {text}")
