"""Capacity results as rows: one trained model, what it stored, and what it was asked to store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kleiber.errors import ColumnError, ValuesError

NEEDED = ("people", "params", "exposures", "bits_per_param", "max_bits_per_param")
SAME_STEPS = 0.99  # of a cell's longest runs: shorter ones are other trainings


@dataclass(frozen=True)
class Stored:
    """One measured model; bits are per parameter, ``demand`` is the published R^max.

    ``embedding_share``, ``steps`` and ``unseen`` (bits per parameter on people that the model
    has never seen) are NaN where the row does not say.
    """

    people: int
    params: float
    exposures: float
    seed: str
    bits: float
    demand: float
    embedding_share: float
    steps: float
    unseen: float

    @property
    def cell(self) -> tuple[int, float, float]:
        """Return what seeds share: people, params, exposures."""
        return (self.people, self.params, self.exposures)

    @property
    def overfill(self) -> float:
        """Return how much more is demanded than stored, R^max / R; infinite where R is 0."""
        return self.demand / self.bits if self.bits > 0 else math.inf


def stored_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[Stored, ...]:
    """Return capacity results as checked rows.

    A row has ``people, params, exposures, bits_per_param, max_bits_per_param`` and may have
    ``seed, embedding_share, steps`` and ``controls`` with ``unseen``. Raises ColumnError for a
    name that a row lacks and ValuesError for a count or a demand that is not positive.
    """
    return tuple(_stored(row, number) for number, row in enumerate(rows, 1))


def _stored(row: Mapping[str, Any], number: int) -> Stored:
    """Return one checked row."""
    lacking = [name for name in NEEDED if row.get(name) is None]
    if lacking:
        raise ColumnError(
            f"Capacity result {number} has no {', '.join(lacking)}; it has {', '.join(row)}.",
            remedy="Give the runs of `kleiber know capacity --json`, or rows with those names.",
        )
    numbers = {name: float(row[name]) for name in NEEDED}
    for name, value in numbers.items():
        if not math.isfinite(value) or (value <= 0 and name != "bits_per_param"):
            raise ValuesError(f"Capacity result {number} has {name} = {value}.")
    controls: Mapping[str, Any] = row.get("controls") or {}
    return Stored(
        people=round(numbers["people"]),
        params=numbers["params"],
        exposures=numbers["exposures"],
        seed=str(row.get("seed", number)),
        bits=numbers["bits_per_param"],
        demand=numbers["max_bits_per_param"],
        embedding_share=_optional(row, "embedding_share"),
        steps=_optional(row, "steps"),
        unseen=_optional(controls, "unseen"),
    )


def _optional(row: Mapping[str, Any], name: str) -> float:
    """Return a number that a row may lack."""
    value = row.get(name)
    return math.nan if value in (None, "") else float(value)


def longest(rows: Iterable[Stored]) -> tuple[Stored, ...]:
    """Return of every cell the rows trained for the most steps; all where steps are unknown."""
    kept = tuple(rows)
    most: dict[tuple[int, float, float], float] = {}
    for row in kept:
        if math.isfinite(row.steps):
            most[row.cell] = max(most.get(row.cell, 0.0), row.steps)
    return tuple(row for row in kept if not row.steps < SAME_STEPS * most.get(row.cell, 0.0))
