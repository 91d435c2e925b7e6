"""What isoFLOP profiles answer with: parabolas beside a surface, and the bias of the first."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from kleiber.fitting.answers import Interval
from kleiber.fitting.result import Fit
from kleiber.planning.flaws import Flaw
from kleiber.units import format_count

SAME_BIAS = 0.005  # of the tokens


@dataclass(frozen=True)
class Profile:
    """One budget: the optimum by its parabola and by the surface; NaN where there is none.

    ``bias`` is what the parabola finds on noise-free losses of the fitted surface at the same
    runs, in tokens, relative to that surface's true optimum; ``bias_on_curve`` is that with the
    tokens of each run moved to 6 * params * tokens = flops. ``used`` says whether the power law
    goes through it.
    """

    flops: float
    runs: int
    least_params: float
    most_params: float
    params: float
    tokens: float
    curvature: float
    surface_params: float
    surface_tokens: float
    bias: float
    bias_on_curve: float
    used: bool


@dataclass(frozen=True)
class Estimate:
    """A number with its interval."""

    value: float
    interval: Interval

    def to_dict(self) -> dict[str, float]:
        """Return the value, lower and upper."""
        return {"value": self.value, **self.interval.to_dict()}

    def text(self, show: str = "count") -> str:
        """Return the number and its interval as text."""
        form = format_count if show == "count" else "{:.3f}".format
        low, high = self.interval.lower, self.interval.upper
        if not math.isfinite(low + high):
            return f"{form(self.value)} (unknown)"
        return f"{form(self.value)} ({form(low)} to {form(high)})"


@dataclass(frozen=True)
class Target:
    """A budget beyond the runs, by both approaches.

    ``gap`` is the parabolas' tokens relative to the surface's, less 1; ``bias`` the part that
    noise-free losses of the surface would show too, ``bias_on_curve`` were every run exactly
    on its budget. ``wasted`` is the share of the compute that the parabolas' split loses,
    judged by the surface.
    """

    flops: float
    params: Estimate
    tokens: Estimate
    surface_params: Estimate
    surface_tokens: Estimate
    gap: float
    bias: float
    bias_on_curve: float
    wasted: float

    def to_dict(self) -> dict[str, Any]:
        """Return the target as plain data."""
        return {
            name: value.to_dict() if isinstance(value, Estimate) else value
            for name, value in vars(self).items()
        }


@dataclass(frozen=True)
class IsoFlop:
    """Approach 2 on isoFLOP profiles, beside approach 3 on the same runs."""

    profiles: tuple[Profile, ...]
    params_exponent: Estimate
    tokens_exponent: Estimate
    surface_exponent: Estimate
    target: Target | None
    flaws: tuple[Flaw, ...]
    counted: str
    fit: Fit
    replicates: int
    failed: int

    def text(self) -> str:
        """Return the profiles as designed text."""
        runs = sum(one.runs for one in self.profiles)
        first, last = self.profiles[0].flops, self.profiles[-1].flops
        head = (
            f"{runs} runs in {len(self.profiles)} budgets of {first:.3g} to {last:.3g} FLOPs, "
            f"counted as {self.counted}"
        )
        title = ("budget", "runs", "params", "surface", "tokens", "surface", "own bias")
        rows = [_line(title), *(_line(_cells(one)) for one in self.profiles)]
        level = self.params_exponent.interval.level
        failed = f", {self.failed} of them without a power law" if self.failed else ""
        tail = [
            f"  params grow as FLOPs^{self.params_exponent.text('number')} by parabolas, "
            f"^{self.surface_exponent.text('number')} by the surface",
            *(_target_lines(self.target) if self.target else []),
            f"  {level:.0%} intervals; parabolas: {self.replicates} resamples within budgets"
            f"{failed}; surface: {self.surface_exponent.interval.method}",
            "  own bias: parabolas' tokens on noise-free losses of the surface at these runs, "
            "to its optimum's",
        ]
        return "\n".join([head, *rows, *tail])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "law": self.fit.law.name,
            "values": dict(self.fit.values),
            "counted": self.counted,
            "profiles": [asdict(one) for one in self.profiles],
            "exponents": {
                "params": self.params_exponent.to_dict(),
                "tokens": self.tokens_exponent.to_dict(),
                "surface_params": self.surface_exponent.to_dict(),
            },
            "target": self.target.to_dict() if self.target else None,
            "flaws": [flaw.to_dict() for flaw in self.flaws],
            "level": self.params_exponent.interval.level,
            "replicates": self.replicates,
            "failed_replicates": self.failed,
        }


def _line(cells: tuple[str, ...]) -> str:
    """Return a row of the table."""
    widths = (10, 6, 9, 9, 9, 9, 14)
    return "  " + "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _cells(one: Profile) -> tuple[str, ...]:
    """Return a budget as the cells of a row; a dash is a minimum that is not there."""
    counts = (one.params, one.surface_params, one.tokens, one.surface_tokens)
    shown = [format_count(count) if math.isfinite(count) else "-" for count in counts]
    bias = f"{one.bias:+.1%}" if math.isfinite(one.bias) else "-"
    left_out = "" if one.used else " left out"
    return (f"{one.flops:.3g}", str(one.runs), *shown, bias + left_out)


def _target_lines(target: Target) -> list[str]:
    """Return the target as lines of text."""
    aside = ""
    if abs(target.bias - target.bias_on_curve) > SAME_BIAS:
        aside = f" ({target.bias_on_curve:+.1%} were every run exactly on its budget)"
    return [
        f"  at {target.flops:.3g} FLOPs",
        f"    parabolas  {target.params.text()} params on {target.tokens.text()} tokens",
        f"    surface    {target.surface_params.text()} params on "
        f"{target.surface_tokens.text()} tokens",
        f"    parabolas give {target.gap:+.1%} tokens; by the surface that wastes "
        f"{target.wasted:.1%} of the compute",
        f"    the parabolas' own bias here is {target.bias:+.1%} tokens{aside}",
    ]
