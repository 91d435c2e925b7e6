"""A family on the bench: what may be seen of it, and every fit made of it, kept.

All questions to one family are fitted in one batch where they can be: a fit is found again
by the points that it saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kleiber.judging import cells as grid
from kleiber.judging.cells import Cut
from kleiber.judging.subsets import enough, fit_subsets
from kleiber.laws import get, published
from kleiber.laws.base import Array, Mask
from kleiber.runs import Runs
from kleiber.runs.collections import Family

MANY, GROUP = 9, 1.9  # more sizes than this are grouped by the factor
MOST_POINTS = 50  # of one run: hundreds of fits a family see the same curve
CAPPED = 3.0  # an error beyond is counted as 300 %

How = Literal["default", "borrowed", "raw", "size"]
UNSETTLED = 0.1  # of what is seen of a run, its beginning, is not fitted
Sizes = tuple[float, ...]
LAW = get("chinchilla")
SIZE_LAW = get("params-power-floor")


@dataclass(frozen=True, eq=False)
class Sight:
    """The points (n,) that one fit sees, and how it is fitted.

    "default" is the exact robust fit, "raw" least squares on the loss, and "borrowed" the
    default with (A, alpha) held at the values of Muennighoff et al.'s C4 fit. "size" is the
    default of ``E + A / N^alpha``, for runs of one recipe in all but their size.
    """

    seen: Mask
    how: How = "default"

    @property
    def key(self) -> tuple[How, bytes]:
        """Return what tells this fit from others of the family."""
        return self.how, np.packbits(self.seen).tobytes()


@dataclass(frozen=True, eq=False)
class Fitted:
    """One fit: the loss it predicts at every point (n,), its coordinates, whether it ended."""

    predicted: Array
    theta: Array
    converged: bool


class Bench:
    """One family, its sizes in ascending groups, and a memory of its fits."""

    def __init__(self, family: Family, runs: Runs) -> None:
        self.family, self.runs = family, runs
        self.points = grid.thin(runs.points(), MOST_POINTS)
        self.factor = GROUP if len(runs.sizes) > MANY else 1.0
        self.groups: list[Sizes] = grid.grouped(self.points, self.factor)
        self.cut: Cut | None = None  # the one that the early points ask for, once asked
        self._done = grid.fractions(self.points)
        self.claimed: set[tuple[How, bytes]] = set()
        self._fits: dict[tuple[How, bytes], Fitted] = {}

    @property
    def target(self) -> Sizes:
        """Return the sizes of the largest group."""
        return self.groups[-1]

    @property
    def smaller(self) -> list[Sizes]:
        """Return the groups below the largest."""
        return self.groups[:-1]

    @property
    def curved(self) -> bool:
        """Whether any run was read before its end."""
        return not bool(self.points.final.all())

    def sight(
        self,
        groups: Iterable[Sizes],
        share: float = 1.0,
        *,
        finals: bool = False,
        cut: Cut | None = None,
        how: How = "default",
    ) -> Sight:
        """Return what is seen of some groups of sizes, as a cell of a back-test sees it.

        The first tenth of what is seen of a run is cut where no other cut is given: the guide
        cuts 10B tokens, which is all of a short run.
        """
        seen = np.isin(self.points.params, [size for one in groups for size in one])
        seen &= self._done <= share + 1e-9
        if finals:
            seen &= self.points.final
        else:
            seen &= grid.kept(self.points, cut or Cut(fraction=UNSETTLED * share))
        return Sight(seen, how)

    def finals(self, sizes: Sizes) -> Mask:
        """Return the finals (n,) of a group of sizes."""
        return np.isin(self.points.params, sizes) & self.points.final

    def fit(self, sights: Sequence[Sight]) -> list[Fitted | None]:
        """Return the fit of each sight, None where it has too few points to be fitted."""
        fresh = {s.key: s for s in sights if s.key not in self._fits}
        for how in dict.fromkeys(s.how for s in fresh.values()):
            asked = [s for s in fresh.values() if s.how == how]
            law = SIZE_LAW if how == "size" else LAW
            fix = borrowed() if how == "borrowed" else {}
            able = enough(np.stack([s.seen for s in asked]), law, len(fix))
            asked = [s for s, possible in zip(asked, able, strict=True) if possible]
            if not asked:
                continue
            seen = np.stack([s.seen for s in asked])
            objective = "raw" if how == "raw" else "huber"
            found = fit_subsets(self.points, law, seen, objective=objective, fix=fix)
            for i, sight in enumerate(asked):
                self._fits[sight.key] = Fitted(
                    found.predicted[i], found.theta[i], bool(found.converged[i])
                )
        return [self._fits.get(s.key) for s in sights]

    def claim(self, sights: Iterable[Sight]) -> int:
        """Return how many laws were fitted for these sights and for none claimed before."""
        keys = {s.key for s in sights if s.key in self._fits} - self.claimed
        self.claimed |= keys
        return len(keys)

    def errors(self, sights: Sequence[Sight], judged: Mask) -> list[float]:
        """Return each fit's mean |predicted / actual - 1| over judged points (n,), NaN for none.

        An error beyond 300 % is counted as 300 %.
        """
        actual = self.points.loss[judged]
        return [
            float("nan")
            if made is None
            else min(float(np.abs(made.predicted[judged] / actual - 1.0).mean()), CAPPED)
            for made in self.fit(sights)
        ]

    def price(self, sight: Sight) -> float:
        """Return the FLOPs of what is seen: 6 N D, summed over runs up to their last seen point."""
        cost = 6.0 * self.points.params[sight.seen] * self.points.tokens[sight.seen]
        whole = np.zeros(len(self.points.names))
        np.maximum.at(whole, self.points.run[sight.seen], cost)
        return float(whole.sum())


def borrowed() -> dict[str, float]:
    """Return the published (A, alpha) that one-model predictions borrow."""
    values = published("muennighoff-2023-c4").values
    return {name: values[name] for name in ("A", "alpha")}
