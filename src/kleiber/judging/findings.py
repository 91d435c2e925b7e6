"""The verb: a fit in, its findings out, in the order of their codes."""

from __future__ import annotations

from kleiber.fitting import Fit, Prediction
from kleiber.judging.checks import optimum, reach, residuals, table
from kleiber.judging.finding import Finding

CHECKS = (
    optimum.at_bound,
    optimum.starts,
    reach.span,
    table.unfinished,
    table.kinds,
    table.cross_entropy,
    residuals.trend,
    residuals.dominant,
    optimum.identified,
    table.repeated,
    table.seeds,
    optimum.floor,
    residuals.diverged,
    optimum.delta,
)


def check(fit: Fit, prediction: Prediction | None = None) -> tuple[Finding, ...]:
    """Return every finding of a fit, and of one prediction from it, in the order of codes."""
    found = [finding for one in CHECKS for finding in one(fit)]
    if prediction is not None:
        found += reach.beyond(fit, prediction)
    return tuple(sorted(found, key=lambda finding: finding.code))
