"""The cheapest way to an error: over (k, share), FLOPs of what is seen against the target's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kleiber.studies.guide.questions import shares
from kleiber.studies.guide.questions.answer import Found, Question, over, parts, percent, said
from kleiber.studies.guide.questions.bench import Bench, Sight

BARS = (0.15, 0.10, 0.05, 0.03)
STAYS = 0.75  # of the cells to its right must meet the bar too, and more than that
Key = tuple[int, float]


def cheapest(errors: Mapping[Key, float], prices: Mapping[Key, float], bar: float) -> Key | None:
    """Return the cheapest (k, share) below the bar that stays below it, None for none.

    It stays below where more than 75 % of the cells to its right, of the same k and a larger
    share, are below too (the guide's rule); the last cell of a row has none to its right.
    """
    found = [
        key
        for key, error in errors.items()
        if error < bar
        and _stays([e for (k, s), e in errors.items() if k == key[0] and s > key[1]], bar)
    ]
    return min(found, key=lambda key: (prices[key], key), default=None)


def _stays(right: Sequence[float], bar: float) -> bool:
    return not right or float(np.mean([e < bar for e in right])) > STAYS


def sights(bench: Bench) -> list[Sight]:
    """Return the cells of k x share."""
    return shares.sights(bench)


def find(benches: Sequence[Bench]) -> Found:
    """Table each family's cheapest cell for each bar, and the summary over clusters."""
    rows: list[dict[str, Any]] = []
    costs: dict[float, dict[Bench, float]] = {bar: {} for bar in BARS}
    tried: list[Bench] = []
    for bench in benches:
        errors = shares.grid(bench)
        if not errors:
            continue
        tried.append(bench)
        sees = shares.cells(bench)
        prices = {key: bench.price(sees[key]) for key in errors}
        whole = _target(bench)
        for bar in BARS:
            best = cheapest(errors, prices, bar)
            row: dict[str, Any] = {"set": bench.family.key, "bar %": percent(bar)}
            if best is not None:
                costs[bar][bench] = prices[best] / whole
                row |= {
                    "k": best[0],
                    "share %": percent(best[1]),
                    "error %": percent(errors[best]),
                    "FLOPs": prices[best],
                    "of the target's %": percent(prices[best] / whole),
                }
            rows.append(row)
    head: list[dict[str, Any]] = []
    told: list[str] = []
    for name, some in parts(tried).items():
        every = over((b, 0.0) for b in some).clusters
        for bar in BARS:
            met = over((b, 0.0) for b in some if b in costs[bar])
            median = _median(some, costs[bar])
            head.append(
                {
                    "set": name,
                    "bar %": percent(bar),
                    "families": f"{met.families} of {len(some)}",
                    "clusters": f"{met.clusters} of {every}",
                    "of the target's %": percent(median),
                }
            )
            if name == "all families":
                price = f"for {said(median)} of its FLOPs" if np.isfinite(median) else "at no price"
                told.append(
                    f"{100 * bar:.0f} % {price} ({met.families} of {len(some)} families, "
                    f"{met.clusters} of {every} clusters)"
                )
    return Found(
        f"The cheapest cell of k x share that comes within the bar and stays there: "
        f"{'; '.join(told)}, medians over clusters of "
        "their families, those that never come within it counted as without price.",
        (
            "set",
            "bar %",
            "families",
            "clusters",
            "k",
            "share %",
            "error %",
            "FLOPs",
            "of the target's %",
        ),
        head + rows,
        (
            "FLOPs are 6 N D of every run seen up to its last point seen, and the target's those "
            "of its costliest run. Chosen with the target known, as the guide's stars are: a "
            "bound on what planning can reach. Families of several runs a size pay for all.",
        ),
    )


def _median(some: Sequence[Bench], costs: Mapping[Bench, float]) -> float:
    """Return the median over clusters of the median over families, infinite for the unmet.

    Means are of logs, so that a bar that is never met has no finite price.
    """
    names = dict.fromkeys(b.family.cluster for b in some)
    logs = [
        float(np.median([np.log(costs.get(b, np.inf)) for b in some if b.family.cluster == name]))
        for name in names
    ]
    return float(np.exp(np.median(logs))) if logs else float("nan")


def _target(bench: Bench) -> float:
    """Return the FLOPs of the costliest run of the target."""
    points, judged = bench.points, bench.finals(bench.target)
    return float((6.0 * points.params[judged] * points.tokens[judged]).max())


QUESTION = Question("cheapest", "The cheapest way to 15, 10, 5 and 3 %", sights, find)
