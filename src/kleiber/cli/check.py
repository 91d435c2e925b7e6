"""kleiber check: the findings of a fit, and nothing else."""

from __future__ import annotations

from kleiber.cli.options import Files, Fitting, Reading
from kleiber.cli.output import command, print_json, problems_text
from kleiber.cli.source import saved_or_made

STRICT = 3


def check(
    files: Files,
    /,
    *,
    params: str | None = None,
    tokens: str | None = None,
    reading: Reading | None = None,
    fitting: Fitting | None = None,
    strict: bool = False,
    json: bool = False,
) -> int:
    """Say what is wrong with a fit, by stable codes, with the numbers and the remedy.

    Parameters
    ----------
    params
        Model size of a prediction to judge too.
    tokens
        Training tokens of a prediction to judge too.
    strict
        Exit with 3 where there is an issue.
    json
        Print one JSON object instead of text.
    """
    from kleiber import judging

    made, problems = saved_or_made(files, reading, fitting, 0, quiet=json)
    asked = made.predict(params, tokens) if params or tokens else None
    found = judging.check(made, asked)
    if json:
        print_json(
            {
                "schema": "kleiber.check/1",
                "law": made.law.name,
                "status": made.status.code,
                "findings": [finding.to_dict() for finding in found],
                "problems": [problem.to_dict() for problem in problems],
                "command": command(),
            }
        )
    else:
        for label, text in problems_text(problems):
            print(f"{label}: {text}")
        for finding in found:
            print(f"{finding.code} {finding.severity}: {finding.title}")
            print(f"  {finding.message}\n  {finding.remedy}")
        issues = sum(finding.severity == "issue" for finding in found)
        print(f"{issues} issues, {len(found) - issues} tips in {len(judging.CHECKS) + 1} checks")
    return STRICT if strict and any(one.severity == "issue" for one in found) else 0
