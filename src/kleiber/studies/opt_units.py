"""OPT as published and as repaired: a perplexity averaged with nats, and what that cost.

Choshen et al. 2024 predict OPT 175B from one smaller run with (A, alpha) borrowed from
Muennighoff et al.'s C4 fit, and print errors of 37, 25 and 15 %. The file's numbers are
perplexities. The same procedure in nats has errors a quarter as large.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kleiber.errors import UnitError
from kleiber.judging import Outcome, backtest
from kleiber.laws import published
from kleiber.runs import Runs
from kleiber.runs.collections import load
from kleiber.studies.table import Table
from kleiber.units import format_count

SIZES = ("6.7B", "13B", "30B")
PUBLISHED = (32.46, 24.87, 15.02)  # the heatmap's cells at 100 % of training
REPAIRED = (7.2, 6.2, 4.2)
NOT_THE_LAST = 0.9999  # the guide's strict "<" leaves the last checkpoint out


def one_run(runs: Runs) -> list[Outcome]:
    """Predict the last 30 % of OPT 175B from one run each, (A, alpha) borrowed."""
    borrowed = published("muennighoff-2023-c4").values
    found = backtest(
        runs,
        family=runs.families[0] if runs.families else None,
        sizes=[[size] for size in SIZES],
        shares=(NOT_THE_LAST,),
        cut="10B",
        targets=0.7,
        objective="raw",
        fix={name: borrowed[name] for name in ("A", "alpha")},
    )
    return list(found.outcomes)


def run(data: Path) -> Table:
    """Return the errors in both units beside the published ones, and who objects."""
    raw = load("colpret", "OPT", data, as_published=True)
    nats = load("colpret", "OPT", data)
    rows: list[dict[str, Any]] = []
    for before, after, printed, repaired in zip(
        one_run(raw), one_run(nats), PUBLISHED, REPAIRED, strict=True
    ):
        rows.append(
            {
                "from": format_count(before.sizes[0]),
                "published %": f"{printed:.2f}",
                "as perplexity %": f"{100 * before.absolute_relative:.2f}",
                "repaired %": f"{repaired:.1f}",
                "in nats %": f"{100 * after.absolute_relative:.2f}",
            }
        )
    return Table(
        name="opt_units",
        title="OPT 175B from one run: the unit was a perplexity",
        command="kleiber study opt-units --out results",
        columns=tuple(rows[0]),
        rows=rows,
        claims=[f"Read without a word about units, kleiber refuses the column: {_unasked(raw)}"],
        notes=(
            "Absolute errors over the last 30 % of the target's training; 10B tokens cut; "
            "least squares on the value; 'repaired' are this project's facts, 'published' the "
            "cells of the guide's heatmap.",
        ),
        seed=0,
    )


def _unasked(raw: Runs) -> str:
    """Return what reading the published numbers plainly says."""
    columns = raw.frame.select("run", "params", "tokens", "loss")
    try:
        Runs.read(columns)
    except UnitError as error:
        return f'"{error}"'
    return "nothing; it read them as nats"
