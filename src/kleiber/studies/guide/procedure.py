"""The guide's own procedure, re-made: its rows, its single start, its targets, its averages.

Choshen, Zhang and Andreas 2024 fit ``L = E + A / N**alpha + B / D**beta`` by least squares on
the value as it is (arXiv 2410.11840; behaviour of their published code, re-implemented). What
they do is kept here with its faults, so that their printed errors can be made again; what
kleiber does instead is the default study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.special import huber

Array = npt.NDArray[np.float64]

# a = ln A, b = ln B, e = ln E, alpha, beta of Muennighoff et al. 2023 on C4, exponents tied.
START = (6.255414, 7.3049974, 0.6254804, 0.3526596, 0.3526596)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
CUT = 1e10  # tokens of a run's beginning that no fit sees
HUBER = 10e-3
TOO_HIGH = 10.0  # a set whose target's best value is above is skipped
LEFT_OUT = ("interv", "5sh", "v0")  # parts of set names that the averages drop
_STEP = float(np.finfo(np.float64).eps ** 0.5)
BINS = (2, 3, 4, 5, 6, 7, 8)  # numbers of training models; the last is "and more"


@dataclass(frozen=True)
class Model:
    """One run: its size, and its values by tokens in ascending order."""

    name: str
    params: float
    tokens: Array
    values: Array


@dataclass(frozen=True)
class ScaledSet:
    """Models that differ in size and tokens only; ``group`` is what its figures average over."""

    name: str
    group: str
    models: tuple[Model, ...]

    @property
    def in_averages(self) -> bool:
        """Return whether the averages over sets keep it: they drop by parts of names."""
        return not any(part in self.name for part in LEFT_OUT)


@dataclass(frozen=True)
class Points:
    """Rows to fit or to predict: params, tokens and values, each (n,)."""

    params: Array
    tokens: Array
    values: Array

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)


@dataclass(frozen=True)
class Score:
    """The errors of predictions, as fractions of the values and as Huber losses."""

    are: float
    huber: float


def by_size(models: Sequence[Model], *, down: bool = False) -> list[Model]:
    """Return models from small to large, or from large to small."""
    return sorted(models, key=lambda one: one.params, reverse=down)


def joined(models: Sequence[Model]) -> Points:
    """Return the rows of models, ordered by name and tokens as upstream's table is."""
    ordered = sorted(models, key=lambda one: one.name)
    if not ordered:
        return Points(np.empty(0), np.empty(0), np.empty(0))
    return Points(
        np.concatenate([np.full(len(one.tokens), one.params) for one in ordered]),
        np.concatenate([one.tokens for one in ordered]),
        np.concatenate([one.values for one in ordered]),
    )


def train_rows(models: Sequence[Model], share: float, cut: float = CUT) -> Points:
    """Return the rows that a fit sees: ``cut < tokens < share * longest``.

    The longest is the maximum over the selected models, not each model's own; and since the
    bound is strict, the longest run's last checkpoint is out even at a share of 1.
    """
    rows = joined(models)
    if not len(rows):
        return rows
    kept = rows.tokens < rows.tokens.max() * share
    if cut:
        kept &= rows.tokens > cut
    return Points(rows.params[kept], rows.tokens[kept], rows.values[kept])


def target_rows(model: Model, from_share: float = 0.7, cut: float = 0.0) -> Points:
    """Return the rows to predict: those from a share of the model's own training on.

    1.0 is the last checkpoint alone, which the final figures use; 0.7 the last 30 % of the
    text and of the older figures. Only the one-model experiment cuts targets.
    """
    kept = model.tokens >= model.tokens.max() * from_share
    if cut:
        kept &= model.tokens > cut
    size = np.full(int(kept.sum()), model.params)
    return Points(size, model.tokens[kept], model.values[kept])


def number_of_models(rows: Points) -> int:
    """Return the number of training models as the figures count them: distinct sizes.

    Sizes are rounded to a million where a size has more than five rows in the mean.
    """
    sizes, counts = np.unique(rows.params, return_counts=True)
    if len(sizes) and counts.mean() > 5:
        sizes = np.unique([round(size, -6) for size in sizes])
    return len(sizes)


def model_counts(smaller: int) -> range:
    """Return the numbers of training models that are tried for so many smaller models."""
    if smaller > 60:
        return range(2, smaller + 1, 10)
    return range(2, smaller + 1, int(smaller / 5) if smaller > 20 else 1)


def law(rows: Points, a: float, b: float, e: float, alpha: float, beta: float) -> Array:
    """Return ``exp(e) + exp(a) / N**alpha + exp(b) / D**beta`` (n,); a search may come to inf."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.exp(e) + np.exp(a) / rows.params**alpha + np.exp(b) / rows.tokens**beta


def fit(rows: Points, *, borrowed: bool = False) -> tuple[float, ...] | None:
    """Return the five parameters from the single start, None where both methods fail.

    Trust region reflective first and, where that runs out of evaluations, dogleg in a box
    scaled by the start; exponents are bounded by 0 and nothing else is. ``borrowed`` keeps a
    and alpha at the start and fits (b, e, beta). Upstream differences the Jacobian. Where the
    rows fix the parameters the exact one leads to the same answer in half the time; two sizes
    do not, and there the differences are kept, since the path decides: such a fit is
    ``scipy.optimize.curve_fit``'s bit for bit.
    """
    free = np.array([1, 2, 4] if borrowed else [0, 1, 2, 3, 4])
    start = np.array(START)
    bounds = (np.where(free >= 3, 0.0, -np.inf), np.inf)
    exact = borrowed or len(np.unique(rows.params)) != 2
    logs = np.log(rows.params), np.log(rows.tokens)

    def whole(theta: Array) -> Array:
        values = start.copy()
        values[free] = theta
        return values

    def residuals(theta: Array) -> Array:
        return law(rows, *whole(theta)) - rows.values

    def exactly(theta: Array) -> Array:
        a, b, e, alpha, beta = whole(theta)
        by_size, by_tokens = np.exp(a - alpha * logs[0]), np.exp(b - beta * logs[1])
        floor = np.full(len(rows), np.exp(e))
        columns = (by_size, by_tokens, floor, -logs[0] * by_size, -logs[1] * by_tokens)
        return np.stack([columns[place] for place in free], axis=1)

    def by_differences(theta: Array) -> Array:
        # scipy's forward differences to the last bit, without its general machinery
        step = _STEP * np.where(theta >= 0, 1.0, -1.0) * np.maximum(1.0, np.abs(theta))
        here = residuals(theta)
        columns = np.empty((len(theta), len(rows)))
        for place, moved in enumerate(theta + step):
            there = theta.copy()
            there[place] = moved
            columns[place] = (residuals(there) - here) / (moved - theta[place])
        return columns.T

    options: dict[str, Any] = {"jac": exactly if exact else by_differences, "bounds": bounds}
    with np.errstate(all="ignore"):
        try:
            found = least_squares(residuals, start[free], **options)
            if not found.success:
                boxed = {**options, "method": "dogbox", "x_scale": start[free]}
                found = least_squares(residuals, start[free], **boxed)
        except ValueError:  # values that are not finite
            return None
    if not found.success:
        return None
    values = start.copy()
    values[free] = found.x
    return tuple(float(value) for value in values)


def score(predicted: Array, rows: Points) -> Score:
    """Return the mean absolute relative error and the mean Huber loss of predictions."""
    gap = rows.values - predicted
    return Score(float(np.mean(np.abs(gap / rows.values))), float(np.mean(huber(HUBER, gap))))


def best_seen(train: Points) -> float:
    """Return the first baseline: the lowest value of the training rows."""
    return float(train.values.min())


def most_trained(train: Points) -> float:
    """Return the second baseline: the mean of the last five training rows by tokens.

    Upstream means the largest model's last five rows, but compares a column with itself, so
    that it takes all models'.
    """
    return float(train.values[np.argsort(train.tokens, kind="stable")][-5:].mean())


def is_skipped(target: Model) -> bool:
    """Return whether a set is skipped: its target never comes below 10."""
    return bool(target.values.min() > TOO_HIGH)
