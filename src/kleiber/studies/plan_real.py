"""Real models: ladders chosen from the 104 of Gadre et al., and the one of 6.9B predicted.

Ladders are chosen under a budget, by the criterion of plans and a prior that never saw the set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.fitting.evidence import gather
from kleiber.fitting.posterior import solve
from kleiber.fitting.prior import Prior
from kleiber.fitting.shares import Design, log_loss
from kleiber.laws.base import Array, Index
from kleiber.planning.design import Belief, Criterion, ModelError, Target
from kleiber.planning.rules import Rules
from kleiber.planning.search import Menu, Search
from kleiber.runs.collections import load
from kleiber.runs.points import Points
from kleiber.runs.sets import gadre
from kleiber.studies.plan_simulated import ONE, PLAN, PLANNED, RATIO, SEED, TARGET, row
from kleiber.units import flops_6nd

PARTS = (1000, 300, 100, 30, 10)  # of the real target's price that a ladder may cost
REAL_SIZES = 3  # the set has five sizes below its target
RANDOM = 200  # ladders drawn at random within a budget
NEAR_RATIO = 1.1
PLAN_SHORT, SHORT = "planned, runs of 5 tokens a param too", 5.0
BY_SIZE = "every size of 20 tokens a param, largest first"


def real(data: Path, prior: Prior) -> list[dict[str, Any]]:
    """Return rows of ladders chosen from the real models, a budget at a time, 24 losses each."""
    tables = {
        recipe: [load(gadre.NAME, f"{recipe}/{loss}", data).points() for loss in gadre.LOSSES]
        for recipe in gadre.DATA
    }
    return [row for part in PARTS for row in _at_budget(tables, part, prior)]


def _at_budget(
    tables: Mapping[str, Sequence[Points]], part: int, prior: Prior
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one budget: planned, two by hand, and random ladders."""
    errors: dict[str, list[Array]] = {}
    promised: dict[str, list[float]] = {}
    counts: dict[str, list[Menu]] = {}
    chance, target = list[float](), TARGET
    for families in tables.values():
        first = families[0]
        end = int(np.argmax(first.params))
        target = Target(float(first.params[end]), float(first.tokens[end]))
        budget = target.flops / part
        for name, chosen in _ladders(first, end, target, budget, prior).items():
            menu = Menu(first.params[chosen], first.tokens[chosen])
            missed = [missed_by(points, [chosen], end, prior)[0] for points in families]
            errors.setdefault(name, []).append(np.abs(missed))
            counts.setdefault(name, []).append(menu)
            trusted = Criterion(Belief.of_prior(prior, 512, SEED + 2), target, ModelError(), False)
            promised.setdefault(name, []).append(trusted.promise(menu.params, menu.tokens).error)
        drawn = _random(first, _menu(first, target, budget), budget)
        chance += [float(np.median(np.abs(missed_by(p, drawn, end, prior)))) for p in families]
    case = f"6.9B of {gadre.NAME}, 1/{part}"
    ours = float(np.concatenate(errors[PLAN]).mean())
    for name, found in errors.items():
        every = np.concatenate(found)
        one = row(case, name, counts[name][0], target, every)
        one["promised %"] = 100.0 * float(np.mean(promised[name]))
        one["realised/promised"] = float(every.mean() / np.mean(promised[name]))
        one["planned is smaller by %"] = None if name == PLAN else 1.0 - ours / float(every.mean())
        by_loss = 100.0 * np.stack(found).mean(axis=0)
        one["by loss"] = dict(zip(gadre.LOSSES, by_loss.tolist(), strict=True))
        yield one
    one = row(case, f"{RANDOM} at random (medians)", None, target, np.array(chance), np.nan)
    yield {**one, "planned is smaller by %": 1.0 - ours / float(np.mean(chance))}


def _ladders(
    points: Points, end: int, target: Target, budget: float, prior: Prior
) -> dict[str, list[int]]:
    """Return ladders of the set's runs: planned, and by hand at 20 tokens a param."""
    menu, index = Menu(points.params, points.tokens), _menu(points, target, budget)
    criterion = Criterion(Belief.of_prior(prior, PLANNED, SEED + 1), target, ModelError(), False)

    def planned(among: Index) -> list[int]:
        search = Search.over(criterion, menu.take(among), budget, _rules(target))
        return [int(among[i]) for i in search.best()]

    usual = np.abs(np.log(menu.tokens / menu.params / RATIO)) < np.log(NEAR_RATIO)
    dear = np.argsort(-menu.flops, kind="stable")
    by_size = _bought([int(i) for i in dear if usual[i] and i != end], menu.flops, budget)
    return {
        PLAN: planned(index),
        PLAN_SHORT: planned(_menu(points, target, budget, SHORT)),
        BY_SIZE: by_size,
        "most compute first": _bought([int(i) for i in dear if i in index], menu.flops, budget),
        ONE: by_size[:1],
    }


def _rules(target: Target) -> Rules:
    """Return the default rules, but for what the set lacks: five sizes, seeds, a partial target."""
    return Rules(sizes=REAL_SIZES, seeds=1, partial=0.0).at(target)


def _menu(points: Points, target: Target, budget: float, few: float | None = None) -> Index:
    """Return the places of the runs that the rules, or fewer tokens per param, allow."""
    _, _, least, many = _rules(target).bounds
    few = least if few is None else few
    per_param, flops = points.tokens / points.params, flops_6nd(points.params, points.tokens)
    ok = (flops <= budget) & (per_param >= few / NEAR_RATIO) & (per_param <= many * NEAR_RATIO)
    return np.flatnonzero(ok & (points.params < target.params))


def _bought(order: Sequence[int], flops: Array, budget: float) -> list[int]:
    """Return the runs that are bought in an order, each where it still fits the budget."""
    ladder, left = list[int](), budget
    for i in order:
        if flops[i] <= left and len(ladder) < Rules().runs:
            ladder.append(i)
            left -= float(flops[i])
    return ladder


def _random(points: Points, index: Index, budget: float) -> list[list[int]]:
    """Return ladders of runs bought in a random order until the budget is spent."""
    rng, flops = np.random.default_rng(SEED), flops_6nd(points.params, points.tokens)
    return [_bought([int(i) for i in rng.permutation(index)], flops, budget) for _ in range(RANDOM)]


def missed_by(points: Points, ladders: Sequence[Sequence[int]], end: int, prior: Prior) -> Array:
    """Return the signed error (S,) in log-loss at one run of the laws fitted to ladders."""
    rows = [(points, np.isin(np.arange(len(points)), ladder).astype(float)) for ladder in ladders]
    found = solve(gather(rows), prior)
    at = Design.finals(float(points.params[end]), float(points.tokens[end]))
    return log_loss(found.theta, at)[:, 0] - np.log(points.loss[end])
