"""A fit made again: with its largest size hidden, and from the table that its page carries."""

from __future__ import annotations

import csv
import io
import shlex
from typing import TYPE_CHECKING

from kleiber.errors import KleiberError
from kleiber.judging import Hidden, hide_as

if TYPE_CHECKING:
    import polars as pl

    from kleiber.fitting import Fit

TABLE = "kleiber-runs.csv"


def hide_again(fit: Fit, *, level: float = 0.9, method: str | None = None) -> Hidden | str:
    """Fit the same points without the largest size and predict it, or say why that cannot be."""
    from kleiber.runs import Runs

    try:
        runs = Runs.read(_table(fit), unit="nats")
        return hide_as(fit, runs, "all", level=level, method=method)
    except KleiberError as error:
        return error.message


def _table(fit: Fit) -> pl.DataFrame:
    """Return the fitted points as a table of runs."""
    import polars as pl

    points = fit.points
    return pl.DataFrame(
        {
            "run": [points.names[int(i)] for i in points.run],
            "params": points.params,
            "tokens": points.tokens,
            **{n: points.predictor(n) for n in fit.law.predictors if n in points.more},
            "loss": points.loss,
            "final": points.final,
        }
    ).with_columns(*([pl.lit(True).alias("synthetic")] if fit.data.synthetic else []))


def table_csv(fit: Fit) -> str:
    """Return the fitted points as CSV, every digit kept."""
    frame = _table(fit)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.iter_rows():
        writer.writerow(str(v).lower() if isinstance(v, bool) else v for v in row)
    return out.getvalue()


def fit_command(fit: Fit) -> str:
    """Return the command that makes the fit again from the table that the page carries."""
    held = fit.constraints
    words = ["kleiber", "fit", TABLE, "--law", fit.law.name, "--unit", "nats", "--points", "all"]
    words += ["--objective", fit.objective_name, "--seed", str(fit.seed)]
    if fit.delta is not None and fit.delta_rule != "auto":
        words += ["--delta", repr(fit.delta)]
    if fit.data.params_are != "unknown":
        words += ["--params-are", fit.data.params_are]
    for name, value in held.fix.items():
        words += ["--fix", f"{name}={value!r}"]
    for first, second in held.tie:
        words += ["--tie", f"{first}={second}"]
    for name, (low, high) in held.bounds.items():
        words += ["--bounds", f"{name}={low!r}:{high!r}"]
    return shlex.join(words)
