"""The ladder to train for a target: the least expected error for a budget, or the reverse."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kleiber import __version__
from kleiber.errors import InputError, UsageError
from kleiber.fitting.evidence import distinct, gather, mended, thinned, weights
from kleiber.fitting.posterior import solve
from kleiber.fitting.prior import WEAK, Prior
from kleiber.planning.cost import Cost, Prices, prices
from kleiber.planning.design import Belief, Criterion, ModelError, Target
from kleiber.planning.ladder import Expected, PartOfTarget, Plan, PlannedRun, read_plan
from kleiber.planning.next_run import WORTH, NextRun, next_run
from kleiber.planning.rules import Rules, rules_of
from kleiber.planning.search import Menu, Search, choose, grid
from kleiber.runs import Points, Runs
from kleiber.runs.notes import listing
from kleiber.units import format_count, parse_count

SEARCHED, REPORTED = 32, 512  # families drawn to search with, and to report with
FEWER_CAPS = (0.3, 0.6)  # starts of the search for the cheapest ladder, which is many searches
ROUNDS, CLOSE = 8, 1.03  # of the search for the cheapest ladder; how near its price is enough


def plan(
    target_params: float | str,
    target_tokens: float | str,
    *,
    budget: float | str | None = None,
    error: float | None = None,
    given: Runs | Points | None = None,
    rules: Rules | Mapping[str, object] | None = None,
    prior: Prior | str | os.PathLike[str] = "bundled",
    model: ModelError | None = None,
    worth: float = WORTH,
    rates: Prices | None = None,
    seed: int = 0,
) -> Plan:
    """Return the runs to train so that the target's loss is predicted best.

    Parameters
    ----------
    target_params, target_tokens
        The run to predict, raw counts or text such as "7B".
    budget
        FLOPs that the ladder may cost, counted as 6 * params * tokens.
    error
        The expected absolute error of the loss at the target, as a share of it, that the ladder
        shall reach at the least cost, instead of a budget. With both, the budget is spent only
        where the runs at hand do not reach it.
    given
        Runs already trained, of one family: they cost nothing, and the plan says which to add
        next. Readings that repeat another's params, tokens and loss count once.
    rules
        What the ladder may be; see :class:`Rules`.
    prior
        "bundled", "weak", the path of a prior's file, or a Prior.
    model
        How wrong the law itself is taken to be; see :class:`ModelError`.
    worth
        Share of the expected error that the next run must take away, else it is time to stop.
    rates
        Prices; without them every rate is assumed, and marked so.
    seed
        Seed of the families drawn from the prior.

    Raises
    ------
    UsageError
        For a target that the budget affords, or that is no larger than the ladder; a budget
        that buys nothing; an error that no ladder reaches; an unknown rule; runs of several
        families.
    """
    target = Target(_count(target_params, "target_params"), _count(target_tokens, "target_tokens"))
    spend = None if budget is None else _count(budget, "budget")
    _check(target, spend, error, worth, seed)
    if spend is not None and error is not None and given is None:
        raise UsageError(
            "A plan takes a budget or an error to reach, not both.",
            remedy="Give one; with runs at hand (given, --given) the error says where to stop.",
        )
    kept = rules_of(rules).at(target)
    points, copies = _at_hand(given)
    known = _prior(prior, points)
    wrong = model or ModelError()

    def criterion(draws: int, shift: int) -> Criterion:
        belief = _belief(known, points, draws, seed + shift)
        return Criterion(belief, target, wrong, kept.checkpoints)

    search, report = criterion(SEARCHED, 0), criterion(REPORTED, 1)
    _check_given(report, target)
    nothing = np.empty(0)
    before = Expected.of(report.promise(nothing, nothing))
    following = None
    if points is not None:
        most = target.flops if spend is None else spend
        following = next_run(report, target, kept, budget=most, error=error, worth=worth)
    if following is not None and following.stop and error is not None and before.error <= error:
        chosen = Menu(nothing, nothing)
    elif spend is not None:
        chosen = choose(search, target, spend, kept)
    else:
        assert error is not None
        chosen = _cheapest(search, report, target, kept, error)
    runs = _named(chosen, target)
    after = Expected.of(report.promise(chosen.params, chosen.tokens))
    made = {
        "kleiber": __version__,
        "seed": seed,
        "prior": known.name,
        "sources": list(known.sources),
        "sigma": search.belief.sigma,
        "model_floor": wrong.floor,
        "model_sd": wrong.sd,
        "model_length": wrong.length,
        "runs_at_hand": len(search.belief.params),
        "copies": copies,
    }
    price = Cost(sum(run.flops for run in runs), rates or prices())
    return Plan(
        *(target.params, target.tokens, runs, before, after, price, spend, error, following),
        instead=_instead(report, chosen, target, kept),
        rules=kept.to_dict(),
        made=made,
        synthetic=isinstance(given, Runs) and given.synthetic,
    )


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Return the plan of a file that :meth:`Plan.save` wrote; InputError where it is none."""
    content = read_plan(path)
    try:
        target, cost, rates = content["target"], content["cost"], content["cost"]["prices"]
        priced = prices(rates["gpu"], rates["mfu"], rates["gpu_hour"], rates["currency"])
        return Plan(
            float(target["params"]),
            float(target["tokens"]),
            tuple(_run_of(row) for row in content.get("runs", [])),
            _expected_of(content["before"]),
            _expected_of(content["after"]),
            Cost(float(cost["flops"]), replace(priced, assumed=tuple(rates["assumed"]))),
            content.get("budget"),
            content.get("error"),
            _next_of(content["next"]) if "next" in content else None,
            PartOfTarget(**content["instead"]) if "instead" in content else None,
            rules=Rules(**content["rules"]).to_dict(),
            made=content["made"],
            convention=content["convention"],
            synthetic=bool(content.get("synthetic", False)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"'{path}' is no whole plan: {error!r} is missing or of another kind.",
            remedy="Make it again with kleiber plan --out FILE.",
        ) from None


def _count(value: float | str, name: str) -> float:
    found = parse_count(value)
    if found == 0:
        raise UsageError(f"{name} is {value}, expected more than 0.", remedy="Write 7B or 7e9.")
    return found


def _check(
    target: Target, budget: float | None, error: float | None, worth: float, seed: int
) -> None:
    """Refuse what no plan can answer."""
    if budget is None and error is None:
        raise UsageError(
            "A plan needs a budget or an error to reach.",
            remedy="Give budget=1e20 (--budget 1e20), or error=0.02 (--error 0.02).",
        )
    if budget is not None and budget >= target.flops:
        raise UsageError(
            f"The target costs {target.flops:.3g} FLOPs, within the budget of {budget:.3g}: "
            "train it.",
            remedy="Plan for a larger target, or with a smaller budget.",
        )
    if error is not None and not 0.0 < error < 1.0:
        raise UsageError(
            f"The error is {error:g}; it is a share of the loss, more than 0 and less than 1.",
            remedy="Write 0.02 for two percent.",
        )
    if not 0.0 < worth < 1.0:
        raise UsageError(
            f"worth is {worth:g}; it is the share of the expected error that a run must take "
            "away, more than 0 and less than 1.",
            remedy="Write 0.05 for five percent.",
        )
    if seed < 0:
        raise UsageError(f"The seed is {seed}.", remedy="A seed is 0 or more.")


def _at_hand(given: Runs | Points | None) -> tuple[Points | None, int]:
    """Return the readings at hand, each once, and how many copies were left out.

    A copy would say twice what was measured once, and the plan would promise too much.
    """
    if given is None:
        return None, 0
    if isinstance(given, Runs) and len(given.families) > 1:
        raise UsageError(
            f"The table of runs at hand holds {len(given.families)} families "
            f"({listing(given.families)}); a plan is for one.",
            remedy="Choose one with runs.select(family=…) (--family NAME).",
        )
    points = given.points() if isinstance(given, Runs) else given
    once = distinct(points)
    return once, len(points) - len(once)


def _prior(prior: Prior | str | os.PathLike[str], points: Points | None) -> Prior:
    """Return the prior; a source whose runs are given does not teach the one it is judged by."""
    if isinstance(prior, Prior):
        return prior
    from kleiber.fitting.bundle import named_bundle

    found = named_bundle(prior)
    if found is None:
        return WEAK
    return found.leaving_out(found.source_of(points) if points is not None else None)


def _belief(prior: Prior, points: Points | None, draws: int, seed: int) -> Belief:
    """Return what is known before the plan."""
    if points is None:
        return Belief.of_prior(prior, draws, seed)
    kept = thinned(mended(points)[0])
    if not kept.final.any():
        raise InputError(
            f"None of the {points.n_runs} runs at hand ends where a law of trained models holds: "
            "at least 50M tokens, a token per param, a loss below 8 nats.",
            remedy="Plan without them.",
        )
    evidence = gather([(kept, weights(kept, np.ones(len(kept), dtype=np.bool_)))])
    return Belief.of_runs(prior, solve(evidence, prior), evidence, draws, seed)


def _check_given(criterion: Criterion, target: Target) -> None:
    """Refuse a target that the runs at hand already reach."""
    if criterion.nearest == 0.0:
        largest = criterion.belief.params.max()
        raise UsageError(
            f"The target of {format_count(target.params)} on {format_count(target.tokens)} tokens "
            f"is no larger than a run at hand (the largest has {format_count(largest)} params): "
            "there is nothing to plan.",
            remedy="Predict it with kleiber predict, or plan for a larger target.",
        )


def _cheapest(
    search: Criterion, report: Criterion, target: Target, rules: Rules, error: float
) -> Menu:
    """Return the cheapest ladder found whose expected error is at most ``error``.

    Between a price that does not reach it and one that does, the next to try is where a power
    law through both would reach it.
    """

    def at(price: float) -> tuple[Menu, float]:
        chosen = choose(search, target, price, rules, caps=FEWER_CAPS)
        return chosen, report.promise(chosen.params, chosen.tokens).error

    high = 0.999 * target.flops
    best, reached = at(high)
    if reached > error:
        raise UsageError(
            f"No ladder cheaper than the target itself has an expected error of {error:.2%}: the "
            f"best has {reached:.2%}, {_law_s_part(report, best):.2%} of it the law's own.",
            remedy="Ask for a larger error, loosen the rules, or train the target.",
        )
    high = float(best.flops.sum())
    low = _least_price(search, target, rules)
    first, missed = at(low * CLOSE)
    if missed <= error:
        return first
    for _ in range(ROUNDS):
        if high <= low * CLOSE:
            break
        slope = math.log(missed / error) / math.log(missed / reached) if missed > reached else 0.5
        part = min(max(slope, 0.15), 0.85)
        price = low * (high / low) ** part
        found, now = at(price)
        if now <= error:
            best, reached, high = found, now, min(price, float(found.flops.sum()))
        else:
            missed, low = now, price
    return best


def _least_price(search: Criterion, target: Target, rules: Rules) -> float:
    whole = Search.over(search, grid(rules, target, np.inf), np.inf, rules)
    return max(whole.cost(whole.cheapest()), 6.0 * rules.bounds[0] ** 2 * rules.bounds[2])


def _law_s_part(report: Criterion, chosen: Menu) -> float:
    return report.promise(chosen.params, chosen.tokens).of_model


def _instead(report: Criterion, chosen: Menu, target: Target, rules: Rules) -> PartOfTarget | None:
    """Return what the target's own shortened training would do in place of the dearest run."""
    if not len(chosen.params) or (chosen.params == target.params).any():
        return None
    dear = int(np.argmax(chosen.flops))
    tokens = float(chosen.flops[dear]) / (6.0 * target.params)
    part, (_, largest, least, _) = tokens / target.tokens, rules.bounds
    if part > rules.partial or tokens < least * target.params or target.params > largest:
        return None
    params, lengths = chosen.params.copy(), chosen.tokens.copy()
    params[dear], lengths[dear] = target.params, tokens
    return PartOfTarget(part, tokens, report.promise(params, lengths).error)


def _named(chosen: Menu, target: Target) -> tuple[PlannedRun, ...]:
    """Return the runs by size and length, twins told apart by their seeds."""
    order = np.lexsort((chosen.tokens, chosen.params))
    runs = list[PlannedRun]()
    for i in order:
        params, tokens = float(chosen.params[i]), float(chosen.tokens[i])
        twins = sum(1 for run in runs if (run.params, run.tokens) == (params, tokens))
        name = f"{format_count(params)}-{format_count(tokens)}-s{twins}"
        partial = tokens / target.tokens if params == target.params else 0.0
        runs.append(PlannedRun(name, params, tokens, twins, partial))
    return tuple(runs)


def _run_of(row: Mapping[str, Any]) -> PlannedRun:
    return PlannedRun(
        str(row["name"]),
        float(row["params"]),
        float(row["tokens"]),
        int(row["seed"]),
        float(row["partial"]),
    )


def _expected_of(row: Mapping[str, Any]) -> Expected:
    numbers = (float(row[name]) for name in ("error", "of_law", "of_model", "half_width"))
    up = row.get("scale_up")
    return Expected(*numbers, scale_up=None if up is None else float(up))


def _next_of(row: Mapping[str, Any]) -> NextRun:
    return NextRun(
        bool(row["stop"]),
        str(row["reason"]),
        row.get("params"),
        row.get("tokens"),
        float(row["error"]),
        float(row["error_after"]),
    )
