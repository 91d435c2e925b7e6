"""Hide the largest model, predict it from the rest, and look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.errors import KleiberError
from kleiber.fitting import Fit, fit
from kleiber.runs import Runs
from kleiber.units import format_count


@dataclass(frozen=True)
class Hidden:
    """One hidden run and what was predicted of it; losses in nats per token.

    ``error`` is predicted minus actual; ``of_reducible`` is it over actual minus the fitted
    floor, the part of the loss that scale can change; ``scale_up`` is params over the largest
    fitted. ``actual`` is the mean of ``seeds`` runs alike, of which ``run`` is one.
    """

    run: str
    params: float
    tokens: float
    predicted: float
    lower: float
    upper: float
    level: float
    actual: float
    error: float
    relative: float
    of_reducible: float
    scale_up: float
    seeds: int
    others: int
    mean_absolute: float
    fit: Fit

    @property
    def inside(self) -> bool:
        """Whether the interval held the actual loss; one without end holds nothing."""
        return (
            bool(np.isfinite(self.upper - self.lower)) and self.lower <= self.actual <= self.upper
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction and its error as plain data, without the fit."""
        named = {k: getattr(self, k) for k in self.__annotations__ if k != "fit"}
        return {**named, "inside": self.inside}

    def sentence(self) -> str:
        """Return the result as one line."""
        verdict = "inside the interval" if self.inside else "outside the interval"
        if not np.isfinite(self.upper - self.lower):
            verdict = "no interval"
        mean = f", the mean of {self.seeds} runs" if self.seeds > 1 else ""
        return (
            f"{format_count(self.params)} on {format_count(self.tokens)} tokens hidden "
            f"({self.scale_up:.2g}x the largest fitted): predicted {self.predicted:.4f} "
            f"({self.lower:.4f} to {self.upper:.4f}), was {self.actual:.4f}{mean}: error "
            f"{self.error:+.4f} nats, {100 * self.relative:+.2g} % of the loss, "
            f"{100 * self.of_reducible:+.2g} % of the reducible loss, {verdict}"
        )


def hide_largest(
    runs: object,
    law: str = "chinchilla",
    *,
    by: str = "params",
    level: float = 0.9,
    method: str | None = None,
    **options: Any,
) -> Hidden:
    """Fit all sizes but the largest and predict its most-trained final.

    Of several alike it is the mean where the table names their seeds, else the best.
    ``by="flops"`` hides the largest value of the table's flops column instead, an isoFLOP
    budget. ``options`` go to :func:`kleiber.fit`. ``mean_absolute`` is the mean |error| over all
    finals of the hidden size, ``others`` their number beyond the one reported.
    """
    train, target = Runs.read(runs).hide_largest(by)
    finals = target.select(points="finals").points()
    made = fit(train, law, **options)
    read = dict(zip(made.law.predictors, finals.predictors(made.law.predictors), strict=True))
    guess = made.predict_many(**read, level=level, method=method)
    chosen = int(np.lexsort((finals.loss, -finals.tokens))[0])
    alike = np.arange(len(finals)) == chosen
    if "seed" in target.frame.columns and target.frame["seed"].drop_nulls().n_unique() > 1:
        alike = (finals.params == finals.params[chosen]) & (finals.tokens == finals.tokens[chosen])
    actual, predicted = float(finals.loss[alike].mean()), float(guess["value"][chosen])
    error = predicted - actual
    return Hidden(
        run=finals.names[int(finals.run[chosen])],
        params=float(finals.params[chosen]),
        tokens=float(finals.tokens[chosen]),
        predicted=predicted,
        lower=float(guess["lower"][chosen]),
        upper=float(guess["upper"][chosen]),
        level=level,
        actual=actual,
        error=error,
        relative=error / actual,
        of_reducible=error / (actual - made.floor) if actual > made.floor else np.nan,
        scale_up=float(finals.params[chosen] / made.points.params.max()),
        seeds=int(alike.sum()),
        others=len(finals) - 1,
        mean_absolute=float(np.mean(np.abs(guess["value"] - finals.loss))),
        fit=made,
    )


def hide_as(
    made: Fit, runs: Runs, points: str, *, level: float = 0.9, method: str | None = None
) -> Hidden:
    """Hide the largest size of runs and predict it with every choice that a fit was made by."""
    held = made.constraints
    return hide_largest(
        runs,
        made.law.name,
        level=level,
        method=method,
        objective=made.objective_name,
        delta="auto" if made.delta is None or made.delta_rule == "auto" else made.delta,
        fix=held.fix,
        tie=held.tie,
        bounds=held.bounds,
        points=points,
        seed=made.seed,
        bootstraps=made.bootstraps,
    )


def hidden_line(runs: Runs, made: Fit, *, level: float = 0.9, method: str | None = None) -> str:
    """Return how the same fit does with the largest size hidden, or why that cannot be said."""
    try:
        found = hide_as(made, runs, made.data.selection, level=level, method=method)
    except KleiberError as error:
        return f"not possible: {error.message}"
    return found.sentence()
