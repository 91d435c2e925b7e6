"""The capacity curve: sizes x people at 1000 and at 100 exposures, plateaus and their ratio.

The grid, the rules for rates and batches and the seeds are those of the preset ``curve``. Training
takes about an hour on two cores; it goes on where it was stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.judging.capacity import Plateau, fit_plateaus, ratio
from kleiber.studies.table import Table

PRESET = "curve"
COLUMNS = (
    "exposures",
    "width",
    "params",
    "people",
    "R^max",
    "steps",
    "seeds",
    "R",
    "sd",
    "share of R^max",
    "accuracy",
    "strangers",
    "CPU s a run",
)


def run(folder: Path, *, jobs: int | None = None) -> Table:
    """Train what is not yet trained in the folder, and return the curve."""
    from kleiber.cli.know.watch import train_cells
    from kleiber.knowledge.preset import preset

    cells = preset(PRESET).cells()
    return tabulate(train_cells(cells, [folder / cell.name for cell in cells], jobs=jobs))


def tabulate(results: Sequence[Mapping[str, Any]]) -> Table:
    """Return measured runs as the curve's table, seeds of a cell as one row."""
    plateaus = fit_plateaus(results)
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for one in results:
        key = (-one["exposures"], one["width"], one["people"], one["steps"])
        groups.setdefault(key, []).append(one)
    rows = [_row(groups[key]) for key in sorted(groups)]
    return Table(
        name="capacity-curve",
        title="Bits per parameter over sizes and people, at 1000 and at 100 exposures",
        command="kleiber study capacity-curve --out results",
        columns=COLUMNS,
        rows=rows,
        claims=[*(plateau.sentence() for plateau in plateaus), *_ratio(plateaus)],
        notes=(
            "R is bits per parameter by Definition 4.3, mean and standard deviation over seeds; "
            "each seed has people, order and initialisation of its own. bioD with K = 8, "
            "D = T = 64, C = L = 1 and names of three symbols; peak rate and weight decay by the "
            "preset's rules, chosen on one cell (1000 people, width 24) and carried to the others.",
            "At one cell and 100 exposures several rows differ in steps alone: the same texts in "
            "smaller batches. Plateaus are fitted to the longest.",
            f"torch {version('torch')}, CPU, fp32, one thread a run.",
        ),
        extra={
            "runs": [_kept(one) for one in results],
            "plateaus": [plateau.to_dict() for plateau in plateaus],
        },
    )


def _row(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the seeds of one cell as a row."""
    first = seeds[0]
    bits = np.array([one["bits_per_param"] for one in seeds])
    most = float(np.mean([one["max_bits_per_param"] for one in seeds]))
    return {
        "exposures": first["exposures"],
        "width": first["width"],
        "params": first["params"],
        "people": first["people"],
        "R^max": most,
        "steps": first["steps"],
        "seeds": len(seeds),
        "R": float(bits.mean()),
        "sd": float(bits.std(ddof=1)) if len(bits) > 1 else math.nan,
        "share of R^max": float(bits.mean()) / most,
        "accuracy": float(np.mean([one["accuracy"] for one in seeds])),
        "strangers": float(np.mean([one["controls"]["unseen"] for one in seeds])),
        "CPU s a run": float(np.mean([one.get("cpu_seconds", math.nan) for one in seeds])),
    }


def _ratio(plateaus: Sequence[Plateau]) -> list[str]:
    """Return the plateau at most exposures over that at fewest, with its interval."""
    if len(plateaus) < 2 or not (plateaus[0].known and plateaus[-1].known):
        return []
    value, lower, upper = ratio(plateaus[0], plateaus[-1])
    return [
        f"{plateaus[0].exposures:,.0f} exposures hold {value:.2f} times what "
        f"{plateaus[-1].exposures:,.0f} do ({plateaus[0].level:.0%} interval {lower:.2f} to "
        f"{upper:.2f})."
    ]


def _kept(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what another may want of a run: no timings but CPU seconds, no long lists."""
    left_out = ("accuracy_by_attribute", "seconds", "control_terms")
    return {name: value for name, value in result.items() if name not in left_out}
