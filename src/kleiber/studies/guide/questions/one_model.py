"""One run, with (A, alpha) borrowed from another family's fit: E, B and beta are its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kleiber.studies.guide.questions.answer import (
    SHARES,
    Found,
    Question,
    over,
    parts,
    percent,
    said,
)
from kleiber.studies.guide.questions.bench import Bench, Sight
from kleiber.units import format_count

# Scale-ups, the target's size over the one seen, at which the families are parted.
REACHES = ((1.0, 4.0), (4.0, 16.0), (16.0, np.inf))


def cells(bench: Bench) -> dict[tuple[int, float], Sight]:
    """Return each smaller size at the end of training, and the largest of them at each share."""
    if not bench.curved:
        return {}
    last = len(bench.smaller) - 1
    return {
        (i, share): bench.sight([one], share, how="borrowed")
        for i, one in enumerate(bench.smaller)
        for share in (SHARES if i == last else (1.0,))
    }


def sights(bench: Bench) -> list[Sight]:
    """Return every cell's sight."""
    return list(cells(bench).values())


def find(benches: Sequence[Bench]) -> Found:
    """Table the error from each single size, and by share from the largest of them."""
    rows: list[dict[str, Any]] = []
    errors: dict[Bench, dict[tuple[int, float], float]] = {}
    for bench in benches:
        asked = cells(bench)
        found = bench.errors(list(asked.values()), bench.finals(bench.target))
        errors[bench] = dict(zip(asked, found, strict=True))
        for i, size in enumerate(bench.smaller):
            of = {share: e for (at, share), e in errors[bench].items() if at == i}
            if np.isfinite(of.get(1.0, np.nan)):
                rows.append(
                    {
                        "set": bench.family.key,
                        "from": format_count(max(size)),
                        "to": format_count(max(bench.target)),
                        **{f"{100 * s:.0f} %": percent(e) for s, e in of.items()},
                    }
                )
    head: list[dict[str, Any]] = []
    said_by: list[str] = []
    for name, some in parts(benches).items():
        by_reach = [
            over((b, _within(b, errors[b], low, high)) for b in some) for low, high in REACHES
        ]
        for (low, high), found in zip(REACHES, by_reach, strict=True):
            if found.families:
                reach = f"{low:g} to {high:g} times" if np.isfinite(high) else f"over {low:g} times"
                head.append(
                    {
                        "set": name,
                        "from": f"{found.families} families, {found.clusters} clusters",
                        "to": reach,
                        "100 %": percent(found.mean),
                    }
                )
                if name == "all families":
                    said_by.append(f"{said(found.mean)} at {reach} the size")
        nearest = {
            s: over((b, errors[b].get((len(b.smaller) - 1, s), np.nan)) for b in some)
            for s in SHARES
        }
        if nearest[1.0].families:
            head.append(
                {
                    "set": name,
                    "from": "the largest smaller size",
                    "to": f"{nearest[1.0].families} families, {nearest[1.0].clusters} clusters",
                    **{f"{100 * s:.0f} %": percent(o.mean) for s, o in nearest.items()},
                }
            )
        if name == "all families":
            near = nearest[1.0]
            under = sum(value < 0.04 for value in near.means.values())
            said_by.append(
                f"from the largest smaller size {said(near.mean)} in the mean and "
                f"{said(near.median)} in the median, under 4 % for {under} of {near.clusters} "
                "clusters"
            )
    return Found(
        "One size's run with (A, alpha) borrowed misses the target by " + "; ".join(said_by) + ".",
        ("set", "from", "to", *(f"{100 * s:.0f} %" for s in SHARES)),
        head + rows,
        (
            "Absolute relative error in percent on the finals of the largest size; (A, alpha) of "
            "Muennighoff et al. 2023 on C4; families whose runs were read before their end.",
        ),
    )


def _within(bench: Bench, errors: dict[tuple[int, float], float], low: float, high: float) -> float:
    """Return the mean error from the sizes that are that much smaller than the target."""
    chosen = [
        errors.get((i, 1.0), np.nan)
        for i, size in enumerate(bench.smaller)
        if low < max(bench.target) / max(size) <= high
    ]
    chosen = [e for e in chosen if np.isfinite(e)]
    return float(np.mean(chosen)) if chosen else float("nan")


QUESTION = Question("one-model", "One run, with (A, alpha) borrowed", sights, find)
