"""Seeds against sizes: how far repeats of one run lie apart, and what they buy a fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import polars as pl

from kleiber.studies.guide.questions.answer import Found, Question, over, parts, percent, said
from kleiber.studies.guide.questions.bench import Bench, Sight

Repeats = dict[float, list[int]]
Key = tuple[str, int]
FINALS, CURVES = "finals", "curves"
LEAST_SIZES = 3  # that a law of size with a floor needs
MOST_SETS = 60  # of one family: more sets of sizes say nothing new


def repeats(bench: Bench) -> Repeats:
    """Return each size's runs (codes of points) that differ in nothing but their seed.

    Where a size has several token counts it is the one with the most seeds, the longest of
    several. Empty for families without a column of seeds, or with one seed a size.
    """
    frame = bench.runs.frame
    if "seed" not in frame.columns or bench.groups != [(s,) for s in bench.runs.sizes]:
        return {}
    ends = frame.filter(pl.col("final")).select("run", "params", "tokens", "seed")
    found: Repeats = {}
    codes = {name: code for code, name in enumerate(bench.points.names)}
    for (size, _), some in ends.sort("params", "tokens").group_by(
        "params", "tokens", maintain_order=True
    ):
        if some["seed"].n_unique() == some.height:
            own = [codes[str(name)] for name in some["run"].to_list()]
            if len(own) >= len(found.get(float(size), [])):
                found[float(size)] = own
    return found if any(len(own) > 1 for own in found.values()) else {}


def spread(bench: Bench) -> dict[float, float]:
    """Return the coefficient of variation of the final loss over the seeds of each size."""
    points, found = bench.points, {}
    for size, codes in repeats(bench).items():
        losses = points.loss[np.isin(points.run, codes) & points.final]
        if len(losses) > 1:
            found[size] = float(losses.std(ddof=1) / losses.mean())
    return found


def pooled(bench: Bench) -> float:
    """Return the CV over seeds pooled over sizes: the root of the mean square by freedom."""
    own, cv = repeats(bench), spread(bench)
    if not cv:
        return float("nan")
    freedom = np.array([len(own[size]) - 1 for size in cv], dtype=np.float64)
    return float(np.sqrt(np.average(np.square(list(cv.values())), weights=freedom)))


def cells(bench: Bench) -> dict[Key, list[Sight]]:
    """Return sets of equally many runs by their number of sizes; the most sizes have one seed.

    The runs are as many as there are sizes below the target. A set of fewer sizes fills up
    with further seeds of them. Each set is seen by its finals, under the law of size alone
    (one recipe, so that tokens follow size or do not differ), and by its whole curves.
    """
    own = repeats(bench)
    below = [size for (size,) in bench.smaller if size in own] if own else []
    if len(below) < LEAST_SIZES:
        return {}
    found: dict[Key, list[Sight]] = {}
    settled = bench.sight(bench.groups).seen
    for k in range(2, len(below) + 1):
        sets = list(_sets(own, below, k))[:MOST_SETS]
        seen = [np.isin(bench.points.run, codes) & settled for codes in sets]
        if sets:
            found[CURVES, k] = [Sight(one) for one in seen]
        if sets and k >= LEAST_SIZES:
            found[FINALS, k] = [Sight(one & bench.points.final, "size") for one in seen]
    return found


def _sets(own: Repeats, below: Sequence[float], k: int) -> Iterator[list[int]]:
    """Yield the runs of every set of k sizes that has as many runs as there are sizes."""
    for sizes in combinations(below, k):
        for counts in product(*(range(1, len(own[s]) + 1) for s in sizes)):
            if sum(counts) == len(below):
                yield [code for s, m in zip(sizes, counts, strict=True) for code in own[s][:m]]


def sights(bench: Bench) -> list[Sight]:
    """Return every set's sight."""
    return [sight for some in cells(bench).values() for sight in some]


def errors(bench: Bench) -> dict[Key, float]:
    """Return the mean error over the sets of each number of sizes, on the target's own recipe."""
    judged = bench.finals(bench.target)
    judged &= np.isin(bench.points.run, repeats(bench).get(max(bench.target), []))
    if not judged.any():
        return {}
    found = {key: np.array(bench.errors(some, judged)) for key, some in cells(bench).items()}
    return {key: float(np.nanmean(e)) for key, e in found.items() if np.isfinite(e).any()}


def find(benches: Sequence[Bench]) -> Found:
    """Table the spread between seeds, and the target's error by number of sizes at equal runs."""
    seeded = [bench for bench in benches if spread(bench)]
    missed = {bench: errors(bench) for bench in seeded}
    rows: list[dict[str, Any]] = []
    for bench in seeded:
        cv = spread(bench)
        rows.append(
            {
                "set": bench.family.key,
                "sizes with seeds": len(cv),
                "CV %": percent(pooled(bench)),
                "largest CV %": percent(max(cv.values())),
                "runs": max((k for _, k in missed[bench]), default=None),
                **{f"{k} sizes, {kind} %": percent(e) for (kind, k), e in missed[bench].items()},
            }
        )
    usual = parts(seeded)["all families"]
    cv = over((b, pooled(b)) for b in usual)
    told = [_told(kind, {b: missed[b] for b in usual}) for kind in (FINALS, CURVES)]
    apart = ", ".join(f"{name} {said(value)}" for name, value in cv.means.items())
    sentence = (
        f"The final losses of seeds of one run lie {said(cv.mean)} of the loss apart (CV, mean "
        f"over {cv.clusters} clusters: {apart}); "
        + ("; ".join(one for one in told if one) or "no family has enough to hold against sizes")
        + "."
    )
    counts = sorted({key for row in rows for key in row if " sizes, " in key}, reverse=True)
    return Found(
        sentence,
        ("set", "sizes with seeds", "CV %", "largest CV %", "runs", *sorted(counts)),
        rows,
        (
            "CV: standard deviation over mean of the final loss of runs that differ in their seed "
            "alone, pooled over sizes. 'k sizes': absolute relative error on the largest size's "
            "finals from equally many runs of k sizes, the mean over every such set; by finals "
            "under E + A / N^alpha, as all runs are of one recipe, and by whole curves under the "
            "law of both, whose middles lie above it.",
        ),
    )


def _told(kind: str, missed: Mapping[Bench, Mapping[Key, float]]) -> str:
    """Return the errors of the fewest sizes against the most, at equal runs."""
    few: dict[Bench, float] = {}
    many: dict[Bench, float] = {}
    for bench, found in missed.items():
        counts = [k for of, k in found if of == kind]
        if len(counts) > 1:
            few[bench], many[bench] = found[kind, min(counts)], found[kind, max(counts)]
    if not many:
        return ""
    seeds, sizes = over(few.items()), over(many.items())
    by = ", ".join(
        f"{c} {said(seeds.means[c])} against {said(sizes.means[c])}" for c in sizes.means
    )
    wins = sum(many[b] < few[b] for b in many)
    return (
        f"by {kind} equally many runs miss the target by {said(seeds.mean)} as seeds of the fewest "
        f"sizes and by {said(sizes.mean)} as one seed of each size ({by}; one seed of each is "
        f"better for {wins} of {len(many)} families)"
    )


QUESTION = Question("seeds-against-sizes", "Seeds against sizes, at equal runs", sights, find)
