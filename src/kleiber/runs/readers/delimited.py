"""CSV and TSV text, every cell kept as text so that an error can name its line."""

from __future__ import annotations

import csv
import io

import polars as pl

from kleiber.errors import InputError, ValuesError
from kleiber.runs.notes import counted


def read_delimited(text: str, *, source: str, suffix: str = "") -> tuple[pl.DataFrame, list[int]]:
    """Return the cells as text columns, and the line of each row (the header is line 1).

    Raises InputError for no header or no rows, ValuesError for rows of another length.
    """
    delimiter = "\t" if suffix in (".tsv", ".tab") else _delimiter(text)
    rows, lines = _rows(text, delimiter, source)
    if not rows:
        raise InputError(f"{source} is empty.", remedy="Give a table with a header and rows.")
    header = _header(rows[0])
    if len(rows) == 1:
        raise InputError(
            f"{source} has a header ({', '.join(header[:6])}) and no rows.",
            remedy="Give a table with at least one row below the header.",
        )
    _check_lengths(rows, lines, len(header), source)
    cells = {
        name: pl.Series(name, [row[i] for row in rows[1:]], dtype=pl.String)
        for i, name in enumerate(header)
    }
    return pl.DataFrame(cells), lines[1:]


def _delimiter(text: str) -> str:
    first = text.lstrip("\r\n").partition("\n")[0]
    return max((",", "\t", ";"), key=first.count)


def _rows(text: str, delimiter: str, source: str) -> tuple[list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{source} stops being a table at line {start}: {error}.",
            remedy="Check the quotation marks there, or save the table again as CSV.",
        ) from None
    return rows, lines


def _header(cells: list[str]) -> list[str]:
    header: list[str] = []
    seen: dict[str, int] = {}
    for i, cell in enumerate(cells):
        name = cell.strip() or f"column {i + 1}"
        seen[name] = seen.get(name, 0) + 1
        header.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return header


def _check_lengths(rows: list[list[str]], lines: list[int], width: int, source: str) -> None:
    wrong = [(line, len(row)) for row, line in zip(rows, lines, strict=True) if len(row) != width]
    if wrong:
        line, cells = wrong[0]
        others = f", and {len(wrong) - 1:,} further lines too" if len(wrong) > 1 else ""
        raise ValuesError(
            f"{source} line {line} has {counted(cells, 'cell')} where the header has "
            f"{width}{others}.",
            remedy="Give every row as many cells as the header, and put numbers such as "
            '"1,000,000" between quotation marks.',
        )
