"""The cells printed in the guide's heatmaps, in groups, and what would make each group.

The file holds every number that was found in 154 figures. Not all are cells: numbers of an
axis or of a colour bar stand among them. The order of rows and columns is trusted; labels,
which the figures print over one another, are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from kleiber.runs.sets.folder import Folder

FILE = "published_heatmap_cells.csv"
Metric = Literal["are", "huber"]
Table = Literal["one model", "by number", "by number and size"]
MANY_SHARES = ("hist", "hist_test1", "hist_no_cut", "scale_down")

NO_MAD = "needs MAD's curves (LLaMA and Striped Hyena), which nothing published holds any more"
NO_OVERTRAIN = "needs the over-training runs' curves; only their last points are published here"
NO_FIVE_SHOTS = "needs Pythia's evaluations with five shots, which our copy lacks"
NO_INTERVENTION = "needs Pythia's interventions under the older names, which our copy lacks"
MANY_FAMILIES = "averages over sets that our copy lacks: MAD and the over-training curves"
OVERPRINTED = "the figure prints cells over one another, and some are lost: columns are unknown"
NOTHING = "the procedure gives nothing at this place"
TICKS = "no cell: a number of the figure's axis or colour bar"

# Scopes whose numbers no file here can make.
LACKING: Mapping[str, str] = {
    "llama": NO_MAD,
    "LLaMA": NO_MAD,
    "striped hyena 1-11": NO_MAD,
    "Striped Hyena 1-11": NO_MAD,
    "overtrain": NO_OVERTRAIN,
    "overtrain-C4": NO_OVERTRAIN,
    "overtrain-RedPajama": NO_OVERTRAIN,
    "overtrain-RefinedWeb": NO_OVERTRAIN,
    "pythia-5shot-v0": NO_FIVE_SHOTS,
    "pythia-deduped-5shot-v0": NO_FIVE_SHOTS,
    "pythia-intervention-deduped": NO_INTERVENTION,
    "ALL": MANY_FAMILIES,
    "scale": MANY_FAMILIES,
}


@dataclass(frozen=True)
class Cell:
    """One printed number: its place in the figure, the column's label, the value in %."""

    row: int
    column: int
    label: str
    value: float


@dataclass(frozen=True)
class Group:
    """One figure's numbers: the cells, and those that are numbers of an axis."""

    experiment: str
    scope: str
    metric: Metric
    figure: str
    cells: tuple[Cell, ...]
    ticks: tuple[Cell, ...]

    @property
    def size(self) -> int:
        """Return how many numbers the figure gave."""
        return len(self.cells) + len(self.ticks)

    @property
    def averaged(self) -> bool:
        """Return whether the figure averages over the sets of one group."""
        return "/agg_hist_per_model_type/" in self.figure


@dataclass(frozen=True)
class Plan:
    """What makes a group: a table of a scope, or the reason why nothing can."""

    table: Table | None
    scope: str = ""
    reason: str = ""


def read_groups(data: Path) -> tuple[Group, ...]:
    """Return the printed numbers by figure, in the file's order; InputError if it is absent."""
    table = Folder("colpret", data).table(FILE)
    keys = ["experiment", "scope", "metric", "figure"]
    numbers = table.with_columns(
        pl.col("row").cast(pl.Int64),
        pl.col("col").cast(pl.Int64),
        pl.col("value_pct").cast(pl.Float64),
    )
    groups: list[Group] = []
    for key, part in numbers.group_by(keys, maintain_order=True):
        experiment, scope, metric, figure = (str(one) for one in key)
        cells = [
            Cell(row, column, label or "", value)
            for row, column, label, value in part.select(
                "row", "col", "col_label", "value_pct"
            ).iter_rows()
        ]
        ticks = _ticks(experiment, scope, cells)
        kept = tuple(cell for cell in cells if cell not in ticks)
        kind: Metric = "huber" if metric == "huber" else "are"
        groups.append(Group(experiment, scope, kind, figure, kept, tuple(ticks)))
    return tuple(groups)


def _ticks(experiment: str, scope: str, cells: list[Cell]) -> list[Cell]:
    """Return the numbers that stand beside the cells: rows' sizes, a colour bar's scale.

    One-model figures label a row by its size, left of all cells; figures in steps of 10 %
    have ten columns, and an eleventh to the right is the colour bar.
    """
    if experiment == "hist_1m":
        if scope == "chinchilla":
            return [cell for cell in cells if cell.column == 0]
        return [cell for cell in cells if cell.label == "-0.0"]
    if experiment not in MANY_SHARES:
        return []
    if scope == "pythia-baseline":
        return [cell for cell in cells if cell.column == 1]
    return [cell for cell in cells if cell.column == 10]


def plan(group: Group) -> Plan:
    """Return what makes a group, or why nothing here can."""
    scope = group.scope.removeprefix("scale_")
    if not group.cells:
        return Plan(None, reason=TICKS)
    if scope in LACKING:
        return Plan(None, reason=LACKING[scope])
    if scope == "pythia-baseline":
        return Plan(None, reason="one cell of a set that is in no other figure")
    if group.experiment == "hist_1m":
        return Plan("one model", scope)
    if group.experiment in MANY_SHARES:
        return Plan("by number", scope)
    return Plan("by number and size", scope)
