"""A set's folder on disk, laid out as ours or as its publisher's repository."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kleiber.errors import InputError
from kleiber.runs.sets.manifest import files_of


@dataclass(frozen=True)
class Folder:
    """Where a set's files are: its own folder, one of several sets, or a repository's copy."""

    name: str
    root: Path

    def path(self, file: str) -> Path:
        """Return the place of a file; InputError that says how to get it where it is not."""
        found = self.find(file)
        if found is None:
            fetch = f"Fetch it with kleiber data get {self.name}, or name the folder that has it."
            remedy = fetch if self._published(file) else "It is in no repository: name the folder."
            raise InputError(
                f"'{self.root}' has no file '{file}' of the set {self.name}.", remedy=remedy
            )
        return found

    def _published(self, file: str) -> str:
        """Return a file's place in the publisher's repository, "" where it is not in one."""
        return {one.path: one.published for one in files_of(self.name)}.get(file, "")

    def find(self, file: str) -> Path | None:
        """Return the place of a file, None where it is not there."""
        for root in (self.root / self.name, self.root):
            for place in filter(None, (file, self._published(file))):
                if (root / place).is_file():
                    return root / place
        return None

    def content(self, file: str) -> bytes:
        """Return a file's bytes, unpacked where it is a gzip archive."""
        data = self.path(file).read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data

    def table(self, file: str, *, names: list[str] | None = None) -> pl.DataFrame:
        """Return a CSV file with every cell as text; ``names`` for a file without a header."""
        frame = pl.read_csv(
            io.BytesIO(self.content(file)),
            infer_schema=False,
            has_header=names is None,
            new_columns=names,
            truncate_ragged_lines=True,
        )
        # A repeated column name is told apart by polars; a byte-order mark is no name.
        return frame.rename({one: one.lstrip("\ufeff") for one in frame.columns})


def number(column: str) -> pl.Expr:
    """Return a text column as numbers, null where the cell is empty or no number."""
    cells = pl.col(column).str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(cells.is_nan()).then(None).otherwise(cells).alias(column)


def numbers(*columns: str, **renamed: str) -> list[pl.Expr]:
    """Return several text columns as numbers, ``new=old`` renamed."""
    plain = [number(column).alias(column) for column in columns]
    return [*plain, *(number(old).alias(new) for new, old in renamed.items())]


def unpivoted(frame: pl.DataFrame, metrics: list[str]) -> pl.DataFrame:
    """Return one row a metric with a value: columns metric and value in place of many."""
    kept = [column for column in frame.columns if column not in metrics]
    long = frame.unpivot(on=metrics, index=kept, variable_name="metric", value_name="value")
    return long.filter(pl.col("value").is_not_null())
