"""A question to the families and its answer: one sentence with its numbers, and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kleiber.fitting.store import plain
from kleiber.runs import Runs
from kleiber.runs.collections import Family
from kleiber.studies.guide.questions.bench import Bench, Sight

SHARES = tuple(round(0.1 * i, 1) for i in range(1, 11))
COMMON = 5  # the number of sizes up to which "the same families" reach


@dataclass(frozen=True)
class Answer:
    """What a question found; ``laws`` counts the fits made for it and for no earlier one."""

    name: str
    title: str
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    laws: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data; unknown numbers are null."""
        return {
            "name": self.name,
            "title": self.title,
            "sentence": self.sentence,
            "columns": list(self.columns),
            "rows": [{key: plain(value) for key, value in row.items()} for row in self.rows],
            "laws": self.laws,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Found:
    """What a question's own function returns: its sentence and its table."""

    sentence: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    notes: tuple[str, ...] = ()
    others: int = 0  # laws fitted outside the bench


@dataclass(frozen=True)
class Question:
    """A question: the fits that it needs of a family, and what it makes of all of them."""

    name: str
    title: str
    sights: Callable[[Bench], list[Sight]]
    find: Callable[[Sequence[Bench]], Found]

    def __call__(self, families: Sequence[tuple[Family, Runs]]) -> Answer:
        """Ask it alone, of families on a fresh bench."""
        return self.ask([Bench(family, runs) for family, runs in families])

    def ask(self, benches: Sequence[Bench]) -> Answer:
        """Ask it of families on a bench; fits that are there already are not made again."""
        found = self.find(benches)
        laws = found.others + sum(bench.claim(self.sights(bench)) for bench in benches)
        return Answer(
            self.name,
            self.title,
            found.sentence,
            found.columns,
            tuple(found.rows),
            laws,
            found.notes,
        )


@dataclass(frozen=True)
class Over:
    """Values over clusters: each cluster counts once, with the mean over its families."""

    means: Mapping[str, float] = field(default_factory=dict[str, float])
    families: int = 0

    @property
    def clusters(self) -> int:
        """Return the number of clusters that have a value."""
        return len(self.means)

    @property
    def mean(self) -> float:
        """Return the mean over clusters, NaN for none."""
        return float(np.mean(list(self.means.values()))) if self.means else float("nan")

    @property
    def median(self) -> float:
        """Return the median over clusters, NaN for none."""
        return float(np.median(list(self.means.values()))) if self.means else float("nan")


def over(values: Iterable[tuple[Bench, float]]) -> Over:
    """Return finite values over the clusters of their families."""
    kept = [(bench.family.cluster, value) for bench, value in values if np.isfinite(value)]
    means = {
        cluster: float(np.mean([value for name, value in kept if name == cluster]))
        for cluster in dict.fromkeys(cluster for cluster, _ in kept)
    }
    return Over(means, len(kept))


def parts(benches: Sequence[Bench]) -> dict[str, list[Bench]]:
    """Return the families that are averaged together, and those that stand apart if any."""
    usual = [bench for bench in benches if not bench.family.apart]
    apart = [bench for bench in benches if bench.family.apart]
    return {"all families": usual, **({"apart": apart} if apart else {})}


def percent(share: float) -> float:
    """Return a share in percent, to a thousandth."""
    return round(100.0 * share, 3)


def said(share: float) -> str:
    """Return a share in percent as a sentence has it."""
    return "no value" if np.isnan(share) else f"{100.0 * share:.3g} %"
