"""Keep the rows that equal what was asked: ``metric=val_loss,kind=loss_nats``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from kleiber.errors import ValuesError
from kleiber.runs.columns import existing, parse_pairs
from kleiber.runs.notes import Note, counted, listing
from kleiber.runs.readers.raw import Raw

Where = str | Mapping[str, object] | None


def apply_where(raw: Raw, where: Where) -> Raw:
    """Return the rows in which each named column equals its value, or one of its values.

    Values are compared as text, and as numbers where both are. Raises ColumnError for an
    unknown column, ValuesError when nothing is left.
    """
    if not where:
        return raw
    wanted = parse_pairs(where, "--where") if isinstance(where, str) else dict(where)
    kept = raw.frame
    for name, value in wanted.items():
        column = existing(name, raw.columns)
        values = _values(value)
        before = kept
        kept = kept.filter(_equal(kept[column], values))
        if kept.height == 0:
            there = before[column].unique().sort().cast(pl.String).drop_nulls().to_list()
            raise ValuesError(
                f"No row has {name}={' or '.join(values)}.",
                remedy=f"The values of '{column}' are: {listing(there, limit=12)}.",
            )
    text = ", ".join(f"{name}={' or '.join(_values(value))}" for name, value in wanted.items())
    said = f"{counted(kept.height, 'row')} of {raw.frame.height:,} have {text}."
    return raw.with_frame(kept, Note("left-out", said))


def _values(value: object) -> list[str]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_text(one) for one in value]
    return [_text(value)]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _equal(column: pl.Series, values: list[str]) -> pl.Series:
    texts = column.cast(pl.String).str.strip_chars()
    equal = texts.is_in(values)
    wanted = pl.Series(values).cast(pl.Float64, strict=False).drop_nulls()
    if len(wanted):
        numbers = texts.cast(pl.Float64, strict=False)
        equal = equal | numbers.is_in(wanted.to_list())
    return equal.fill_null(False)
