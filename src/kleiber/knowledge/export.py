"""Biographies as JSON Lines, for use outside: text, truth, and where the truth stands."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from kleiber.errors import UsageError
from kleiber.knowledge.texts import Biography, Source

CHUNK = 1000
"""Texts that are written at a time."""


def write_jsonl(
    source: Source,
    path: str | Path,
    ids: ArrayLike,
    exposures: ArrayLike,
    *,
    overwrite: bool = False,
) -> int:
    """Write one object a text and return how many were written.

    An object holds ``person``, ``exposure``, ``text``, ``truth`` (part to words) and ``spans``
    (part, start, end in characters of the text). The file appears whole or not at all; one that is
    already there stays, unless ``overwrite`` (`UsageError`).
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise UsageError(
            f"{path} is already there.", remedy="Name another file, or allow it to be overwritten."
        )
    if not path.parent.is_dir():
        raise UsageError(f"no folder {path.parent}.", remedy="Make it first, or name another.")
    people = np.atleast_1d(np.asarray(ids))
    shown = np.broadcast_to(np.asarray(exposures), people.shape)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for start in range(0, len(people), CHUNK):
                chunk = slice(start, start + CHUNK)
                for biography in source.biographies(people[chunk], shown[chunk]):
                    file.write(line(biography))
        os.chmod(beside, 0o644)  # mkstemp makes private files
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return len(people)


def line(biography: Biography) -> str:
    """Return one text's line."""
    content = {
        "person": biography.person,
        "exposure": biography.exposure,
        "text": biography.text,
        "truth": biography.values,
        "spans": biography.spans,
    }
    return json.dumps(content, ensure_ascii=False) + "\n"
