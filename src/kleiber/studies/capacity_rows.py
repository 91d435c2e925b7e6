"""Capacity results out of committed tables: whatever runs are there, as rows of one law.

A row keeps what its table says and gains ``architecture`` and ``weight_bits``. Runs that one law of
clean knowledge is not of are left out, and counted by the reason.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kleiber.errors import InputError

FORMAT, SCALE = "bioD", "cpu"
METHODS = (None, "float", "gptq")
NAME = re.compile(r"N\d+-E[\d.]+(?:-(?P<kind>.+?))?-\d+x\d+-b")  # as a cell names its folder
OTHER_FORM = "of another form of knowledge (attributes, pools, strings) than most runs"
DEPTH = 2  # layers that the law is of: what another depth takes depends on the size (result 1)
OTHER_DEPTH = "of another depth: the law is of two layers"


@dataclass(frozen=True)
class Gathered:
    """The rows for the law, those of other depths, what was left out, the tables they are of."""

    rows: list[dict[str, Any]]
    other_depths: list[dict[str, Any]]
    left: Mapping[str, int]
    tables: tuple[str, ...]


def gather(folder: Path) -> Gathered:
    """Read every capacity table of a folder.

    Raises
    ------
    InputError
        Where there is no table with runs, or one is no JSON.
    """
    left: Counter[str] = Counter()
    found: dict[tuple[str, Any, Any], dict[str, Any]] = {}
    tables: list[str] = []
    for path in sorted(folder.glob("capacity-*.json")):
        runs = list(_runs(path))
        if runs:
            tables.append(path.stem)
        for run in runs:
            row = {
                **run,
                "architecture": _architecture(run),
                "weight_bits": run.get("bits") or 32,
            }
            key = str(run.get("run")), row["weight_bits"], row.get("method")
            found[key] = {**found.get(key, {}), **row}  # tables of one run say different things
    if not found:
        raise InputError(
            f"No capacity table in '{folder}' has runs.",
            remedy="Make some with kleiber study capacity-curve --out results.",
        )
    rowed = {run: row["vocab"] for (run, _, _), row in found.items() if row.get("vocab")}
    for (run, _, _), row in found.items():
        row.setdefault("vocab", rowed.get(run))  # a table of readings does not say it
    usual = _usual_form(found.values())
    rows: list[dict[str, Any]] = []
    other_depths: list[dict[str, Any]] = []
    for row in found.values():
        other_form = usual not in (_form(row), None)
        why = _why_not(row) or (OTHER_FORM if other_form else None)
        if why:
            left[why] += 1
        if not why:
            rows.append(row)
        elif why == OTHER_DEPTH and not other_form:
            other_depths.append(row)
    return Gathered(rows, other_depths, dict(left), tuple(tables))


def _runs(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the runs of a table, a list of them or lists by arm; none of another kind of table."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"'{path}' is no JSON: {error}.", remedy="Make the table again, or take it away."
        ) from None
    if not isinstance(table, dict) or table.get("preset", SCALE) != SCALE:
        return
    held: Any = table.get("runs") or []
    lists = held.values() if isinstance(held, dict) else [held]
    for one in lists:
        for run in one if isinstance(one, list) else []:
            if isinstance(run, dict) and "bits_per_param" in run:
                yield run


def _architecture(run: Mapping[str, Any]) -> str | None:
    """Return a run's architecture as it says, or as its folder is named."""
    named = NAME.match(str(run.get("run", "")))
    return run.get("architecture") or (named["kind"] if named else None)


def _why_not(row: Mapping[str, Any]) -> str | None:
    """Return why a run is none of the law's."""
    if not NAME.match(str(row.get("run", ""))):
        return "of no cell: controls of the measure, not taught to be full"
    if row.get("mix"):
        return "taught other texts too"
    if row.get("format", FORMAT) != FORMAT:
        return f"of another format than {FORMAT}"
    if row.get("method") not in METHODS:
        return "rounded by another method than GPTQ"
    if row.get("layers", DEPTH) != DEPTH:
        return OTHER_DEPTH
    return None


def _form(row: Mapping[str, Any]) -> float:
    """Return what tells forms of knowledge apart: a person's bits, but for how many people are.

    ``R^max P / N + log2 N = log2 N0 + K C log2 D`` where strings have no bits of their own, with
    the rows of the vocabulary as whole numbers behind: values of two chunks have as many bits.
    """
    people = float(row["people"])
    bits = float(row["max_bits_per_param"]) * float(row["params"]) / people + math.log2(people)
    return round(bits, 2) + 1000.0 * float(row.get("vocab") or 0)


def _usual_form(rows: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the form of most runs that the law may be of."""
    forms = Counter(_form(row) for row in rows if not _why_not(row))
    return forms.most_common(1)[0][0] if forms else None
