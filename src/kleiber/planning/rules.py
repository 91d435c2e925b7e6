"""What a planned ladder may be: how many sizes, how large, how long, how often."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from kleiber.errors import KleiberError, UsageError
from kleiber.planning.design import Target
from kleiber.units import format_count, parse_count

COUNTS = ("sizes", "seeds", "runs")
AMOUNTS = ("smallest", "largest")
# Params, and tokens per param: what the widest public ladder spans (Gadre et al. 2024: 10.6M to
# 6.9B params, 5 to 640 tokens per param), but for its runs of 5 tokens per param: they lie off
# the law of the others, which the study of plans shows.
SMALLEST, OF_TARGET = 1e7, 0.01
RATIOS = (10.0, 640.0)


@dataclass(frozen=True)
class Rules:
    """The rules of a plan; None is filled in from the target.

    ``sizes`` is the least number of distinct sizes (at least 1.25 times apart), ``seeds`` the
    most runs of one size and length, ``runs`` the most runs; ``smallest`` and ``largest`` bound
    the params of a run, ``least_ratio`` and ``most_ratio`` its tokens per param; ``partial`` is
    the largest part of its tokens that the target itself may be trained for, 0 for none;
    ``checkpoints`` says whether readings before a run's end are kept, which cost nothing.
    """

    sizes: int = 5
    seeds: int = 3
    runs: int = 12
    smallest: float | None = None
    largest: float | None = None
    least_ratio: float | None = None
    most_ratio: float | None = None
    partial: float = 0.8
    checkpoints: bool = True

    def __post_init__(self) -> None:
        """Refuse rules that nothing can keep."""
        for name in COUNTS:
            value: object = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(
                    f"The rule {name} is {value}, expected a whole number of at least 1.",
                    remedy=f"Write for example {name}=5.",
                )
        if self.runs < self.sizes:
            raise UsageError(
                f"{self.runs} runs cannot have {self.sizes} sizes.",
                remedy=f"Raise runs to {self.sizes}, or lower sizes.",
            )
        if not 0.0 <= self.partial < 1.0:
            raise UsageError(
                f"The rule partial is {self.partial:g}; it is the part of its tokens that the "
                "target may be trained for, 0 or more and less than 1.",
                remedy="Write for example partial=0.3, or partial=0 to leave the target out.",
            )

    def at(self, target: Target) -> Rules:
        """Return the rules with nothing left open, or raise UsageError where they exclude all."""
        ratio = target.tokens / target.params
        made = replace(
            self,
            smallest=_or(self.smallest, min(SMALLEST, OF_TARGET * target.params)),
            largest=_or(self.largest, target.params),
            least_ratio=_or(self.least_ratio, min(RATIOS[0], ratio)),
            most_ratio=_or(self.most_ratio, max(RATIOS[1], ratio)),
        )
        low, high, few, many = made.bounds
        if low >= target.params:
            raise UsageError(
                f"The target of {format_count(target.params)} params is not larger than the "
                f"smallest run that the rules allow ({format_count(low)}): there is nothing to "
                "extrapolate.",
                remedy="Lower the rule smallest, or plan for a larger target.",
            )
        for name, least, most in (("params", low, high), ("tokens per param", few, many)):
            if not 0 < least <= most:
                raise UsageError(
                    f"The rules allow {name} from {format_count(least)} to {format_count(most)}: "
                    "none.",
                    remedy="Widen smallest and largest, or least_ratio and most_ratio.",
                )
        return made

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least and most params, least and most tokens per param; filled rules only."""
        found = (self.smallest, self.largest, self.least_ratio, self.most_ratio)
        assert None not in found
        low, high, few, many = (float(one or 0.0) for one in found)
        return low, high, few, many

    def to_dict(self) -> dict[str, Any]:
        """Return the rules as plain data."""
        return asdict(self)


def rules_of(given: Rules | Mapping[str, object] | None) -> Rules:
    """Return rules from named values, each as text or as a number; UsageError for other names."""
    if given is None or isinstance(given, Rules):
        return given or Rules()
    known = [one.name for one in fields(Rules)]
    made: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                f"There is no rule '{name}'; the rules are {', '.join(known)}.",
                remedy=f"Did you mean '{near[0]}'?" if near else "Use one of those names.",
            )
        made[name] = _value(name, value)
    return Rules(**made)


def _value(name: str, value: object) -> object:
    """Return one rule's value as its kind."""
    if name == "checkpoints":
        if isinstance(value, bool):
            return value
        said = {"yes": True, "true": True, "no": False, "false": False}
        if str(value).lower() in said:
            return said[str(value).lower()]
        raise UsageError(
            f"The rule checkpoints is '{value}', expected yes or no.",
            remedy="Write checkpoints=yes or checkpoints=no.",
        )
    if value is None:
        return None
    try:
        number = parse_count(value)
    except KleiberError as error:
        raise UsageError(
            f"The rule {name}: {error.message}", remedy=f"Write for example {_example(name)}."
        ) from None
    if name in COUNTS:
        if not number.is_integer():
            raise UsageError(
                f"The rule {name} is {value}, expected a whole number of at least 1.",
                remedy=f"Write for example {name}=5.",
            )
        return int(number)
    return number


def _example(name: str) -> str:
    return f"{name}=1.5B" if name in AMOUNTS else f"{name}=5"


def _or(value: float | None, default: float) -> float:
    return default if value is None or not math.isfinite(value) else float(value)
