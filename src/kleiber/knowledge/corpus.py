"""Biographies that a user's own language model wrote: the two files, read and checked.

The texts are JSON lines, one text a line: ``{"person": 7, "text": "..."}`` or ``{"name": "...",
"text": "..."}``. The people are a CSV table with a header, or JSON (a list of objects, or one a
line): a column ``name``, maybe ``person``, and every other column an attribute.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from kleiber.errors import InputError
from kleiber.knowledge.spans import Finder, Problem, Span, by_kind

NUMBER = "person"


@dataclass(frozen=True)
class Telling:
    """One good text: whose it is, and where its parts first stand, in characters."""

    person: int
    text: str
    spans: Mapping[str, Span]


@dataclass(frozen=True)
class Corpus:
    """People with their values, the texts that tell them, and what was wrong with the others."""

    people: tuple[Mapping[str, str], ...]  # name and values
    attributes: tuple[str, ...]
    texts: tuple[Telling, ...]
    left_out: int  # texts
    problems: tuple[Problem, ...]
    digest: str  # of both files

    @property
    def told(self) -> tuple[int, ...]:
        """The people who have a good text, by their place in the table."""
        return tuple(sorted({one.person for one in self.texts}))

    def summary(self) -> str:
        """Return in a sentence how many texts are good, and what the others lack."""
        total = len(self.texts) + self.left_out
        counts = ", ".join(f"{count:,} {kind}" for kind, count in by_kind(self.problems).items())
        why = f" ({counts})" if counts else ""
        return (
            f"{len(self.texts):,} of {total:,} texts tell all {len(self.attributes)} values of "
            f"{len(self.told):,} of {len(self.people):,} people; {self.left_out:,} were left "
            f"out{why}."
        )


def read_corpus(texts: str | Path, people: str | Path) -> Corpus:
    """Read both files; raises InputError for what is no such file, by its line."""
    said, table = (_bytes(Path(path)) for path in (texts, people))
    return _read(str(texts), said, str(people), table)


@lru_cache(maxsize=2)  # a run asks several times
def _read(texts_path: str, texts: bytes, people_path: str, people: bytes) -> Corpus:
    rows = _people(people_path, _decoded(people_path, people))
    attributes = tuple(column for column in rows[0] if column not in ("name", NUMBER))
    known = _known(people_path, rows)
    truths = tuple({"name": row["name"], **{a: row[a] for a in attributes}} for row in rows)
    parts = ("name", *attributes)
    finder = Finder({part: tuple(dict.fromkeys(one[part] for one in truths)) for part in parts})
    good: list[Telling] = []
    problems: list[Problem] = []
    left_out = 0
    for number, line in enumerate(_decoded(texts_path, texts).splitlines(), 1):
        if not line.strip():
            continue
        whose, text = _line(f"'{texts_path}' line {number}", line, known)
        spans, wrong = finder.find(text, truths[whose])
        if wrong:
            left_out += 1
            problems += [replace(one, line=number) for one in wrong]
        else:
            good.append(Telling(whose, text, spans))
    if not good:
        raise InputError(
            f"No text of '{texts_path}' can be used: "
            + ("; ".join(map(str, problems[:3])) or "it is empty")
            + ".",
            remedy="Each text should tell the full name and every value, once and as the table has "
            "them.",
        )
    digest = hashlib.sha256(texts + b"\0" + people).hexdigest()[:16]
    return Corpus(truths, attributes, tuple(good), left_out, tuple(problems), digest)


def _line(where: str, line: str, known: Mapping[str, int]) -> tuple[int, str]:
    """Return whose text a line is, and the text with single spaces, one in front."""
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where} is no JSON: {error.msg}.", remedy="Write one object a line."
        ) from None
    if not (isinstance(content, dict) and isinstance(content.get("text"), str)):
        raise InputError(f"{where} has no text.", remedy='Write {"person": 7, "text": "..."}.')
    key = content.get(NUMBER, content.get("name"))
    if key is None or _clean(str(key)) not in known:
        raise InputError(
            f"{where} is of {key!r}, who is not in the table of people.",
            remedy="Name a person of the table by person or name.",
        )
    return known[_clean(str(key))], f" {_clean(content['text'])}"


def _people(path: str, text: str) -> list[dict[str, str]]:
    """Return the rows of the table, all with the same columns."""
    try:
        if path.endswith(".csv"):
            rows: list[Any] = list(csv.DictReader(io.StringIO(text)))
        elif path.endswith(".jsonl"):
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            rows = json.loads(text)
    except (json.JSONDecodeError, csv.Error) as error:
        raise InputError(
            f"'{path}' cannot be read as a table: {error}.",
            remedy="Give a CSV file with a header, a JSON list of objects, or JSON lines.",
        ) from None
    if not (isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)):
        raise InputError(f"'{path}' holds no people.", remedy="Give one row or object a person.")
    columns = [column for column in rows[0] if column is not None]
    if "name" not in columns or len(set(columns) - {"name", NUMBER}) < 1:
        raise InputError(
            f"'{path}' has the columns {', '.join(map(str, columns))}; name and at least one "
            "attribute are expected.",
            remedy="Name the columns in the table's first line.",
        )
    if "work_city" in columns and "employer" not in columns:
        raise InputError(
            f"'{path}' has work_city without employer: a working city only counts as told by one.",
            remedy="Call the column otherwise, such as home_city, or add the employer.",
        )
    found: list[dict[str, str]] = []
    for place, row in enumerate(rows, 1):
        values = {column: _clean(str(row.get(column, ""))) for column in columns}
        empty = [column for column in columns if not values[column] or row[column] is None]
        if empty or set(row) != set(columns):
            lacks = ", ".join(empty) or "the columns of the first row, or has others"
            raise InputError(
                f"'{path}' row {place} lacks {lacks}.", remedy="Give every person every value."
            )
        found.append(values)
    return found


def _known(path: str, rows: list[dict[str, str]]) -> dict[str, int]:
    """Return who a number or a name is; raises for two of one name."""
    known: dict[str, int] = {}
    for place, row in enumerate(rows):
        for key in {row["name"], row.get(NUMBER, row["name"])}:
            if key in known:
                raise InputError(
                    f"'{path}' has two people of one name or number: {key}.",
                    remedy="Give each person a name, and a number, of their own.",
                )
            known[key] = place
    return known


def _clean(text: str) -> str:
    """Return text with straight apostrophes and single spaces."""
    return " ".join(text.replace("\u2019", "'").split())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read: {error.strerror}.", remedy="Check the path."
        ) from None


def _decoded(path: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"'{path}' is no UTF-8 text.", remedy="Save it as UTF-8.") from None
