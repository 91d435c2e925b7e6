"""The table behind a Weights & Biases chart: one column for each run and metric.

::

    Step, A - eval/loss, A - eval/loss__MIN, A - eval/loss__MAX, B - eval/loss, ...

becomes one row for each step and run, with a column for each metric. The file says nothing of
a run but its name, so the parameter counts come from elsewhere.
"""

from __future__ import annotations

import re

import polars as pl

from kleiber.runs.notes import Note, counted
from kleiber.runs.readers.raw import Raw, located

_SERIES = re.compile(r"(?P<run>.+) - (?P<metric>.+?)(?P<edge>__MIN|__MAX)?")


def is_chart(columns: list[str]) -> bool:
    """Return whether every column after the first is ``RUN - METRIC``."""
    return len(columns) > 1 and all(_SERIES.fullmatch(name) for name in columns[1:])


def read_chart(frame: pl.DataFrame, lines: list[int], *, source: str, file: str) -> Raw:
    """Return one row for each step and run that has a reading."""
    axis = frame.columns[0]
    metrics: dict[str, dict[str, str]] = {}
    for name in frame.columns[1:]:
        match = _SERIES.fullmatch(name)
        if match is not None and match["edge"] is None:
            metrics.setdefault(match["run"], {})[match["metric"]] = name
    lined = frame.with_columns(pl.Series("__line__", lines, dtype=pl.Int64))
    parts = [_one_run(lined, axis, run, columns) for run, columns in metrics.items()]
    long = pl.concat(parts, how="diagonal")
    kept = long["__line__"].to_list()
    note = Note(
        "assumed",
        f"{source} is a chart export: {counted(len(metrics), 'run')} side by side, read against "
        f"'{axis}'; the __MIN and __MAX columns were not used.",
    )
    return located(long.drop("__line__"), kept, source=source, file=file, chart=True, notes=(note,))


def _one_run(frame: pl.DataFrame, axis: str, run: str, columns: dict[str, str]) -> pl.DataFrame:
    """Return one run's readings; steps at which others were read and it was not are no rows."""
    picked = frame.select(
        pl.lit(run).alias("run"),
        pl.col(axis),
        pl.col("__line__"),
        *(pl.col(name).alias(metric) for metric, name in columns.items()),
    )
    read = [pl.col(metric).str.strip_chars() != "" for metric in columns]
    return picked.filter(pl.any_horizontal(read))
