"""Tables already in memory: pandas, polars and pyarrow frames, dictionaries, lists of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl

from kleiber.errors import InputError, ValuesError
from kleiber.runs.readers.jsonrows import records_frame, text_of
from kleiber.runs.readers.raw import Raw, located


def read_frame(source: object) -> Raw:
    """Return a table in memory as raw columns; its rows are counted from 1.

    Raises InputError for an object that is no table, and for a table without rows.
    """
    frame = frame_of(source)
    if frame.height == 0 or frame.width == 0:
        raise InputError("The table has no rows.", remedy="Give a table with at least one row.")
    return located(frame, None, source="the table given", file="table")


def frame_of(source: object) -> pl.DataFrame:
    """Return a table in memory as a polars frame."""
    if isinstance(source, Mapping):
        return _of_columns({str(name): column for name, column in source.items()})
    if isinstance(source, Sequence) and not isinstance(source, (str, bytes)):
        return records_frame(list(source), source="The list given")
    if isinstance(source, pl.DataFrame):
        return source
    native: Any = source
    try:
        table = nw.from_native(native)
        eager = table.collect() if isinstance(table, nw.LazyFrame) else table
        return pl.DataFrame([_series(str(name), eager[name]) for name in eager.columns])
    except TypeError:
        raise InputError(
            f"Runs cannot be read from a {type(source).__name__}.",
            remedy="Give a path, a pandas, polars or pyarrow frame, or a dictionary of lists.",
        ) from None
    except nw.exceptions.DuplicateError:
        raise InputError(
            "The frame has two columns of one name.", remedy="Give each column a name of its own."
        ) from None


def _of_columns(columns: Mapping[str, object]) -> pl.DataFrame:
    series: list[pl.Series] = []
    for name, column in columns.items():
        values: Any = column
        if isinstance(column, (str, bytes)) or not hasattr(values, "__len__"):
            raise ValuesError(
                f"Column '{name}' is {column!r}, not a list of values.",
                remedy='Give columns as lists, such as {"params": [1e8, 2e8]}.',
            )
        series.append(_of_values(name, list(values)))
    if len({len(one) for one in series}) > 1:
        lengths = ", ".join(f"{one.name} {len(one)}" for one in series)
        raise ValuesError(
            f"The columns have unequal lengths: {lengths}.",
            remedy="Give every column as many values.",
        )
    return pl.DataFrame(series)


def _series(name: str, column: nw.Series[Any]) -> pl.Series:
    if (column.dtype.is_float() or column.dtype.is_integer()) and not column.is_null().any():
        return pl.Series(name, column.to_numpy())
    return _of_values(name, column.to_list())


def _of_values(name: str, values: list[Any]) -> pl.Series:
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    if all(isinstance(value, (int, float)) or value is None for value in plain):
        try:
            return pl.Series(name, plain, strict=False)
        except (TypeError, OverflowError):
            pass
    return pl.Series(name, [None if _absent(v) else text_of(v) for v in plain], dtype=pl.String)


def _absent(value: object) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType")
