"""Choosing rows of Runs: by family, recipe, size, share of training, finals or checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from kleiber.errors import ColumnError, UsageError, ValuesError
from kleiber.runs.notes import listing
from kleiber.units import format_count, parse_count

# Sizes asked for match those within this share: "190M" is 190,354,176.
SIZE_TOLERANCE = 0.02


@dataclass(frozen=True)
class Selection:
    """Conditions that a row must all meet; None is no condition."""

    family: str | Sequence[str] | None = None
    recipe: str | Sequence[str] | None = None
    min_params: float | int | str | None = None
    max_params: float | int | str | None = None
    sizes: Sequence[float | int | str] | None = None
    min_fraction: float | None = None
    max_fraction: float | None = None
    min_tokens: float | int | str | None = None
    points: str = "all"


def select_rows(frame: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """Return the rows of a canonical table that meet every condition.

    Raises ColumnError for a column that the table lacks, ValuesError when nothing is left.
    """
    kept = frame
    for said, condition in _conditions(frame, selection):
        before = kept
        kept = kept.filter(condition)
        if kept.height == 0:
            raise ValuesError(f"No rows are left with {said}.", remedy=_there_is(before))
    return kept


def _conditions(frame: pl.DataFrame, chosen: Selection) -> list[tuple[str, pl.Expr]]:
    found: list[tuple[str, pl.Expr]] = []
    for column, names in (("family", chosen.family), ("recipe", chosen.recipe)):
        if names is not None:
            found.append(_named(frame, column, names))
    if chosen.sizes is not None:
        found.append(_sizes(frame, chosen.sizes))
    found += _bounds(chosen)
    if chosen.points not in ("all", "finals", "checkpoints"):
        raise UsageError(
            f"'{chosen.points}' are no points.", remedy="Use all, finals or checkpoints."
        )
    if chosen.points != "all":
        final = pl.col("final")
        found.append((chosen.points, final if chosen.points == "finals" else ~final))
    return found


def _bounds(chosen: Selection) -> list[tuple[str, pl.Expr]]:
    found: list[tuple[str, pl.Expr]] = []
    if chosen.min_params is not None:
        least = parse_count(chosen.min_params)
        found.append((f"params of at least {format_count(least)}", pl.col("params") >= least))
    if chosen.max_params is not None:
        most = parse_count(chosen.max_params)
        found.append((f"params of at most {format_count(most)}", pl.col("params") <= most))
    if chosen.min_tokens is not None:
        least = parse_count(chosen.min_tokens)
        found.append((f"tokens of at least {format_count(least)}", pl.col("tokens") >= least))
    for name, share in (("least", chosen.min_fraction), ("most", chosen.max_fraction)):
        if share is not None:
            if not 0 <= share <= 1:
                raise UsageError(
                    f"A fraction of training lies between 0 and 1, not at {share:g}.",
                    remedy="Write 30 % as 0.3.",
                )
            fraction = pl.col("fraction")
            part = fraction >= share if name == "least" else fraction <= share
            found.append((f"a fraction of training of at {name} {share:g}", part))
    return found


def _named(frame: pl.DataFrame, column: str, names: str | Sequence[str]) -> tuple[str, pl.Expr]:
    wanted = [names] if isinstance(names, str) else list(names)
    if column not in frame.columns:
        raise ColumnError(
            f"The runs have no {column} to choose '{listing(wanted)}' by.",
            remedy=f"Name its column with --columns {column}=NAME.",
        )
    there = frame[column].drop_nulls().unique().sort().to_list()
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise ValuesError(
            f"There is no {column} '{listing(unknown)}'.",
            remedy=f"There are: {listing(there, limit=20)}.",
        )
    return f"{column} {' or '.join(wanted)}", pl.col(column).is_in(wanted)


def _sizes(frame: pl.DataFrame, sizes: Sequence[float | int | str]) -> tuple[str, pl.Expr]:
    there: list[float] = frame["params"].unique().sort().to_list()
    chosen: list[float] = []
    for size in sizes:
        wanted = parse_count(size)
        near = [one for one in there if abs(one - wanted) <= SIZE_TOLERANCE * wanted]
        if wanted in there:
            near = [wanted]
        if not near:
            raise ValuesError(
                f"No run has {format_count(wanted)} params.",
                remedy=f"The sizes are: {listing(map(format_count, there), limit=20)}.",
            )
        chosen += near
    return f"sizes {listing(map(format_count, chosen))}", pl.col("params").is_in(chosen)


def _there_is(frame: pl.DataFrame) -> str:
    params, tokens = frame["params"], frame["tokens"]
    return (
        f"Of {frame.height:,} rows left before it, params go from {format_count(_low(params))} to "
        f"{format_count(_high(params))} and tokens from {format_count(_low(tokens))} to "
        f"{format_count(_high(tokens))}."
    )


def _low(column: pl.Series) -> float:
    return float(column.to_numpy().min())


def _high(column: pl.Series) -> float:
    return float(column.to_numpy().max())
