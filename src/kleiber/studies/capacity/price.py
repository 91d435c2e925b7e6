"""The preset paper: a plan of every run of the published grid, and its price. Nothing is trained.

Hours are ``gpu_hours`` of ``planning.cost`` over what a model of that width reaches of a wide one's
speed (``work``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kleiber.knowledge.cell import Cell
from kleiber.planning.cost import Prices
from kleiber.studies.capacity.paper import REUSED, UNKNOWN, planned
from kleiber.studies.capacity.scale import PLANNED
from kleiber.studies.capacity.work import FULL, Work, works_of
from kleiber.studies.table import Table
from kleiber.units import format_count

COLUMNS = (
    *("run", "arm", "model", "params", "people", "exposures", "lr", "batch", "steps", "tokens"),
    *("FLOPs", "GPU-hours", "money"),
)
TOTALS = ("result", "runs", "steps", "tokens", "FLOPs", "GPU-hours", "money", "note")
SUMS = TOTALS[1:-1]


def plan(number: int, prices: Prices) -> Table:
    """Return every run of a result's published grid with its price, and the totals."""
    from kleiber.studies.capacity import check_number

    check_number(number)
    runs = planned(number)
    works = works_of([run.cell for run in runs])
    rows = [
        _row(place, run.arm, work, prices)
        for place, (run, work) in enumerate(zip(runs, works, strict=True), 1)
    ]
    total = _total(works, prices)
    name = plan_name(number)
    note = f" {REUSED[number]}" if number in REUSED else ""
    return Table(
        name=name,
        title=f"Result {number}, the published grid: a plan and its price",
        command=f"kleiber study capacity --result {number} --preset {PLANNED} --out results",
        columns=COLUMNS,
        rows=rows,
        claims=[
            f"{_said(total, prices)}.{note}",
            "Nothing was trained."
            + (
                f" --out DIR writes each run as a preset; one of them is trained with: kleiber "
                f"know train --preset DIR/{name}/001.toml --device cuda --out run-001"
                if runs
                else ""
            ),
        ],
        notes=(_assumed(prices), *UNKNOWN),
        extra={"result": number, "preset": PLANNED, "total": total, "prices": prices.to_dict()},
    )


def plan_all(prices: Prices) -> Table:
    """Return the totals of all twelve grids, and of them together."""
    from kleiber.studies.capacity import NUMBERS

    every: list[Work] = []
    rows: list[dict[str, Any]] = []
    for number in NUMBERS:
        works = works_of([run.cell for run in planned(number)])
        rows.append({"result": number, **_total(works, prices), "note": REUSED.get(number)})
        every += works
    total = _total(every, prices)
    return Table(
        name="capacity-plan",
        title="The twelve results, the published grid: a plan and its price",
        command=f"kleiber study capacity --all --preset {PLANNED} --out results",
        columns=TOTALS,
        rows=[*rows, {"result": "all", **total}],
        claims=[f"{_said(total, prices)}.", "Nothing was trained."],
        notes=(_assumed(prices), *UNKNOWN),
        extra={"preset": PLANNED, "total": total, "prices": prices.to_dict()},
    )


def plan_name(number: int) -> str:
    """Return the name of a plan's table, and of the folder of its presets."""
    return f"capacity-plan-{number:02}"


def write_presets(number: int, folder: Path) -> Path:
    """Write each run of a plan as a preset that kleiber know trains; return their folder."""
    place = folder / plan_name(number)
    place.mkdir(parents=True, exist_ok=True)
    for run, each in enumerate(planned(number), 1):
        text = preset_text(each.cell, f"Result {number}, run {run}: {each.arm}")
        (place / f"{run:03}.toml").write_text(text, encoding="utf-8")
    return place


def preset_text(cell: Cell, about: str) -> str:
    """Return a cell as the text of a preset."""
    left_out = ("seed",)
    lines = [
        f"{name} = {_toml(value)}"
        for name, value in cell.to_dict().items()
        if value is not None and name not in left_out
    ]
    return "\n".join([f"about = {_toml(about)}", "", *lines, ""])


def _row(place: int, arm: str, work: Work, prices: Prices) -> dict[str, Any]:
    cell, hours = work.cell, work.gpu_hours(prices)
    return {
        "run": place,
        "arm": arm,
        "model": f"{cell.layers}-{cell.heads}",
        "params": work.params,
        "people": cell.people,
        "exposures": cell.exposures,
        "lr": cell.rate,
        "batch": cell.batch,
        "steps": work.steps,
        "tokens": work.tokens,
        "FLOPs": work.flops,
        "GPU-hours": hours,
        "money": hours * prices.gpu_hour,
    }


def _total(works: Sequence[Work], prices: Prices) -> dict[str, Any]:
    hours = sum(work.gpu_hours(prices) for work in works)
    found = (
        len(works),
        sum(work.steps for work in works),
        sum(work.tokens for work in works),
        float(sum(work.flops for work in works)),
        float(hours),
        float(hours * prices.gpu_hour),
    )
    return dict(zip(SUMS, found, strict=True))


def _said(total: dict[str, Any], prices: Prices) -> str:
    return (
        f"{total['runs']:,} runs, {format_count(total['steps'])} steps, "
        f"{format_count(total['tokens'])} tokens, {total['FLOPs']:.3g} FLOPs, "
        f"{total['GPU-hours']:,.0f} GPU-hours, {total['money']:,.0f} {prices.currency}"
    )


def _assumed(prices: Prices) -> str:
    """Return what the hours rest on."""
    return (
        f"Hours are of one {prices.sentence()}, from width {FULL} on; a narrower model is assumed "
        f"to reach its width / {FULL} of that, which was not measured. FLOPs are of matrix "
        "products, head and attention, forward and backward; of experts those that a token passes."
    )


def _toml(value: Any) -> str:
    """Return plain data as TOML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    return json.dumps(value)
