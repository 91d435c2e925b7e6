"""Rows of measurements with their targets, printed, and written as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured number; ``target`` is an upper limit, or a lower one where ``at_least``."""

    section: str
    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return met, missed, or nothing where there is no target."""
        if self.target is None:
            return ""
        met = self.value >= self.target if self.at_least else self.value <= self.target
        return "met" if met else "missed"

    @property
    def goal(self) -> str:
        """Return the target as text."""
        if self.target is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {_number(self.target)} {self.unit}".strip()


@dataclass(frozen=True)
class Rival:
    """One competitor on the same replicates; ratios and gaps are against kleiber in one run."""

    name: str
    replicates: int
    seconds: float  # CPU of those replicates
    per_thousand: float
    ratio: float
    ratio_range: tuple[float, float] | None
    target: float | None
    median_excess: float | None
    worst_excess: float | None
    floor_error: float | None  # median |E - ours|, nats
    note: str = ""

    @property
    def row(self) -> Row:
        """Return the ratio as a row."""
        return Row(
            "slower than kleiber", self.name, self.ratio, "times", self.target, at_least=True
        )


def _number(value: float | None) -> str:
    """Return a number in few digits; nothing for None."""
    if value is None:
        return ""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.1e}"


def lines(rows: Iterable[Row]) -> str:
    """Return rows as aligned text for the terminal."""
    out: list[str] = []
    for row in rows:
        goal = f"{row.goal:>16} {row.verdict:<6}" if row.target is not None else " " * 23
        out.append(
            f"  {row.name:<52} {_number(row.value):>9} {row.unit:<6}{goal}  {row.note}".rstrip()
        )
    return "\n".join(out)


def _table(head: list[str], body: list[list[str]]) -> str:
    """Return a Markdown table."""
    marks = ["---"] + ["---:" if i < len(head) - 1 else "---" for i in range(1, len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, marks, *body])


def markdown(
    setting: dict[str, Any], rows: list[Row], rivals: list[Rival], notes: list[str]
) -> str:
    """Return the page."""
    versions = ", ".join(f"{name} {version}" for name, version in setting["versions"].items())
    parts = [
        "# Speed of the fit",
        f"`{setting['command']}` on {setting['date']}, seed {setting['seed']}.\n"
        f"{setting['cpu']}, {setting['cores']} cores, "
        f"{setting['blas_threads']} BLAS thread; {versions}.",
        "CPU time throughout, medians of repetitions that took turns. 240 points, the sum of Huber "
        "losses with delta 1e-3 on log-loss, five free parameters.",
    ]
    for section in dict.fromkeys(row.section for row in rows):
        body = [
            [r.name, f"{_number(r.value)} {r.unit}".strip(), r.goal, r.verdict, r.note]
            for r in rows
            if r.section == section
        ]
        parts += [f"## {section}", _table(["what", "measured", "target", "", "note"], body)]
    parts += ["## Others on the same replicates", _rivals_table(rivals)]
    parts.append(
        "Excess is the competitor's Huber objective over kleiber's on the same replicate, less 1. "
        "Every competitor that refits replicates starts at the point estimate; kleiber searches "
        "globally for each replicate, and that search is in its time."
    )
    parts += ["\n".join(f"- {note}" for note in notes)] if notes else []
    return "\n\n".join(parts) + "\n"


def _rivals_table(rivals: list[Rival]) -> str:
    """Return the competitors as a Markdown table."""
    head = ["program", "timed on", "CPU s", "s for 1000", "slower", "target", "median excess",
            "worst excess", "median error of E", "note"]  # fmt: skip
    body: list[list[str]] = []
    for r in rivals:
        around = (
            f" ({_number(r.ratio_range[0])} to {_number(r.ratio_range[1])})"
            if r.ratio_range
            else ""
        )
        goal = f"≥ {_number(r.target)} {r.row.verdict}" if r.target is not None else ""
        body.append(
            [r.name, f"{r.replicates}", _number(r.seconds), _number(r.per_thousand),
             f"{_number(r.ratio)}x{around}", goal, _number(r.median_excess),
             _number(r.worst_excess), _number(r.floor_error), r.note]
        )  # fmt: skip
    return _table(head, body)


def write(
    folder: Path, setting: dict[str, Any], rows: list[Row], rivals: list[Rival], notes: list[str]
) -> list[Path]:
    """Write fit_speed.md and fit_speed.json; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    page, record = folder / "fit_speed.md", folder / "fit_speed.json"
    page.write_text(markdown(setting, rows, rivals, notes), encoding="utf-8")
    content = {
        **setting,
        "rows": [{**asdict(r), "verdict": r.verdict} for r in rows],
        "competitors": [{**asdict(r), "verdict": r.row.verdict} for r in rivals],
        "notes": notes,
    }
    record.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [page, record]
