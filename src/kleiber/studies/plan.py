"""Planned ladders against ladders made by hand at the same price: simulated and real targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.errors import InputError
from kleiber.fitting.bundle import bundled
from kleiber.runs.sets import gadre
from kleiber.studies.plan_real import BY_SIZE, PARTS, real
from kleiber.studies.plan_simulated import BUDGET, FAMILIES, PLAN, PLAN_EXACT, SEED, simulated
from kleiber.studies.table import Table

CLUSTER = "gadre"
COLUMNS = (
    *("case", "ladder", "runs", "% of target", "median %", "mean %", "p90 %"),
    *("promised %", "realised/promised", "planned is smaller by %"),
)


def run(data: Path) -> Table:
    """Return the table of simulated and real ladders."""
    rows, deciles = simulated(bundled())
    if not (data / gadre.NAME).is_dir():
        raise InputError(
            f"The study 'plan' reads the set {gadre.NAME}, which is not in '{data}'.",
            remedy="Say where the sets are with --data DIR.",
        )
    found = [*rows, *real(data, bundled(without=(CLUSTER,)))]
    return Table(
        name="plan",
        title="Planned ladders against ladders by hand at the same price",
        command="kleiber study plan --out results",
        columns=COLUMNS,
        rows=[_shown(row) for row in found],
        claims=[*_claims(found)],
        notes=_notes(found, deciles),
        seed=SEED,
        extra={"measured": found, "calibration": deciles},
    )


def _claims(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what the simulated and the real rows show."""
    for case in ("law exact", "law departs"):
        some = [row for row in rows if row["case"].endswith(case)]
        against = [
            f"{_percent(row['planned is smaller by %'])} than {row['ladder']}"
            for row in some
            if row.get("planned is smaller by %") and not row["ladder"].startswith("planned")
        ]
        yield (
            f"Simulated, {case}: the planned ladder's median error is smaller by "
            + "; ".join(against)
            + "."
        )
        ours = PLAN_EXACT if case == "law exact" else PLAN
        if ours != PLAN:
            median = {row["ladder"]: row["median %"] for row in some}
            less = (
                f"{100 * (1 - median[PLAN] / one):.0f} than {name}"
                for name, one in median.items()
                if not name.startswith("planned")
            )
            yield f"The same by the default plan, which mistrusts the law, in %: {'; '.join(less)}."
        kept = next(row for row in some if row["ladder"] == ours)["realised/promised"]
        yield (
            f"Simulated, {case}: realised over promised error {kept[0]:.2f} "
            f"({kept[1]:.2f} to {kept[2]:.2f})."
        )
    for part in PARTS:
        some = {row["ladder"]: row for row in rows if row["case"].endswith(f"1/{part}")}
        others = ", ".join(
            f"{row['mean %']:.1f} % {name}" for name, row in some.items() if name != PLAN
        )
        yield (
            f"Real, a {part}th of the price: {some[PLAN]['mean %']:.1f} % planned (promised "
            f"{some[PLAN]['promised %']:.1f} %); {others}."
        )


def _by_loss(rows: Sequence[Mapping[str, Any]], ladder: str) -> str:
    """Return the real errors of a ladder by loss, in the mean over prices and recipes."""
    some = [row["by loss"] for row in rows if row["ladder"] == ladder and "by loss" in row]
    means = {loss: float(np.mean([one[loss] for one in some])) for loss in gadre.LOSSES}
    shown = sorted(means.items(), key=lambda item: item[1])
    return f"By loss, {ladder}: {', '.join(f'{loss} {value:.1f} %' for loss, value in shown)}."


def _notes(
    rows: Sequence[Mapping[str, Any]], deciles: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    def line(case: str, ladder: str) -> str:
        some = [one for one in deciles if (one["case"], one["ladder"]) == (case, ladder)]
        pairs = (f"{100 * one['promised']:.2f} -> {100 * one['realised']:.2f}" for one in some)
        return f"Promised -> realised, {ladder}, {case}, by tenths of families: {', '.join(pairs)}."

    return (
        f"Target 7B on 140B tokens, ladders of {BUDGET:g} FLOPs, {FAMILIES} families drawn from "
        "the bundled prior, the same for every ladder; errors in % of the target's mean loss. "
        "'planned' is made as kleiber plan makes it, 'law taken as exact' without the model error. "
        "Where the law departs, every family carries the model error's random field.",
        "Bounds are 90 %, by bootstrap over families, paired.",
        f"{gadre.NAME}: ladders out of its finals, the prior taught without them; 3 recipes x 8 "
        "losses of the same models are one source, so no bounds. A ladder is planned before any "
        "loss is read; but that runs have at least 10 tokens a param is a rule which was set after "
        "these errors were seen, and the row without it is beside.",
        _by_loss(rows, PLAN),
        _by_loss(rows, BY_SIZE),
        line("law exact", PLAN_EXACT),
        line("law departs", PLAN),
    )


def _percent(value: Any) -> str:
    if isinstance(value, tuple):
        part, low, high = (100.0 * float(one) for one in value)
        return f"{part:.0f} % ({low:.0f} to {high:.0f})"
    return f"{100.0 * float(value):.0f}"


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as cells."""
    made = {
        key: f"{value:.2f}" if isinstance(value, float) and np.isfinite(value) else value
        for key, value in row.items()
    }
    share, kept = row.get("planned is smaller by %"), row.get("realised/promised")
    made["planned is smaller by %"] = None if share is None else _percent(share)
    if isinstance(kept, tuple):
        made["realised/promised"] = f"{kept[0]:.2f} ({kept[1]:.2f} to {kept[2]:.2f})"
    return made
