"""How many seeds an arm needs to see a difference, by the noncentral t.

With the published noise of 124M-parameter speed runs, sd .0019 nats, a difference of .001 nats
needs 46 runs an arm, .002 12, .003 6, .005 3, at one-sided .05 and 80 % power, where the test
estimates the noise from these runs alone. The normal approximation, right where the noise is
known from elsewhere, says 44.6, 11.2, 5.0 and 1.8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from kleiber.errors import UsageError

DIFFERENCES = (0.001, 0.002, 0.003, 0.005)
ALPHA, POWER = 0.05, 0.8
MOST = 100_000


@dataclass(frozen=True)
class Power:
    """Seeds an arm to see each difference (nats), from a run's sd; paired where seeds are.

    None where more than :data:`MOST` are needed.
    """

    sd: float
    measured: bool
    correlation: float
    differences: tuple[float, ...]
    seeds: tuple[int | None, ...]
    paired: tuple[int | None, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain data."""
        return asdict(self)

    def text(self) -> str:
        """Return the table as lines."""
        known = "measured" if self.measured else "not measured between seeds"
        lines = [
            f"seeds an arm for {POWER:.0%} power at one-sided {ALPHA:g}, from a run's sd of "
            f"{self.sd:.4f} nats ({known})"
        ]
        for row in zip(self.differences, self.seeds, self.paired, strict=True):
            paired = f", {_said(row[2])} where seeds are paired" if self.correlation else ""
            lines.append(f"  {row[0]:.4f} nats: {_said(row[1])}{paired}")
        return "\n".join(lines)


def power(
    sd: float,
    differences: tuple[float, ...] = DIFFERENCES,
    *,
    measured: bool = True,
    correlation: float = 0.0,
) -> Power:
    """Return how many seeds an arm needs for each difference."""
    paired_sd = sd * math.sqrt(2.0 * (1.0 - correlation))
    return Power(
        sd=sd,
        measured=measured,
        correlation=correlation,
        differences=differences,
        seeds=tuple(seeds_needed(sd, one) for one in differences),
        paired=tuple(pairs_needed(paired_sd, one) for one in differences),
    )


def seeds_needed(
    sd: float, difference: float, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Return the runs an arm that a two-sample one-sided t test needs, None beyond :data:`MOST`.

    Raises UsageError for an sd or a difference that is not above 0.
    """
    _positive(sd, difference)
    return _least(lambda n: (2 * n - 2, difference / (sd * math.sqrt(2.0 / n))), alpha, power)


def pairs_needed(
    sd: float, difference: float, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Return the pairs that a one-sided t test of paired differences with this sd needs.

    None beyond :data:`MOST`; raises as :func:`seeds_needed` does.
    """
    _positive(sd, difference)
    return _least(lambda n: (n - 1, difference / (sd / math.sqrt(n))), alpha, power)


def _positive(sd: float, difference: float) -> None:
    if not (sd > 0 and difference > 0):
        raise UsageError(
            f"A spread of {sd:g} and a difference of {difference:g} nats are given; both must be "
            "above 0.",
            remedy="Give the sd of a run between seeds, such as 0.0019, and a margin above 0.",
        )


def _said(needed: int | None) -> str:
    return f"more than {MOST:,}" if needed is None else str(needed)


def _least(test: Callable[[int], tuple[float, float]], alpha: float, power: float) -> int | None:
    """Return the least n for which the power is reached, by doubling and halving."""
    from scipy.special import nctdtr, stdtrit

    def enough(n: int) -> bool:
        df, shift = test(n)
        return 1.0 - float(nctdtr(df, shift, stdtrit(df, 1.0 - alpha))) >= power

    if enough(2):
        return 2
    low, high = 2, 4
    while not enough(high):
        if high == MOST:
            return None
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
