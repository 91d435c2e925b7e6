"""What a table of runs holds, as numbers and as designed text."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from kleiber.runs.notes import Note, counted, listing
from kleiber.runs.problems import Problem, find_problems
from kleiber.units import format_count

if TYPE_CHECKING:
    from kleiber.runs.table import Runs

WIDTH = 100
MOST_FAMILIES = 24
MOST_ALIKE = 3


@dataclass(frozen=True)
class Span:
    """The least and the most of a column."""

    low: float
    high: float

    @property
    def decades(self) -> float:
        """Return the span in powers of ten; NaN when the least is not above 0."""
        return float(np.log10(self.high / self.low)) if self.low > 0 else float("nan")

    def to_dict(self) -> dict[str, float]:
        """Return low, high and decades."""
        return {"low": self.low, "high": self.high, "decades": self.decades}

    def counts(self) -> str:
        """Return the span as counts: ``44M-16.2B``."""
        low, high = format_count(self.low), format_count(self.high)
        return low if low == high else f"{low}-{high}"

    def numbers(self) -> str:
        """Return the span as plain numbers."""
        low, high = f"{self.low:.4g}", f"{self.high:.4g}"
        return low if low == high else f"{low}-{high}"


@dataclass(frozen=True)
class FamilySummary:
    """One family (and recipe): rows, runs, sizes and spans; loss in nats per token."""

    name: str
    rows: int
    runs: int
    finals: int
    sizes: tuple[float, ...]
    params: Span
    tokens: Span
    ratio: Span
    loss: Span

    def to_dict(self) -> dict[str, object]:
        """Return the family as a plain dictionary."""
        return {
            "name": self.name,
            "rows": self.rows,
            "runs": self.runs,
            "finals": self.finals,
            "sizes": list(self.sizes),
            "params": self.params.to_dict(),
            "tokens": self.tokens.to_dict(),
            "tokens_per_param": self.ratio.to_dict(),
            "loss": self.loss.to_dict(),
        }


@dataclass(frozen=True)
class RunsSummary:
    """What is in a table of runs: families, spans, units, notes, problems."""

    source: str
    rows: int
    runs: int
    finals: int
    named: bool
    unit: str
    params_are: str
    synthetic: bool
    families: tuple[FamilySummary, ...]
    notes: tuple[Note, ...]
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain dictionaries and lists."""
        return {
            "source": self.source,
            "rows": self.rows,
            "runs": self.runs,
            "finals": self.finals,
            "checkpoints": self.rows - self.finals,
            "named": self.named,
            "unit": self.unit,
            "params_are": self.params_are,
            "synthetic": self.synthetic,
            "families": [family.to_dict() for family in self.families],
            "notes": [note.to_dict() for note in self.notes],
            "problems": [problem.to_dict() for problem in self.problems],
        }

    def text(self) -> str:
        """Return the summary for a terminal, at most 100 columns wide."""
        return "\n".join(
            [
                *_wrapped(f"Runs of {self.source}", indent=""),
                *(["  SYNTHETIC: these runs were generated, not trained."] * self.synthetic),
                "",
                *_table(self.families),
                "",
                *_wrapped(self._what(), indent="  "),
                *_problem_lines(self.problems),
                *_note_lines(self.notes),
            ]
        )

    def _what(self) -> str:
        rest = self.rows - self.finals
        readings = f"{counted(self.finals, 'final')}, {counted(rest, 'checkpoint')}"
        unit = "nats per token" + (f", converted from {self.unit}" if self.unit != "nats" else "")
        how = {"unknown": "embeddings in or out is not said"}.get(self.params_are, self.params_are)
        runs = counted(self.runs, "run") + ("" if self.named else " (each row one)")
        return f"{counted(self.rows, 'row')} of {runs}: {readings}. Loss: {unit}. Params: {how}."


def summarize(runs: Runs) -> RunsSummary:
    """Return what a table of runs holds, and what in it would mislead a fit."""
    groups = _groups(runs.frame)
    problems = [
        problem
        for name, part in groups
        for problem in find_problems(part, family=name if len(groups) > 1 else "", named=runs.named)
    ]
    return RunsSummary(
        source=runs.source,
        rows=len(runs),
        runs=runs.n_runs,
        finals=int(runs.frame["final"].sum()),
        named=runs.named,
        unit=str(runs.unit),
        params_are=runs.params_are,
        synthetic=runs.synthetic,
        families=tuple(_family(name, part) for name, part in groups),
        notes=runs.notes,
        problems=tuple(problems),
    )


def _groups(frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Return the rows of each family and recipe; all as one where neither is told."""
    keys = [name for name in ("family", "recipe") if name in frame.columns]
    if not keys:
        return [("all", frame)]
    filled = frame.sort(keys, maintain_order=True, nulls_last=True)
    parts = filled.partition_by(keys, maintain_order=True, as_dict=True)
    return [
        (" / ".join(dict.fromkeys(str(value) for value in key if value)) or "(none)", part)
        for key, part in parts.items()
    ]


def _family(name: str, part: pl.DataFrame) -> FamilySummary:
    params, tokens = part["params"].to_numpy(), part["tokens"].to_numpy()
    return FamilySummary(
        name=name,
        rows=part.height,
        runs=part["run"].n_unique(),
        finals=int(part["final"].sum()),
        sizes=tuple(part["params"].unique().sort().to_list()),
        params=_span(params),
        tokens=_span(tokens),
        ratio=_span(tokens / params),
        loss=_span(part["loss"].to_numpy()),
    )


def _span(values: np.ndarray) -> Span:
    return Span(float(values.min()), float(values.max()))


_HEAD = ("family", "rows", "runs", "sizes", "params", "dec", "tokens", "dec", "tok/param", "loss")
_LEFT = (0, 4, 6, 8, 9)


def _table(families: tuple[FamilySummary, ...]) -> list[str]:
    rows = [_HEAD, *(_cells(family) for family in families[:MOST_FAMILIES])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    # The names give way, so that the numbers are whole.
    widths[0] = min(widths[0], WIDTH - 2 - sum(widths[1:]) - 2 * (len(widths) - 1))
    lines = [
        "  ".join(
            _fitted(cell, width).ljust(width) if i in _LEFT else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    more = len(families) - MOST_FAMILIES
    return [f"  {line}" for line in lines] + ([f"  and {more} more families"] if more > 0 else [])


def _fitted(cell: str, width: int) -> str:
    """Return a name cut in its middle: families often differ only at their ends."""
    tail = (width - 3) // 2
    return cell if len(cell) <= width else f"{cell[: width - 3 - tail]}...{cell[-tail:]}"


def _cells(family: FamilySummary) -> tuple[str, ...]:
    return (
        family.name,
        f"{family.rows:,}",
        f"{family.runs:,}",
        f"{len(family.sizes):,}",
        family.params.counts(),
        f"{family.params.decades:.1f}",
        family.tokens.counts(),
        f"{family.tokens.decades:.1f}",
        Span(_short(family.ratio.low), _short(family.ratio.high)).counts(),
        family.loss.numbers(),
    )


def _short(value: float) -> float:
    return float(f"{value:.2g}")


def _problem_lines(problems: tuple[Problem, ...]) -> list[str]:
    if not problems:
        return ["", "  Problems: none found."]
    lines = ["", "  Problems"]
    for code in dict.fromkeys(problem.code for problem in problems):
        same = [problem for problem in problems if problem.code == code]
        for text in _merged(same) if len(same) > MOST_ALIKE else map(_one, same):
            lines += _wrapped(text, indent="    ", mark="! ")
    return lines


def _one(problem: Problem) -> str:
    family = f"{problem.family}: " if problem.family else ""
    return f"{family}{problem.message} {problem.remedy}".strip()


def _merged(same: list[Problem]) -> list[str]:
    """Return one line for a problem that many families have, with the first as an example."""
    families = listing([problem.family for problem in same], limit=3)
    first = same[0]
    return [f"{len(same)} families ({families}); the first: {first.message} {first.remedy}"]


def _note_lines(notes: tuple[Note, ...]) -> list[str]:
    if not notes:
        return []
    lines = ["", "  How it was read"]
    for note in notes:
        lines += _wrapped(f"{note.kind}: {note.message}", indent="    ", mark="- ")
    return lines


def _wrapped(text: str, *, indent: str, mark: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent + mark,
        subsequent_indent=indent + " " * len(mark),
        break_on_hyphens=False,
    )
