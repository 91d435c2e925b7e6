"""Which size harms a fit, and whether cross-validation over sizes finds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kleiber.judging.cells import Cut
from kleiber.judging.influence import LEAST_SIZES, Influence, LeftOut, judge, subsets
from kleiber.studies.guide.questions.answer import Found, Question, over, parts, percent, said
from kleiber.studies.guide.questions.bench import UNSETTLED, Bench, Sight
from kleiber.units import format_count

PUBLISHED = 0.58
CUT = Cut(fraction=UNSETTLED)
LEAST = LEAST_SIZES + 1  # so that a fit with one left out still sees three sizes


def sights(bench: Bench) -> list[Sight]:
    """Return all smaller sizes, then each of them left out."""
    if len(bench.smaller) < LEAST_SIZES:
        return []
    return [Sight(row) for row in subsets(bench.points, bench.smaller, CUT)]


def influence(bench: Bench) -> Influence | None:
    """Return every smaller size's influence, None where a fit cannot be made."""
    made = [one for one in bench.fit(sights(bench)) if one is not None]
    if not made or len(made) <= len(bench.smaller):
        return None
    predicted = np.stack([one.predicted for one in made])
    return judge(bench.points, bench.groups, predicted, bench.family.key)


def find(benches: Sequence[Bench]) -> Found:
    """Table each family's harmful and hardest sizes, and how often leaving one out was worst."""
    found = {bench: one for bench in benches if (one := influence(bench)) is not None}
    usual = parts(list(found))["all families"]
    rows: list[dict[str, Any]] = []
    for name, some in (
        (f"at least {LEAST} smaller sizes", [b for b in usual if len(b.smaller) >= LEAST]),
        (f"at least {LEAST_SIZES} smaller sizes", usual),
        ("apart", [b for b in found if b.family.apart]),
    ):
        if some:
            rows.append(_summary(name, some, found))
    rows += [_family(bench, one) for bench, one in found.items()]
    return Found(
        _sentence([b for b in usual if len(b.smaller) >= LEAST], found),
        (
            "set",
            "families",
            "clusters",
            "worst %",
            "chance %",
            "best %",
            "hardest is an end %",
            "error %",
            "without the hardest %",
            "without the most harmful %",
            "hardest",
            "most harmful",
        ),
        rows,
        (
            "'worst' and 'best': the share of families (mean over clusters) for which leaving out "
            "the size that the others predict worst gave the worst and the best prediction of the "
            "target among all sizes left out; chance is one over their number. 'an end': the "
            "hardest was the smallest or the largest of them. The most harmful is known only "
            "afterwards.",
        ),
    )


def _worst(one: Influence) -> float:
    return float(one.hardest == one.worst)


def _ends(one: Influence) -> float:
    return float(one.hardest in (one.left_out[0], one.left_out[-1]))


def _summary(name: str, some: Sequence[Bench], found: dict[Bench, Influence]) -> dict[str, Any]:
    """Return the shares over clusters."""

    def mean(value: Any) -> float:
        return percent(over((b, min(float(value(found[b])), 3.0)) for b in some).mean)

    counted = over((b, 0.0) for b in some)
    return {
        "set": name,
        "families": counted.families,
        "clusters": counted.clusters,
        "worst %": mean(_worst),
        "chance %": mean(lambda one: 1.0 / len(one.left_out)),
        "best %": mean(lambda one: one.hardest == one.most_harmful),
        "hardest is an end %": mean(_ends),
        "error %": mean(lambda one: one.error),
        "without the hardest %": mean(lambda one: one.hardest.error),
        "without the most harmful %": mean(lambda one: one.most_harmful.error),
    }


def _family(bench: Bench, one: Influence) -> dict[str, Any]:
    """Return one family's row."""

    def size(left: LeftOut) -> str:
        return format_count(max(left.sizes))

    return {
        "set": bench.family.key,
        "families": 1,
        "clusters": 1,
        "worst %": percent(_worst(one)),
        "chance %": percent(1.0 / len(one.left_out)),
        "best %": percent(float(one.hardest == one.most_harmful)),
        "hardest is an end %": percent(_ends(one)),
        "error %": percent(one.error),
        "without the hardest %": percent(one.hardest.error),
        "without the most harmful %": percent(one.most_harmful.error),
        "hardest": size(one.hardest),
        "most harmful": size(one.most_harmful) if one.most_harmful.harm > 0 else "none",
    }


def _sentence(some: Sequence[Bench], found: dict[Bench, Influence]) -> str:
    """Return how often cross-validation left out the wrong size, against chance."""
    if not some:
        return f"No family has {LEAST} sizes below its largest."
    row = _summary("", some, found)
    cases = [found[b] for b in some]
    worst = sum(_worst(one) for one in cases)
    ends = sum(_ends(one) for one in cases)
    return (
        f"Leaving out the size that the others predict worst gave the worst possible error at the "
        f"target in {worst:.0f} of {len(cases)} families ({said(row['worst %'] / 100)} over "
        f"{row['clusters']} clusters; published {100 * PUBLISHED:.0f} %, chance "
        f"{said(row['chance %'] / 100)}) and the best in {said(row['best %'] / 100)}; it was the "
        f"smallest or the largest in {ends:.0f}; the mean error is {said(row['error %'] / 100)} "
        f"with every size, {said(row['without the hardest %'] / 100)} without the hardest, and "
        f"{said(row['without the most harmful %'] / 100)} without the one that harms most, which "
        "only the target shows."
    )


QUESTION = Question("harm", "Which size harms, and whether cross-validation finds it", sights, find)
