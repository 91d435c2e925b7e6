"""ColPret's original files against the tidy table made of them: equal values, or what differs."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from kleiber.runs.sets import colpret_lm, colpret_one
from kleiber.runs.sets.colpret_tidy import tidy
from kleiber.runs.sets.folder import Folder

EQUAL = 1e-9  # relative: the two were written with other numbers of digits
ONLY_TIDY = "only in the tidy table: its original file is not in the copy"
ONLY_ORIGINAL = "only in the original files"
_COMPARED = ("params", "tokens", "epochs", "unique_tokens", "lr")


@dataclass(frozen=True)
class Compared:
    """One family of the tidy table and its rows in the original files.

    ``values`` is the largest relative difference of a value, NaN where rows cannot be paired;
    ``difference`` is what differs in words, empty where all is equal.
    """

    family: str
    tidy_rows: int
    original_rows: int
    values: float
    difference: str

    def to_dict(self) -> dict[str, object]:
        """Return the comparison as plain data."""
        return asdict(self)


def compare(folder: Folder) -> tuple[Compared, ...]:
    """Compare every family, in the tidy table's order, then those that it lacks."""
    made = tidy(folder).rename({"n_params": "params", "d_tokens": "tokens"})
    own = _originals(folder)
    names = made["family"].unique(maintain_order=True).to_list()
    names += [name for name in own["tidy"].unique(maintain_order=True) if name not in names]
    return tuple(
        _compared(name, made.filter(pl.col("family") == name), own.filter(pl.col("tidy") == name))
        for name in names
    )


def _originals(folder: Folder) -> pl.DataFrame:
    """Return what the readers make of the original files, with the tidy table's family names."""
    parts = (*colpret_lm.PARTS, *colpret_one.PARTS)
    rows = pl.concat([part.read(folder) for part in parts], how="diagonal_relaxed")
    rows = rows.filter(pl.col("family") != "olmo/pile")  # two families of the file, joined
    name = pl.col("family")
    group = pl.when(name == "OPT/tasks").then(name).otherwise(name.str.split("/").list.first())
    return rows.with_columns(group.alias("tidy"))


def _compared(name: str, made: pl.DataFrame, own: pl.DataFrame) -> Compared:
    if own.height == 0 or made.height == 0:
        said = ONLY_TIDY if own.height == 0 else ONLY_ORIGINAL
        return Compared(name, made.height, own.height, float("nan"), said)
    if made.height != own.height:
        said = f"{made.height:,} rows against {own.height:,}"
        return Compared(name, made.height, own.height, float("nan"), said)
    made, own = _sorted(made), _sorted(own)
    apart = _apart(made["value"], own["value"])
    said = [f"values differ by up to {apart:.2g}"] if apart > EQUAL else []
    said += [text for column in _COMPARED if (text := _column(column, made, own))]
    said += _named(made, own)
    return Compared(name, made.height, own.height, apart, "; ".join(said))


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    keys = [one for one in ("params", "tokens") if rows[one].null_count() < rows.height]
    return rows.sort("value", *keys)


def _apart(one: pl.Series, other: pl.Series) -> float:
    """Return the largest relative difference of two columns of numbers, in their order."""
    a, b = one.to_numpy(), other.to_numpy()
    scale = np.maximum(np.abs(a), np.abs(b))
    return float(np.max(np.abs(a - b) / np.where(scale > 0, scale, 1.0), initial=0.0))


def _column(column: str, made: pl.DataFrame, own: pl.DataFrame) -> str:
    """Return how a column differs, where both tables have it in a row."""
    if column not in own.columns:
        return ""
    pair = pl.DataFrame({"made": made[column], "own": own[column]})
    both = pair.drop_nulls()
    off = (both["made"] - both["own"]).abs() > EQUAL * both["own"].abs()
    if off.any():
        first = both.filter(off).row(0)
        shown = f"{first[0]:.6g} against {first[1]:.6g}"
        return f"{column} differ in {int(off.sum()):,} rows ({shown})"
    lost = pair.filter(pl.col("made").is_null() & pl.col("own").is_not_null()).height
    return f"{column} left out of {lost:,} rows" if lost else ""


def _named(made: pl.DataFrame, own: pl.DataFrame) -> list[str]:
    """Return what the tables call otherwise: numbers of models, seeds that are none."""
    said: list[str] = []
    models, runs = made["model"].n_unique(), own["run"].n_unique()
    if models != runs:
        said.append(f"{models} models against {runs} runs")
    seeds = made["seed"].drop_nulls().n_unique()
    if seeds > 1:
        said.append(f"{seeds} seeds that are two metrics of one run")
    return said
