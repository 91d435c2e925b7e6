"""Readers: one kind of source a file, each returning a raw table."""

from __future__ import annotations

import os
from collections.abc import Sequence

from kleiber.runs.readers.files import read_bytes, read_paths
from kleiber.runs.readers.frames import read_frame
from kleiber.runs.readers.raw import Raw

__all__ = ["Raw", "read_bytes", "read_frame", "read_source"]


def read_source(source: object) -> Raw:
    """Return the raw table of a path, a pattern, several of them, "-", or a table in memory."""
    if isinstance(source, (str, os.PathLike)):
        return read_paths([os.fspath(source)])
    if isinstance(source, Sequence) and not isinstance(source, bytes) and source:
        paths = [os.fspath(one) for one in source if isinstance(one, (str, os.PathLike))]
        if len(paths) == len(source):
            return read_paths(paths)
    return read_frame(source)
