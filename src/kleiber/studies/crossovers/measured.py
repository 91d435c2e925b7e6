"""What a case came to: each rung's difference with its interval, and what was said of it before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kleiber.judging.compare.common import SAME, common
from kleiber.judging.compare.comparison import Comparison
from kleiber.judging.compare.verb import compare
from kleiber.runs import Runs
from kleiber.studies.crossovers.cases import Case
from kleiber.studies.paradigms.settings import difference

Row = dict[str, Any]
KEPT = ("run", "recipe", "seed", "params", "tokens", "flops", "loss")


def arms(case: Case, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Row], list[Row]]:
    """Return the finished runs of A and of B."""
    names = [made.name for made in case.recipes()]
    both = [[dict(row) for row in rows if row["recipe"] == name] for name in names]
    return both[0], both[1]


def table(rows: Sequence[Mapping[str, Any]]) -> Runs:
    """Return runs as the verbs read them."""
    return Runs.read([{name: row[name] for name in KEPT} for row in rows])


def rungs(case: Case, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return a row a width: both arms' losses, A - B paired by seed, what was watched.

    ``A - B at equal FLOPs`` reads B's mean loss at A's compute, between B's own widths where the
    two differ, NaN where B was not trained about there.
    """
    first, second = arms(case, rows)
    found: list[Row] = []
    for width in case.sizes:
        of_a, of_b = (_by_seed(arm, width) for arm in (first, second))
        apart = difference(_losses(of_a), _losses(of_b))
        held = (of_a, of_b)
        flops = [float(np.mean([run["flops"] for run in arm.values()])) for arm in held if arm]
        found.append(
            {
                "width": width,
                "FLOPs A": flops[0] if of_a else math.nan,
                "FLOPs B": flops[-1] if of_b else math.nan,
                **{
                    f"{what} {name}": _mean(arm, key)
                    for what, key in (
                        ("loss", "loss"),
                        ("attention max", "attention_max"),
                        ("gradient rms", "grad_rms"),
                    )
                    for name, arm in zip("AB", held, strict=True)
                },
                "seeds": apart.seeds,
                "A - B": apart.value,
                "lower": apart.lower,
                "upper": apart.upper,
            }
        )
    equal = _at_equal_flops(found)
    return [{**row, "A - B at equal FLOPs": apart} for row, apart in zip(found, equal, strict=True)]


def _at_equal_flops(rows: Sequence[Row]) -> list[float]:
    """Return A's mean loss less B's at A's compute, of rows with both."""
    arms = {name: [row for row in rows if not math.isnan(row[f"loss {name}"])] for name in "AB"}
    flops = [np.array([row[f"FLOPs {name}"] for row in held]) for name, held in arms.items()]
    mean = [row[f"loss {name}"] for name, held in arms.items() for row in held]
    known = common(np.concatenate(flops), np.repeat((0.5, -0.5), [len(of) for of in flops]))
    found = {
        int(np.argmin(np.abs(np.log(flops[0] / at)))): float(apart)
        for at, apart in zip(known.flops, known.weights @ np.array(mean), strict=True)
        if np.abs(np.log(flops[0] / at)).min() <= np.log(SAME)
    }
    places = {row["width"]: place for place, row in enumerate(arms["A"])}
    return [found.get(places.get(row["width"], -1), math.nan) for row in rows]


def _losses(arm: Mapping[int, Row]) -> dict[int, float]:
    return {seed: float(run["loss"]) for seed, run in sorted(arm.items())}


def foretold(case: Case, rows: Sequence[Mapping[str, Any]], *, hidden: int = 1) -> Comparison:
    """Return what the rungs below the largest say of the largest's compute."""
    left = set(sorted(case.sizes)[: len(case.sizes) - hidden])
    top = max(case.sizes)
    first, second = arms(case, rows)
    target = float(np.mean([row["flops"] for row in first if row["width"] == top]))
    seen = [table([row for row in arm if row["width"] in left]) for arm in (first, second)]
    return compare(seen[0], seen[1], target_flops=target)


def judged(case: Case, rows: Sequence[Mapping[str, Any]], times: float = 10.0) -> Comparison:
    """Return the verdict so many times above the largest rung of A, from all rungs."""
    first, second = arms(case, rows)
    return compare(
        table(first), table(second), target_flops=times * max(row["flops"] for row in first)
    )


def _by_seed(arm: Sequence[Row], width: int) -> dict[int, Row]:
    return {int(row["seed"]): row for row in arm if row["width"] == width}


def _mean(arm: Mapping[int, Row], key: str) -> float:
    values = [run[key] for run in arm.values() if run.get(key) is not None]
    return float(np.mean(values)) if values else math.nan
