"""The target itself, trained in part, predicts its own end: alone, or beside smaller sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kleiber.studies.guide.questions.answer import (
    SHARES,
    Found,
    Over,
    Question,
    over,
    parts,
    percent,
    said,
)
from kleiber.studies.guide.questions.bench import Bench, Sight

PARTS = SHARES[:-1]
ALONE, BESIDE, HELD, WITHOUT = "alone", "beside all smaller", "its last loss", "smaller alone"


def cells(bench: Bench) -> dict[tuple[str, float], Sight]:
    """Return the part of the target alone, and beside every smaller size trained to its end."""
    if not bench.curved:
        return {}
    smaller = bench.sight(bench.smaller)
    found: dict[tuple[str, float], Sight] = {(WITHOUT, 1.0): smaller}
    for share in PARTS:
        part = bench.sight([bench.target], share)
        if part.seen.any():
            found[ALONE, share] = Sight(part.seen, "borrowed")
            found[BESIDE, share] = Sight(part.seen | smaller.seen)
    return found


def sights(bench: Bench) -> list[Sight]:
    """Return every cell's sight."""
    return list(cells(bench).values())


def find(benches: Sequence[Bench]) -> Found:
    """Table the error at the target's end by the share of its training that was seen."""
    errors = {bench: _errors(bench) for bench in benches}
    rows: list[dict[str, Any]] = []
    tabled: dict[str, dict[float, Over]] = {}
    for name, some in parts(benches).items():
        for kind in (ALONE, BESIDE, HELD):
            found = {s: over((b, errors[b].get((kind, s), np.nan)) for b in some) for s in PARTS}
            rows += _row(name, kind, found)
            if name == "all families":
                tabled[kind] = found
    without = over(
        (b, errors[b].get((WITHOUT, 1.0), np.nan)) for b in parts(benches)["all families"]
    )
    for bench in benches:
        for kind in (ALONE, BESIDE, HELD):
            found = {s: over([(bench, errors[bench].get((kind, s), np.nan))]) for s in PARTS}
            rows += _row(bench.family.key, kind, found)
    alone, beside, held = (tabled[kind][0.3] for kind in (ALONE, BESIDE, HELD))
    sentence = (
        f"The target trained to 30 % predicts its own end within {said(alone.mean)} alone and "
        f"{said(beside.mean)} beside all smaller sizes (mean over {beside.clusters} clusters; "
        f"median {said(alone.median)} and {said(beside.median)}), where its loss at 30 % itself is "
        f"{said(held.mean)} off and the smaller sizes without it {said(without.mean)}; at 70 % "
        f"it is {said(tabled[ALONE][0.7].mean)} and {said(tabled[BESIDE][0.7].mean)}."
    )
    return Found(
        sentence,
        ("set", "sees", "families", "clusters", *(f"{100 * s:.0f} %" for s in PARTS)),
        rows,
        (
            "Absolute relative error in percent on the finals of the largest size. Alone: (A, "
            "alpha) held at Muennighoff et al.'s, E, B and beta fitted to the part seen. Losses "
            "in the middle of a decaying schedule lie above the law, which no share repairs.",
        ),
    )


def _errors(bench: Bench) -> dict[tuple[str, float], float]:
    """Return the errors of one family's cells, and of holding its last loss seen."""
    asked, judged = cells(bench), bench.finals(bench.target)
    found = dict(zip(asked, bench.errors(list(asked.values()), judged), strict=True))
    for share in PARTS if asked else ():
        found[HELD, share] = _held(bench, share)
    return found


def _held(bench: Bench, share: float) -> float:
    """Return the error of taking each target run's last loss within the share for its end."""
    points = bench.points
    seen = bench.sight([bench.target], share).seen
    off: list[float] = []
    for end in np.flatnonzero(bench.finals(bench.target)):
        own = np.flatnonzero(seen & (points.run == points.run[end]))
        if len(own):
            last = own[np.argmax(points.tokens[own])]
            off.append(abs(float(points.loss[last] / points.loss[end]) - 1.0))
    return float(np.mean(off)) if off else float("nan")


def _row(name: str, kind: str, found: dict[float, Over]) -> list[dict[str, Any]]:
    """Return one row, none where nothing was seen."""
    most = max(found.values(), key=lambda one: one.families)
    if not most.families:
        return []
    shares = {f"{100 * s:.0f} %": percent(one.mean) for s, one in found.items()}
    return [
        {"set": name, "sees": kind, "families": most.families, "clusters": most.clusters, **shares}
    ]


QUESTION = Question("partial-target", "The target trained in part", sights, find)
