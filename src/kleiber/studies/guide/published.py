"""The guide as published: its printed cells made again from its data, and compared one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from kleiber.studies.guide.cells import NOTHING, OVERPRINTED, TICKS, Cell, Group, plan, read_groups
from kleiber.studies.guide.procedure import ScaledSet
from kleiber.studies.guide.published_sets import OLDER_SET, read_sets
from kleiber.studies.guide.published_tables import Rows, Tables, Value
from kleiber.studies.table import Table

WITHIN = (0.01, 0.1, 1.0)
_ROUNDING = 1e-6  # of a figure's two decimals, held as floats
OLDER = "Pythia's older evaluations, read here from their later names: near, not equal"
FAR = "errors over 100 %: an extrapolation so far that the optimiser's tolerance shows"
OTHER = "no reason found"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """One printed number beside ours, in percent; ``why`` says what parts them, if anything."""

    experiment: str
    scope: str
    metric: str
    figure: str
    row: int
    column: int
    published: float
    ours: float | None
    why: str = ""

    @property
    def gap(self) -> float | None:
        """Return ours, rounded as the figures are, less the published number."""
        return None if self.ours is None else round(self.ours, 2) - self.published


@dataclass(frozen=True)
class GroupResult:
    """One figure: how many numbers it gave, how many were compared, and how they agree."""

    experiment: str
    scope: str
    metric: str
    figure: str
    cells: int
    ticks: int
    compared: int
    within: tuple[int, int, int]
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the group as a table's row."""
        counts = {f"within {limit:g}": n for limit, n in zip(WITHIN, self.within, strict=True)}
        return {
            "experiment": self.experiment,
            "scope": self.scope,
            "metric": self.metric,
            "cells": self.cells,
            "no cells": self.ticks,
            "compared": self.compared,
            **counts,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Published:
    """Every printed number with ours where data exist: groups of a figure, and rows."""

    groups: tuple[GroupResult, ...]
    rows: tuple[Row, ...]
    sets: tuple[str, ...]
    absent: dict[str, str]
    fits: int

    def counts(self) -> dict[str, int]:
        """Return cells, compared, and how many agree to .01, .1 and 1 point."""
        counts = {
            "cells": sum(one.cells for one in self.groups),
            "compared": sum(one.compared for one in self.groups),
        }
        for i, limit in enumerate(WITHIN):
            counts[f"within_{limit:g}"] = sum(one.within[i] for one in self.groups)
        return counts

    def reasons(self) -> dict[str, int]:
        """Return how many numbers do not agree to .01, by reason, most first."""
        found: dict[str, int] = {}
        for row in self.rows:
            if row.why:
                found[row.why] = found.get(row.why, 0) + 1
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def frame(self) -> pl.DataFrame:
        """Return the rows as a table, one printed number a row."""
        return pl.DataFrame([{**vars(row), "gap": row.gap} for row in self.rows])


def as_published(data: Path, progress: Progress | None = None) -> Published:
    """Make the printed cells again from a folder of sets, and compare them.

    Files that are absent leave their groups unmade, with the reason; InputError only where
    the list of printed cells itself is not there.
    """
    groups = read_groups(data)
    sets, absent = read_sets(data)
    tables = Tables(sets)
    results: list[GroupResult] = []
    rows: list[Row] = []
    for group in groups:
        if progress is not None:
            progress(f"{group.experiment} {group.scope}")
        found = _compare(group, tables, absent)
        rows += found
        results.append(_result(group, found))
    return Published(tuple(results), tuple(rows), tuple(sets), absent, len(tables.fits))


def run(data: Path) -> Table:
    """Return the comparison as a study's table, one row a figure."""
    return table(as_published(data))


def table(found: Published) -> Table:
    """Return a comparison as a study's table, one row a figure."""
    counts = found.counts()
    shares = ", ".join(f"{counts[f'within_{w:g}']:,} to {w:g}" for w in WITHIN)
    reasons = [f"{number:,}: {why}." for why, number in found.reasons().items()]
    rows = [one.to_dict() for one in found.groups]
    return Table(
        name="guide_published",
        title="The guide's printed cells, made again",
        command="kleiber study guide --as-published --out results",
        columns=tuple(rows[0]),
        rows=rows,
        claims=[
            f"Of {counts['cells']:,} printed numbers, {counts['compared']:,} are compared. In "
            f"points of a percent, {shares} agree. {found.fits:,} fits from "
            "the guide's single start.",
            "The others, by the first reason that holds:",
            *reasons,
        ],
        notes=(
            "Errors in percent, of the values in the units that the guide has: perplexities of "
            "OPT as they are, log2 of task perplexities for Pythia, a normaliser's error for T5.",
        ),
        seed=0,
        extra={"counts": counts},
    )


def _compare(group: Group, tables: Tables, absent: dict[str, str]) -> list[Row]:
    """Return a group's printed numbers beside ours."""
    planned = plan(group)
    rows = [_row(group, cell, None, TICKS) for cell in group.ticks]
    table = tables.table(group, planned) if planned.table is not None else None
    if table is None:
        why = planned.reason or _missing(planned.scope, absent)
        return rows + [_row(group, cell, None, why) for cell in group.cells]
    partly = [why for name, why in absent.items() if _belongs(name, group, planned.scope)]
    values = align(group.cells, table)
    for cell, value in zip(group.cells, values, strict=True):
        if partly:
            rows.append(_row(group, cell, None, partly[0]))
        elif value is None:
            one_column = len({one.column for one in group.cells}) <= 2
            rows.append(_row(group, cell, None, OVERPRINTED if one_column else NOTHING))
        else:
            rows.append(_judged(group, cell, value, tables.sets))
    return rows


def align(cells: tuple[Cell, ...], table: Rows) -> list[Value | None]:
    """Return our value for each printed cell: rows by order, columns by order or by count.

    Labels are not looked at. Where the figure has as many columns as the table, a cell's place
    among the figure's columns says which one it is; else a row with as many cells as ours is
    read from left to right; other rows stay unmatched.
    """
    printed = sorted({cell.row for cell in cells})
    if len(printed) != len(table):
        return [None] * len(cells)
    ours = dict(zip(printed, table.values(), strict=True))
    places = sorted({cell.column for cell in cells})
    columns = sorted({column for row in table.values() for column in row})
    in_row = {
        row: sorted((one for one in cells if one.row == row), key=lambda one: one.column)
        for row in printed
    }
    found: list[Value | None] = []
    for cell in cells:
        row = ours[cell.row]
        if len(places) == len(columns):
            found.append(row.get(columns[places.index(cell.column)]))
            continue
        beside = [id(one) for one in in_row[cell.row]]
        same = len(beside) == len(row)
        found.append(row[sorted(row)[beside.index(id(cell))]] if same else None)
    return found


def _judged(group: Group, cell: Cell, value: Value, sets: Mapping[str, ScaledSet]) -> Row:
    """Return a compared cell; where it is not equal to .01, with the reason."""
    ours = 100.0 * (value.are if group.metric == "are" else value.huber)
    row = _row(group, cell, ours)
    if _is_within(row, WITHIN[0]):
        return row
    scope = group.scope.removeprefix("scale_")
    mixed = sets[OLDER_SET].group if OLDER_SET in sets else ""
    older = scope == OLDER_SET or (group.averaged and scope == mixed)
    why = value.undetermined
    if not why and older:
        why = OLDER
    if not why and value.are > 1.0:
        why = FAR
    return _row(group, cell, ours, why or OTHER)


def _row(group: Group, cell: Cell, ours: float | None, why: str = "") -> Row:
    names = (group.experiment, group.scope, group.metric, group.figure)
    return Row(*names, cell.row, cell.column, cell.value, ours, why)


def _is_within(row: Row, limit: float) -> bool:
    return row.gap is not None and abs(row.gap) <= limit + _ROUNDING


def _result(group: Group, rows: list[Row]) -> GroupResult:
    reasons = dict.fromkeys(row.why for row in rows if row.why and row.why != TICKS)
    agree = [sum(_is_within(row, limit) for row in rows) for limit in WITHIN]
    return GroupResult(
        *(group.experiment, group.scope, group.metric, group.figure),
        cells=group.size,
        ticks=len(group.ticks),
        compared=sum(row.ours is not None for row in rows),
        within=(agree[0], agree[1], agree[2]),
        reason="; ".join(reasons) or ("" if group.cells else TICKS),
    )


def _missing(scope: str, absent: dict[str, str]) -> str:
    for name, why in absent.items():
        if name == scope or name.startswith(f"{scope}-"):
            return why
    return f"the set {scope} is not there"


def _belongs(name: str, group: Group, scope: str) -> bool:
    """Return whether an absent set would have been averaged into a group's figure."""
    return group.averaged and (name == scope or name.startswith(f"{scope}-"))
