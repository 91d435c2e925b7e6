"""A finding: one diagnosis of a fit, with its numbers and its remedy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["issue", "tip"]

TITLES: dict[str, str] = {
    "K001": "parameter at a bound",
    "K002": "no optimum agreed on",
    "K003": "span under a decade",
    "K004": "extrapolation beyond 1.5 decades",
    "K005": "unfinished points mixed with finished runs",
    "K006": "two kinds of loss or count mixed",
    "K007": "not a cross-entropy per token",
    "K008": "residuals trend with scale",
    "K009": "one run dominates",
    "K010": "exponents not identified",
    "K011": "duplicated rows",
    "K012": "no repeated run",
    "K013": "a loss below the fitted floor",
    "K014": "a diverged run",
    "K015": "delta far from the noise",
}

# Of measured capacities, not of fits.
CAPACITY_TITLES: dict[str, str] = {
    "C001": "no model over-filled",
    "C002": "much of the model is embeddings",
    "C003": "fewer than 50,000 steps",
    "C004": "bits still rise with steps",
    "C005": "more stored than there is",
    "C006": "strangers are known",
}

# Of forecasts with a prior.
FORECAST_TITLES: dict[str, str] = {
    "F001": "one size",
    "F002": "a scale-up beyond 30 times",
    "F003": "no end of a run",
    "F004": "on no law of a cross-entropy",
    "F005": "a jump at a run's end",
    "F006": "the priors disagree",
    "F007": "a source of the prior itself",
    "F008": "far more tokens per param",
    "F009": "rows left aside",
    "F010": "a target below the ladder",
}

# Of comparisons of two recipes.
COMPARE_TITLES: dict[str, str] = {
    "R001": "compute by a convention",
    "R002": "beyond what the ladder supports",
    "R003": "the back-test failed",
    "R004": "the noise between seeds not measured",
    "R005": "a rung that only one recipe has",
    "R006": "seeds not paired",
    "R007": "tokens a param differ between the recipes",
    "R008": "runs left out",
    "R009": "several sizes at one compute",
    "R010": "a rung leaves the collapse",
    "R011": "attention logits grow out of hand",
    "R012": "gradients no larger than eps",
    "R013": "one recipe is a single run",
    "R014": "losses in a fixed ratio",
    "R015": "few rungs or a short span",
    "R016": "no difference at any rung",
    "R017": "the smallest rung decides",
    "R018": "a validation set named once",
}


@dataclass(frozen=True)
class Finding:
    """One diagnosis. An issue is a reason not to use the fit as it is; a tip is advice."""

    code: str
    severity: Severity
    message: str
    remedy: str

    @property
    def title(self) -> str:
        """Return what the code stands for."""
        return (TITLES | CAPACITY_TITLES | FORECAST_TITLES | COMPARE_TITLES)[self.code]

    def to_dict(self) -> dict[str, str]:
        """Return the finding as plain data."""
        return {**asdict(self), "title": self.title}


def issue(code: str, message: str, remedy: str) -> Finding:
    """Return a reason not to use the fit as it is."""
    return Finding(code, "issue", message, remedy)


def tip(code: str, message: str, remedy: str) -> Finding:
    """Return advice."""
    return Finding(code, "tip", message, remedy)
