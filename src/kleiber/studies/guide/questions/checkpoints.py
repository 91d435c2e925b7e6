"""Checkpoints: finals alone or curves too, and how much of their beginning to cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kleiber.judging import backtest
from kleiber.judging.cells import Cut
from kleiber.studies.guide.questions.answer import Found, Question, over, parts, percent, said
from kleiber.studies.guide.questions.bench import Bench, Sight

CUTS = {
    "0": Cut(),
    "2B": Cut(tokens=2e9),
    "5B": Cut(tokens=5e9),
    "10B": Cut(tokens=10e9),
    "20B": Cut(tokens=20e9),
    "10 %": Cut(fraction=0.1),
}
EVIDENCE = "evidence"
ALL = "all smaller"
Key = tuple[int | str, str]


def which(bench: Bench) -> dict[Key, Sight]:
    """Return the k smallest sizes, with every checkpoint and by their finals alone."""
    if not bench.curved:
        return {}
    found: dict[Key, Sight] = {}
    for k in range(2, len(bench.smaller) + 1):
        for name, finals in (("all", False), ("finals", True)):
            found[k, name] = bench.sight(bench.smaller[:k], finals=finals)
            if k == len(bench.smaller):
                found[ALL, name] = found[k, name]
    return found


def cuts(bench: Bench) -> dict[Key, Sight]:
    """Return the three smallest and all smaller sizes, their beginnings cut in every way."""
    if not bench.curved or len(bench.smaller) < 2:
        return {}
    named = {**CUTS, EVIDENCE: evidence(bench)}
    sets: dict[int | str, list[tuple[float, ...]]] = {ALL: bench.smaller}
    if len(bench.smaller) > 3:
        sets[3] = bench.smaller[:3]
    return {
        (k, name): bench.sight(some, cut=cut)
        for k, some in sets.items()
        for name, cut in named.items()
    }


def evidence(bench: Bench) -> Cut:
    """Return the smallest cut after which the early points no longer miss the law."""
    if bench.cut is None:
        families = bench.runs.families
        found = backtest(
            bench.runs,
            family=families[0] if families else None,
            sizes=[[size for one in bench.smaller for size in one]],
            group=bench.factor,
            cut="evidence",
        )
        bench.cut = found.cut
    return bench.cut


def _sights_which(bench: Bench) -> list[Sight]:
    return list(which(bench).values())


def _sights_cuts(bench: Bench) -> list[Sight]:
    return list(cuts(bench).values())


def _errors(bench: Bench, asked: Mapping[Key, Sight]) -> dict[Key, float]:
    """Return the errors of the fits that could be made."""
    found = bench.errors(list(asked.values()), bench.finals(bench.target))
    return {k: e for k, e in zip(asked, found, strict=True) if np.isfinite(e)}


def find_which(benches: Sequence[Bench]) -> Found:
    """Table the error with and without checkpoints where both can be fitted, and where not."""
    errors = {b: _errors(b, which(b)) for b in benches if b.curved}
    rows: list[dict[str, Any]] = []
    for name, some in parts(list(errors)).items():
        rows += _both(name, some, errors)
    for bench in errors:
        rows += _both(bench.family.key, [bench], errors)
    usual = parts(list(errors))["all families"]
    both = [b for b in usual if errors[b].keys() >= {(ALL, "all"), (ALL, "finals")}]
    curves = over((b, errors[b][ALL, "all"]) for b in both)
    finals = over((b, errors[b][ALL, "finals"]) for b in both)
    only = [b for b in usual if (ALL, "all") in errors[b] and b not in both]
    alone = over((b, errors[b][ALL, "all"]) for b in only)
    wins = sum(errors[b][ALL, "all"] < errors[b][ALL, "finals"] for b in both)
    sentence = (
        f"With all smaller sizes the finals alone miss the target by {said(finals.mean)}, with "
        f"checkpoints it is {said(curves.mean)} (the same {len(both)} families of "
        f"{curves.clusters} clusters; checkpoints are better for {wins}); {len(only)} further "
        f"families of {alone.clusters} clusters have too few finals for five parameters, and "
        f"checkpoints predict them within {said(alone.mean)}."
    )
    return Found(
        sentence,
        (
            "set",
            "k",
            "families",
            "clusters",
            "finals %",
            "checkpoints %",
            "without finals' fit",
            "their checkpoints %",
        ),
        rows,
        (
            "Absolute relative error in percent on the finals of the hidden largest size; a run "
            "counts once however many of its points are seen. 'without finals' fit' counts the "
            "families whose finals are too few to be fitted alone.",
        ),
    )


def _both(
    name: str, some: Sequence[Bench], errors: Mapping[Bench, Mapping[Key, float]]
) -> list[dict[str, Any]]:
    """Return one row a number of sizes."""
    most = max((int(k) for b in some for k, _ in errors[b] if k != ALL), default=1)
    rows: list[dict[str, Any]] = []
    for k in (*range(2, most + 1), ALL):
        has = [b for b in some if (k, "all") in errors[b]]
        both = [b for b in has if (k, "finals") in errors[b]]
        only = [b for b in has if b not in both]
        if has:
            finals = over((b, errors[b][k, "finals"]) for b in both)
            rows.append(
                {
                    "set": name,
                    "k": str(k),
                    "families": finals.families,
                    "clusters": finals.clusters,
                    "finals %": percent(finals.mean),
                    "checkpoints %": percent(over((b, errors[b][k, "all"]) for b in both).mean),
                    "without finals' fit": len(only),
                    "their checkpoints %": percent(
                        over((b, errors[b][k, "all"]) for b in only).mean
                    ),
                }
            )
    return rows


def find_cuts(benches: Sequence[Bench]) -> Found:
    """Table the error by what is dropped from the beginning of every run."""
    errors = {b: _errors(b, cuts(b)) for b in benches if b.curved}
    columns = (*CUTS, EVIDENCE)
    named = parts(list(errors))
    usual = named["all families"]
    long = [b for b in usual if _long(b)]
    named["every run over 20B tokens"] = long
    rows: list[dict[str, Any]] = []

    def row(name: str, some: Sequence[Bench], k: int | str) -> None:
        whole = [b for b in some if errors[b].keys() >= {(k, cut) for cut in columns}]
        if whole:
            found = {cut: over((b, errors[b][k, cut]) for b in whole) for cut in columns}
            rows.append(
                {
                    "set": name,
                    "k": str(k),
                    "families": len(whole),
                    "clusters": found["0"].clusters,
                    **{cut: percent(one.mean) for cut, one in found.items()},
                }
            )

    for name, some in named.items():
        for k in (3, ALL):
            row(name, some, k)
    for bench in errors:
        for k in (3, ALL):
            row(bench.family.key, [bench], k)

    def told(some: Sequence[Bench]) -> str:
        whole = [b for b in some if errors[b].keys() >= {(ALL, cut) for cut in columns}]
        means = [
            f"{said(over((b, errors[b][ALL, cut]) for b in whole).mean)} ({cut})" for cut in columns
        ]
        clusters = over((b, 0.0) for b in whole).clusters
        return f"{', '.join(means)} over {clusters} clusters with curves"

    sentence = (
        f"With all smaller sizes the error by what is cut from each run is {told(usual)}; where "
        f"every run is longer than 20B tokens, {told(long)}."
    )
    return Found(
        sentence,
        ("set", "k", "families", "clusters", *columns),
        rows,
        (
            "Absolute relative error in percent on the finals of the hidden largest size. A run's "
            "final is never cut, so a run shorter than the cut is its final. 'evidence' is the "
            "smallest fraction after which early points no longer miss the law.",
        ),
    )


def _long(bench: Bench) -> bool:
    """Whether every run is longer than the largest cut."""
    points = bench.points
    return bool(points.tokens[points.final].min() > max(cut.tokens for cut in CUTS.values()))


WHICH = Question("checkpoints", "With and without checkpoints", _sights_which, find_which)
BEGINNINGS = Question("cuts", "What to cut from the beginning", _sights_cuts, find_cuts)
