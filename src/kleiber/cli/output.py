"""Where words go: data on stdout, talk on stderr, JSON alone when it is asked for."""

from __future__ import annotations

import json
import shlex
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.errors import UsageError

if TYPE_CHECKING:
    from kleiber.fitting import Fit, Prediction
    from kleiber.judging import Finding
    from kleiber.runs import Runs
    from kleiber.runs.problems import Problem

# The command line that is running, which is not sys.argv where Python calls `run`.
ARGUMENTS: ContextVar[tuple[str, ...]] = ContextVar("ARGUMENTS", default=())


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object; unknown numbers are null."""
    from kleiber.fitting.store import plain

    print(json.dumps(plain(content), indent=2))


def say(text: str) -> None:
    """Talk on stderr."""
    print(text, file=sys.stderr)


def say_notes(runs: Runs) -> None:
    """Say on stderr what reading the table took: guesses, conversions, omissions."""
    for note in runs.notes:
        say(f"{note.kind}: {note.message}")


def command() -> str:
    """Return the command line that makes this output again."""
    return shlex.join(["kleiber", *ARGUMENTS.get()])


def problems_of(runs: Runs, fit: Fit) -> tuple[Problem, ...]:
    """Return what in the table would mislead this fit; a law without one of the two asks less."""
    answered = () if {"params", "tokens"} <= {*fit.law.predictors} else ("single-",)
    if fit.data.selection != "finals":
        answered = (*answered, "few-runs")
    return tuple(one for one in runs.describe().problems if not one.code.startswith(answered))


def problems_text(problems: tuple[Problem, ...]) -> list[tuple[str, str]]:
    """Return problems of a table as labelled lines of a report."""
    return [("problem", f"{one.message} {one.remedy}".strip()) for one in problems]


def findings_text(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    """Return findings as labelled lines of a report."""
    return [(f"{f.code} {f.severity}", f"{f.title}: {f.message} {f.remedy}") for f in findings]


def save_fit(path: str, fit: Fit) -> Path:
    """Save the fit and say where it is."""
    target = Path(path)
    if target.is_dir() or not target.parent.is_dir():
        what = "is a folder" if target.is_dir() else "lies in a folder that does not exist"
        raise UsageError(f"'{path}' {what}.", remedy="Name a file, such as --out fit.json.")
    saved = fit.save(target)
    say(f"saved {saved}")
    return saved


def save_plot(
    path: str, fit: Fit, prediction: Prediction | None = None, level: float = 0.9
) -> Path:
    """Draw the fit to a file and say where it is."""
    from kleiber.charts import draw_fit, save_chart

    target = Path(path)
    save_chart(draw_fit(fit, prediction=prediction, level=level), target)
    say(f"drew {target}")
    return target
