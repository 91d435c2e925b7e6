"""Tables for charts: columns or rows in, rows of plain checked values out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from kleiber.errors import ColumnError, ValuesError
from kleiber.units import flops_6nd, format_count

Row: TypeAlias = dict[str, Any]
Table: TypeAlias = Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Any]]
"""Columns by name, or rows of named values."""


def rows_of(table: Table, needed: Sequence[str], what: str) -> list[Row]:
    """Return a table as rows, or raise a ColumnError that names the columns it lacks."""
    if isinstance(table, Mapping):
        named = cast("Mapping[str, Sequence[Any]]", table)
        columns = {name: list(values) for name, values in named.items()}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise ColumnError(
                f"The {what} have columns of {sorted(lengths)} rows; give one length."
            )
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    else:
        rows = [dict(row) for row in table]
    for row in rows:
        lacking = [name for name in needed if name not in row]
        if lacking:
            raise ColumnError(
                f"The {what} have no {', '.join(lacking)}; they have {', '.join(row)}.",
                remedy=f"A chart needs {', '.join(needed)} in every row of the {what}.",
            )
    return rows


def positive(row: Row, name: str, what: str) -> float:
    """Return a value that can stand on a log axis, or raise a ValuesError that shows it."""
    value = float(row[name])
    if not (math.isfinite(value) and value > 0):
        raise ValuesError(
            f"{what} has {name} = {value}, which has no place on a log axis.",
            remedy="Leave such rows out before drawing.",
        )
    return value


def run_rows(points: Table, needed: Sequence[str]) -> list[Row]:
    """Return one drawable row a point: numbers as floats, and texts for tooltips."""
    drawn: list[Row] = []
    for row in rows_of(points, ("params", "tokens", *needed), "points"):
        name = str(row.get("run", ""))
        what = f"Run '{name}'" if name else "A run"
        params, tokens = positive(row, "params", what), positive(row, "tokens", what)
        flops = flops_6nd(params, tokens)
        numbers = {name: positive(row, name, what) for name in needed if name != "run"}
        drawn.append(
            {"run": name, "params": params, "tokens": tokens, "flops": flops}
            | numbers
            | {
                "role": str(row.get("role", "fitted")),
                "size": format_count(params),
                "seen": format_count(tokens),
                "compute": f"{flops:.3g} FLOPs".replace("e+", "e"),
            }
        )
    if not drawn:
        raise ValuesError("There are no points to draw.")
    return drawn


def is_synthetic(points: Table) -> bool:
    """Return whether any row says that it was generated and not trained."""
    rows = rows_of(points, (), "points")
    return any(str(row.get("synthetic", "")).lower() in ("true", "1", "yes") for row in rows)
