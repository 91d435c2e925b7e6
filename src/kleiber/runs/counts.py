"""Parameters and tokens of each row: read, or worked out from what else the table has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from kleiber.errors import ColumnError, KleiberError
from kleiber.runs.columns import Choice, normal
from kleiber.runs.notes import Note, listing
from kleiber.runs.readers.raw import RUN, Raw
from kleiber.runs.values import numbers
from kleiber.units import ParamsAre, format_count, parse_count

_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?[KMBTkmbt])(?![A-Za-z0-9])")


@dataclass(frozen=True)
class Cells:
    """A field's cells as the source had them, as floats, and those that are no number."""

    column: str
    raw: pl.Series
    values: pl.Series
    odd: pl.Series


def cells_of(raw: Raw, choice: Choice, *, counts: bool) -> Cells:
    """Return the cells of a chosen column."""
    cells = raw.frame[choice.column]
    values, odd = numbers(cells, counts=counts)
    return Cells(choice.column, cells, values, odd)


def count_cells(
    raw: Raw, chosen: Mapping[str, Choice], given: Mapping[str, str]
) -> tuple[Cells, Cells, list[Note]]:
    """Return params and tokens, from their columns or from compute, steps and run names.

    Raises ColumnError naming what is missing and the option that gives it.
    """
    params, notes = _said(raw, chosen, given, "params")
    tokens, token_notes = _said(raw, chosen, given, "tokens")
    notes += token_notes
    flops = cells_of(raw, chosen["flops"], counts=True) if "flops" in chosen else None
    if params is None and tokens is not None and flops is not None:
        params = _derived(flops.values / (tokens.values * 6), f"{flops.column}/6/{tokens.column}")
        notes.append(Note("assumed", f"params = {flops.column} / (6 {tokens.column})."))
    if params is None:
        params, size_notes = _params_of_names(raw)
        notes += size_notes
    if tokens is None and flops is not None and params is not None:
        tokens = _derived(flops.values / (params.values * 6), f"{flops.column}/6/{params.column}")
        notes.append(Note("assumed", f"tokens = {flops.column} / (6 {params.column})."))
    if tokens is None:
        tokens, step_notes = _tokens_of_steps(raw, chosen)
        notes += step_notes
    if params is None:
        raise _no_params(raw)
    if tokens is None:
        raise _no_tokens(raw, chosen)
    return params, tokens, notes


def _said(
    raw: Raw, chosen: Mapping[str, Choice], given: Mapping[str, str], field: str
) -> tuple[Cells | None, list[Note]]:
    """Return a count's column, or the one value that was given for every row."""
    if field in chosen:
        return cells_of(raw, chosen[field], counts=True), []
    if field not in given:
        return None, []
    value = parse_count(given[field])
    said = Note("assumed", f"Every row has {format_count(value)} {field}, as given.")
    return _derived(pl.repeat(value, raw.frame.height, eager=True), field), [said]


def _derived(values: pl.Series, name: str) -> Cells:
    return Cells(name, values, values.fill_nan(None), values.is_not_null() & False)


def _params_of_names(raw: Raw) -> tuple[Cells | None, list[Note]]:
    """Read sizes such as 190M out of run names, where each name has exactly one."""
    names = raw.frame[RUN].unique(maintain_order=True).to_list()
    sizes: dict[str, float] = {}
    for name in names:
        found = _SIZE.findall(name)
        if len(found) != 1:
            return None, []
        sizes[name] = parse_count(found[0])
    values = raw.frame[RUN].replace_strict(sizes, return_dtype=pl.Float64)
    said = listing(f"{name}: {format_count(size)}" for name, size in list(sizes.items())[:3])
    note = Note("guessed", f"params from the size in each run's name ({said}).")
    return _derived(values, "size in the run's name"), [note]


def _tokens_of_steps(raw: Raw, chosen: Mapping[str, Choice]) -> tuple[Cells | None, list[Note]]:
    step, batch = chosen.get("step"), chosen.get("tokens_per_step")
    axis = step.column if step is not None else None
    if axis is None or batch is None:
        return None, []
    steps, _ = numbers(raw.frame[axis], counts=True)
    sizes, _ = numbers(raw.frame[batch.column], counts=True)
    note = Note("assumed", f"tokens = {axis} x {batch.column}.")
    return _derived(steps * sizes, f"{axis} x {batch.column}"), [note]


def _no_params(raw: Raw) -> KleiberError:
    runs = listing(raw.frame[RUN].unique(maintain_order=True).to_list(), limit=3)
    if raw.chart:
        return ColumnError(
            f"{raw.source} is a chart export: it names runs ({runs}) and not their parameters.",
            remedy="Pass --meta FILE.csv, a table with a column run of these names and a column "
            "params (and family, tokens_per_step, where known).",
        )
    return ColumnError(
        f"{raw.source} has no column for params, and no flops and tokens to work it out from. "
        f"Its columns are: {listing(raw.columns, limit=12)}.",
        remedy="Name it with --columns params=NAME, give one size for all with "
        "--columns params=190M, or give each run's with --meta FILE.csv.",
    )


def _no_tokens(raw: Raw, chosen: Mapping[str, Choice]) -> KleiberError:
    step = chosen.get("step")
    if step is not None:
        return ColumnError(
            f"{raw.source} counts steps ('{step.column}') and not tokens.",
            remedy="Give a column tokens_per_step, in the table or in --meta FILE.csv; or, where "
            f"the axis counts tokens, --columns 'tokens={step.column}'.",
        )
    return ColumnError(
        f"{raw.source} has no column for tokens, and no flops and params to work it out from. "
        f"Its columns are: {listing(raw.columns, limit=12)}.",
        remedy="Name it with --columns tokens=NAME, or give one number for all with "
        "--columns tokens=300B.",
    )


def guess_params_are(column: str) -> ParamsAre:
    """Return what a column's name says that it counts; "unknown" unless it says it outright."""
    name = normal(column)
    if "noemb" in name or "nonemb" in name:
        return "nonembedding"
    return "active" if name.startswith("active") else "unknown"
