"""Three data recipes on one ladder of real runs: small budgets predict the differences at large.

Marin's isoFLOP sets comma, dclm and nemotron, each at the same budgets and on one validation loss
(Paloma, macro mean). A recipe's loss at a budget is the bottom of the parabola through its five
best sizes. Larger budgets are hidden; what is predicted is the difference measured there, so that
its own noise counts. Beside it stands rank-and-hold: the difference at the largest budget seen.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kleiber.judging.compare.ladders import ladders_of
from kleiber.judging.compare.resample import draw
from kleiber.judging.compare.rungs import arms_of
from kleiber.judging.compare.verdict import between
from kleiber.runs import Runs
from kleiber.runs.collections import load
from kleiber.studies.table import Table

RECIPES = ("comma", "dclm", "nemotron")
HIDDEN = ((3e19, (9e19, 1.8e20, 3e20)), (9e19, (1.8e20, 3e20)), (1.8e20, (3e20,)))
ASKED = (3e19, 3e20)
REPLICATES, LEVEL, TAIL = 2000, 0.9, 1.6449
COLUMNS = (
    *("A", "B", "budgets to", "target", "scale-up", "actual", "predicted", "interval", "inside"),
    *("error", "score", "held", "held error", "held score", "sign right"),
)


def run(data: Path) -> Table:
    """Return the table of all pairs, tops and targets."""
    runs = {name: load("open_athena_isoflop", f"marin_202603/{name}", data) for name in RECIPES}
    rows: list[dict[str, Any]] = []
    for first, second in combinations(RECIPES, 2):
        for top, targets in HIDDEN:
            rows += predicted(runs[first], runs[second], top, targets)
    asked = [row for row in rows if (row["budgets to"], row["target"]) == ASKED]
    return Table(
        name="compare-marin",
        title="Differences of three data recipes, predicted from smaller budgets",
        command="kleiber study compare-marin --out results",
        columns=COLUMNS,
        rows=rows,
        claims=[
            f"Budgets to 3e19 predict 3e20: {_summary(asked)}",
            f"All {len(rows)} hidden differences: {_summary(rows)}",
        ],
        notes=(
            "Nats per token. The interval is of a new measured difference, at 90 %; the score is "
            "its width, and 20 times what it missed by. Held: the difference at the largest budget "
            "seen, with the interval of its own noise and of the target's. No run is repeated, so "
            "the noise is what rungs miss a curve by. Nothing was chosen by these data.",
        ),
        seed=0,
    )


def predicted(a: Runs, b: Runs, top: float, targets: tuple[float, ...]) -> list[dict[str, Any]]:
    """Return a row for each target predicted from budgets up to a top."""
    whole = ladders_of(*arms_of(a, b))
    flops, apart, _ = whole.differences()
    seen = [replace(one, frame=one.frame.filter(pl.col("flops") <= top * 1.01)) for one in (a, b)]
    arms = arms_of(seen[0], seen[1])
    rng = np.random.default_rng(0)
    draws = draw(ladders_of(*arms), rng, REPLICATES)
    _, known, errors = draws.data.differences()
    held, noise = float(known[-1]), float(errors[-1])  # as large at the target as at the top
    rows: list[dict[str, Any]] = []
    for target in targets:
        actual = float(apart[int(np.argmin(np.abs(np.log(flops / target))))])
        said = draws.difference(np.array([target]))[:, 0] + noise * rng.normal(size=REPLICATES)
        found = between(said, LEVEL)
        half = TAIL * noise * float(np.sqrt(2.0))
        rows.append(
            {
                "A": arms[0].name,
                "B": arms[1].name,
                "budgets to": top,
                "target": target,
                "scale-up": target / top,
                "actual": actual,
                "predicted": found.median,
                "interval": f"{found.lower:+.4f} to {found.upper:+.4f}",
                "inside": found.lower <= actual <= found.upper,
                "error": found.median - actual,
                "score": _score(found.lower, found.upper, actual),
                "held": held,
                "held error": held - actual,
                "held score": _score(held - half, held + half, actual),
                "sign right": bool(np.sign(found.median) == np.sign(actual)),
            }
        )
    return rows


def _score(lower: float, upper: float, actual: float) -> float:
    """Return the interval score at 90 %."""
    missed = max(lower - actual, 0.0) + max(actual - upper, 0.0)
    return upper - lower + 2.0 / (1.0 - LEVEL) * missed


def _summary(rows: list[dict[str, Any]]) -> str:
    """Return errors and scores of this rule and of holding, and coverage."""
    mean = {
        name: float(np.mean([abs(row[name]) for row in rows]))
        for name in ("error", "held error", "score", "held score")
    }
    inside = sum(row["inside"] for row in rows)
    right = sum(row["sign right"] for row in rows)
    return (
        f"mean absolute error {mean['error']:.4f} nats against {mean['held error']:.4f} of "
        f"rank-and-hold, interval score {mean['score']:.3f} against {mean['held score']:.3f}; "
        f"{inside} of {len(rows)} inside, sign right in {right}."
    )
