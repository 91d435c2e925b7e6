"""Readings of trained models for the knowledge law: one cell of seeds, in float and rounded.

A *reading* is one measured model at one number of bits a weight; a *cell* is what seeds share (the
architecture, the people and what they ask for, the size, the exposures). A cell counts once: its
readings are means over seeds, of its longest training, at the best of its peak rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kleiber.errors import ValuesError
from kleiber.judging.stored import SAME_STEPS, Stored, stored_rows
from kleiber.laws.knowledge import FLOAT, MANY

USUAL = "gpt2"
PLAIN_LAYERS = 2  # of the reference; another depth is another architecture
NOTHING = 0.05  # bits per parameter in float below which a rounding has nothing to take
SAME_DEMAND = 0.02  # log units within which seeds of a cell ask for the same


@dataclass(frozen=True)
class Reading:
    """One measured model; ``weight_bits`` is 32 where its weights are not rounded."""

    run: str
    architecture: str
    weight_bits: float
    rate: float
    stored: Stored


@dataclass(frozen=True)
class Cell:
    """The seeds of one training: mean bits per parameter by bits a weight, and their spread."""

    architecture: str
    people: int
    params: float
    exposures: float
    demand: float
    bits: Mapping[float, float]
    spread: Mapping[float, float]  # standard deviation over seeds, NaN of one seed
    runs: int

    @property
    def name(self) -> str:
        """Return the cell as a person says it."""
        return (
            f"{self.architecture}, {self.params:,.0f} params, {self.people:,} people, "
            f"{self.exposures:,.0f} exposures"
        )


def readings_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Reading, ...]:
    """Return rows as readings, each run and number of bits once.

    Beside what :func:`kleiber.judging.stored.stored_rows` reads a row may say ``run``,
    ``architecture`` (gpt2 by default), ``layers`` (2), ``weight_bits`` (32, float) and ``lr``.

    Raises
    ------
    ColumnError, ValuesError
        For a row that is no capacity result, or weights of no bits.
    """
    given = list(rows)
    found: dict[tuple[str, float], Reading] = {}
    for number, (row, stored) in enumerate(zip(given, stored_rows(given), strict=True)):
        width = float(row.get("weight_bits") or FLOAT)
        if not 1.0 <= width <= FLOAT:
            raise ValuesError(
                f"Capacity result {number} has weights of {width:g} bits; 1 to {FLOAT:g} are "
                "possible."
            )
        layers = int(row.get("layers") or PLAIN_LAYERS)
        deep = "" if layers == PLAIN_LAYERS else f", {layers} layer" + "s" * (layers != 1)
        run = str(row.get("run", f"result {number}"))
        found[run, width] = Reading(
            run=run,
            architecture=f"{row.get('architecture') or USUAL}{deep}",
            weight_bits=width,
            rate=float(row.get("lr") or 0.0),
            stored=stored,
        )
    return tuple(found.values())


def cells_of(readings: Sequence[Reading]) -> tuple[Cell, ...]:
    """Return the cells of readings, in the order that they appear in."""
    groups: dict[tuple[Any, ...], list[list[Reading]]] = {}
    for one in readings:
        alike = groups.setdefault((one.architecture, *one.stored.cell), [])
        near = [
            same
            for same in alike
            if abs(one.stored.demand / same[0].stored.demand - 1.0) < SAME_DEMAND
        ]
        near[0].append(one) if near else alike.append([one])
    return tuple(_cell(same) for alike in groups.values() for same in alike)


def told_apart(cells: Sequence[Cell], usual: str = USUAL) -> tuple[Cell, ...]:
    """Return cells with other architectures named by their exposures where those are not 1000.

    So that each has a factor at each count of exposures: one for both was off by .45 bits per
    parameter where a cell at one was told from a cell at the other (study ``capacity-law``).
    """
    return tuple(
        cell
        if cell.architecture == usual or cell.exposures == MANY
        else replace(cell, architecture=f"{cell.architecture} at {cell.exposures:,.0f} exposures")
        for cell in cells
    )


def _cell(readings: Sequence[Reading]) -> Cell:
    """Return one cell: its longest training, at the rate that stored most.

    Rounded readings may be of some seeds only: they are carried to the mean of all by what those
    seeds store in float, and left out where that is nothing.
    """
    steps = [one.stored.steps for one in readings if one.stored.steps == one.stored.steps]
    most = max(steps, default=0.0)
    kept = [one for one in readings if not one.stored.steps < SAME_STEPS * most]
    plain = [one for one in kept if one.weight_bits == FLOAT] or kept
    rates = {one.rate for one in plain}
    best = max(rates, key=lambda rate: _mean([o.stored.bits for o in plain if o.rate == rate]))
    kept = [one for one in kept if one.rate == best]
    floats = {one.run: one.stored.bits for one in kept if one.weight_bits == FLOAT}
    bits: dict[float, float] = {}
    spread: dict[float, float] = {}
    for width in sorted({one.weight_bits for one in kept}, reverse=True):
        own = [one for one in kept if one.weight_bits == width]
        values = [one.stored.bits for one in own]
        scale = 1.0
        if width != FLOAT and floats:
            same = [floats[one.run] for one in own if one.run in floats]
            before = _mean(same) if same else 0.0
            if before <= NOTHING:
                continue
            scale = _mean(list(floats.values())) / before
        bits[width], spread[width] = scale * _mean(values), _spread(values)
    first = kept[0]
    return Cell(
        architecture=first.architecture,
        people=first.stored.people,
        params=first.stored.params,
        exposures=first.stored.exposures,
        demand=_mean([one.stored.demand for one in kept]),
        bits=bits,
        spread=spread,
        runs=len({one.run for one in kept}),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _spread(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample."""
    if len(values) < 2:
        return float("nan")
    mean = _mean(values)
    return (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
