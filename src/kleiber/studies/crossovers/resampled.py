"""C2 many times over, from a pool of seeds: whether the interval of C* holds the known crossing.

A resample takes SEEDS seeds of the pool at every rung, the same for both arms, as a user with so
many would have them. The verdict at the largest rung is held against fresh seeds that no resample
has; a null pair is one recipe against itself, other seeds on either side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.judging.compare.comparison import Comparison
from kleiber.judging.compare.verb import MARGIN, compare
from kleiber.studies.crossovers.cases import POOL, SEEDS, Cases
from kleiber.studies.crossovers.measured import Row, arms, table

RESAMPLES = 100
REPLICATES = 1000


@dataclass(frozen=True)
class Resampled:
    """Shares over all resamples, and what the fresh seeds at the largest rung say."""

    rows: Sequence[Row]
    nulls: Sequence[str]
    fresh: float  # mean of A - B at the largest rung over seeds of no resample
    truth: float  # FLOPs at which the recipes are one

    @property
    def held(self) -> float:
        """The share of intervals of C* that hold the crossing; none given counts as a miss."""
        return float(np.mean([row["lower"] <= self.truth <= row["upper"] for row in self.rows]))

    @property
    def agreed(self) -> float:
        """The share of verdicts at the largest rung that the fresh seeds' mean gives too."""
        return float(np.mean([row["verdict"] == self.expected for row in self.rows]))

    @property
    def expected(self) -> str:
        """What the fresh seeds say."""
        return "tie" if abs(self.fresh) <= MARGIN else "B" if self.fresh > 0 else "A"

    @property
    def won(self) -> float:
        """The share of null pairs that have a winner."""
        return float(np.mean([verdict in ("A", "B") for verdict in self.nulls]))

    @property
    def width(self) -> float:
        """The median width of the intervals of C*, decades."""
        return float(np.nanmedian([np.log10(row["upper"] / row["lower"]) for row in self.rows]))


def resample(
    rows: Sequence[Mapping[str, Any]],
    cases: Cases,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Resampled:
    """Return what comparisons of resampled ladders say, of the finished runs of the pool."""
    first, second = arms(cases.c2, rows)
    top = max(cases.c2.sizes)
    target = float(np.mean([row["flops"] for row in first if row["width"] == top]))
    rng = np.random.default_rng(seed)
    found: list[Row] = []
    nulls: list[str] = []
    for number in range(resamples):
        progress(f"resample {number + 1} of {resamples}")
        chosen = {width: rng.permutation(POOL) for width in cases.c2.sizes}
        one = _compared(first, second, chosen, chosen, target, number)
        found.append(
            {
                "probability": one.crossover.probability,
                "kind": one.crossover.kind,
                "lower": one.crossover.lower,
                "median": one.crossover.median,
                "upper": one.crossover.upper,
                "verdict": one.verdict,
                "difference": one.difference.median,
            }
        )
        others = {width: order[SEEDS:] for width, order in chosen.items()}
        arm = (first, second)[number % 2]
        nulls.append(_compared(arm, arm, chosen, others, target, number).verdict)
    fresh = [
        [row["loss"] for row in _ordered(arm) if row["width"] == top and row["seed"] >= POOL]
        for arm in (first, second)
    ]
    apart = float(np.mean(fresh[0]) - np.mean(fresh[1]))
    return Resampled(found, nulls, apart, cases.crossing_flops)


def _compared(
    first: Sequence[Row],
    second: Sequence[Row],
    of_a: Mapping[int, Any],
    of_b: Mapping[int, Any],
    target: float,
    seed: int,
) -> Comparison:
    """Compare the arms at their first SEEDS seeds of an order a width."""
    tables = [
        table(
            [{**row, "recipe": name} for row in arm if row["seed"] in order[row["width"]][:SEEDS]]
        )
        for name, arm, order in (("A", first, of_a), ("B", second, of_b))
    ]
    return compare(tables[0], tables[1], target_flops=target, replicates=REPLICATES, seed=seed)


def _ordered(arm: Sequence[Row]) -> list[Row]:
    return sorted(arm, key=lambda row: row["seed"])
