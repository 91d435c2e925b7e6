"""Which rows are one run: a run column, composed columns, a file each, or a row each."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kleiber.runs.columns import Choice, given_choice, guess, normal
from kleiber.runs.notes import Note, counted, listing
from kleiber.runs.readers.raw import FILE, LINE, RUN, Raw


def name_runs(raw: Raw, given: Mapping[str, str]) -> tuple[Raw, bool]:
    """Return the table with a hidden column of run names, and whether the source named them."""
    choice = _choice(raw, given)
    if choice is not None:
        return _by_column(raw, choice), True
    files = [_by_file(part, given, len(raw.files)) for part in raw.frame.partition_by(FILE)]
    frame = pl.concat([part for part, _ in files])
    named = any(one for _, one in files)
    return raw.with_frame(frame, _said(files, raw)), named


def _choice(raw: Raw, given: Mapping[str, str]) -> Choice | None:
    if "run" in given:
        return given_choice("run", given, raw.columns)
    return guess("run", raw.columns)


def _by_column(raw: Raw, choice: Choice) -> Raw:
    parts = [pl.col(name).cast(pl.String).str.strip_chars() for name in choice.columns]
    names = pl.concat_str(parts, separator="/", ignore_nulls=False)
    frame = raw.frame.with_columns(names.replace("", None).alias(RUN))
    empty = frame[RUN].is_null()
    notes: list[Note] = []
    if choice.how == "guessed":
        notes.append(Note("guessed", f"Runs by the column '{choice.column}'."))
    if empty.any():
        rows, place = counted(int(empty.sum()), "row"), raw.places(empty)
        said = f"{rows} without a run name: {place}; each counted as a run of its own."
        notes.append(Note("warning", said))
        own = pl.concat_str(pl.lit(f"{raw.counts}-"), pl.col(LINE).cast(pl.String))
        frame = frame.with_columns(pl.col(RUN).fill_null(own))
    return raw.with_frame(frame, *notes)


def _by_file(part: pl.DataFrame, given: Mapping[str, str], files: int) -> tuple[pl.DataFrame, bool]:
    """Name a file's rows: one run where it is a log of one training, else a run a row."""
    stem = str(part[FILE][0])
    if _is_log(part, given, files):
        return part.with_columns(pl.lit(stem).alias(RUN)), True
    prefix = f"{stem}-" if files > 1 else ""
    names = pl.Series(RUN, [f"{prefix}row-{i}" for i in range(1, part.height + 1)])
    return part.with_columns(names), False


def _is_log(part: pl.DataFrame, given: Mapping[str, str], files: int) -> bool:
    """Return whether a file is one run's log: one size, and steps or a file of its own."""
    own = [name for name in part.columns if part[name].null_count() < part.height]
    params = _column("params", given, own)
    one_size = params is None or part[params].drop_nulls().n_unique() <= 1
    if not one_size or files > 1:
        return one_size
    step = _column("step", given, own)
    return (
        step is not None and normal(step).endswith("step") and not part[step].is_duplicated().any()
    )


def _column(field: str, given: Mapping[str, str], columns: list[str]) -> str | None:
    if field in given:
        return given[field] if given[field] in columns else None
    choice = guess(field, columns)
    return choice.column if choice is not None else None


def _said(files: list[tuple[pl.DataFrame, bool]], raw: Raw) -> Note:
    logs = [str(part[FILE][0]) for part, named in files if named]
    if len(logs) == len(files):
        what = "file is one run" if len(logs) == 1 else "files are one run each"
        return Note("assumed", f"The {what}, named by file: {listing(logs, limit=3)}.")
    rows = sum(part.height for part, named in files if not named)
    said = f"No run names: each of {counted(rows, 'row')} is counted as a finished run."
    if guess("step", raw.columns) is not None:
        said += " There are steps: if rows are checkpoints, name runs by --columns run=A+B."
        return Note("warning", said)
    return Note("assumed", said)
