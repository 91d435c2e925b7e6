"""The main job on real runs: hide the largest model of a family, predict it, look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kleiber.judging import Hidden, hide_largest
from kleiber.runs import Runs
from kleiber.studies.table import Table
from kleiber.units import format_count

_COLPRET = {"params": "n_params", "tokens": "d_tokens", "loss": "value", "run": "model"}


@dataclass(frozen=True)
class Family:
    """A real family and how its published file is read."""

    name: str
    file: str
    reading: Mapping[str, Any]
    best_of: bool = False
    by: str = "params"
    note: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


FAMILIES = (
    Family(
        "GPT-3, validation loss",
        "colpret/tidy.parquet",
        {"columns": _COLPRET, "where": {"family": "gpt3", "metric": "val_loss"}},
        note="checkpoints; all finals saw 300B tokens",
    ),
    Family(
        "OPT, perplexity converted",
        "colpret/tidy.parquet",
        {"columns": _COLPRET, "where": {"family": "OPT"}},
        note="5 runs, 5 parameters: the interval is the jackknife's",
    ),
    Family(
        "overtrain c4_original",
        "colpret/tidy.parquet",
        {
            "columns": _COLPRET,
            "where": {"family": "overtrain-c4_original", "metric": "loss_openlm"},
        },
    ),
    Family(
        "(Mis)Fitting, best learning rate",
        "misfitting/scaling_results_last_ckpt_only.csv",
        {"columns": {"params": "N", "tokens": "D", "loss": "loss"}, "params_are": "total"},
        best_of=True,
        note="the lowest loss of each size and token count",
    ),
    Family(
        "(Mis)Fitting, every learning rate",
        "misfitting/scaling_results_last_ckpt_only.csv",
        {"columns": {"params": "N", "tokens": "D", "loss": "loss"}, "params_are": "total"},
        note="badly tuned runs included",
    ),
    Family(
        "Llama 3 isoFLOP points",
        "open_athena_isoflop/extract/isoflops.csv",
        {"where": {"source": "llama_3", "condition": "raw_loss"}, "columns": {"family": "dataset"}},
        note="the unit is the paper's own, about 0.7 to 0.9",
    ),
    Family(
        "Llama 3 isoFLOP, largest budget",
        "open_athena_isoflop/extract/isoflops.csv",
        {
            "where": {"source": "llama_3", "condition": "raw_loss"},
            "columns": {"family": "dataset", "flops": "budget"},
        },
        by="flops",
        note="every point of the largest budget hidden",
    ),
)
COLUMNS = (
    "family",
    "fitted",
    "hidden",
    "scale-up",
    "predicted",
    "interval",
    "actual",
    "error",
    "% of loss",
    "% of reducible",
    "inside",
    "note",
)


def read(family: Family, data: Path) -> Runs:
    """Read one family as published."""
    runs = Runs.read(str(data / family.file), **family.reading)
    if not family.best_of:
        return runs
    best = runs.frame.sort("loss").group_by("params", "tokens", maintain_order=True).first()
    return Runs.read(
        best.select("run", "params", "tokens", "loss"), unit="nats", params_are="total"
    )


def hide(family: Family, data: Path) -> Hidden:
    """Hide the family's largest and predict it with every default."""
    return hide_largest(read(family, data), by=family.by, **family.options)


def run(data: Path) -> Table:
    """Return the table of all families."""
    found = [(family, hide(family, data)) for family in FAMILIES]
    inside = sum(hidden.inside for _, hidden in found)
    errors = sorted(abs(100 * hidden.relative) for _, hidden in found)
    return Table(
        name="hide_largest",
        title="The largest model hidden and predicted",
        command="kleiber study hide-largest --out results",
        columns=COLUMNS,
        rows=[_row(family, hidden) for family, hidden in found],
        claims=[
            f"{inside} of {len(found)} intervals hold the actual loss.",
            f"Absolute errors: {errors[len(errors) // 2]:.2g} % of the loss in the middle, "
            f"{errors[-1]:.2g} % at worst.",
        ],
        notes=(
            "Chinchilla law, Huber with delta auto, the default 90 % interval of a new run; "
            "nothing was chosen by family. Losses in nats per token.",
        ),
        seed=0,
        extra={"hidden": {family.name: hidden.to_dict() for family, hidden in found}},
    )


def _row(family: Family, hidden: Hidden) -> dict[str, Any]:
    """Return one family as cells."""
    made = hidden.fit
    return {
        "family": family.name,
        "fitted": f"{made.n_runs} runs, {len(made.points)} points",
        "hidden": f"{format_count(hidden.params)} on {format_count(hidden.tokens)}",
        "scale-up": f"{hidden.scale_up:.2g}x",
        "predicted": f"{hidden.predicted:.4f}",
        "interval": f"{hidden.lower:.4f} to {hidden.upper:.4f}",
        "actual": f"{hidden.actual:.4f}",
        "error": f"{hidden.error:+.4f}",
        "% of loss": f"{100 * hidden.relative:+.2f}",
        "% of reducible": f"{100 * hidden.of_reducible:+.1f}",
        "inside": hidden.inside,
        "note": family.note,
    }
