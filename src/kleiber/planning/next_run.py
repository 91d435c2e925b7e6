"""Which run to add to those at hand, and when to stop.

Error per price alone would always ask for one more tiny run. So a run must first be worth its
trouble: it must take away at least a share ``worth`` of the expected error. Of those that do,
the one with the most log error taken away per FLOP is next; where none does, it is time to stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.planning.design import Criterion, Target
from kleiber.planning.rules import Rules
from kleiber.planning.search import Menu, Search, grid
from kleiber.units import flops_6nd, format_count

WORTH = 0.05  # share of the expected error that the next run must take away


@dataclass(frozen=True)
class NextRun:
    """The run to add next, or the reason to stop; counts are raw, errors shares of the loss.

    ``params`` and ``tokens`` are None where it is time to stop; ``error`` is expected without
    the run and ``error_after`` with it.
    """

    stop: bool
    reason: str
    params: float | None
    tokens: float | None
    error: float
    error_after: float

    @property
    def flops(self) -> float:
        """The price of the run, 0 where it is time to stop."""
        if self.params is None or self.tokens is None:
            return 0.0
        return flops_6nd(self.params, self.tokens)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return {
            "stop": self.stop,
            "reason": self.reason,
            "params": self.params,
            "tokens": self.tokens,
            "flops": self.flops,
            "error": self.error,
            "error_after": self.error_after,
        }


def next_run(
    criterion: Criterion,
    target: Target,
    rules: Rules,
    *,
    budget: float,
    error: float | None = None,
    worth: float = WORTH,
) -> NextRun:
    """Return the run that is next, or that it is time to stop.

    ``budget`` is what one run may cost, ``error`` the expected error that is good enough.
    """
    nothing = np.empty(0)
    now = criterion.promise(nothing, nothing).error
    if error is not None and now <= error:
        said = f"stop: the expected error of {now:.2%} is within the {error:.2%} asked for"
        return NextRun(True, said, None, None, now, now)
    menu = grid(rules, target, budget)
    if not len(menu.params):
        said = f"stop: {budget:.3g} FLOPs buy no run that the rules allow"
        return NextRun(True, said, None, None, now, now)
    search = Search.over(criterion, menu, budget, rules)
    errors = search.errors_with([], np.arange(len(menu.params)))
    best = _most_per_flop(menu, errors, now, worth)
    if best is None:
        least = float(errors.min())
        said = (
            f"stop: no run of up to {budget:.3g} FLOPs takes away {worth:.0%} of the expected "
            f"error of {now:.2%} (the best leaves {least:.2%})"
        )
        return NextRun(True, said, None, None, now, least)
    params, tokens, after = float(menu.params[best]), float(menu.tokens[best]), float(errors[best])
    said = (
        f"train {format_count(params)} on {format_count(tokens)} tokens: "
        f"{flops_6nd(params, tokens):.3g} FLOPs take the expected error from {now:.2%} "
        f"to {after:.2%}, the most per FLOP of the runs that take away {worth:.0%}"
    )
    return NextRun(False, said, params, tokens, now, after)


def _most_per_flop(menu: Menu, errors: np.ndarray, now: float, worth: float) -> int | None:
    """Return the place of the run that is next, None where none is worth it."""
    gain = np.log(now) - np.log(errors)
    enough = np.flatnonzero(errors <= now * (1.0 - worth))
    if not len(enough):
        return None
    return int(enough[np.argmax(gain[enough] / menu.flops[enough])])
