"""All twelve results side by side: what was published, what was measured here, the verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kleiber.errors import InputError
from kleiber.studies.capacity import NUMBERS, declared
from kleiber.studies.capacity.study import span, suffix, table_name
from kleiber.studies.table import Table

NOT_RUN = "not run"
LARGER = {
    "cpu": "of models a hundred to ten thousand times as large",
    "gpu": "of models up to five hundred times as large",
}
COLUMNS = ("result", "published", "measured", "verdict", "reason")


def report(folder: Path, *, preset: str = "cpu") -> Table:
    """Return one row a result, from the tables that lie in a folder; what is missing is not run."""
    rows = [_row(number, _found(folder, number, preset), preset) for number in NUMBERS]
    counted: dict[str, int] = {}
    for row in rows:
        counted[row["verdict"]] = counted.get(row["verdict"], 0) + 1
    said = ", ".join(f"{count} {verdict}" for verdict, count in counted.items())
    return Table(
        name=f"capacity-results{suffix(preset)}",
        title="The twelve results on knowledge capacity, measured here",
        command=f"kleiber study capacity --all --preset {preset} --out results",
        columns=COLUMNS,
        rows=rows,
        claims=[f"Of twelve results: {said}."],
        notes=(
            f"Published numbers are of arXiv 2404.05405, {LARGER[preset]}. Measured are ratios of "
            "bits per parameter, paired by seed, with a t interval; each result's own table, "
            f"capacity-result-NN{suffix(preset)}.md, has its arms, controls and spreads. A verdict "
            "is 'shown' where every interval lies where it should, 'opposite' where one lies "
            "against it. Most bounds ask for a direction, not the published size: compare the "
            "numbers.",
        ),
        seed=0,
    )


def _row(number: int, found: dict[str, Any] | None, preset: str) -> dict[str, Any]:
    result = declared(number, preset)
    row = {"result": f"{number}. {result.title}", "published": result.published}
    if found is None:
        return {**row, "measured": None, "verdict": NOT_RUN, "reason": "not run yet"}
    measured = "; ".join(
        f"{one['ratio']}: " + span(one, f", {one['level']:.0%}, {one['seeds']} seeds")
        for one in found["compared"]
    )
    return {**row, "measured": measured, "verdict": found["verdict"], "reason": found["reason"]}


def _found(folder: Path, number: int, preset: str) -> dict[str, Any] | None:
    """Return what a result's own table says, None where there is none."""
    path = folder / f"{table_name(number, preset)}.json"
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: found[name] for name in ("compared", "verdict", "reason")}
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"'{path}' is no table of a result.",
            remedy=f"Make it again with kleiber study capacity --result {number}.",
        ) from None
