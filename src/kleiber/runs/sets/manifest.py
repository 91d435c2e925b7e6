"""The files of every set with their checksums, read from manifest.csv beside this file."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from kleiber.runs.sets.record import File

MANIFEST = Path(__file__).with_name("manifest.csv")


@cache
def _all() -> dict[str, tuple[File, ...]]:
    found: dict[str, list[File]] = {}
    with MANIFEST.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            file = File(row["path"], row["published"], int(row["size"]), row["sha256"])
            found.setdefault(row["set"], []).append(file)
    return {name: tuple(files) for name, files in found.items()}


def sets() -> tuple[str, ...]:
    """Return the names of the sets."""
    return tuple(_all())


def files_of(name: str) -> tuple[File, ...]:
    """Return the files of a set, in the order of the manifest."""
    return _all().get(name, ())
