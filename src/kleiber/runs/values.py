"""From cells to numbers: what counts as missing, what as wrong, and how both are said."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kleiber.errors import KleiberError, ValuesError
from kleiber.runs.notes import Note, counted
from kleiber.runs.readers.raw import Raw
from kleiber.units import parse_count

MISSING = ("", "na", "n/a", "nan", "none", "null", "-", "--", "#n/a", "<na>")
_TRUE = ("true", "1", "yes", "y", "t", "1.0")
_FALSE = ("false", "0", "no", "n", "f", "0.0")


@dataclass(frozen=True)
class Fault:
    """Rows that break one rule; ``bad`` ones are an error, others are left out and said."""

    rows: pl.Series
    said: str
    field: str
    bad: bool


def numbers(cells: pl.Series, *, counts: bool) -> tuple[pl.Series, pl.Series]:
    """Return cells as floats with null for missing, and a mask of those that are no number.

    With ``counts`` text such as "1.5B" and "1,000,000" is a number.
    """
    none = pl.repeat(False, len(cells), eager=True)
    if cells.dtype == pl.Boolean:
        return pl.Series(cells.name, [None] * len(cells), dtype=pl.Float64), cells.is_not_null()
    if cells.dtype.is_numeric() or cells.dtype == pl.Null:
        return cells.cast(pl.Float64).fill_nan(None), none
    texts = cells.cast(pl.String).str.strip_chars()
    texts = texts.set(texts.str.to_lowercase().is_in(list(MISSING)).fill_null(False), None)
    found = texts.cast(pl.Float64, strict=False)
    odd = texts.is_not_null() & found.is_null()
    if counts and odd.any():
        found = _parsed(texts, found, odd)
        odd = texts.is_not_null() & found.is_null()
    return found.fill_nan(None), odd


def unlike_numbers(cells: pl.Series) -> pl.Series:
    """Return a mask of cells in which NaN or an infinity is written; an empty one has neither."""
    if cells.dtype in (pl.Boolean, pl.Null):
        return pl.repeat(False, len(cells), eager=True)
    if not cells.dtype.is_numeric():
        cells = cells.cast(pl.String).str.strip_chars()
    values = cells.cast(pl.Float64, strict=False)
    return (values.is_nan() | values.is_infinite()).fill_null(False)


def _parsed(texts: pl.Series, found: pl.Series, odd: pl.Series) -> pl.Series:
    values: dict[str, float] = {}
    for text in texts.filter(odd).unique().to_list():
        try:
            values[text] = parse_count(text)
        except KleiberError:
            continue
    if not values:
        return found
    known = texts.replace_strict(values, default=None, return_dtype=pl.Float64)
    return pl.select(pl.when(odd).then(known).otherwise(found)).to_series()


def booleans(cells: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return cells as true, false or null, and a mask of those that are none of them."""
    texts = cells.cast(pl.String).str.strip_chars().str.to_lowercase()
    texts = texts.set(texts.is_in(list(MISSING)).fill_null(False), None)
    yes, no = texts.is_in(list(_TRUE)), texts.is_in(list(_FALSE))
    values = pl.select(pl.when(yes).then(True).when(no).then(False).otherwise(None)).to_series()
    return values, texts.is_not_null() & values.is_null()


def faults_of(field: str, column: str, values: pl.Series, odd: pl.Series) -> list[Fault]:
    """Return what is wrong with a required field's cells, given as numbers with odd ones out."""
    seen = values.is_not_null()
    label = field if column == field else f"{field} ('{column}')"
    infinite = values.is_infinite().fill_null(False)
    negative = (values < 0).fill_null(False) & ~infinite
    zero = (values == 0).fill_null(False)
    found = [
        Fault(odd, f"text in place of a number for {label}", field, bad=True),
        Fault(~seen & ~odd, f"no {label}", field, bad=False),
        Fault(infinite, f"an infinite {label}", field, bad=field != "loss"),
    ]
    if field == "tokens":
        found.append(Fault(negative, f"negative {label}", field, bad=True))
        found.append(Fault(zero, f"zero {label}", field, bad=False))
    else:
        found.append(Fault(negative | zero, f"zero or negative {label}", field, bad=True))
    return [fault for fault in found if fault.rows.any()]


def drop_faults(
    raw: Raw, faults: list[Fault], cells: dict[str, pl.Series], *, drop_bad: bool
) -> tuple[pl.Series, list[Note]]:
    """Return the mask of rows to keep, and what is said of the others.

    Raises ValuesError for values no run can have, unless ``drop_bad``.
    """
    wrong = [fault for fault in faults if fault.bad]
    if wrong and not drop_bad:
        raise ValuesError(
            f"{raw.source}: " + "; ".join(_said(raw, fault, cells) for fault in wrong) + ".",
            remedy="Mend the values, choose other columns with --columns, or leave these rows "
            "out with --drop-bad.",
        )
    keep = pl.repeat(True, raw.frame.height, eager=True)
    notes: list[Note] = []
    for fault in faults:
        fresh = fault.rows & keep
        if fresh.any():
            said = _said(raw, Fault(fresh, fault.said, fault.field, fault.bad), cells)
            notes.append(Note("left-out", f"{said}; left out."))
        keep = keep & ~fault.rows
    if not keep.any():
        reasons = "; ".join(_said(raw, fault, cells) for fault in faults)
        raise ValuesError(
            f"{raw.source} has no row that can be used: {reasons}.",
            remedy="Choose other columns with --columns.",
        )
    return keep, notes


def _said(raw: Raw, fault: Fault, cells: dict[str, pl.Series]) -> str:
    count = counted(int(fault.rows.sum()), "row")
    values = cells.get(fault.field) if fault.bad or "infinite" in fault.said else None
    return f"{count} with {fault.said}: {raw.places(fault.rows, values)}"
