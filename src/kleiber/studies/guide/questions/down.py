"""Scaling down: the smallest size predicted from the largest."""

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

Key = tuple[int | str, float]
EVERY = "all larger"
LEAST = 0.3  # the share from which the guide found it to work


def cells(bench: Bench) -> dict[Key, Sight]:
    """Return the k largest sizes at the end of training, and all larger ones at each share."""
    larger = bench.groups[1:]
    if len(larger) < 2:
        return {}
    found: dict[Key, Sight] = {
        (k, 1.0): bench.sight(larger[-k:]) for k in range(2, len(larger) + 1)
    }
    return found | {(EVERY, s): bench.sight(larger, s) for s in SHARES}


def sights(bench: Bench) -> list[Sight]:
    """Return what is seen, and the way up that it is held against."""
    found = list(cells(bench).values())
    return [*found, bench.sight(bench.smaller)] if found else []


def find(benches: Sequence[Bench]) -> Found:
    """Table the error on the smallest size by the number of larger ones and their share."""
    errors: dict[Bench, dict[Key, float]] = {}
    up: dict[Bench, float] = {}
    for bench in benches:
        asked = cells(bench)
        found = bench.errors(list(asked.values()), bench.finals(bench.groups[0]))
        errors[bench] = dict(zip(asked, found, strict=True))
        if asked:
            (up[bench],) = bench.errors([bench.sight(bench.smaller)], bench.finals(bench.target))
    rows: list[dict[str, Any]] = []
    for name, some in parts(benches).items():
        rows += _rows(name, some, errors)
    for bench in benches:
        rows += _rows(bench.family.key, [bench], errors)
    usual = parts(benches)["all families"]
    whole = over((b, errors[b].get((EVERY, 1.0), np.nan)) for b in usual)
    both = [b for b in usual if np.isfinite(errors[b].get((EVERY, LEAST), np.nan))]
    early = over((b, errors[b][EVERY, LEAST]) for b in both)
    late = over((b, errors[b][EVERY, 1.0]) for b in both)
    climb = over((b, up[b]) for b in usual if b in up)
    sentence = (
        f"The smallest size is predicted from all larger ones within {said(whole.mean)} in the "
        f"mean and {said(whole.median)} in the median over {whole.clusters} clusters (the largest "
        f"from all smaller ones: {said(climb.mean)} and {said(climb.median)}); with {LEAST:.0%} of "
        f"their training seen {said(early.mean)} instead of {said(late.mean)} (medians "
        f"{said(early.median)} and {said(late.median)}) on the same {early.clusters} "
        "clusters with curves."
    )
    return Found(
        sentence,
        ("set", "k largest", "families", "clusters", *(f"{100 * s:.0f} %" for s in SHARES)),
        rows,
        ("Absolute relative error in percent on the finals of the smallest size.",),
    )


def _rows(
    name: str, some: Sequence[Bench], errors: dict[Bench, dict[Key, float]]
) -> list[dict[str, Any]]:
    """Return one row a number of larger sizes seen, all of them last."""
    most = max((int(k) for b in some for k, _ in errors[b] if k != EVERY), default=1)
    keys: list[int | str] = [*range(2, min(most, 8) + 1), EVERY]
    rows: list[dict[str, Any]] = []
    for k in keys:
        found = {s: over((b, errors[b].get((k, s), np.nan)) for b in some) for s in SHARES}
        if found[1.0].families:
            rows.append(
                {
                    "set": name,
                    "k largest": str(k),
                    "families": found[1.0].families,
                    "clusters": found[1.0].clusters,
                    **{
                        f"{100 * s:.0f} %": percent(one.mean)
                        for s, one in found.items()
                        if one.families
                    },
                }
            )
    return rows


QUESTION = Question("scaling-down", "The smallest size from the largest", sights, find)
