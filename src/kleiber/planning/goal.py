"""What is asked of an allocation: a budget in FLOPs, GPU-hours or money, or a loss to reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kleiber.errors import UsageError
from kleiber.planning import cost as costs
from kleiber.planning.cost import Prices
from kleiber.planning.deployment import extra_tokens
from kleiber.units import format_count, parse_count

EXAMPLES = {"flops": "1e21", "gpu_hours": "5000", "money": "1e6", "loss": "2.1"}


@dataclass(frozen=True)
class Goal:
    """A budget in the FLOPs of training that it would buy, or a loss; one of the two is NaN.

    ``extra`` is the training tokens that cost as much as serving ``served`` tokens.
    """

    budget: float
    loss: float | None
    served: float
    extra: float
    prices: Prices | None
    serve_prices: Prices | None
    shown: str
    asked: str


def goal_of(
    flops: float | str | None,
    gpu_hours: float | str | None,
    money: float | str | None,
    loss: float | None,
    serve_tokens: float | str | None,
    prices: Prices | None,
    serve_prices: Prices | None,
) -> Goal:
    """Return the goal that was given, or raise a UsageError that says what is wrong with it."""
    given = {"flops": flops, "gpu_hours": gpu_hours, "money": money, "loss": loss}
    name = one_goal(given)
    served = 0.0 if serve_tokens is None else _served(serve_tokens)
    if serve_prices is not None and not served:
        raise UsageError(
            "Prices of serving were given, and no tokens to serve.",
            remedy="Give for example serve_tokens=1e12 (--serve-tokens 1e12).",
        )
    if serve_prices is not None and name == "flops":
        raise UsageError(
            "A budget in FLOPs counts a FLOP of serving like one of training, whatever it costs.",
            remedy="With prices of serving, give gpu_hours=… or money=… (--gpu-hours, --money).",
        )
    if prices is None and (serve_prices is not None or name in ("gpu_hours", "money")):
        prices = costs.prices()
    serving = (serve_prices or prices) if served else None
    if serving and prices and serving.currency != prices.currency:
        raise UsageError(
            f"Training is priced in {prices.currency} and serving in {serving.currency}.",
            remedy="Give both prices in one currency.",
        )
    value = float(loss) if name == "loss" and loss is not None else parse_count(given[name])
    if not (value > 0 and math.isfinite(value)):
        raise UsageError(
            f"The {_NOUNS[name]} is {value:g}{_UNITS[name]}; it must be more than 0.",
            remedy=f"Give for example {name}={EXAMPLES[name]} "
            f"(--{name.replace('_', '-')} {EXAMPLES[name]}).",
        )
    budget, shown = _budget(name, value, prices)
    return Goal(
        budget=budget,
        loss=value if name == "loss" else None,
        served=served,
        extra=extra_tokens(served, _rate(name, prices, serving)),
        prices=prices,
        serve_prices=serving,
        shown=shown,
        asked=_asked(name, shown, served),
    )


_NOUNS = {"flops": "budget", "gpu_hours": "budget", "money": "budget", "loss": "loss"}
_UNITS = {"flops": " FLOPs", "gpu_hours": " GPU-hours", "money": "", "loss": " nats"}


def one_goal(given: Mapping[str, object]) -> str:
    """Return the name of the one goal that was given."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        found = f"{len(names)} were given ({', '.join(names)})" if names else "none was given"
        raise UsageError(
            f"An allocation has one goal, a budget or a loss, and {found}.",
            remedy="Give one of flops, gpu_hours, money and loss (--flops 1e21, --gpu-hours "
            "5000, --money 1e6, --loss 2.1).",
        )
    return names[0]


def _served(tokens: float | str) -> float:
    """Return the tokens to serve."""
    count = float(tokens) if isinstance(tokens, (int, float)) else parse_count(tokens)
    if not (count > 0 and math.isfinite(count)):
        raise UsageError(
            f"The tokens to serve are {count:g}; they must be more than 0.",
            remedy="Give for example serve_tokens=1e12 (--serve-tokens 1e12), or leave it out "
            "to count training alone.",
        )
    return count


def _budget(name: str, value: float, prices: Prices | None) -> tuple[float, str]:
    """Return the budget in FLOPs of training, and the goal as text."""
    if name == "gpu_hours" and prices:
        return prices.flops_of_hours(value), f"{format_count(value)} GPU-hours"
    if name == "money" and prices:
        return prices.flops_of_money(value), f"{format_count(value)} {prices.currency}"
    if name == "loss":
        return math.nan, f"a loss of {value:g} nats"
    return value, f"{value:.4g} FLOPs"


def _rate(name: str, prices: Prices | None, serving: Prices | None) -> float:
    """Return the price of a FLOP of serving over that of one of training, as the goal counts."""
    if not (prices and serving):
        return 1.0
    if name == "gpu_hours":
        return serving.gpu_hours(1.0) / prices.gpu_hours(1.0)
    return serving.per_flop / prices.per_flop


def _asked(name: str, shown: str, served: float) -> str:
    """Return what was asked for as a sentence; the plain budget in FLOPs needs none."""
    if name == "flops" and not served:
        return ""
    pays = f" for training and serving {format_count(served)} tokens" if served else ""
    if name == "loss":
        return f"the least cost{pays or ' of training'} to reach {shown}"
    return f"the least loss for {shown}{pays}"
