"""Checks of reach: how far the runs go, and how far beyond them the question lies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kleiber.fitting import Fit, Prediction
from kleiber.judging.finding import Finding, issue
from kleiber.units import format_count

SHORT_SPAN = 1.0  # decades of a predictor below which an exponent is a guess
FAR = 1.5  # decades beyond the data


def span(fit: Fit) -> Iterator[Finding]:
    """K003: a predictor that hardly changes."""
    for name in fit.law.predictors:
        values = fit.points.predictor(name)
        decades = float(np.log10(values.max() / values.min()))
        if decades < SHORT_SPAN:
            yield issue(
                "K003",
                f"{name} span {decades:.2f} decades, {format_count(values.min())} to "
                f"{format_count(values.max())}; an exponent needs at least one.",
                f"Add runs of smaller or larger {name}, or fix its exponent (--fix).",
            )


def beyond(fit: Fit, prediction: Prediction) -> Iterator[Finding]:
    """K004: a prediction far outside the runs."""
    for name in fit.law.predictors:
        target = prediction.of(name) or 0.0
        values = fit.points.predictor(name)
        decades = max(np.log10(target / values.max()), np.log10(values.min() / target))
        if decades > FAR:
            yield issue(
                "K004",
                f"{name} = {format_count(target)} lies {decades:.1f} decades beyond the runs; "
                "the interval holds only if the law does.",
                f"Train a run of larger {name} first, or treat the interval as a lower bound.",
            )
