"""The plateau: capacity results in, the bits per parameter of an over-filled model out.

The capacity law (:mod:`kleiber.laws.capacity`) is fitted by the same engine as every law. The
seeds of one model on one data set are one run, their (geometric) mean: they share the law's
misfit there. Counted as runs of their own, 3 seeds make 90 % intervals that hold 82 to 88 % where
that misfit is as large as the seeds' noise; their means hold 88 to 95 % with it and without.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from kleiber.errors import UsageError
from kleiber.fitting import Constraints, DataFacts, Fit, fit_points
from kleiber.fitting.objective import check_objective
from kleiber.judging.checks.capacity import check_capacity
from kleiber.judging.finding import Finding
from kleiber.judging.stored import Stored, longest, stored_rows
from kleiber.laws import CAPACITY
from kleiber.laws.base import Array
from kleiber.runs import Points
from kleiber.runs.points import run_weights

Cluster = Literal["cell", "people"]

LEAST_SHARE = 0.5  # a model with room to spare that stores less of its data is not trained
FOR_SHARE, FOR_FIT = 5, 3  # different demands from which the share is fitted, and the law at all
FILLED = 1.1  # R^max / R of the fullest model below which nothing is known of a plateau


@dataclass(frozen=True)
class Plateau:
    """The bits per parameter that over-filled models store at one count of exposures.

    ``lower`` and ``upper`` bound the plateau with probability ``level``; all are NaN where
    the results do not tell it, and ``status`` says why. ``n`` runs of ``seeds`` seeds in
    ``cells`` pairs of a model and a data set were fitted.
    """

    exposures: float
    value: float
    lower: float
    upper: float
    level: float
    method: str
    share: float
    sharpness: float
    n: int
    cells: int
    seeds: int
    status: str
    findings: tuple[Finding, ...]
    fit: Fit | None = field(default=None, repr=False)

    @property
    def known(self) -> bool:
        """Whether the results tell a plateau."""
        return math.isfinite(self.value)

    def curve(self, demand: Array) -> Array:
        """Return the law's bits per parameter where so many are demanded, NaN where unknown."""
        if self.fit is None or not self.known:
            return np.full_like(np.asarray(demand, dtype=np.float64), np.nan)
        return CAPACITY.loss(self.fit.values, tokens=demand)

    def sentence(self) -> str:
        """Return the plateau as one line of text."""
        at = f"at {self.exposures:,.0f} exposures"
        if not self.known:
            return f"{at}: the plateau is unknown; {self.status}"
        span = f"{self.level:.0%} interval {self.lower:.2f} to {self.upper:.2f}, {self.method}"
        if not (math.isfinite(self.lower) and math.isfinite(self.upper)):
            span = "no interval: too few runs for one"
        return (
            f"{at}: {self.value:.2f} bits per parameter ({span}); {self.n} runs, "
            f"{self.cells} sizes of model and data, {self.seeds} "
            f"{'seed' if self.seeds == 1 else 'seeds'}; {self.status}"
        )

    def text(self) -> str:
        """Return the plateau and its findings as lines that a person reads."""
        lines = [self.sentence()]
        for one in self.findings:
            lines += [f"  {one.code} {one.severity}: {one.message}", f"       {one.remedy}"]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the plateau as plain data; the unknown is None."""
        numbers = {
            name: getattr(self, name)
            for name in ("exposures", "value", "lower", "upper", "level", "share", "sharpness")
        }
        return {
            **{k: v if math.isfinite(v) else None for k, v in numbers.items()},
            "method": self.method,
            "n": self.n,
            "cells": self.cells,
            "seeds": self.seeds,
            "status": self.status,
            "findings": [one.to_dict() for one in self.findings],
        }


def fit_plateau(
    rows: Iterable[Mapping[str, Any]],
    *,
    level: float = 0.9,
    method: str | None = None,
    cluster: Cluster = "cell",
    objective: str = "huber",
    bootstraps: int = 1000,
    seed: int = 0,
) -> Plateau:
    """Fit the capacity law to results at one count of exposures.

    Parameters
    ----------
    rows
        As :func:`kleiber.judging.stored.stored_rows` takes them. Of a cell that was trained
        for several counts of steps the longest runs are fitted.
    level, method
        Of the interval: "delta", "profile", "bootstrap" or "jackknife", each over clusters.
    cluster
        What errs together and counts once: "cell", the seeds of one model on one data set, or
        "people", every model of one data set.

    Raises
    ------
    UsageError
        For no rows, or rows of several counts of exposures.
    """
    table = stored_rows(rows)
    exposures = sorted({row.exposures for row in table})
    if len(exposures) != 1:
        raise UsageError(
            "A plateau belongs to one count of exposures; the results have "
            f"{', '.join(f'{e:,.0f}' for e in exposures) or 'no rows'}.",
            remedy="Use fit_plateaus(rows), which fits each count of exposures by itself.",
        )
    return _plateau(
        table,
        level=level,
        method=method,
        cluster=cluster,
        objective=objective,
        bootstraps=bootstraps,
        seed=seed,
    )


def fit_plateaus(rows: Iterable[Mapping[str, Any]], **options: Any) -> tuple[Plateau, ...]:
    """Fit one plateau for each count of exposures, most first; options as :func:`fit_plateau`."""
    named = list(rows)
    counts = [row.exposures for row in stored_rows(named)]
    return tuple(
        fit_plateau([row for row, own in zip(named, counts, strict=True) if own == one], **options)
        for one in sorted(set(counts), reverse=True)
    )


def ratio(first: Plateau, second: Plateau) -> tuple[float, float, float]:
    """Return one plateau over another, with its bounds: half-widths of logs add in squares.

    The two were measured on different runs; NaN where either is unknown.
    """
    value = first.value / second.value
    down = math.hypot(math.log(first.value / first.lower), math.log(second.upper / second.value))
    up = math.hypot(math.log(first.upper / first.value), math.log(second.value / second.lower))
    return value, value * math.exp(-down), value * math.exp(up)


def _plateau(
    table: Sequence[Stored],
    *,
    level: float,
    method: str | None,
    cluster: Cluster,
    objective: str,
    bootstraps: int,
    seed: int,
) -> Plateau:
    """Fit the law to checked rows of one count of exposures, if they can carry it."""
    found = check_capacity(table)
    used = [row for row in longest(table) if row.bits > 0]
    left = _left_out(table, used)
    cells = {row.cell for row in used}
    demands = len({round(math.log(row.demand), 2) for row in used})
    why = _unknown(used, demands)
    common: dict[str, Any] = {
        "exposures": table[0].exposures,
        "level": level,
        "n": len(used),
        "cells": len(cells),
        "seeds": len({row.seed for row in used}),
        "findings": found,
    }
    if why:
        nothing = dict.fromkeys(("value", "lower", "upper", "share", "sharpness"), math.nan)
        return Plateau(**nothing, **common, method="none", status=why + left)
    free = demands >= FOR_SHARE
    constraints = (
        Constraints(bounds={"share": (LEAST_SHARE, 1.0)})
        if free
        else Constraints(fix={"share": 1.0})
    )
    made = fit_points(
        _points(used, cluster),
        CAPACITY,
        objective=check_objective(objective),
        constraints=constraints,
        bootstraps=bootstraps,
        seed=seed,
        data=DataFacts(
            source="capacity results",
            unit="bits per parameter",
            params_are="total",
            selection=f"{table[0].exposures:,.0f} exposures",
        ),
    )
    box = made.interval("plateau", level, method)
    held = "" if free else "; share held at 1, too few demands to fit it"
    return Plateau(
        value=made.values["plateau"],
        lower=box.lower,
        upper=box.upper,
        share=made.values["share"],
        sharpness=made.values["sharpness"],
        **common,
        method=box.method,
        status=f"{made.status}{held}{left}",
        fit=made,
    )


def _left_out(table: Sequence[Stored], used: Sequence[Stored]) -> str:
    """Return what was not fitted, and why."""
    full = longest(table)
    said: list[str] = []
    if len(full) < len(table):
        said.append(f"; {len(table) - len(full)} shorter runs left out")
    if len(used) < len(full):
        said.append(f"; {len(full) - len(used)} runs stored nothing and are left out")
    return "".join(said)


def _unknown(used: Sequence[Stored], demands: int) -> str:
    """Return why the rows cannot tell a plateau, nothing where they can."""
    if demands < FOR_FIT:
        return (
            f"the results have {demands} different "
            f"{'demand' if demands == 1 else 'demands'} per parameter, and a plateau needs "
            f"{FOR_FIT}: train models of other sizes, or on other numbers of people"
        )
    most = max(row.overfill for row in used)
    if most < FILLED:
        return f"no model was asked for more than {most:.2f} times what it stored"
    return ""


def _points(used: Sequence[Stored], cluster: Cluster) -> Points:
    """Return the cells' means over seeds as points of the capacity law, a cluster a run."""
    cells: dict[tuple[int, float, float], list[Stored]] = {}
    for row in used:
        cells.setdefault(row.cell, []).append(row)
    named = [
        f"{people:,} people" + (f", {params:,.0f} params" if cluster == "cell" else "")
        for people, params, _ in cells
    ]
    places = {name: i for i, name in enumerate(dict.fromkeys(named))}
    run = np.array([places[name] for name in named], dtype=np.int64)
    return Points(
        run=run,
        names=tuple(places),
        params=np.array([params for _, params, _ in cells]),
        tokens=np.array([_mean([row.demand for row in seeds]) for seeds in cells.values()]),
        loss=np.array([_mean([row.bits for row in seeds]) for seeds in cells.values()]),
        weight=run_weights(run),
        final=np.ones(len(cells), dtype=np.bool_),
    )


def _mean(values: Sequence[float]) -> float:
    """Return the geometric mean."""
    return math.exp(sum(math.log(value) for value in values) / len(values))
