"""Runs: the one validated table of training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import narwhals.stable.v2 as nw
import polars as pl

from kleiber.errors import ColumnError, UsageError, ValuesError
from kleiber.runs.named import SET, read_named
from kleiber.runs.notes import Note, counted
from kleiber.runs.points import Points, points_of
from kleiber.runs.select import Selection, select_rows
from kleiber.runs.summary import RunsSummary, summarize
from kleiber.units import LossUnit, ParamsAre, format_count

PointsKind = Literal["all", "finals", "checkpoints"]
Count = float | int | str


@dataclass(frozen=True, eq=False)
class Runs:
    """Training runs in one immutable table: params and tokens raw, loss in nats per token.

    ``frame`` has run, params, tokens, loss, final and fraction (tokens over the run's last, or
    over its planned ones where it has not ended), and whatever the source gave of the other
    fields of :data:`~kleiber.runs.columns.ALIASES`. ``unit`` is the unit that the source had,
    ``notes`` is what reading it took, ``named`` is whether the source told runs apart.
    """

    frame: pl.DataFrame
    unit: LossUnit
    params_are: ParamsAre
    notes: tuple[Note, ...]
    source: str
    named: bool

    @classmethod
    def read(
        cls,
        source: object,
        *,
        columns: str | Mapping[str, str] | None = None,
        unit: str | LossUnit | None = None,
        params_are: ParamsAre | None = None,
        meta: object = None,
        where: str | Mapping[str, object] | None = None,
        drop_bad: bool = False,
    ) -> Runs:
        """Read runs from a file, a pattern, several files, "-", or a table in memory.

        Parameters
        ----------
        source
            CSV, TSV, JSON, JSON lines (each plain or gzipped), Parquet or a tracker's export; a
            folder that kleiber trained in, or one of such folders; ``set:colpret/OPT``, a
            public set's family; a pandas, polars or pyarrow frame, a dictionary of lists, a
            list of dictionaries.
        columns
            Field → column, or ``"params=X,tokens=Y,loss=Z"``; ``run=a+b`` joins columns.
        unit
            nats, bits, ppl or bpb:BYTES_PER_TOKEN; else from the table, else nats.
        params_are
            Whether params are total, nonembedding or active; else "unknown".
        meta
            A table by run (or a mapping run → fields) with what the source does not know.
        where
            Column → value, or ``"metric=val_loss,kind=loss_nats"``: the rows to read.
        drop_bad
            Leave out rows with values that no run can have, and say so, instead of raising.

        Raises
        ------
        InputError
            For a file that is no table; ColumnError, UnitError and ValuesError are its kinds.
        """
        if isinstance(source, Runs):
            return _as_it_is(source, (columns, unit, params_are, meta, where))
        if isinstance(source, str) and source.startswith(SET):
            options = {"columns": columns, "unit": unit, "meta": meta, "where": where}
            return read_named(source, options, params_are)
        from kleiber.runs.build import build_runs
        from kleiber.runs.readers import read_source

        return build_runs(
            read_source(source),
            columns=columns,
            unit=unit,
            params_are=params_are,
            meta=meta,
            where=where,
            drop_bad=drop_bad,
        )

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        sizes = counted(len(self.sizes), "size")
        rows, runs = counted(len(self), "row"), counted(self.n_runs, "run")
        return f"Runs({rows} of {runs}, {sizes}, from {self.source})"

    @property
    def n_runs(self) -> int:
        """Return the number of runs."""
        return self.frame["run"].n_unique()

    @property
    def families(self) -> tuple[str, ...]:
        """Return the names of the families, sorted; empty where the table has none."""
        return self._distinct("family")

    @property
    def recipes(self) -> tuple[str, ...]:
        """Return the names of the recipes, sorted; empty where the table has none."""
        return self._distinct("recipe")

    def _distinct(self, column: str) -> tuple[str, ...]:
        if column not in self.frame.columns:
            return ()
        return tuple(self.frame[column].drop_nulls().unique().sort().to_list())

    @property
    def sizes(self) -> tuple[float, ...]:
        """Return the distinct params, sorted."""
        return tuple(self.frame["params"].unique().sort().to_list())

    @property
    def synthetic(self) -> bool:
        """Return whether any row was generated and not trained."""
        return "synthetic" in self.frame.columns and bool(self.frame["synthetic"].any())

    def select(
        self,
        *,
        family: str | Sequence[str] | None = None,
        recipe: str | Sequence[str] | None = None,
        min_params: Count | None = None,
        max_params: Count | None = None,
        sizes: Sequence[Count] | None = None,
        min_fraction: float | None = None,
        max_fraction: float | None = None,
        min_tokens: Count | None = None,
        points: PointsKind = "all",
    ) -> Runs:
        """Return the rows that meet every condition; counts may be written as "1.5B".

        Fractions are of the tokens of the whole run as read. Raises ValuesError when nothing
        is left, ColumnError when the table has no such column.
        """
        selection = Selection(
            family=family,
            recipe=recipe,
            min_params=min_params,
            max_params=max_params,
            sizes=sizes,
            min_fraction=min_fraction,
            max_fraction=max_fraction,
            min_tokens=min_tokens,
            points=points,
        )
        return replace(self, frame=select_rows(self.frame, selection))

    def points(self) -> Points:
        """Return the rows as arrays, weighted so that each run counts once."""
        return points_of(self.frame)

    def describe(self) -> RunsSummary:
        """Return what is here: families, spans, units, what reading took, and problems."""
        return summarize(self)

    def hide_largest(self, by: str = "params") -> tuple[Runs, Runs]:
        """Return all runs but those of the largest params (or tokens, or flops), and those.

        Raises ValuesError where there is only one value, ColumnError for a missing column.
        """
        if by not in self.frame.columns or by not in ("params", "tokens", "flops"):
            raise ColumnError(
                f"The runs have no column '{by}' whose largest could be hidden.",
                remedy="Use params or tokens, or name the flops column with --columns flops=NAME.",
            )
        values: list[float] = self.frame[by].drop_nulls().unique().sort().to_list()
        if len(values) == 1:
            raise ValuesError(
                f"The largest {by} cannot be hidden: {format_count(values[0])} is the only one.",
                remedy=f"Give runs of at least two different {by}.",
            )
        largest = (pl.col(by) == values[-1]).fill_null(False)
        return (
            replace(self, frame=self.frame.filter(~largest)),
            replace(self, frame=self.frame.filter(largest)),
        )

    def to_native(self, backend: Literal["polars", "pandas", "pyarrow"] = "polars") -> Any:
        """Return the table as a frame of another library."""
        table = nw.from_native(self.frame, eager_only=True)
        if backend == "pandas":
            return table.to_pandas()
        if backend == "pyarrow":
            return table.to_arrow()
        if backend != "polars":
            raise UsageError(
                f"Runs cannot become a '{backend}'.", remedy="Use polars, pandas or pyarrow."
            )
        return self.frame


def _as_it_is(runs: Runs, options: tuple[object, ...]) -> Runs:
    if any(option is not None for option in options):
        raise UsageError(
            "These runs are read already, and options say how to read.",
            remedy="Give the options where the file is read.",
        )
    return runs
