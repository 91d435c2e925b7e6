"""One law for size, demand, exposures, bits a weight and architecture, fitted to capacity results.

The knowledge law (:mod:`kleiber.laws.knowledge`) goes through the usual engine. A cell counts as
one run with its seeds' means as points, one for each number of bits a weight: what its training got
wrong they share. Errors are of bits per parameter, not of their logarithm: over the seeds the
spread is about as large where little is stored, and what is at or below nothing still counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kleiber.errors import FitError, UsageError
from kleiber.fitting import Constraints, DataFacts, Fit, fit_points
from kleiber.judging.readings import USUAL, Cell, cells_of, readings_of, told_apart
from kleiber.laws.base import Array, Law
from kleiber.laws.knowledge import FLOAT, OWN, Growth, Rounding, knowledge_law
from kleiber.runs import Points
from kleiber.runs.points import run_weights

FLOOR = 0.01  # bits per parameter: what stores less is counted as this
DEMANDS, FILLED = 3, 1.1  # different demands, and R^max / R of the fullest cell, that it takes
SLACK = 0.9  # of its demand stored: a cell with room to spare
STARTS = 10
ENDLESS = 1e6  # a demand that no model meets: its plateau
HELD = {
    **{"half": 0.0, "steepness": 1.0, "hastening": 0.0, "rise": 0.0, "size": 0.0},
    **{"margin": 0.0, "fall": 2.0, "room": 0.0},
}


@dataclass(frozen=True)
class Knowledge:
    """The law as fitted: every parameter with its interval, and what the results cannot tell.

    ``lower`` and ``upper`` bound each of ``values`` with probability ``level``; both are NaN where
    ``held`` says why a value was not fitted. ``off`` is the root mean square error over points, in
    bits per parameter, those left out that store nothing and count as the floor.
    """

    law: Law
    values: Mapping[str, float]
    lower: Mapping[str, float]
    upper: Mapping[str, float]
    level: float
    method: str
    held: Mapping[str, str]
    reference: str
    cells: tuple[Cell, ...]
    runs: int
    floored: int
    off: float
    status: str
    fit: Fit = field(repr=False)

    @property
    def architectures(self) -> tuple[str, ...]:
        """Return the architectures that the law has a factor of, the reference first."""
        return (self.reference, *self.law.predictors[4:])

    def bits(
        self,
        params: float | Array,
        demand: float | Array = ENDLESS,
        *,
        exposures: float | Array = 1000.0,
        weight_bits: float | Array = FLOAT,
        architecture: str = USUAL,
        new: bool = False,
    ) -> dict[str, Array]:
        """Return bits per parameter: arrays value, and lower and upper of the curve itself.

        A demand that is not given is endless, so that this is the plateau. The bounds are of
        another cell's mean where ``new`` is set: wider by how cells lie about the curve.

        Raises
        ------
        UsageError
            For an architecture that the results have none of.
        """
        if architecture not in self.architectures:
            raise UsageError(
                f"The results have no {architecture}; they have {', '.join(self.architectures)}.",
                remedy="Name one of those, or train it.",
            )
        given = (params, demand, exposures, weight_bits)
        columns = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in given))
        size, asked, seen, width = (one.ravel() for one in columns)
        own = {
            name: np.full(size.shape, OWN if name == architecture else 1.0)
            for name in self.architectures[1:]
        }
        found = self.fit.predict_many(
            size,
            asked,
            exposures=seen,
            weight_bits=width,
            level=self.level,
            method=self.method,
            **own,
        )
        which = "" if new else "mean_"
        names = {"value": "value", "lower": f"{which}lower", "upper": f"{which}upper"}
        return {name: found[own].reshape(columns[0].shape) for name, own in names.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the law as plain data; the unknown is None."""

        def plain(value: float) -> float | None:
            return value if math.isfinite(value) else None

        return {
            "equation": self.law.equation,
            "parameters": {
                name: {
                    "value": plain(value),
                    "lower": plain(self.lower[name]),
                    "upper": plain(self.upper[name]),
                    "meaning": self.law.parameters[self.law.index(name)].meaning,
                    "held": self.held.get(name),
                }
                for name, value in self.values.items()
            },
            "level": self.level,
            "method": self.method,
            "reference": self.reference,
            "cells": len(self.cells),
            "runs": self.runs,
            "floored": self.floored,
            "rms": self.off,
            "status": self.status,
        }


def fit_knowledge(
    rows: Iterable[Mapping[str, Any]],
    *,
    growth: Growth = "threshold",
    rounding: Rounding = "learnt",
    fix: Mapping[str, float] | None = None,
    level: float = 0.9,
    method: str | None = None,
    objective: str = "raw",
    bootstraps: int = 1000,
    seed: int = 0,
    starts: int = STARTS,
) -> Knowledge:
    """Fit the knowledge law to capacity results.

    Parameters
    ----------
    rows
        As :func:`kleiber.judging.readings.readings_of` takes them.
    growth, rounding
        The law's form; see :func:`kleiber.laws.knowledge.knowledge_law`.
    fix
        Values to hold, by name.

    Raises
    ------
    FitError
        For results that over-fill no model, or of fewer cells than there is to fit.
    """
    return fit_cells(
        told_apart(cells_of(readings_of(rows))),
        growth=growth,
        rounding=rounding,
        fix=fix,
        level=level,
        method=method,
        objective=objective,
        bootstraps=bootstraps,
        seed=seed,
        starts=starts,
    )


def fit_cells(
    cells: Sequence[Cell],
    *,
    growth: Growth = "threshold",
    rounding: Rounding = "learnt",
    fix: Mapping[str, float] | None = None,
    level: float = 0.9,
    method: str | None = None,
    objective: str = "raw",
    bootstraps: int = 1000,
    seed: int = 0,
    starts: int = STARTS,
) -> Knowledge:
    """Fit the knowledge law to cells; see :func:`fit_knowledge`."""
    _enough(cells)
    reference = _reference(cells)
    others = tuple(dict.fromkeys(c.architecture for c in cells if c.architecture != reference))
    law = knowledge_law(others, growth=growth, rounding=rounding)
    held = {name: why for name, why in _untold(cells).items() if name in law.names}
    if rounding == "plateau":
        held["room"] = "the loss is of the plateau"
    held |= dict.fromkeys(fix or {}, "held by the caller")
    points = points_of(cells, others)
    made = fit_points(
        points,
        law,
        objective="raw" if objective == "raw" else "huber",
        constraints=Constraints(
            fix={**{name: HELD[name] for name in held if name in HELD}, **(fix or {})}
        ),
        bootstraps=bootstraps,
        seed=seed,
        starts=starts,
        data=DataFacts(source="capacity results", unit="bits per parameter", params_are="total"),
    )
    boxes = made.intervals(level, method)
    nothing = dict.fromkeys(held, math.nan)
    error = law.loss(made.values, **_columns(points, law)) - points.loss
    stored = points.loss > FLOOR
    return Knowledge(
        law=law,
        values=made.values,
        lower={name: box.lower for name, box in boxes.items()} | nothing,
        upper={name: box.upper for name, box in boxes.items()} | nothing,
        level=level,
        method=next(iter(boxes.values())).method,
        held=held,
        reference=reference,
        cells=tuple(cells),
        runs=sum(cell.runs for cell in cells),
        floored=int(np.sum(~stored)),
        off=float(np.sqrt(np.average(error[stored] ** 2, weights=points.weight[stored]))),
        status=str(made.status),
        fit=made,
    )


def points_of(cells: Sequence[Cell], architectures: Sequence[str]) -> Points:
    """Return the cells' readings as points of the law, a cell a run."""
    flat = [(i, cell, width) for i, cell in enumerate(cells) for width in cell.bits]
    run = np.array([i for i, _, _ in flat], dtype=np.int64)
    more = {
        "exposures": np.array([cell.exposures for _, cell, _ in flat]),
        "weight_bits": np.array([width for _, _, width in flat]),
    }
    for name in architectures:
        more[name] = np.array([OWN if c.architecture == name else 1.0 for _, c, _ in flat])
    return Points(
        run=run,
        names=tuple(f"{i + 1}: {cell.name}" for i, cell in enumerate(cells)),
        params=np.array([cell.params for _, cell, _ in flat]),
        tokens=np.array([cell.demand for _, cell, _ in flat]),
        loss=np.array([max(cell.bits[width], FLOOR) for _, cell, width in flat]),
        weight=run_weights(run),
        final=np.ones(len(flat), dtype=np.bool_),
        more=more,
    )


def _columns(points: Points, law: Law) -> dict[str, Array]:
    """Return the law's predictors at the points, by name."""
    return dict(zip(law.predictors, points.predictors(law.predictors), strict=True))


def _reference(cells: Sequence[Cell]) -> str:
    """Return gpt2 where there is one, or the architecture of most cells."""
    names = [cell.architecture for cell in cells]
    return USUAL if USUAL in names else max(dict.fromkeys(names), key=names.count)


def _enough(cells: Sequence[Cell]) -> None:
    """Raise a FitError where the cells can tell no plateau."""
    demands = len({round(math.log(cell.demand), 2) for cell in cells})
    most = max((cell.demand / max(*cell.bits.values(), FLOOR) for cell in cells), default=0.0)
    if demands < DEMANDS or most < FILLED:
        raise FitError(
            f"The results have {demands} different demands per parameter, the fullest model is "
            f"asked for {most:.2f} times what it stores; the law needs {DEMANDS} and {FILLED}.",
            remedy="Train models of other sizes, or on more people.",
        )


def _untold(cells: Sequence[Cell]) -> dict[str, str]:
    """Return which parameters the cells cannot tell, with the reason of each."""
    why: dict[str, str] = {}
    sizes = {cell.params for cell in cells}
    seen = sorted({cell.exposures for cell in cells})
    if len(sizes) < 2:
        why["size"] = "one size of model was trained"
    if len(seen) < 2:
        one = f"every run saw {seen[0]:,.0f} exposures"
        why |= dict.fromkeys(("half", "steepness", "hastening", "rise"), one)
    elif len(seen) < 3:
        why["steepness"] = "two counts of exposures tell one rise, not its shape: held at 1"
    early = {cell.params for cell in cells if cell.exposures < seen[-1]}
    if len(early) < 2 and "hastening" not in why:
        why["hastening"] = "one size of model was trained at fewer exposures"
    rounded = [cell for cell in cells if min(cell.bits) < 16.0]
    widths = {width for cell in rounded for width in cell.bits if width < 16.0}
    if not widths:
        why |= dict.fromkeys(("margin", "fall", "room"), "no model was rounded")
        return why
    if len(widths) < 2:
        why["fall"] = "one number of bits a weight was tried: held at 2, four times the noise a bit"
    slack = [cell for cell in rounded if max(cell.bits.values()) > SLACK * cell.demand]
    if not slack:
        why["room"] = "no model with room to spare was rounded"
    return why
