"""How many sizes, and how much of their training: the table of k x share.

The guide's tables average each cell over the families that have it, so that one row is of
other families than the next. The same table is made here of the same families throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kleiber.studies.guide.questions.answer import (
    COMMON,
    SHARES,
    Found,
    Question,
    over,
    parts,
    percent,
    said,
)
from kleiber.studies.guide.questions.bench import Bench, Sight

Grid = dict[tuple[int, float], float]
LAST = 8  # k of this or more is one row


def cells(bench: Bench) -> dict[tuple[int, float], Sight]:
    """Return what each (k, share) sees: that part of every run of the k smallest sizes."""
    return {
        (k, share): bench.sight(bench.smaller[:k], share)
        for k in range(2, len(bench.smaller) + 1)
        for share in SHARES
    }


def sights(bench: Bench) -> list[Sight]:
    """Return every cell's sight."""
    return list(cells(bench).values())


def grid(bench: Bench) -> Grid:
    """Return the error on the largest size's finals of every cell that could be fitted."""
    asked = cells(bench)
    errors = bench.errors(list(asked.values()), bench.finals(bench.target))
    return {k: e for k, e in zip(asked, errors, strict=True) if np.isfinite(e)}


def find(benches: Sequence[Bench]) -> Found:
    """Table the error by k and share: over all families, over the same ones, and each."""
    grids = {bench: grid(bench) for bench in benches}
    named = parts(benches)
    usual = named["all families"]
    ends = {(k, 1.0) for k in range(2, COMMON + 1)}
    everywhere = {(k, share) for k in range(2, COMMON + 1) for share in SHARES}
    same = [b for b in usual if grids[b].keys() >= ends]
    curves = [b for b in usual if grids[b].keys() >= everywhere]
    rows = [row for name, some in named.items() for row in _rows(name, some, grids)]
    for where, some in (("100 %", same), ("every share", curves)):
        found = _rows(f"the same: k = 2 to {COMMON} at {where}", some, grids, last=None)
        rows += [row for row in found if int(row["k"]) <= COMMON]
    for bench in benches:
        rows += _rows(bench.family.key, [bench], grids, last=None)

    def at(some: Sequence[Bench], k: int, share: float = 1.0) -> float:
        return over((b, grids[b].get((k, share), np.nan)) for b in some).mean

    def counted(k: int) -> int:
        return over((b, grids[b].get((k, 1.0), np.nan)) for b in usual).clusters

    shared = over((b, 0.0) for b in same).clusters
    fixed = over((b, 0.0) for b in curves).clusters
    sentence = (
        f"From k = 2 to {COMMON} the tabled error at the end of training goes from "
        f"{said(at(usual, 2))} to {said(at(usual, COMMON))}, but over other families in each row "
        f"({counted(2)} clusters, then {counted(COMMON)}); on the {len(same)} families of "
        f"{shared} clusters that have every k it goes {_path(at(same, k) for k in ends_of())}; "
        f"with {COMMON} sizes, on the {len(curves)} families of {fixed} clusters that have every "
        f"share, 10 %, 30 % and all of training give {said(at(curves, COMMON, 0.1))}, "
        f"{said(at(curves, COMMON, 0.3))} and {said(at(curves, COMMON))}."
    )
    return Found(
        sentence,
        ("set", "k", "families", "clusters", *(f"{100 * s:.0f} %" for s in SHARES)),
        rows,
        (
            "Absolute relative error in percent on the finals of the hidden largest size; means "
            "over clusters of the mean over their families, an error over 300 % counted so. The "
            "first tenth of what is seen of a run is cut, here and in every question but that of "
            "cuts. Families and clusters are counted at "
            "100 %; a smaller share has those whose runs were read before their end.",
        ),
    )


def ends_of() -> range:
    """Return the numbers of sizes that the same families are compared at."""
    return range(2, COMMON + 1)


def _path(values: Any) -> str:
    return ", ".join(said(value) for value in values)


def _rows(
    name: str, some: Sequence[Bench], grids: Mapping[Bench, Grid], last: int | None = LAST
) -> list[dict[str, Any]]:
    """Return one row a number of sizes; k of ``last`` or more is each family's most."""
    most = max((k for b in some for k, _ in grids[b]), default=1)
    rows: list[dict[str, Any]] = []
    for k in range(2, min(most, last or most) + 1):

        def value(bench: Bench, share: float, k: int = k) -> float:
            own = max((n for n, _ in grids[bench]), default=0)
            return grids[bench].get((max(own, k) if k == last else k, share), np.nan)

        end = over((b, value(b, 1.0)) for b in some)
        if not end.families:
            continue
        rows.append(
            {
                "set": name,
                "k": f"{k}+" if k == last else str(k),
                "families": end.families,
                "clusters": end.clusters,
                **{
                    f"{100 * s:.0f} %": percent(over((b, value(b, s)) for b in some).mean)
                    for s in SHARES
                },
            }
        )
    return rows


QUESTION = Question(
    "models-by-share", "How many sizes, and how much of their training", sights, find
)
