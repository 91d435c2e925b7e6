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
from kleiber.launching import Trainer, train_cells
from kleiber.studies.table import Table

TITLES = {
    "curve": "Bits per parameter over sizes and people, at 1000 and at 100 exposures",
    "cpu": "Bits per parameter of one small model on one core",
    "exposures": "Bits per parameter between and beyond 100 and 1000 exposures",
}
SEEDS = 3
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


def run(
    folder: Path, *, preset: str = "curve", jobs: int | None = None, train: Trainer = train_cells
) -> Table:
    """Train what is not yet trained of a preset in the folder, and return its table."""
    from kleiber.knowledge.preset import preset as named

    cells = named(preset).cells(seeds=SEEDS)
    return tabulate(train(cells, [folder / cell.name for cell in cells], jobs=jobs), preset)


def tabulate(results: Sequence[Mapping[str, Any]], preset: str = "curve") -> Table:
    """Return measured runs as a table, seeds of a cell as one row."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for one in results:
        key = (-one["exposures"], one["width"], one["people"], one["steps"])
        groups.setdefault(key, []).append(one)
    rows = [_row(groups[key]) for key in sorted(groups)]
    plateaus = fit_plateaus(results) if len(rows) > 1 else ()
    claims = [*(plateau.sentence() for plateau in plateaus), *_ratio(plateaus), *_by_size(results)]
    return Table(
        name=f"capacity-{preset}",
        title=TITLES[preset],
        command=f"kleiber study capacity-{preset} --out results",
        columns=COLUMNS,
        rows=rows,
        claims=claims or _mean(rows[0]),
        notes=_notes(results, several=len(rows) > 1),
        extra={
            "runs": [_kept(one) for one in results],
            "plateaus": [plateau.to_dict() for plateau in plateaus],
        },
    )


def _notes(results: Sequence[Mapping[str, Any]], *, several: bool) -> list[str]:
    """Return how to read the table."""
    notes = [
        "R is bits per parameter by Definition 4.3, mean and standard deviation over seeds; each "
        "seed has people, order and initialisation of its own. bioD with K = 8, D = T = 64, "
        "C = L = 1 and names of three symbols; peak rate and weight decay by the preset's rules. "
        "CPU seconds are a run's own, compilation and measuring included, on a machine that was "
        "doing other work too.",
        f"torch {version('torch')}, CPU, fp32, one thread a run; seeds 0 to "
        f"{max(one['seed'] for one in results)}.",
    ]
    if several:
        notes.append(
            "The rules were chosen on one cell (1000 people, width 24) and carried to the others. "
            "At one cell and 100 exposures several rows differ in steps alone: the same texts in "
            "smaller batches. Plateaus are fitted to the longest."
        )
    return notes


def _mean(row: Mapping[str, Any]) -> list[str]:
    """Return the one cell's mean as a sentence."""
    half = 2.92 * row["sd"] / math.sqrt(row["seeds"])  # Student's t of two degrees of freedom
    return [
        f"{row['R']:.3f} bits per parameter, mean of {row['seeds']} seeds (standard deviation "
        f"{row['sd']:.3f}, 90 % interval of the mean {row['R'] - half:.3f} to "
        f"{row['R'] + half:.3f}), in {row['CPU s a run']:.0f} CPU seconds a run."
    ]


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


def _by_size(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the plateau of each size that has one, at most exposures."""
    most = max(one["exposures"] for one in results)
    sizes = sorted({one["params"] for one in results if one["exposures"] == most})
    found: list[str] = []
    for params in sizes if len(sizes) > 1 else ():
        own = [one for one in results if (one["params"], one["exposures"]) == (params, most)]
        (plateau,) = fit_plateaus(own)
        if plateau.known:
            found.append(
                f"{params:,} parameters alone: {plateau.value:.2f} bits per parameter "
                f"({plateau.level:.0%} interval {plateau.lower:.2f} to {plateau.upper:.2f})."
            )
    return found


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
