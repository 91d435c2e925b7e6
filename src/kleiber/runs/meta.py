"""What is known of each run from elsewhere: ``--meta FILE.csv``, or a dictionary by run."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kleiber.errors import ColumnError, ValuesError
from kleiber.runs.columns import guess
from kleiber.runs.notes import Note, counted, listing
from kleiber.runs.readers import read_source
from kleiber.runs.readers.raw import RUN, Raw


def join_meta(raw: Raw, meta: object) -> Raw:
    """Return the table with the meta table's columns added, by run name.

    ``meta`` is a table with a run column, or a mapping from run to its fields (or only to its
    parameter count). Its columns replace the table's own of the same name. Raises ColumnError
    without a run column, ValuesError for runs that it lacks or names twice.
    """
    if meta is None:
        return raw
    frame, source = _meta_frame(meta)
    columns = [name for name in frame.columns if name != RUN]
    repeated = frame[RUN].filter(frame[RUN].is_duplicated()).unique().sort().to_list()
    if repeated:
        raise ValuesError(
            f"{source} has {counted(len(repeated), 'run')} on several rows: {listing(repeated)}.",
            remedy="Give each run one row in --meta.",
        )
    _check_all_there(raw, frame, source)
    joined = raw.frame.drop(columns, strict=False).join(
        frame, on=RUN, how="left", maintain_order="left"
    )
    return raw.with_frame(joined, Note("assumed", f"{listing(columns)} by run from {source}."))


def _check_all_there(raw: Raw, frame: pl.DataFrame, source: str) -> None:
    runs = raw.frame[RUN].unique(maintain_order=True)
    missing = runs.filter(~runs.is_in(frame[RUN].to_list())).to_list()
    if missing:
        raise ValuesError(
            f"{source} lacks {counted(len(missing), 'run')}: {listing(missing)}; it has "
            f"{listing(frame[RUN].to_list())}.",
            remedy="Add a row for each run to --meta, or leave runs out with --where.",
        )


def _meta_frame(meta: object) -> tuple[pl.DataFrame, str]:
    if isinstance(meta, Mapping) and not _is_table(meta):
        rows = [{"run": name, **_fields(value)} for name, value in meta.items()]
        raw = read_source(rows)
        source = "the meta given"
    else:
        raw = read_source(meta)
        source = raw.source
    choice = guess("run", raw.columns)
    if choice is None:
        raise ColumnError(
            f"{source} has no run column; its columns are: {listing(raw.columns, limit=12)}.",
            remedy="Add a column run with each run's name to --meta.",
        )
    name = pl.col(choice.column).cast(pl.String).str.strip_chars()
    kept = [column for column in raw.columns if column != choice.column]
    return raw.frame.select(name.alias(RUN), *kept), source


def _is_table(meta: Mapping[object, object]) -> bool:
    return "run" in meta and isinstance(meta["run"], (list, tuple))


def _fields(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return {str(name): one for name, one in value.items()}
    return {"params": value}
