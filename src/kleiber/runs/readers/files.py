"""Files, patterns, run folders and standard input: from a path to raw tables."""

from __future__ import annotations

import glob
import gzip
import io
import os
import sys
import zlib
from collections import Counter
from pathlib import Path

import polars as pl

from kleiber.errors import InputError
from kleiber.runs.named import SET, as_named
from kleiber.runs.readers.chart import is_chart, read_chart
from kleiber.runs.readers.delimited import read_delimited
from kleiber.runs.readers.folders import read_folders, run_folders
from kleiber.runs.readers.jsonrows import read_json
from kleiber.runs.readers.raw import Raw, located, together

_GZIP = b"\x1f\x8b"
_MAGIC = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF"),
    (_GZIP, "a gzip archive inside another"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x80\x02", "a Python pickle, which is never opened"),
    (b"\x80\x03", "a Python pickle, which is never opened"),
    (b"\x80\x04", "a Python pickle, which is never opened"),
    (b"\x80\x05", "a Python pickle, which is never opened"),
)
_MOST = 2**30  # bytes of a table once unpacked: a small archive can hold terabytes of zeros
_FORMATS = "Give CSV, TSV, JSON, JSON lines (plain or gzipped) or Parquet."


def read_paths(paths: list[str]) -> Raw:
    """Return the table of one or several files or patterns; "-" is standard input.

    Raises InputError for a missing file, a folder, and a file that is no table.
    """
    found = [path for pattern in paths for path in _matches(pattern)]
    if not found:
        raise InputError("No file was given.", remedy="Give at least one file.")
    plain = [_without_gz(path) for path in found]
    stems = Counter(path.stem for path in plain)
    names = [path.stem if stems[path.stem] == 1 else str(path.with_suffix("")) for path in plain]
    return together([_read_one(path, name) for path, name in zip(found, names, strict=True)])


def _without_gz(path: str) -> Path:
    """Return a path as it is named once unpacked."""
    return Path(path).with_suffix("") if path.lower().endswith(".gz") else Path(path)


def _matches(pattern: str) -> list[str]:
    if not pattern:
        raise InputError("The path is empty.", remedy="Give a file, or - for standard input.")
    if pattern.startswith(SET):
        raise InputError(
            f"'{pattern}' is a public set, and other tables were given with it.",
            remedy="Give one set and nothing else.",
        )
    if pattern == "-" or os.path.exists(pattern) or not glob.has_magic(pattern):
        return [pattern]
    every = sorted(glob.glob(pattern, recursive=True))
    found = [path for path in every if os.path.isfile(path)] or [
        path for path in every if run_folders(path)
    ]
    if not found:
        raise InputError(f"No file matches '{pattern}'.", remedy="Check the pattern.")
    return found


def _read_one(path: str, name: str) -> Raw:
    folders = run_folders(path)
    if folders:
        return read_folders(path, folders)
    if path == "-":
        return read_bytes(sys.stdin.buffer.read(), source="standard input", file="stdin")
    suffix = _without_gz(path).suffix.lower()
    return read_bytes(_content(path), source=path, file=name, suffix=suffix)


def _content(path: str) -> bytes:
    if os.path.isdir(path):
        raise InputError(
            f"'{path}' is a folder without runs that kleiber trained.",
            remedy=f"Train one there, or give files, such as '{path.rstrip('/')}/*.csv'.",
        )
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        public = as_named(path)
        known = f", or write {public} for the public set" if public else ""
        raise InputError(f"There is no file '{path}'.", remedy=f"Check the path{known}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"'{path}' cannot be read: {reason}.", remedy="Check the path.") from None


def read_bytes(data: bytes, *, source: str, file: str, suffix: str = "") -> Raw:
    """Return the table in a file's bytes, told apart by what they are, not by their name."""
    if data.startswith(_GZIP):
        data = _unpacked(data, source)
    if not data.strip():
        raise InputError(f"{source} is empty.", remedy="Give a table with a header and rows.")
    if data[:4] == b"PAR1":
        return located(_parquet(data, source), None, source=source, file=file)
    text = _text(data, source)
    if text.lstrip()[:1] in ("{", "["):
        frame, lines = read_json(text, source=source)
        return located(frame, lines, source=source, file=file)
    frame, lines = read_delimited(text, source=source, suffix=suffix)
    if is_chart(frame.columns):
        return read_chart(frame, lines, source=source, file=file)
    return located(frame, lines, source=source, file=file)


def _unpacked(data: bytes, source: str) -> bytes:
    """Return what a gzip archive holds; InputError for a broken or a huge one."""
    try:
        with gzip.open(io.BytesIO(data)) as archive:
            found = archive.read(_MOST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{source} is a broken gzip archive: {str(error).rstrip('.')}.",
            remedy="Get or make the archive again.",
        ) from None
    if len(found) > _MOST:
        raise InputError(
            f"{source} is a gzip archive of more than {_MOST:,} bytes.",
            remedy="Unpack it, and give the rows that are needed as Parquet or CSV.",
        )
    return found


def _parquet(data: bytes, source: str) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except Exception as error:  # polars raises several kinds, its panic among them
        raise InputError(
            f"{source} is a broken Parquet file: {str(error).splitlines()[0]}.",
            remedy="Write the file again.",
        ) from None
    if frame.height == 0 or frame.width == 0:
        raise InputError(f"{source} has no rows.", remedy="Give a table with at least one row.")
    return frame


def _text(data: bytes, source: str) -> str:
    for magic, what in _MAGIC:
        if data.startswith(magic):
            raise InputError(f"{source} is no table: it is {what}.", remedy=_FORMATS)
    if b"\0" in data:
        raise InputError(
            f"{source} is no table: it is binary (a NUL byte at {data.index(0):,}).",
            remedy=f"{_FORMATS} Text must be UTF-8.",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source} is not UTF-8 text (byte {error.start:,}).",
            remedy=f"{_FORMATS} Text must be UTF-8.",
        ) from None
