"""A corpus: documents in a fixed order, a checksum of all of them, and where they came from.

Documents are text. A corpus is read twice, once for its checksum and the split into training and
held-out documents, once for its tokens; no more than one file of it is in memory at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kleiber.errors import InputError

FEW = 100
"""Documents below which long ones are cut into parts, so that some can be held out."""

SHORTEST = 1024
"""Characters of a part, at least."""


@dataclass(frozen=True)
class Corpus:
    """Documents by name; ``documents()`` yields the same ones at every call.

    ``checksum`` is of all that was read, ``about`` what a run's record says of it.
    """

    name: str
    checksum: str
    documents: Callable[[], Iterator[str]] = field(repr=False, compare=False)
    about: dict[str, Any] = field(default_factory=dict[str, Any], compare=False)


def of_files(name: str, files: Sequence[tuple[str, Path]], **about: Any) -> Corpus:
    """Return the corpus of files, each with the name that it goes by; ``.jsonl`` by lines.

    Raises InputError for a file that cannot be read, holds no UTF-8 text, or for none with text.
    """
    digest, total = hashlib.sha256(), 0
    for label, path in files:
        size, checksum = sum_of(path)
        digest.update(f"{label}\0{size}\0{checksum}\0".encode())
        total += size
    if not total:
        raise InputError(
            f"The text '{name}' is empty: {len(files):,} files with 0 bytes.",
            remedy="Name a file or a folder with text.",
        )
    lines = any(path.suffix == ".jsonl" for _, path in files)
    cut = 0 if lines or len(files) >= FEW else max(SHORTEST, total // FEW)

    def documents() -> Iterator[str]:
        for _, path in files:
            if path.suffix == ".jsonl":
                yield from json_lines(path)
            else:
                text = decoded(read_bytes(path), path)
                yield from parts(text, cut) if cut else (text,)

    checksum = digest.hexdigest()[:16]
    return Corpus(name, checksum, documents, {"files": len(files), "bytes": total, **about})


def sum_of(path: Path) -> tuple[int, str]:
    """Return a file's size and its SHA-256, or raise InputError."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return file.tell(), digest.hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes, or raise InputError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"'{path}' cannot be read: {error.strerror or error}.",
        remedy="Check the path and its permissions.",
    )


def decoded(content: bytes, path: Path) -> str:
    """Return a file's text, or raise InputError where it is none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"'{path}' is no UTF-8 text: byte {error.start:,} is 0x{content[error.start]:02x}.",
            remedy="Convert it to UTF-8, or take it out of the text.",
        ) from None
    if "\0" in text:
        raise InputError(
            f"'{path}' is no text: byte {text.index(chr(0)):,} is 0, as in a binary file.",
            remedy="Take it out of the text.",
        )
    return text


def json_lines(path: Path) -> Iterator[str]:
    """Yield the documents of a JSON Lines file, the field ``text`` of every line."""
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _text_of(json.loads(line), path, number)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError among them
        raise InputError(
            f"'{path}' line {number:,} is no JSON: {str(error).rstrip('.')}.",
            remedy='Every line is to be an object with a text: {"text": "..."}.',
        ) from None


def _text_of(content: Any, path: Path, number: int) -> str:
    if isinstance(content, dict) and isinstance(content.get("text"), str):
        return content["text"].encode("utf-8", "replace").decode("utf-8")  # no lone surrogates
    has = f"fields {', '.join(map(str, content))}" if isinstance(content, dict) else "no object"
    raise InputError(
        f"'{path}' line {number:,} has no text in a field \"text\"; it has {has}.",
        remedy='Every line is to be an object with a text: {"text": "..."}.',
    )


def parts(text: str, size: int) -> Iterator[str]:
    """Yield a long text in parts of about ``size`` characters, cut behind empty lines if it can."""
    start = 0
    while len(text) - start > size:
        end = start + size
        for mark in ("\n\n", "\n", " "):
            found = text.rfind(mark, start + size // 2, end)
            if found >= 0:
                end = found + len(mark)
                break
        yield text[start:end]
        start = end
    yield text[start:]
