"""A set's folder on disk, laid out as ours or as its publisher's repository."""

from __future__ import annotations

import gzip
import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from kleiber.errors import InputError
from kleiber.runs.sets.manifest import files_of
from kleiber.runs.sets.record import File


@dataclass(frozen=True)
class Folder:
    """Where a set's files are: its own folder, one of several sets, or a repository's copy.

    ``differs`` says of the files read so far which were not the published ones.
    """

    name: str
    root: Path
    differs: list[str] = field(default_factory=list[str], compare=False)

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

    def _record(self, file: str) -> File | None:
        """Return what is known of a published file, None of one that is not in the manifest."""
        return {one.path: one for one in files_of(self.name)}.get(file)

    def _published(self, file: str) -> str:
        """Return a file's place in the publisher's repository, "" where it is not in one."""
        record = self._record(file)
        return record.published if record else ""

    def find(self, file: str) -> Path | None:
        """Return the place of a file, None where it is not there."""
        for root in (self.root / self.name, self.root):
            for place in filter(None, (file, self._published(file))):
                if (root / place).is_file():
                    return root / place
        return None

    def raw(self, file: str) -> bytes:
        """Return a file's bytes; where they are not the published ones, ``differs`` says so.

        Raises InputError for a file that is missing, empty or unreadable.
        """
        place = self.path(file)
        try:
            data = place.read_bytes()
        except OSError as error:
            raise InputError(
                f"'{place}' of the set {self.name} cannot be read: {error.strerror or error}.",
                remedy="Check its permissions, or name another folder that has the set.",
            ) from None
        record = self._record(file)
        fault = None if record is None else difference(data, record, self.name, place)
        if fault and not data:
            raise InputError(fault + ".", remedy=_again(record, self.name))
        if fault and fault not in self.differs:
            self.differs.append(fault)
        return data

    def broken(self, error: Exception) -> InputError:
        """Return the error of a set whose reader met one: a changed file is the likely cause."""
        said = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        named = self.differs.pop() if self.differs else f"A file of {self.name} in '{self.root}'"
        return InputError(
            f"{named}, and cannot be read: {said}.",
            remedy=f"Get a fresh copy with kleiber data get {self.name}, or from its publisher.",
        )

    def content(self, file: str) -> bytes:
        """Return a file's bytes, unpacked where it is a gzip archive."""
        data = self.raw(file)
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data

    def table(self, file: str, *, names: list[str] | None = None) -> pl.DataFrame:
        """Return a CSV file with every cell as text; ``names`` for a file without a header."""
        try:
            frame = pl.read_csv(
                io.BytesIO(self.content(file)),
                infer_schema=False,
                has_header=names is None,
                new_columns=names,
                truncate_ragged_lines=True,
            )
        except (pl.exceptions.PolarsError, OSError, EOFError) as error:  # of no known checksum
            raise InputError(
                f"'{self.path(file)}' of the set {self.name} is no table: "
                f"{str(error).splitlines()[0].rstrip('.')}.",
                remedy="Get a fresh copy of the file.",
            ) from None
        # A repeated column name is told apart by polars; a byte-order mark is no name.
        return frame.rename({one: one.lstrip("\ufeff") for one in frame.columns})


def verified(data: bytes, file: File, name: str, place: Path | None = None) -> bytes:
    """Return a file's bytes, or raise InputError where they are not the published ones."""
    fault = difference(data, file, name, place)
    if fault:
        raise InputError(fault + ".", remedy=_again(file, name))
    return data


def difference(data: bytes, file: File, name: str, place: Path | None = None) -> str | None:
    """Return how a file's bytes differ from the published ones, None where they do not."""
    found = hashlib.sha256(data).hexdigest()
    if found == file.sha256:
        return None
    at = "" if place is None else f" at '{place}'"
    return (
        f"'{file.path}' of {name}{at} is not the published file: {len(data):,} bytes with "
        f"SHA-256 {found[:12]}…, expected {file.size:,} bytes with {file.sha256[:12]}…"
    )


def _again(file: File | None, name: str) -> str:
    again = f" with kleiber data get {name}" if file and file.published else ""
    return f"Get a fresh copy{again}; kleiber runs FILE reads a changed one as any table."


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
