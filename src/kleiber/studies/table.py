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
        body = [[cell(row.get(column)) for column in self.columns] for row in self.rows]
        widths = [
            max(len(head), *(len(line[i]) for line in body)) if body else len(head)
            for i, head in enumerate(self.columns)
        ]

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

        rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
        parts = [f"# {self.title}", ""]
        parts += [f"- {claim}" for claim in self.claims] + ([""] if self.claims else [])
        parts += [line(self.columns), rule, *(line(cells) for cells in body), ""]
        parts += [f"{note}\n" for note in self.notes]
        made = ", ".join(f"{k} {v}" for k, v in self.provenance().items() if k != "command")
        parts += [f"Made by `{self.command}`; {made}.", ""]
        return "\n".join(parts)

    def write(self, folder: Path) -> Path:
        """Write NAME.md and NAME.json into a folder, each whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "title": self.title,
            **self.provenance(),
            "claims": list(self.claims),
            "rows": [dict(row) for row in self.rows],
            **self.extra,
        }
        _replace(folder / f"{self.name}.json", json.dumps(plain(content), indent=1) + "\n")
        return _replace(folder / f"{self.name}.md", self.markdown())


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
