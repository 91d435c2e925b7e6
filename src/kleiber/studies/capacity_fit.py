"""The capacity law on the published curve: GPT-2 on biographies, 1000 exposures of each person.

The figure was digitised by others from Allen-Zhu and Li 2024 (their figure 1a); its dots are
stored bits, and parameters by the count ``L (12 d^2 + 13 d) + V d + 2 d`` at 3275 rows. The text
says that every model stays at or below 2.3 bits a parameter; over-filled ones in the figure do
not.
"""

from __future__ import annotations

import math
from typing import Any

from kleiber.judging.capacity import Plateau, fit_plateau
from kleiber.knowledge.size import bios_bits
from kleiber.studies.table import Table
from kleiber.units import format_count

EXPOSURES = 1000.0
# people: (parameters in millions, stored bits in millions)
FIGURE: dict[int, tuple[tuple[float, float], ...]] = {
    50_000: (
        (0.816, 1.40), (1.213, 2.16), (1.519, 2.56), (1.807, 2.85), (2.409, 2.91),
        (5.577, 2.92), (19.0, 2.93),
    ),
    100_000: (
        (1.213, 2.59), (1.807, 3.61), (2.409, 4.61), (2.853, 5.21), (3.208, 5.58),
        (3.998, 5.70), (10.1, 5.73), (33.2, 5.75),
    ),
    200_000: (
        (2.409, 5.57), (3.298, 7.50), (4.788, 9.72), (5.577, 10.59), (6.582, 11.16),
        (11.9, 11.17), (63.0, 11.27),
    ),
    500_000: (
        (5.577, 15.16), (8.736, 19.88), (11.91, 24.05), (13.48, 26.70), (15.45, 27.40),
        (33.2, 27.66), (175.0, 27.72),
    ),
    1_000_000: (
        (11.91, 32.26), (15.45, 37.09), (20.59, 44.82), (23.74, 51.05), (26.9, 52.96),
        (33.2, 54.05), (87.6, 54.41), (356.0, 54.48),
    ),
}  # fmt: skip
METHODS = ("delta", "profile", "bootstrap", "jackknife")


def published_rows(people: int | None = None) -> list[dict[str, Any]]:
    """Return the digitised figure as capacity results, all people or one count of them."""
    return [
        {
            "people": count,
            "params": 1e6 * params,
            "exposures": EXPOSURES,
            "seed": 0,
            "bits_per_param": stored / params,
            "max_bits_per_param": bios_bits(count) / (1e6 * params),
        }
        for count, dots in FIGURE.items()
        if people in (None, count)
        for params, stored in dots
    ]


def run() -> Table:
    """Return the plateau of each data set and of all together, by every interval method."""
    each = {format_count(people): fit_plateau(published_rows(people)) for people in FIGURE}
    whole = {name: fit_plateau(published_rows(), method=name) for name in METHODS}
    rows = [_row(f"{name} people", one) for name, one in each.items()]
    rows += [_row("all", one) for one in whole.values()]
    by_people = fit_plateau(published_rows(), cluster="people", method="jackknife")
    rows.append({**_row("all", by_people), "method": "jackknife over data sets"})
    every = whole["delta"]
    most = max(row["bits_per_param"] for row in published_rows())
    return Table(
        name="capacity_fit",
        title="The capacity law on the published curve",
        command='python -c "from kleiber.studies.capacity_fit import run; print(run().markdown())"',
        columns=("data", "plateau", "lower", "upper", "method", "share", "sharpness", "runs"),
        rows=rows,
        claims=[
            f"All 37 models: {every.value:.2f} bits per parameter "
            f"(90 % interval {every.lower:.2f} to {every.upper:.2f} over models, "
            f"{by_people.lower:.2f} to {by_people.upper:.2f} over data sets).",
            f"The fullest model of the figure holds {most:.2f}, above the 2.3 that the text gives "
            "as the most.",
        ],
        notes=(
            "Bits per parameter, at 1,000 exposures; intervals at 90 %, over models. Each data "
            "set has its own plateau, which rises with its people and the size of its models: "
            "models of one data set err together, so that the interval over data sets is the "
            "honest one for another number of people.",
        ),
        seed=0,
    )


def _row(name: str, found: Plateau) -> dict[str, Any]:
    """Return one plateau as a row."""
    known = {k: getattr(found, k) for k in ("value", "lower", "upper", "share", "sharpness")}
    shown = {k: v if math.isfinite(v) else math.nan for k, v in known.items()}
    return {
        "data": name,
        "plateau": shown.pop("value"),
        **shown,
        "method": found.method,
        "runs": found.n,
    }
