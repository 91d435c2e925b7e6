"""What a fit answers with: intervals, predictions, how it ended, why it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kleiber.units import format_count


@dataclass(frozen=True)
class Interval:
    """Bounds that cover the true value, or the new run, with probability ``level``."""

    lower: float
    upper: float
    level: float
    method: str

    def to_dict(self) -> dict[str, float]:
        """Return lower and upper."""
        return {"lower": self.lower, "upper": self.upper}


@dataclass(frozen=True)
class Prediction:
    """The loss (nats per token) of a run not yet trained.

    ``lower`` and ``upper`` bound a new run, its noise included; ``mean_lower`` and
    ``mean_upper`` bound the curve alone. ``more`` are the predictors beside params and tokens.
    """

    params: float | None
    tokens: float | None
    value: float
    lower: float
    upper: float
    mean_lower: float
    mean_upper: float
    level: float
    method: str
    more: Mapping[str, float] = field(default_factory=dict[str, float])

    def of(self, name: str) -> float | None:
        """Return a predictor's value, None where it was not given."""
        given = {"params": self.params, "tokens": self.tokens, **self.more}
        return given.get(name)

    def sentence(self) -> str:
        """Return the prediction as one line of text."""
        more = [(name.replace("_", " "), count) for name, count in self.more.items()]
        counts = (("params", self.params), ("tokens", self.tokens), *more)
        where = " on ".join(f"{format_count(n)} {name}" for name, n in counts if n is not None)
        if not np.isfinite(self.lower):
            return f"{where}: {self.value:.4f} nats; no interval: too few runs for one"
        return (
            f"{where}: {self.value:.4f} nats; {self.level:.0%} of new runs lie in "
            f"{self.lower:.4f} to {self.upper:.4f}, the curve in {self.mean_lower:.4f} to "
            f"{self.mean_upper:.4f} ({self.method})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as plain data."""
        return {
            "params": self.params,
            "tokens": self.tokens,
            **self.more,
            "prediction": self.value,
            "lower": self.lower,
            "upper": self.upper,
            "mean": {"lower": self.mean_lower, "upper": self.mean_upper},
            "level": self.level,
            "interval_method": self.method,
        }


@dataclass(frozen=True)
class Status:
    """How a fit ended: a code for programs and a sentence for people."""

    code: str
    sentence: str

    @property
    def ok(self) -> bool:
        """Whether the optimum can be trusted as the optimum."""
        return self.code in ("converged", "at-bound")

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Certificate:
    """Why the optimum is believed: independent starts, what they found, how flat it is.

    ``gradient`` is the largest entry of the objective's gradient in the free coordinates;
    ``condition`` that of the scaled J W J', whose inverse is the covariance.
    """

    gradient: float
    starts: int
    agreeing: int
    optima: int
    condition: float
    iterations: int


@dataclass(frozen=True)
class DataFacts:
    """What was fitted, in the words of the table it came from."""

    source: str = ""
    unit: str = "nats"
    params_are: str = "unknown"
    family: str | None = None
    selection: str = "all"
    synthetic: bool = False
    notes: tuple[str, ...] = ()
