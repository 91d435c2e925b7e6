"""Number against size: equally many sizes, the smallest or the largest below the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kleiber.studies.guide.questions.answer import (
    COMMON,
    Found,
    Question,
    over,
    parts,
    percent,
    said,
)
from kleiber.studies.guide.questions.bench import Bench, Sight

Key = tuple[str, int]
SMALL, LARGE = "smallest", "largest"


def cells(bench: Bench) -> dict[Key, Sight]:
    """Return the k smallest and the k largest of the sizes below the target."""
    below = bench.smaller
    found: dict[Key, Sight] = {}
    for k in range(2, len(below) + 1):
        found[SMALL, k] = bench.sight(below[:k])
        found[LARGE, k] = bench.sight(below[-k:])
    return found


def sights(bench: Bench) -> list[Sight]:
    """Return every set's sight."""
    return list(cells(bench).values())


def find(benches: Sequence[Bench]) -> Found:
    """Table the error of both sets at each count that leaves a choice, on the same families."""
    errors: dict[Bench, dict[Key, float]] = {}
    for bench in benches:
        asked = cells(bench)
        found = bench.errors(list(asked.values()), bench.finals(bench.target))
        errors[bench] = {k: e for k, e in zip(asked, found, strict=True) if np.isfinite(e)}
    rows: list[dict[str, Any]] = []
    named = parts(benches)
    usual = named["all families"]
    reach = [
        b
        for b in usual
        if errors[b].keys() >= {(kind, k) for kind in (SMALL, LARGE) for k in range(2, COMMON + 1)}
        and len(b.smaller) >= COMMON
    ]
    for name, some in named.items():
        rows += _rows(name, some, errors, choice=True)
    same = _rows(f"the same: at least {COMMON} smaller sizes", reach, errors, choice=False)
    rows += [row for row in same if row["k"] <= COMMON]
    for bench in benches:
        rows += _rows(bench.family.key, [bench], errors, choice=False)
    three = [row for row in rows if row["set"] == "all families" and row["k"] == 3]
    choice = (
        f"three of the largest sizes below the target miss it by {three[0]['largest %']:.3g} %, "
        f"three of the smallest by {three[0]['smallest %']:.3g} % (the largest are better in "
        f"{three[0]['largest better']})"
        if three
        else "no family leaves a choice of three sizes"
    )
    ladder = ", ".join(
        said(over((b, errors[b][LARGE, k]) for b in reach).mean) for k in range(2, COMMON + 1)
    )
    sentence = (
        f"At equal number {choice}; adding smaller sizes to the largest two, k = 2 to {COMMON} on "
        f"the same {len(reach)} families of {over((b, 0.0) for b in reach).clusters} clusters: "
        f"{ladder or 'none reaches'}."
    )
    return Found(
        sentence,
        (
            "set",
            "k",
            "families",
            "clusters",
            "smallest %",
            "largest %",
            "smallest median %",
            "largest median %",
            "largest better",
        ),
        rows,
        (
            "Absolute relative error in percent on the finals of the hidden largest size; "
            "'largest better' counts families. Where k is all smaller sizes the two are one.",
        ),
    )


def _rows(
    name: str, some: Sequence[Bench], errors: dict[Bench, dict[Key, float]], *, choice: bool
) -> list[dict[str, Any]]:
    """Return one row a count; with ``choice`` only families that have more sizes than that."""
    rows: list[dict[str, Any]] = []
    for k in range(2, max((len(b.smaller) for b in some), default=1) + 1):
        both = [
            b
            for b in some
            if errors[b].keys() >= {(SMALL, k), (LARGE, k)} and (len(b.smaller) > k or not choice)
        ]
        if not both:
            continue
        low = over((b, errors[b][SMALL, k]) for b in both)
        high = over((b, errors[b][LARGE, k]) for b in both)
        wins = sum(errors[b][LARGE, k] < errors[b][SMALL, k] for b in both)
        rows.append(
            {
                "set": name,
                "k": k,
                "families": low.families,
                "clusters": low.clusters,
                "smallest %": percent(low.mean),
                "largest %": percent(high.mean),
                "smallest median %": percent(low.median),
                "largest median %": percent(high.median),
                "largest better": f"{wins} of {len(both)}",
            }
        )
    return rows


QUESTION = Question("number-against-size", "Equally many sizes, smaller or larger", sights, find)
