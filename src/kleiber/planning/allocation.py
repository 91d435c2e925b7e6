"""The best model size and token count for a budget or for a loss, with intervals."""

from __future__ import annotations

import math

import numpy as np

from kleiber.errors import FitError, UsageError
from kleiber.fitting.answers import Interval
from kleiber.fitting.result import Fit
from kleiber.laws.base import Array
from kleiber.planning import cost as costs
from kleiber.planning.answers import Allocation, Serving
from kleiber.planning.bounds import Coordinates, bounds, method_for
from kleiber.planning.cost import Cost, Prices
from kleiber.planning.deployment import best_for_cost, best_for_loss, log_cost
from kleiber.planning.goal import Goal, goal_of
from kleiber.units import format_count

FLOPS_PER_PARAM_TOKEN = costs.TRAIN_FLOPS
_MOST_LOG = 300.0  # of a count: the optimum of a law with nearly no slope lies beyond
_SMALLEST = 1e6  # params of the smallest sane model, unless the runs have a smaller one


def allocate(
    fit: Fit,
    flops: float | str | None = None,
    *,
    gpu_hours: float | str | None = None,
    money: float | str | None = None,
    loss: float | None = None,
    serve_tokens: float | str | None = None,
    prices: Prices | None = None,
    serve_prices: Prices | None = None,
    level: float = 0.9,
    method: str | None = None,
) -> Allocation:
    """Return the params and tokens of least loss for a budget, or of least cost for a loss.

    Parameters
    ----------
    flops, gpu_hours, money, loss
        One of them. A budget pays for training, and for serving where tokens are served.
    serve_tokens
        Tokens that the model will read and write in its life, at 2 FLOPs a param and token.
    prices, serve_prices
        Rates from ``kleiber.prices``; serving's are training's unless they are given. With
        rates of their own, budgets are in GPU-hours or money, and a loss is reached for the
        least money.

    Without serving and for a law that has one, the closed form (Hoffmann et al. 2022, eq. 4);
    else the root that ``planning.deployment`` describes. The intervals carry the uncertainty
    of the fit; the loss's is that of a new run.

    Raises
    ------
    UsageError
        For a law of one variable, a budget that buys nothing, and goals that are none.
    FitError
        Where one of params and tokens does not lower the loss, or no run reaches it.
    """
    goal = goal_of(flops, gpu_hours, money, loss, serve_tokens, prices, serve_prices)
    splittable(fit)
    chosen = method_for(fit, method)
    if goal.loss is None:
        _buys_something(fit, goal)
    coordinates = _coordinates(fit, goal)
    best = coordinates(fit.solved.phi)[0]
    if not (np.all(np.isfinite(best)) and abs(best[0]) < _MOST_LOG):
        raise _no_optimum(fit, goal)
    point = np.exp(best[:2])
    if goal.loss is not None and not (point[0] >= _smallest(fit) and point[1] >= 1.0):
        raise UsageError(
            f"A loss of {goal.loss:g} nats needs no real model: the law reaches it with "
            f"{point[0]:.3g} params on {point[1]:.3g} tokens, beneath {_smallest(fit):.3g} params.",
            remedy="Ask for a loss below those of the runs (--loss).",
        )
    missing = math.nan if goal.loss is None else math.inf  # a refit that never reaches the loss
    ends = bounds(fit, coordinates, best, level, chosen, missing)
    return _answer(fit, goal, best, ends, level, chosen)


def splittable(fit: Fit) -> None:
    """Raise a UsageError for a law that does not read params and tokens, and only those."""
    read = fit.law.predictors
    if set(read) == {"params", "tokens"}:
        return
    more = [name for name in read if name not in ("params", "tokens")]
    why = f"reads {' and '.join(more)} too" if more else f"reads only {', '.join(read)}"
    raise UsageError(
        f"The law '{fit.law.name}' {why}, so a budget cannot be split by it.",
        remedy="Fit a law of params and tokens (--law chinchilla).",
    )


def _coordinates(fit: Fit, goal: Goal) -> Coordinates:
    """Return the map from phi (B, F) to log params, log tokens and what goes with the goal.

    That is the exponent (a budget without serving), nothing (a budget with it), or the logs of
    tokens a param and of all FLOPs (a loss).
    """
    law, problem = fit.law, fit.problem

    def coordinates(phi: Array) -> Array:
        theta = problem.raw_theta(phi)
        if goal.loss is not None:
            point = best_for_loss(law, theta, goal.loss, goal.extra)
            extra = costs.SERVE_FLOPS / FLOPS_PER_PARAM_TOKEN * goal.served
            return np.column_stack([point, point[:, 1] - point[:, 0], log_cost(point, extra)])
        area = float(np.log(goal.budget / FLOPS_PER_PARAM_TOKEN))
        if goal.served or law.optimum is None:
            return best_for_cost(law, theta, area, goal.extra)
        scale, slope = law.optimum(theta)
        params = scale + slope * area
        return np.stack([params, area - params, slope], axis=1)

    return coordinates


def _answer(
    fit: Fit,
    goal: Goal,
    best: Array,
    ends: tuple[Array, Array],
    level: float,
    chosen: str,
) -> Allocation:
    """Return the allocation at the coordinates ``best`` with bounds ``ends``."""
    params = float(np.exp(best[0]))
    plain = goal.loss is None and not goal.served
    tokens = float(goal.budget / FLOPS_PER_PARAM_TOKEN / params if plain else np.exp(best[1]))
    trained = costs.training_flops(params, tokens)
    predicted = fit.predict(params, tokens, level=level, method=chosen)
    boxes = {
        name: Interval(float(low), float(high), level, chosen)
        for name, (low, high) in _spans(goal, ends).items()
    }
    boxes["loss"] = Interval(predicted.lower, predicted.upper, level, chosen)
    has_exponent = plain and len(best) > 2
    if has_exponent:
        low, high = np.clip([ends[0][2], ends[1][2]], 0.0, 1.0)
        boxes["exponent"] = Interval(float(low), float(high), level, chosen)
    return Allocation(
        flops=goal.budget if plain else trained,
        params=params,
        tokens=tokens,
        tokens_per_param=tokens / params,
        loss=predicted.value,
        exponent=float(best[2]) if has_exponent else math.nan,
        intervals=boxes,
        asked=goal.asked,
        cost=Cost(trained, goal.prices) if goal.prices else None,
        serving=_serving(fit, goal, params, predicted.value, best) if goal.served else None,
        law=fit.law.name,
        synthetic=fit.data.synthetic,
    )


def _spans(goal: Goal, ends: tuple[Array, Array]) -> dict[str, tuple[float, float]]:
    """Return the bounds of params, tokens, their ratio and, for a loss, of training FLOPs."""
    low, high = ends
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # unknown: 0, infinite
        if goal.loss is None:  # along one cost the ends of one variable give the other's
            params = np.exp([low[0], high[0]])
            tokens = goal.budget / FLOPS_PER_PARAM_TOKEN / params - goal.extra
            tokens = np.where(tokens < 0.0, 0.0, tokens)[::-1]
            found = {"params": params, "tokens": tokens, "tokens_per_param": tokens / params[::-1]}
            return {name: (ends[0], ends[1]) for name, ends in found.items()}
        names = ("params", "tokens", "tokens_per_param", "total_flops")
        scales = (1.0, 1.0, 1.0, FLOPS_PER_PARAM_TOKEN)
        logs = zip(names, scales, low, high, strict=True)
        return {name: (scale * np.exp(a), scale * np.exp(b)) for name, scale, a, b in logs}


def _serving(fit: Fit, goal: Goal, params: float, loss: float, best: Array) -> Serving:
    """Return what serving costs and what it saves to have had it in view."""
    theta = fit.problem.raw_theta(fit.solved.phi)
    least_training = best_for_loss(fit.law, theta, loss, 0.0)[0]
    gap = log_cost(best[:2], goal.extra) - log_cost(least_training, goal.extra)
    flops = costs.SERVE_FLOPS * params * goal.served
    return Serving(
        tokens=goal.served,
        flops=flops,
        cost=Cost(flops, goal.serve_prices) if goal.serve_prices else None,
        saving=float(-np.expm1(gap)),
    )


def _smallest(fit: Fit) -> float:
    """Return the params of the smallest sane model."""
    return min(_SMALLEST, float(fit.points.params.min()))


def _buys_something(fit: Fit, goal: Goal) -> None:
    """Raise where even the smallest sane model would see fewer tokens than it has params."""
    smallest = _smallest(fit)
    left = goal.budget / FLOPS_PER_PARAM_TOKEN / smallest - goal.extra
    if left >= smallest:
        return
    bought = f"trains a model of {format_count(smallest)} params on {format_count(max(left, 0))}"
    if left <= 0.0:
        bought = (
            f"does not even serve {format_count(goal.served)} tokens from a model of "
            f"{format_count(smallest)} params, let alone train it on some"
        )
    raise UsageError(
        f"The budget of {goal.shown} buys nothing: it {bought} tokens, fewer than its params."
        if left > 0.0
        else f"The budget of {goal.shown} buys nothing: it {bought}.",
        remedy="Give a larger budget, or fewer tokens to serve (--serve-tokens)."
        if goal.served
        else "Give a larger budget.",
    )


def _no_optimum(fit: Fit, goal: Goal) -> FitError:
    """Return why there is nothing to answer with."""
    if goal.loss is not None and fit.floor >= goal.loss:
        return FitError(
            f"No run reaches a loss of {goal.loss:g} nats: the fitted floor is {fit.floor:.4g}.",
            remedy="Ask for a loss above the floor (--loss).",
        )
    if fit.law.centre is not None:
        return FitError(
            f"The law '{fit.law.name}' has no best split of {goal.shown} between 0.1 and 1e6 "
            "tokens a param.",
            remedy="Ask nearer to the runs, or fit a law that splits every budget (--law "
            "chinchilla).",
        )
    bound = " and ".join(fit.at_bound)
    why = f"has {bound} at a bound" if bound else "has no slope in one of its variables"
    return FitError(
        f"The fit {why}, so one of params and tokens does not lower its loss, and a budget "
        "cannot be split.",
        remedy="Add runs that vary params and tokens apart, or fix the exponent (--fix).",
    )
