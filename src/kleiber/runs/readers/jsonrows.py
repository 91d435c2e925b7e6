"""JSON: one object a line, an array of objects, or an object of columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from kleiber.errors import InputError, ValuesError
from kleiber.runs.notes import listing


def read_json(text: str, *, source: str) -> tuple[pl.DataFrame, list[int] | None]:
    """Return JSON rows as text columns, with the line of each where each has its own.

    Raises InputError for text that is no JSON, ValuesError for rows that are no objects.
    """
    head = text.lstrip()
    if head.startswith("["):
        return _of_array(_parsed(text, source), source), None
    lines = [(i, line) for i, line in enumerate(text.splitlines(), start=1) if line.strip()]
    try:
        objects = [json.loads(line) for _, line in lines]
    except json.JSONDecodeError as error:
        return _of_whole(text, source, broken=_place(lines, error)), None
    if len(objects) == 1 and _is_columns(objects[0]):
        return _of_columns(objects[0], source), None
    return records_frame(objects, source=source), [i for i, _ in lines]


def records_frame(records: Sequence[object], *, source: str) -> pl.DataFrame:
    """Return a list of objects as text columns; nested objects become ``outer.inner``."""
    wrong = [i for i, record in enumerate(records, start=1) if not isinstance(record, Mapping)]
    if wrong:
        raise ValuesError(
            f"{source} has rows that are no objects: row {listing(wrong)}.",
            remedy='Write each row as an object, such as {"params": "125M", "loss": 3.1}.',
        )
    flat = [_flat(record) for record in records if isinstance(record, Mapping)]
    names = list(dict.fromkeys(name for row in flat for name in row))
    if not flat or not names:
        raise InputError(f"{source} has no rows.", remedy="Give at least one object.")
    return pl.DataFrame(
        {name: pl.Series(name, [row.get(name) for row in flat], dtype=pl.String) for name in names}
    )


def text_of(value: object) -> str | None:
    """Return a cell as text that reads back to the same number."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, (list, dict)) else str(value)


def _flat(record: Mapping[object, object], prefix: str = "") -> dict[str, str | None]:
    row: dict[str, str | None] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            row |= _flat(value, f"{prefix}{key}.")
        else:
            row[f"{prefix}{key}"] = text_of(value)
    return row


def _parsed(text: str, source: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{source} is no JSON: {error.msg} at line {error.lineno}.",
            remedy="Give an array of objects, or one object a line.",
        ) from None
    except RecursionError:
        raise InputError(
            f"{source} nests too deeply to be a table.", remedy="Give an array of flat objects."
        ) from None


def _place(lines: Iterable[tuple[int, str]], error: json.JSONDecodeError) -> str:
    line = next((i for i, line in lines if line == error.doc), 0)
    return f"{error.msg} at line {line}"


def _of_whole(text: str, source: str, *, broken: str) -> pl.DataFrame:
    """Read text whose lines are no objects as one object over many lines."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        raise InputError(
            f"{source} is no JSON: {broken}.",
            remedy="Give an array of objects, or one object a line.",
        ) from None
    if _is_columns(whole):
        return _of_columns(whole, source)
    return records_frame([whole], source=source)


def _of_array(whole: object, source: str) -> pl.DataFrame:
    return records_frame(whole if isinstance(whole, list) else [whole], source=source)


def _is_columns(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(column, list) for column in value.values())
    )


def _of_columns(value: Mapping[str, list[object]], source: str) -> pl.DataFrame:
    lengths = {name: len(column) for name, column in value.items()}
    if len(set(lengths.values())) > 1:
        raise ValuesError(
            f"{source} has columns of unequal length: "
            f"{listing(f'{name} {n}' for name, n in lengths.items())}.",
            remedy="Give every column as many values.",
        )
    if not any(lengths.values()):
        raise InputError(f"{source} has no rows.", remedy="Give at least one row.")
    return pl.DataFrame(
        {
            name: pl.Series(name, [text_of(cell) for cell in column], dtype=pl.String)
            for name, column in value.items()
        }
    )
