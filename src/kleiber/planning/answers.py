"""What an allocation answers with: the run, its intervals, what it costs and what serving adds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.fitting.answers import Interval
from kleiber.planning.cost import SERVING, TRAINING, Cost
from kleiber.units import format_count

SCHEMA = "kleiber.allocate/1"


@dataclass(frozen=True)
class Serving:
    """What serving a model costs, and what having it in view saves.

    ``flops`` are those of serving. ``saving`` is the share of the whole cost that is saved
    against the model that reaches the same loss with the least training.
    """

    tokens: float
    flops: float
    cost: Cost | None
    saving: float
    convention: str = SERVING

    def to_dict(self) -> dict[str, Any]:
        """Return the serving as plain data."""
        return {
            "tokens": self.tokens,
            "flops": self.flops,
            "cost": self.cost.to_dict() if self.cost else None,
            "saving": self.saving,
            "convention": self.convention,
        }


@dataclass(frozen=True)
class Allocation:
    """The best run for a budget, or the cheapest for a loss; ``flops`` are those of training.

    ``exponent`` is how params grow with compute, ``params ~ flops^exponent``; NaN where
    serving is counted, since then there is no one power. ``asked`` says what was asked for,
    ``law`` by which law it is answered, ``synthetic`` that nobody trained the runs.
    """

    flops: float
    params: float
    tokens: float
    tokens_per_param: float
    loss: float
    exponent: float
    intervals: dict[str, Interval]
    convention: str = TRAINING
    asked: str = ""
    cost: Cost | None = None
    serving: Serving | None = None
    law: str = ""
    synthetic: bool = False

    @property
    def total_flops(self) -> float:
        """FLOPs of training and serving."""
        return self.flops + (self.serving.flops if self.serving else 0.0)

    def text(self) -> str:
        """Return the allocation as a small table with its intervals."""
        first = next(iter(self.intervals.values()))
        counted = f"{self.flops:.4g} FLOPs, counted as {self.convention}"
        rows = [
            self._row("params", "params", format_count),
            self._row("tokens", "tokens", format_count),
            self._row("tokens a param", "tokens_per_param", "{:.3g}".format),
            self._row("loss, nats", "loss", "{:.4f}".format),
            self._row("exponent", "exponent", "{:.3f}".format),
            self._row("total FLOPs", "total_flops", "{:.3g}".format),
        ]
        grows = "; params grow as FLOPs^exponent" if math.isfinite(self.exponent) else ""
        return "\n".join(
            [
                *([self.asked] if self.asked else []),
                counted,
                *filter(None, rows),
                *(f"  {line}" for line in self._costs()),
                f"  {first.level:.0%} intervals, {first.method}{grows}",
            ]
        )

    def _row(self, title: str, name: str, show: Callable[[float], str]) -> str:
        """Return one line of the table, or nothing for what has no interval here."""
        if name not in self.intervals:
            return ""
        box = self.intervals[name]
        span = f"{show(box.lower)} to {show(box.upper)}"
        known = np.isfinite(box.lower + box.upper)
        return f"  {title:<16}{show(getattr(self, name)):>8}   {span if known else 'unknown'}"

    def _costs(self) -> list[str]:
        """Return the lines on serving and money."""
        lines: list[str] = []
        serving = self.serving
        if self.cost:
            lines += [f"training: {self.cost.text()}", f"  on {self.cost.prices.sentence()}"]
        if serving:
            said = serving.cost.text() if serving.cost else f"{serving.flops:.4g} FLOPs"
            own = serving.cost and self.cost and serving.cost.prices != self.cost.prices
            lines += [
                f"serving {format_count(serving.tokens)} tokens: {said}, counted as "
                f"{serving.convention}",
                *([f"  on {serving.cost.prices.sentence()}"] if own and serving.cost else []),
                f"saves {serving.saving:.1%} of training and serving together, against the "
                "least training for this loss",
            ]
        if self.cost and serving and serving.cost:
            hours = self.cost.gpu_hours + serving.cost.gpu_hours
            money = self.cost.money + serving.cost.money
            lines += [
                f"together: {self.total_flops:.4g} FLOPs, {format_count(hours)} GPU-hours, "
                f"{format_count(money)} {self.cost.prices.currency}"
            ]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the allocation as plain data."""
        box = next(iter(self.intervals.values()))
        return {
            "schema": SCHEMA,
            "law": self.law,
            "flops": self.flops,
            "total_flops": self.total_flops,
            "params": self.params,
            "tokens": self.tokens,
            "tokens_per_param": self.tokens_per_param,
            "loss": self.loss,
            "exponent": self.exponent,
            "intervals": {name: one.to_dict() for name, one in self.intervals.items()},
            "convention": self.convention,
            "asked": self.asked,
            "cost": self.cost.to_dict() if self.cost else None,
            "serving": self.serving.to_dict() if self.serving else None,
            "level": box.level,
            "interval_method": box.method,
            "synthetic": self.synthetic,
        }
