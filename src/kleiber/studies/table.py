"""A study's result: a table with the command, the versions and the date it came from."""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from kleiber import __version__
from kleiber.fitting.store import plain

MOST_ROWS = 30  # of each later table of a book that are shown as text


@dataclass(frozen=True)
class Table:
    """Rows of one study; ``notes`` say how to read them, ``claims`` what they show."""

    name: str
    title: str
    command: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    claims: Sequence[str] = ()
    notes: Sequence[str] = ()
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def provenance(self) -> dict[str, Any]:
        """Return what made the table."""
        return {
            "command": self.command,
            "seed": self.seed,
            "kleiber": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "date": datetime.date.today().isoformat(),
        }

    def markdown(self) -> str:
        """Return the table as Markdown, provenance last."""
        made = ", ".join(f"{k} {v}" for k, v in self.provenance().items() if k != "command")
        return "\n".join([self.body(), f"Made by `{self.command}`; {made}.", ""])

    def body(self, level: int = 1, most: int | None = None) -> str:
        """Return the table as Markdown under a heading of a level, without its provenance.

        ``most`` rows are shown, and where the others are is said.
        """
        shown = self.rows[:most]
        lines = [[cell(row.get(column)) for column in self.columns] for row in shown]
        widths = [
            max(len(head), *(len(line[i]) for line in lines)) if lines else len(head)
            for i, head in enumerate(self.columns)
        ]

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

        rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
        parts = [f"{'#' * level} {self.title}", ""]
        parts += [f"- {claim}" for claim in self.claims] + ([""] if self.claims else [])
        parts += [line(self.columns), rule, *(line(cells) for cells in lines), ""]
        if len(shown) < len(self.rows):
            parts += [f"{len(self.rows) - len(shown):,} more rows are in the JSON beside.", ""]
        return "\n".join([*parts, *(f"{note}\n" for note in self.notes)])

    def content(self) -> dict[str, Any]:
        """Return the table as plain data with its provenance."""
        return {
            "title": self.title,
            **self.provenance(),
            "claims": list(self.claims),
            "rows": [dict(row) for row in self.rows],
            **self.extra,
        }

    def write(self, folder: Path) -> Path:
        """Write NAME.md and NAME.json into a folder, each whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / f"{self.name}.json", json.dumps(plain(self.content()), indent=1) + "\n")
        return _replace(folder / f"{self.name}.md", self.markdown())


@dataclass(frozen=True)
class Book:
    """Several tables of one study under one name; the first holds its claims."""

    tables: Sequence[Table]
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def name(self) -> str:
        """The name of the study's files."""
        return self.tables[0].name

    def markdown(self) -> str:
        """Return all tables as Markdown, provenance last."""
        first, *others = self.tables
        made = ", ".join(f"{k} {v}" for k, v in first.provenance().items() if k != "command")
        bodies = [first.body(), *(table.body(2, MOST_ROWS) for table in others)]
        return "\n".join([*bodies, f"Made by `{first.command}`; {made}.", ""])

    def content(self) -> dict[str, Any]:
        """Return all tables as plain data with their provenance."""
        first = self.tables[0]
        tables = {
            table.name: {
                "title": table.title,
                "claims": list(table.claims),
                "rows": [dict(row) for row in table.rows],
            }
            for table in self.tables
        }
        return {**first.provenance(), **self.extra, "tables": tables}

    def write(self, folder: Path) -> Path:
        """Write NAME.md and NAME.json into a folder, each whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / f"{self.name}.json", _by_rows(self.content()))
        return _replace(folder / f"{self.name}.md", self.markdown())


def _by_rows(content: Mapping[str, Any]) -> str:
    """Return a book's content as JSON with a table's row on a line."""
    tables = content["tables"]
    head = json.dumps(plain({k: v for k, v in content.items() if k != "tables"}), indent=1)
    parts: list[str] = []
    for name, table in tables.items():
        rows = ",\n  ".join(json.dumps(plain(row)) for row in table["rows"])
        said = json.dumps(plain({k: v for k, v in table.items() if k != "rows"}))
        parts.append(f'  {json.dumps(name)}: {said[:-1]}, "rows": [\n  {rows}\n  ]}}')
    return head[:-2] + ',\n "tables": {\n' + ",\n".join(parts) + "\n }\n}\n"


def cell(value: Any) -> str:
    """Return a value as a table's cell; unknown is a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "\\|")


def _replace(path: Path, text: str) -> Path:
    """Write a text beside its place and move it there."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)
    return path
