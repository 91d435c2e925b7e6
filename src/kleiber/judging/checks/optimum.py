"""Checks of the optimum: is it one, is it the only one, do the runs identify it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kleiber.fitting import Fit
from kleiber.judging.finding import Finding, issue, tip

FLAT = 1e5  # condition of the scaled J W J' beyond which exponents are not identified
ONE_RATIO = 0.1  # log units that tokens per param may vary by and still be one ratio
SHARP, BLUNT = 0.2, 10.0  # deltas, in noises, that make Huber another objective
BELOW = 2.0  # noises that a loss may lie under the floor by accident


def at_bound(fit: Fit) -> Iterator[Finding]:
    """K001: a value that the bounds chose, not the runs."""
    for name in fit.at_bound:
        yield issue(
            "K001",
            f"{name} = {fit.values[name]:.4g} ended on its bound, so its interval says nothing.",
            f"Fix {name} on purpose (--fix), widen its bounds (--bounds), or fit a smaller law "
            "(--law).",
        )


def starts(fit: Fit) -> Iterator[Finding]:
    """K002: an optimum that only one start found, or none finished at."""
    found = fit.certificate
    if fit.status.code == "not-converged":
        yield issue(
            "K002",
            f"The best of {found.starts} starts stopped where the gradient is still "
            f"{found.gradient:.1g}.",
            "Look at the runs (kleiber runs FILE); fix a parameter (--fix), or fit a smaller law "
            "(--law).",
        )
    if fit.status.code == "alone":
        yield issue(
            "K002",
            f"{found.agreeing} of {found.starts} starts reached the best of {found.optima} optima.",
            "Raise starts in kleiber.fit; if they still disagree, fix a parameter (--fix) or add "
            "runs.",
        )


def identified(fit: Fit) -> Iterator[Finding]:
    """K010: exponents that trade off against each other or the floor."""
    condition = fit.certificate.condition
    ratio = np.log(fit.points.tokens / fit.points.params)
    tied = len(fit.constraints.fix) + len(fit.constraints.tie) > 0
    single = len(fit.law.predictors) == 2 and float(np.ptp(ratio)) < ONE_RATIO and not tied
    if condition > FLAT or single:
        why = "all points have one ratio of tokens to params" if single else "parameters trade off"
        yield issue(
            "K010",
            f"The runs do not tell the exponents apart (condition {condition:.0e}): {why}.",
            "Vary tokens at a fixed size, tie alpha and beta (--tie alpha=beta), or fix one "
            "(--fix).",
        )


def floor(fit: Fit) -> Iterator[Finding]:
    """K013: a run that did better than the law says any run can."""
    if fit.law.floor is None or not np.isfinite(fit.noise):
        return
    margin = BELOW * fit.noise * (1.0 if fit.objective_name == "raw" else fit.floor)
    lowest = int(np.argmin(fit.points.loss))
    if fit.points.loss[lowest] < fit.floor - margin:
        yield issue(
            "K013",
            f"Run {fit.points.names[int(fit.points.run[lowest])]} has a loss of "
            f"{fit.points.loss[lowest]:.4g}, below the fitted floor of {fit.floor:.4g}.",
            "Check that run's unit and data; fit a law with a lower floor (--bounds E=0:…).",
        )


def delta(fit: Fit) -> Iterator[Finding]:
    """K015: a Huber threshold that makes the objective another one."""
    if fit.delta is None or not np.isfinite(fit.noise) or fit.delta_rule == "auto":
        return
    if fit.delta < SHARP * fit.noise:
        yield tip(
            "K015",
            f"delta {fit.delta:.2g} against a noise of {fit.noise:.2g}: most residuals are on the "
            "linear branch, so this is least absolute errors, with intervals up to 25 % wider.",
            "Use --delta auto unless a published fit is being re-made.",
        )
    elif fit.delta > BLUNT * fit.noise:
        yield tip(
            "K015",
            f"delta {fit.delta:.2g} against a noise of {fit.noise:.2g}: every residual is on the "
            "squared branch, so this is least squares, and one diverged run can pull it.",
            "Use --delta auto.",
        )
