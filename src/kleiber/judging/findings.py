"""Findings: what is wrong with a fit, by stable code, with the numbers and the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from kleiber.fitting import Fit, Prediction
from kleiber.units import format_count

Severity = Literal["issue", "tip"]

SHORT_SPAN = 1.0  # decades of a predictor below which an exponent is a guess
FAR = 1.5  # decades beyond the data
SHARP = 0.2  # delta over noise below which Huber is least absolute errors
FLAT = 1e5  # condition of the scaled J W J' beyond which exponents are not identified


@dataclass(frozen=True)
class Finding:
    """One diagnosis. An issue is a reason not to use the fit as it is; a tip is advice."""

    code: str
    severity: Severity
    title: str
    message: str
    remedy: str

    def to_dict(self) -> dict[str, str]:
        """Return the finding as plain data."""
        return asdict(self)


def check(fit: Fit, prediction: Prediction | None = None) -> tuple[Finding, ...]:
    """Return every finding of a fit, and of one prediction from it, in the order of codes."""
    return (
        *_at_bound(fit),
        *_starts(fit),
        *_span(fit),
        *(_far(fit, prediction) if prediction else ()),
        *_identified(fit),
        *_delta(fit),
    )


def _at_bound(fit: Fit) -> Iterator[Finding]:
    for name in fit.at_bound:
        yield Finding(
            "K001",
            "issue",
            "parameter at a bound",
            f"{name} = {fit.values[name]:.4g} ended on its bound, so its interval says nothing.",
            f"Fix {name} on purpose (--fix), widen its bounds (--bounds), or fit a smaller law "
            "(--law).",
        )


def _starts(fit: Fit) -> Iterator[Finding]:
    found = fit.certificate
    if fit.status.code == "not-converged":
        yield Finding(
            "K002",
            "issue",
            "not converged",
            f"The best of {found.starts} starts stopped with a gradient of {found.gradient:.1g}.",
            "Look at the runs with `kleiber runs`; fix a parameter (--fix alpha=0.34) or fit a "
            "smaller law (--law).",
        )
    if fit.status.code == "alone":
        yield Finding(
            "K002",
            "issue",
            "starts disagree",
            f"{found.agreeing} of {found.starts} starts reached the best of {found.optima} optima.",
            "Fix a parameter (--fix alpha=0.34) or add runs; Python's fit takes starts=….",
        )


def _span(fit: Fit) -> Iterator[Finding]:
    for name in fit.law.predictors:
        values = fit.points.params if name == "params" else fit.points.tokens
        decades = float(np.log10(values.max() / values.min()))
        if decades < SHORT_SPAN:
            yield Finding(
                "K003",
                "issue",
                "span under a decade",
                f"{name} span {decades:.2f} decades, {format_count(values.min())} to "
                f"{format_count(values.max())}; an exponent needs at least one.",
                f"Add runs of smaller or larger {name}, or fix its exponent.",
            )


def _far(fit: Fit, prediction: Prediction) -> Iterator[Finding]:
    for name in fit.law.predictors:
        target = getattr(prediction, name)
        values = fit.points.params if name == "params" else fit.points.tokens
        decades = max(np.log10(target / values.max()), np.log10(values.min() / target))
        if decades > FAR:
            yield Finding(
                "K004",
                "issue",
                "extrapolation beyond 1.5 decades",
                f"{name} = {format_count(target)} lies {decades:.1f} decades beyond the runs; "
                "the interval holds only if the law does.",
                f"Train a run of larger {name} first, or treat the interval as a lower bound.",
            )


def _identified(fit: Fit) -> Iterator[Finding]:
    condition = fit.certificate.condition
    if condition > FLAT:
        ratio = np.log(fit.points.tokens / fit.points.params)
        single = len(fit.law.predictors) == 2 and float(np.ptp(ratio)) < 0.1
        why = "all runs have one ratio of tokens to params" if single else "parameters trade off"
        yield Finding(
            "K010",
            "issue",
            "exponents not identified",
            f"The fit is flat (condition {condition:.0e}): {why}.",
            "Vary tokens at a fixed size, tie alpha and beta (--tie alpha=beta), or fix one.",
        )


def _delta(fit: Fit) -> Iterator[Finding]:
    if fit.delta is not None and np.isfinite(fit.noise) and fit.delta < SHARP * fit.noise:
        yield Finding(
            "K015",
            "tip",
            "delta far below the noise",
            f"delta {fit.delta:.2g} against a noise of {fit.noise:.2g}: most residuals are on the "
            "linear branch, so this is least absolute errors, with intervals up to 25 % wider.",
            "Use --delta auto unless a published fit is being re-made.",
        )
