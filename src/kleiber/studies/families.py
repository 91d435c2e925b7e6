"""Every public family of cross-entropies, its largest size hidden: the error by number of sizes.

Families of one source are one piece of evidence: every mean is of families within a cluster
first and of clusters then. The same grid is fitted by scipy's ``curve_fit``, one cell at a
time from the guide's one start, in the same run.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.errors import KleiberError
from kleiber.judging import Backtest, Outcome, backtest
from kleiber.judging import cells as grid
from kleiber.judging.backtest import MOST_POINTS
from kleiber.judging.cells import Cell, Cut
from kleiber.laws import published
from kleiber.runs import Runs
from kleiber.runs.collections import Family, cross_entropies
from kleiber.studies.table import Table

SHARES = tuple(round(0.1 * i, 1) for i in range(1, 11))
MANY, GROUP = 9, 1.9  # more sizes than this are grouped by the factor
CAPPED = 3.0  # an error beyond is counted as 300 %
COMMON = 5  # the k up to which "the same families" reach


@dataclass(frozen=True)
class Tested:
    """One family's back-test and what is known of it."""

    family: Family
    runs: Runs
    found: Backtest

    @property
    def whole(self) -> list[Outcome]:
        """The cells that see all of training."""
        return [o for o in self.found.outcomes if o.share == 1.0 and o.which == "all"]


def grouping(runs: Runs) -> float:
    """Return the factor within which sizes count as one."""
    return GROUP if len(runs.sizes) > MANY else 1.0


def run(data: Path, *, compare: bool = True) -> Table:
    """Back-test every family and table the errors by k."""
    absent: list[str] = []
    families = list(cross_entropies(data, absent=absent.append))
    tested, ours = _timed(families)
    usual = [t for t in tested if not t.family.apart]
    apart = [t for t in tested if t.family.apart]
    cells = sum(len(t.found.outcomes) for t in tested)
    claims = [
        f"{len(tested)} families of {len({t.family.cluster for t in tested})} clusters, "
        f"{cells} cells, in {ours:.1f} s of CPU.",
    ]
    extra: dict[str, Any] = {"cpu_s": ours, "cells": cells}
    if absent:
        extra["absent"] = absent
    if compare:
        _, same = _timed(families, objective="raw")
        theirs, fitted = _one_by_one(tested, thinned=True)
        whole, _ = _one_by_one(tested, thinned=False)
        extra |= {"raw_cpu_s": same, "curve_fit_cpu_s": theirs, "curve_fit_all_cpu_s": whole}
        claims.append(
            f"scipy curve_fit one by one, one start a cell, on the same {fitted} cells: "
            f"{whole:.0f} s of CPU on the files' points, {theirs:.1f} s on curves thinned to "
            f"{MOST_POINTS} points a run, as kleiber's are. kleiber with curve_fit's objective, "
            f"intervals and baselines included: {same:.1f} s, "
            f"{whole / same:.0f} and {theirs / same:.1f} times faster."
        )
    rows = [
        *_by_k("all families", usual),
        *_by_k(f"families that reach k = {COMMON}", _reaching(usual)),
    ]
    rows += _by_k("apart", apart)
    claims += [f"Apart: {why}." for why in dict.fromkeys(t.family.apart for t in apart)]
    rows += _each(tested)
    return Table(
        name="families",
        title="The largest size of every public family, predicted",
        command="kleiber study families --out results",
        columns=(
            "set",
            "k",
            "families",
            "clusters",
            "error %",
            "median %",
            "of reducible %",
            "inside %",
            "best seen %",
            "most trained %",
        ),
        rows=rows,
        claims=claims,
        notes=(
            "Chinchilla law with every default; absolute errors on the hidden size's finals, mean "
            "over clusters of the mean over their families (median: of the clusters), capped at "
            "300 %. k counts the smallest sizes seen; designs of more than "
            f"{MANY} sizes are grouped by a factor {GROUP}. 'inside' is the share of families "
            "whose 90 % interval held the most-trained hidden run. The last two columns are the "
            "errors of the best loss seen and of the most-trained run's loss.",
            *(f"Not there: {one}" for one in absent),
        ),
        seed=0,
        extra=extra,
    )


def _timed(families: Sequence[tuple[Family, Runs]], **options: Any) -> tuple[list[Tested], float]:
    """Return every back-test and the CPU seconds of them all."""
    start = time.process_time()
    tested = list(_tested(families, **options))
    return tested, time.process_time() - start


def _tested(families: Sequence[tuple[Family, Runs]], **options: Any) -> Iterator[Tested]:
    """Yield every family that has two sizes below a hidden one."""
    for family, runs in families:
        try:
            found = backtest(
                runs, group=grouping(runs), shares=SHARES, family=_only(runs), **options
            )
        except KleiberError:
            continue
        if found.outcomes:
            yield Tested(family, runs, found)


def _only(runs: Runs) -> str | None:
    """Return the family column's one name, None where there is no such column."""
    return runs.families[0] if runs.families else None


def _reaching(tested: Sequence[Tested]) -> list[Tested]:
    """Return the families that have every k up to COMMON."""
    return [t for t in tested if {o.k for o in t.whole} >= set(range(2, COMMON + 1))]


def _by_k(name: str, tested: Sequence[Tested]) -> list[dict[str, Any]]:
    """Return one row a number of sizes."""
    last = 8
    rows: list[dict[str, Any]] = []
    for k in range(2, last + 1):
        chosen = [
            (t.family.cluster, o)
            for t in tested
            for o in t.whole
            if o.k == k or (k == last and o.k > last and o is t.whole[-1])
        ]
        if chosen:
            rows.append(_row(name, f"{k}{'+' if k == last else ''}", chosen))
    every = [(t.family.cluster, t.whole[-1]) for t in tested if t.whole]
    if every:
        rows.append(_row(name, "all smaller", every))
    return rows


def _row(name: str, k: str, chosen: Sequence[tuple[str, Outcome]]) -> dict[str, Any]:
    """Return the means over clusters of some outcomes."""

    def over(values: Sequence[float]) -> list[float]:
        """Return each cluster's mean."""
        capped = np.minimum(np.array(values, dtype=np.float64), CAPPED)
        names = np.array([cluster for cluster, _ in chosen])
        means = [capped[names == one] for one in np.unique(names)]
        return [float(np.nanmean(m)) for m in means if np.isfinite(m).any()]

    def percent(values: Sequence[float], how: Any = np.mean) -> str:
        found = over(values)
        return f"{100 * float(how(found)):.2f}" if found else "-"

    outcomes = [o for _, o in chosen]
    bounded = [o for o in outcomes if np.isfinite(o.lower) and np.isfinite(o.upper)]
    inside = [o.lower <= o.actual <= o.upper for o in bounded]
    errors = [o.absolute_relative for o in outcomes]
    return {
        "set": name,
        "k": k,
        "families": len(outcomes),
        "clusters": len({cluster for cluster, _ in chosen}),
        "error %": percent(errors),
        "median %": percent(errors, np.median),
        "of reducible %": percent([o.absolute_of_reducible for o in outcomes]),
        "inside %": f"{100 * np.mean(inside):.0f} of {len(inside)}" if inside else "-",
        "best seen %": percent([o.best for o in outcomes]),
        "most trained %": percent([o.most for o in outcomes]),
    }


def _each(tested: Sequence[Tested]) -> list[dict[str, Any]]:
    """Return one row a family: all smaller sizes seen."""
    return [
        _row(t.family.key, str(t.whole[-1].k), [(t.family.cluster, t.whole[-1])])
        for t in tested
        if t.whole
    ]


def _one_by_one(tested: Sequence[Tested], *, thinned: bool) -> tuple[float, int]:
    """Fit the same cells with scipy's curve_fit as the guide does; return CPU s and cells."""
    from scipy.optimize import curve_fit

    start = published("muennighoff-2023-c4").values
    first = np.array(
        [np.log(start["A"]), np.log(start["B"]), np.log(start["E"]), start["alpha"], start["beta"]]
    )
    low = np.array([-np.inf, -np.inf, -np.inf, 0.0, 0.0])

    def law(x: Any, a: float, b: float, e: float, alpha: float, beta: float) -> Any:
        return np.exp(e) + np.exp(a - alpha * x[0]) + np.exp(b - beta * x[1])

    spent, fitted = 0.0, 0
    for one in tested:
        points = one.runs.points()
        if thinned:
            points = grid.thin(points, MOST_POINTS)
        x = np.log(np.stack([points.params, points.tokens]))
        chosen = [Cell(o.sizes, o.share, o.which) for o in one.found.outcomes]
        seen = grid.weights(points, chosen, Cut()) > 0
        begin = time.process_time()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for row in seen:
                try:
                    curve_fit(law, x[:, row], points.loss[row], p0=first, bounds=(low, np.inf))
                except (RuntimeError, ValueError):
                    pass
                fitted += 1
        spent += time.process_time() - begin
    return spent, fitted
