"""How wide an interval must be: measured on families whose source the prior never saw.

A score is |log error| over the answer's own scale. The factor that an interval multiplies its
scale by is a quantile of the scores of the *other* sources, each of which counts once however
many families, cells and finals it has (a weighted conformal quantile).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.errors import UsageError
from kleiber.judging.leave_out import Trials
from kleiber.laws.base import Array, Mask

ATOMS = 20  # quantiles kept of a source's scores
MOST_LEVEL = 0.95  # of an interval: a dozen sources say nothing of what is rarer
NEAR = 10.0  # scale-up up to which a target is near
LEAST_LIKE = 4  # sources below which "ladders like this" are those of any reach
CAPPED = 3.0  # an error beyond is counted as 300 %


@dataclass(frozen=True)
class Typical:
    """How far ladders of ``sizes`` sizes missed: relative errors over sources.

    ``reach`` is "near" for targets up to :data:`NEAR` times the largest size, "far" beyond,
    "any" for both.
    """

    sizes: str
    reach: str
    median: float
    mean: float
    p90: float
    worst: float
    clusters: int


@dataclass(frozen=True)
class Calibration:
    """Scores by source, from all cells and from those of one size; errors by sizes seen."""

    scores: Mapping[str, tuple[float, ...]]
    one_size: Mapping[str, tuple[float, ...]]
    typical: tuple[Typical, ...]

    @property
    def clusters(self) -> int:
        """How many sources stand behind it."""
        return len(self.scores)

    @property
    def most_level(self) -> float:
        """The largest level that so many sources support: half of the worst lies beyond it."""
        return min(MOST_LEVEL, 1.0 - 0.5 / max(self.clusters, 1))

    def factor(self, level: float, sizes: int) -> float:
        """Return what the scale is multiplied by for an interval of a level.

        One size is widened to what ladders of one size needed, where that is more.

        Raises
        ------
        UsageError
            For a level that so few sources cannot support.
        """
        most = self.most_level
        if not 0.0 < level <= most:
            raise UsageError(
                f"A calibrated interval of level {level:g} is asked for; {self.clusters} sources "
                f"support levels above 0 and up to {most:.3g}.",
                remedy=f"Ask for a level up to {most:.3g}, or use --interval model, whose "
                "tails are the model's own.",
            )
        found = _of_atoms(self.scores, level)
        return max(found, _of_atoms(self.one_size, level)) if sizes == 1 else found

    def like(self, sizes: int, scale_up: float) -> Typical:
        """Return how ladders of so many sizes and such a reach missed."""
        own = "5+" if sizes >= 5 else str(sizes)
        reach = "near" if scale_up <= NEAR else "far"
        rows = {(one.sizes, one.reach): one for one in self.typical}
        found = rows[own, reach]
        return found if found.clusters >= LEAST_LIKE else rows[own, "any"]

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain data."""
        return {
            "scores": {k: [round(x, 4) for x in v] for k, v in self.scores.items()},
            "one_size": {k: [round(x, 4) for x in v] for k, v in self.one_size.items()},
            "typical": [
                {k: round(v, 5) if isinstance(v, float) else v for k, v in vars(one).items()}
                for one in self.typical
            ],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Calibration:
        """Return the table of plain data."""
        return cls(
            {k: tuple(v) for k, v in content["scores"].items()},
            {k: tuple(v) for k, v in content["one_size"].items()},
            tuple(Typical(**one) for one in content["typical"]),
        )

    def joined(self, other: Calibration) -> Calibration:
        """Return both tables' sources as one; the errors by size stay the larger table's."""
        larger = self if self.clusters >= other.clusters else other
        return Calibration(
            {**self.scores, **other.scores}, {**self.one_size, **other.one_size}, larger.typical
        )


def calibrate(trials: Trials) -> Calibration:
    """Return the table that trials teach."""
    k = np.array([cell.k for cell in trials.cells])
    scores = np.abs(trials.error) / trials.scale
    every = np.ones(len(scores), dtype=bool)
    return Calibration(
        _atoms(trials, scores, every),
        _atoms(trials, scores, (k == 1)[trials.cell]),
        tuple(
            typical(trials, sizes, reach)
            for sizes in ("1", "2", "3", "4", "5+")
            for reach in ("near", "far", "any")
        ),
    )


def typical(trials: Trials, sizes: str, reach: str = "any", errors: Array | None = None) -> Typical:
    """Return the errors over sources of cells of "3" sizes, "5+" sizes or "all" smaller ones."""
    relative = np.minimum(trials.relative(trials.error if errors is None else errors), CAPPED)
    near = np.array([cell.scale_up <= NEAR for cell in trials.cells])
    chosen = np.array([_has(cell.k, cell.whole, sizes) for cell in trials.cells])
    chosen &= {"near": near, "far": ~near, "any": True}[reach]
    found = np.array(list(by_source(relative, chosen, trials.clusters).values()))
    if not len(found):
        return Typical(sizes, reach, np.nan, np.nan, np.nan, np.nan, 0)
    return Typical(
        sizes,
        reach,
        float(np.median(found)),
        float(found.mean()),
        float(np.quantile(found, 0.9)),
        float(found.max()),
        len(found),
    )


def by_source(values: Array, chosen: Mask, clusters: Sequence[str]) -> dict[str, float]:
    """Return each source's mean over its chosen cells."""
    names = np.array(clusters)
    return {
        str(one): float(values[chosen & (names == one)].mean()) for one in np.unique(names[chosen])
    }


def balanced(trials: Trials, chosen: Mask) -> Array:
    """Return weights that give each source one: shared by families, cells, hidden finals."""
    out = np.zeros(len(trials.cell))
    sources = np.array(trials.clusters)[trials.cell]
    families = np.array([cell.case.key for cell in trials.cells])[trials.cell]
    for source in np.unique(sources[chosen]):
        of_source = chosen & (sources == source)
        own = np.unique(families[of_source])
        for family in own:
            of_family = of_source & (families == family)
            counts = np.bincount(trials.cell[of_family], minlength=len(trials.cells)).astype(float)
            share = 1.0 / (len(own) * int((counts > 0).sum()))
            out[of_family] = share / counts[trials.cell[of_family]]
    return out


def weighted_quantile(values: Array, w: Array, level: float) -> float:
    """Return the least value at which the weight reaches a level of the whole."""
    order = np.argsort(values, kind="stable")
    reached = np.asarray(np.cumsum(w[order]), dtype=np.float64)
    place = int(np.count_nonzero(reached < level * reached[-1] * (1.0 - 1e-12)))
    return float(values[order][min(place, len(values) - 1)])


def _has(k: int, whole: bool, sizes: str) -> bool:
    """Whether a cell of k sizes is among "3", "5+" or "all"."""
    if sizes == "all":
        return whole
    return k >= int(sizes[:-1]) if sizes.endswith("+") else k == int(sizes)


def _atoms(trials: Trials, scores: Array, chosen: Mask) -> dict[str, tuple[float, ...]]:
    """Return a few quantiles of each source's scores."""
    w = balanced(trials, chosen)
    names = np.array(trials.clusters)[trials.cell]
    levels = (np.arange(ATOMS) + 0.5) / ATOMS
    return {
        str(one): tuple(
            weighted_quantile(scores[names == one], w[names == one], level) for level in levels
        )
        for one in np.unique(names[chosen])
    }


def _of_atoms(scores: Mapping[str, tuple[float, ...]], level: float) -> float:
    """Return the quantile of the sources' atoms, every source counting once."""
    values = np.array([x for own in scores.values() for x in own])
    w = np.array([1.0 / len(own) for own in scores.values() for _ in own])
    return weighted_quantile(values, w, level)
