"""A table as its source had it, before any column has a meaning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from kleiber.runs.notes import Note, counted, listing
from kleiber.units import ParamsAre

LINE = "__line__"
FILE = "__file__"
RUN = "__run__"
HIDDEN = (LINE, FILE, RUN)


@dataclass(frozen=True)
class Raw:
    """A source's own columns, with each row's place in the file as a hidden column.

    ``counts`` is the word for a place: "line" as an editor shows it (the header is line 1), or
    "row" counted from 1 where there are no lines. ``params_are`` is set by a source that says
    what its parameter counts count.
    """

    frame: pl.DataFrame
    source: str
    counts: Literal["line", "row"] = "line"
    chart: bool = False
    notes: tuple[Note, ...] = ()
    params_are: ParamsAre | None = None

    @property
    def columns(self) -> list[str]:
        """Return the source's own columns, in its order."""
        return [name for name in self.frame.columns if name not in HIDDEN]

    @property
    def files(self) -> list[str]:
        """Return the short names of the files, in their order."""
        return self.frame[FILE].unique(maintain_order=True).to_list()

    def with_frame(self, frame: pl.DataFrame, *notes: Note) -> Raw:
        """Return this table with other rows or columns, and with further notes."""
        return replace(self, frame=frame, notes=self.notes + notes)

    def places(self, rows: pl.Series, values: pl.Series | None = None, *, limit: int = 3) -> str:
        """Return where the rows of a mask are, with their values: ``line 3 ('x'), line 9 (0)``."""
        picked = self.frame.filter(rows)
        many = len(self.files) > 1
        texts: list[str] = []
        shown = values.filter(rows).head(limit).to_list() if values is not None else []
        for i, (line, file) in enumerate(picked.select(LINE, FILE).head(limit).iter_rows()):
            where = f"{file} {self.counts} {line}" if many else f"{self.counts} {line}"
            texts.append(f"{where} ({_shown(shown[i])})" if values is not None else where)
        more = picked.height - len(texts)
        return ", ".join(texts) + (f" and {more:,} more" if more > 0 else "")


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 30 else f"'{value[:27]}...'"
    return "empty" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def located(
    frame: pl.DataFrame,
    lines: list[int] | None,
    *,
    source: str,
    file: str,
    chart: bool = False,
    notes: tuple[Note, ...] = (),
) -> Raw:
    """Return a table with its places; without lines, rows are counted from 1."""
    numbers = lines if lines is not None else list(range(1, frame.height + 1))
    placed = frame.with_columns(
        pl.Series(LINE, numbers, dtype=pl.Int64), pl.lit(file, dtype=pl.String).alias(FILE)
    )
    return Raw(placed, source, "row" if lines is None else "line", chart, notes)


def together(raws: list[Raw]) -> Raw:
    """Return several tables as one, each row still knowing its file."""
    if len(raws) == 1:
        return raws[0]
    frame = pl.concat([raw.frame for raw in raws], how="diagonal_relaxed")
    names = listing([raw.source for raw in raws], limit=3)
    return Raw(
        frame,
        f"{counted(len(raws), 'file')}: {names}",
        "line" if all(raw.counts == "line" for raw in raws) else "row",
        any(raw.chart for raw in raws),
        tuple(note for raw in raws for note in raw.notes),
    )
