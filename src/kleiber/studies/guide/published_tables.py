"""The guide's tables, computed from its sets by its procedure: one model, by number, by size.

Every table is rows of (column, score): a row is a number of training models or one model's
size, a column the share of training that the fit sees or the largest training size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from kleiber.studies.guide.cells import Group, Plan
from kleiber.studies.guide.procedure import (
    BINS,
    CUT,
    SHARES,
    Points,
    ScaledSet,
    by_size,
    fit,
    is_skipped,
    law,
    model_counts,
    number_of_models,
    score,
    target_rows,
    train_rows,
)


@dataclass(frozen=True)
class Value:
    """One cell: both errors as fractions, and how little any of its fits had to go by."""

    are: float
    huber: float
    rows: int
    sizes: int
    borrowed: bool = False

    @property
    def undetermined(self) -> str:
        """Return why the fit has no single answer, "" where it has one."""
        if not self.borrowed and self.sizes == 2:
            return "two sizes do not fix E, A and alpha: the answer is the optimiser's path"
        if self.rows <= 3 * (3 if self.borrowed else 5):
            return "at most three rows a parameter: the answer is the optimiser's path"
        return ""


Rows = dict[float, dict[float, Value]]  # row, then column, both ascending
Places = dict[tuple[int, int, float], Value]  # number in the figure, number chosen, column
LAST, LAST_THIRD = 1.0, 0.7


@dataclass(frozen=True)
class Way:
    """How an experiment chooses rows, and where its figures begin their targets."""

    cut: float = CUT
    target_from: float = LAST
    down: bool = False


# The last figures of "hist" were drawn with the last checkpoint as target, as "hist_test1".
WAYS: Mapping[str, Way] = {
    "hist": Way(),
    "hist_test1": Way(),
    "hist_no_cut": Way(cut=0.0, target_from=LAST_THIRD),
    "scale_down": Way(target_from=LAST_THIRD, down=True),
    "num_to_size": Way(target_from=LAST_THIRD),
}


@dataclass
class Tables:
    """Tables of the sets that are there; every fit is made once."""

    sets: Mapping[str, ScaledSet]
    fits: dict[tuple[bytes, bool], tuple[float, ...] | None] = field(default_factory=dict)
    made: dict[tuple[str, str, bool], Rows] = field(default_factory=dict)
    asked: int = 0

    def table(self, group: Group, planned: Plan) -> Rows | None:
        """Return a group's table, None where its sets are not there."""
        members = self._members(group, planned)
        if not members:
            return None
        way = WAYS.get(group.experiment)
        key = (repr(way), planned.scope, group.averaged)
        if key not in self.made:
            if way is None:
                rows = self.one_model(members[0])
            elif planned.table == "by number and size":
                rows = self._mean([self.by_size(one, way) for one in members])
            elif group.averaged:
                rows = self._mean([self.by_number(one, way) for one in members])
            else:
                rows = _first(self.by_number(members[0], way))
            self.made[key] = rows
        return self.made[key]

    def _members(self, group: Group, planned: Plan) -> list[ScaledSet]:
        if group.averaged:
            return [
                one for one in self.sets.values() if one.group == planned.scope and one.in_averages
            ]
        return [self.sets[planned.scope]] if planned.scope in self.sets else []

    def one_model(self, one: ScaledSet) -> Rows:
        """Return errors on the largest model from each single model, (A, alpha) borrowed.

        Targets are its last 30 %, cut as the training rows are.
        """
        models = by_size(one.models)
        if is_skipped(models[-1]):
            return {}
        target = target_rows(models[-1], LAST_THIRD, CUT)
        rows: Rows = {}
        for model in models:
            for share in SHARES:
                train = train_rows([model], share, CUT)
                value = self._predict(train, target, borrowed=True)
                if value is not None:
                    rows.setdefault(model.params, {})[share] = value
        return rows

    def by_number(self, one: ScaledSet, way: Way) -> Places:
        """Return errors by (number in the figure, number chosen, share of training)."""
        models = by_size(one.models, down=way.down)
        if way.down and "pythia" in one.name:
            models = models[1:]  # upstream scales Pythia down from its second largest
        found: Places = {}
        if len(models) < 3 or is_skipped(models[-1]):
            return found
        target = target_rows(models[-1], way.target_from)
        for share in SHARES:
            for count in model_counts(len(models) - 1):
                train = train_rows(models[:count], share, way.cut)
                value = self._predict(train, target)
                if value is not None:
                    found[number_of_models(train), count, share] = value
        return found

    def by_size(self, one: ScaledSet, way: Way) -> Places:
        """Return errors of all windows of neighbours by (number, number chosen, largest)."""
        models = by_size(one.models)
        found: Places = {}
        if len(models) < 3 or is_skipped(models[-1]):
            return found
        target = target_rows(models[-1], way.target_from)
        for count in model_counts(len(models) - 1):
            for last in range(count, len(models)):
                train = train_rows(models[last - count : last], 1.0, way.cut)
                value = self._predict(train, target)
                if value is not None:
                    found[number_of_models(train), count, models[last - 1].params] = value
        return found

    @staticmethod
    def _mean(tables: Iterable[Places]) -> Rows:
        """Return the mean over sets of each set's mean in a bin of numbers of models."""
        cells: dict[tuple[int, float], list[Value]] = {}
        for table in tables:
            own: dict[tuple[int, float], list[Value]] = {}
            for (number, _, column), value in table.items():
                if number >= BINS[0]:
                    own.setdefault((min(number, BINS[-1]), column), []).append(value)
            for place, values in own.items():
                cells.setdefault(place, []).append(_means(values))
        rows: Rows = {}
        for (number, column), values in sorted(cells.items()):
            rows.setdefault(number, {})[column] = _means(values)
        return rows

    def _predict(self, train: Points, target: Points, *, borrowed: bool = False) -> Value | None:
        """Return what a fit says of the target, None without rows or where the fit fails."""
        if not len(train) or not len(target):
            return None
        self.asked += 1
        key = (b"".join(part.tobytes() for part in vars(train).values()), borrowed)
        if key not in self.fits:
            self.fits[key] = fit(train, borrowed=borrowed)
        found = self.fits[key]
        if found is None:
            return None
        with np.errstate(all="ignore"):
            scored = score(law(target, *found), target)
        sizes = len(np.unique(train.params))
        return Value(scored.are, scored.huber, len(train), sizes, borrowed)


def _means(values: list[Value]) -> Value:
    """Return the mean of errors; of what they had to go by, the least."""
    return Value(
        float(np.mean([one.are for one in values])),
        float(np.mean([one.huber for one in values])),
        min(one.rows for one in values),
        min(one.sizes for one in values),
        values[0].borrowed,
    )


def _first(table: Places) -> Rows:
    """Return a single set's table: of several choices with one number, the fewest models."""
    rows: Rows = {}
    for (number, _, column), value in sorted(table.items(), key=lambda item: item[0]):
        rows.setdefault(number, {}).setdefault(column, value)
    return rows
