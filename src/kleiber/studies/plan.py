"""Planned ladders against ladders made by hand at the same price: simulated and real targets.

Simulated: families drawn from the prior; the runs of every ladder are read with noise, a law is
fitted under the prior, and its error at the target is taken against the family's own loss. In
the second variant every family also leaves its law by a smooth random field over log params and
log tokens, so that no law of the kind is right.

Real: of the 104 models of Gadre et al. a ladder is chosen under a budget, by the same criterion
and a prior that never saw them, and the model of 6.9B is predicted from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.errors import InputError
from kleiber.fitting.bundle import bundled
from kleiber.fitting.evidence import (
    BEGINNING,
    CHECKPOINT,
    LEAST_RATIO,
    LEAST_TOKENS,
    MOST_CHECKPOINTS,
    Evidence,
    gather,
)
from kleiber.fitting.posterior import solve
from kleiber.fitting.prior import Prior
from kleiber.fitting.shares import Design, log_loss, mid_schedule
from kleiber.laws.base import Array, Index
from kleiber.planning.design import MEAN_OF_ABSOLUTE, Belief, Criterion, ModelError, Target
from kleiber.planning.rules import Rules
from kleiber.planning.search import Menu, Search, choose
from kleiber.runs.collections import load
from kleiber.runs.points import Points
from kleiber.runs.sets import gadre
from kleiber.studies.table import Table
from kleiber.units import flops_6nd

TARGET, BUDGET = Target(7e9, 140e9), 1e20
FAMILIES, SEED = 500, 0
PLANNED = 48  # families that a plan is made with, of another seed than those it is tried on
BOOTSTRAPS = 2000
RATIO = 20.0  # tokens per param of ladders by hand
SPANS = (16.0, 64.0)  # largest over smallest size of five
WAVES = 200  # of the random field
OWN_NOISE = 0.5  # of a checkpoint's noise variance; the rest is its run's
EXACT = ModelError(0.0, 0.0)
CLUSTER = "gadre"
PARTS = (1000, 300, 100, 30, 10)  # of the real target's price that a ladder may cost
REAL_SIZES = 3  # the set has five sizes below its target
RANDOM = 200  # ladders drawn at random within a budget
NEAR_RATIO = 1.1
PLAN, PLAN_EXACT = "planned", "planned, law taken as exact"
PLAN_SHORT, SHORT = "planned, runs of 5 tokens a param too", 5.0
BY_SIZE = "every size of 20 tokens a param, largest first"
ONE = "one large model, 20 tokens a param"
COLUMNS = (
    *("case", "ladder", "runs", "% of target", "median %", "mean %", "p90 %"),
    *("promised %", "realised/promised", "planned is smaller by %"),
)


def by_hand(budget: float) -> dict[str, Menu]:
    """Return the ladders that people make: raw counts, each of the whole budget."""
    found: dict[str, Menu] = {}
    for span in SPANS:
        steps = np.geomspace(1.0 / span, 1.0, 5)
        top = np.sqrt(budget / (6.0 * RATIO * np.sum(steps**2)))
        found[f"five sizes, {span:g}x, 20 tokens a param"] = Menu(top * steps, RATIO * top * steps)
    one = np.array([np.sqrt(budget / (6.0 * RATIO))])
    found[ONE] = Menu(one, RATIO * one)
    return found


@dataclass(frozen=True, eq=False)
class Field:
    """A smooth random departure from the law of each family: the model error's field, as waves."""

    waves: Array  # (M, W, 2)
    phases: Array  # (M, W)
    sd: float

    @classmethod
    def draw(cls, families: int, model: ModelError, rng: np.random.Generator) -> Field:
        """Draw one field a family, with a squared-exponential covariance."""
        waves = rng.standard_normal((families, WAVES, 2)) / model.length
        return cls(waves, rng.uniform(0.0, 2.0 * np.pi, (families, WAVES)), model.sd)

    def at(self, log_params: Array, log_tokens: Array) -> Array:
        """Return the departure (M, n) in log-loss."""
        angle = (
            self.waves[:, :, :1] * log_params
            + self.waves[:, :, 1:] * log_tokens
            + self.phases[:, :, None]
        )
        return self.sd * np.sqrt(2.0 / WAVES) * np.cos(angle).sum(axis=1)


def readings(ladder: Menu) -> tuple[Array, Array, Array, Array, Index]:
    """Return log params, log tokens, schedule, weight and run of a ladder's readings, (n,) each."""
    fraction = np.append(1.0, np.geomspace(BEGINNING, 1.0, MOST_CHECKPOINTS + 1)[:-1])
    run = np.repeat(np.arange(len(ladder.params)), len(fraction))
    part = np.tile(fraction, len(ladder.params))
    params, tokens = ladder.params[run], part * ladder.tokens[run]
    final = part == 1.0
    keep = final | (tokens >= np.maximum(LEAST_TOKENS, LEAST_RATIO * params))
    mid = np.where(final, 0.0, mid_schedule(part))
    w = np.where(final, 1.0, CHECKPOINT)
    return np.log(params)[keep], np.log(tokens)[keep], mid[keep], w[keep], run[keep]


def realised(
    ladder: Menu, target: Target, theta: Array, prior: Prior, field: Field | None, seed: int
) -> Array:
    """Return the signed error (M,) in log-loss of the law fitted to each family's ladder."""
    rng = np.random.default_rng(seed)
    x, y, mid, w, run = readings(ladder)
    families, n = len(theta), len(x)
    of_run = rng.standard_normal((families, len(ladder.params)))[:, run]
    own = rng.standard_normal((families, n))
    share = np.where(mid == 0.0, 0.0, OWN_NOISE)
    noise = prior.sigma * (np.sqrt(1.0 - share) * of_run + np.sqrt(share) * own)
    at, end = Design(x, y, mid), Design.finals(target.params, target.tokens)
    seen, truth = log_loss(theta, at) + noise, log_loss(theta, end)[:, 0]
    if field is not None:
        seen = seen + field.at(x, y)
        truth = truth + field.at(end.log_params, end.log_tokens)[:, 0]

    def tiled(row: Array) -> Array:
        return np.tile(row, (families, 1))

    found = solve(Evidence(Design(tiled(x), tiled(y), tiled(mid)), seen, tiled(w)), prior)
    return log_loss(found.theta, end)[:, 0] - truth


def fewer(planned: Array, other: Array, seed: int) -> tuple[float, float, float]:
    """Return by how much planned is below other in the median, with its paired 90 % bounds."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(planned), (BOOTSTRAPS, len(planned)))
    drawn = 1.0 - np.median(planned[rows], axis=1) / np.median(other[rows], axis=1)
    low, high = np.quantile(drawn, [0.05, 0.95])
    return 1.0 - float(np.median(planned) / np.median(other)), float(low), float(high)


def ratio(errors: Array, promised: Array, seed: int) -> tuple[float, float, float]:
    """Return mean realised over mean promised absolute error, with its 90 % bounds."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(errors), (BOOTSTRAPS, len(errors)))
    drawn = np.abs(errors)[rows].mean(axis=1) / promised[rows].mean(axis=1)
    low, high = np.quantile(drawn, [0.05, 0.95])
    return float(np.abs(errors).mean() / promised.mean()), float(low), float(high)


def simulated(prior: Prior) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return rows of every ladder where the law is exact and where it departs; and deciles."""
    rules, wrong = Rules().at(TARGET), ModelError()
    belief = Belief.of_prior(prior, PLANNED, SEED + 1)
    ladders = {
        name: choose(Criterion(belief, TARGET, model), TARGET, BUDGET, rules)
        for name, model in ((PLAN, wrong), (PLAN_EXACT, EXACT))
    } | by_hand(BUDGET)
    theta = prior.draws(FAMILIES, SEED)
    departing = ModelError(0.0, wrong.sd, wrong.length)  # truth is the target's mean, luck apart
    field = Field.draw(FAMILIES, departing, np.random.default_rng(SEED + 2))
    rows, deciles = list[dict[str, Any]](), list[dict[str, Any]]()
    cases = (
        ("law exact", None, EXACT, PLAN_EXACT),
        ("law departs", field, departing, PLAN),
    )
    for case, departs, model, ours in cases:
        criterion = Criterion(Belief.of_families(prior, theta), TARGET, model)
        errors = {
            name: np.abs(realised(ladder, TARGET, theta, prior, departs, SEED + 3))
            for name, ladder in ladders.items()
        }
        for name, ladder in ladders.items():
            promised = MEAN_OF_ABSOLUTE * criterion.promise(ladder.params, ladder.tokens).sd
            row = _row(f"500 families, {case}", name, ladder, TARGET, errors[name])
            row["promised %"] = 100.0 * float(promised.mean())
            row["realised/promised"] = ratio(errors[name], promised, SEED)
            if name != ours:
                row["planned is smaller by %"] = fewer(errors[ours], errors[name], SEED)
            rows.append(row)
            deciles += [
                {"case": case, "ladder": name, **one} for one in _deciles(errors[name], promised)
            ]
    return rows, deciles


def _deciles(errors: Array, promised: Array) -> Iterator[dict[str, float]]:
    """Yield mean promised and mean realised error by tenths of what was promised."""
    for part in np.array_split(np.argsort(promised, kind="stable"), 10):
        yield {
            "promised": float(promised[part].mean()),
            "realised": float(errors[part].mean()),
            "standard_error": float(errors[part].std(ddof=1) / np.sqrt(len(part))),
        }


def _row(
    case: str, name: str, ladder: Menu | None, target: Target, errors: Array, runs: float = 0.0
) -> dict[str, Any]:
    """Return a ladder's errors as a row."""
    flops = None if ladder is None else float(ladder.flops.sum())
    return {
        "case": case,
        "ladder": name,
        "runs": runs if ladder is None else len(ladder.params),
        "% of target": None if flops is None else 100.0 * flops / target.flops,
        "median %": 100.0 * float(np.median(errors)),
        "mean %": 100.0 * float(errors.mean()),
        "p90 %": 100.0 * float(np.quantile(errors, 0.9)),
    }


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
        row = _row(case, name, counts[name][0], target, every)
        row["promised %"] = 100.0 * float(np.mean(promised[name]))
        row["realised/promised"] = float(every.mean() / np.mean(promised[name]))
        row["planned is smaller by %"] = None if name == PLAN else 1.0 - ours / float(every.mean())
        by_loss = 100.0 * np.stack(found).mean(axis=0)
        row["by loss"] = dict(zip(gadre.LOSSES, by_loss.tolist(), strict=True))
        yield row
    row = _row(case, f"{RANDOM} at random (medians)", None, target, np.array(chance), np.nan)
    yield {**row, "planned is smaller by %": 1.0 - ours / float(np.mean(chance))}


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


def run(data: Path) -> Table:
    """Return the table of simulated and real ladders."""
    rows, deciles = simulated(bundled())
    if not (data / gadre.NAME).is_dir():
        raise InputError(
            f"The study 'plan' reads the set {gadre.NAME}, which is not in '{data}'.",
            remedy="Say where the sets are with --data DIR.",
        )
    found = [*rows, *real(data, bundled(without=(CLUSTER,)))]
    return Table(
        name="plan",
        title="Planned ladders against ladders by hand at the same price",
        command="kleiber study plan --out results",
        columns=COLUMNS,
        rows=[_shown(row) for row in found],
        claims=[*_claims(found)],
        notes=_notes(found, deciles),
        seed=SEED,
        extra={"measured": found, "calibration": deciles},
    )


def _claims(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what the simulated and the real rows show."""
    for case in ("law exact", "law departs"):
        some = [row for row in rows if row["case"].endswith(case)]
        against = [
            f"{_percent(row['planned is smaller by %'])} than {row['ladder']}"
            for row in some
            if row.get("planned is smaller by %") and not row["ladder"].startswith("planned")
        ]
        yield (
            f"Simulated, {case}: the planned ladder's median error is smaller by "
            + "; ".join(against)
            + "."
        )
        ours = PLAN_EXACT if case == "law exact" else PLAN
        if ours != PLAN:
            median = {row["ladder"]: row["median %"] for row in some}
            less = (
                f"{100 * (1 - median[PLAN] / one):.0f} than {name}"
                for name, one in median.items()
                if not name.startswith("planned")
            )
            yield f"The same by the default plan, which mistrusts the law, in %: {'; '.join(less)}."
        kept = next(row for row in some if row["ladder"] == ours)["realised/promised"]
        yield (
            f"Simulated, {case}: realised over promised error {kept[0]:.2f} "
            f"({kept[1]:.2f} to {kept[2]:.2f})."
        )
    for part in PARTS:
        some = {row["ladder"]: row for row in rows if row["case"].endswith(f"1/{part}")}
        others = ", ".join(
            f"{row['mean %']:.1f} % {name}" for name, row in some.items() if name != PLAN
        )
        yield (
            f"Real, a {part}th of the price: {some[PLAN]['mean %']:.1f} % planned (promised "
            f"{some[PLAN]['promised %']:.1f} %); {others}."
        )


def _by_loss(rows: Sequence[Mapping[str, Any]], ladder: str) -> str:
    """Return the real errors of a ladder by loss, in the mean over prices and recipes."""
    some = [row["by loss"] for row in rows if row["ladder"] == ladder and "by loss" in row]
    means = {loss: float(np.mean([one[loss] for one in some])) for loss in gadre.LOSSES}
    shown = sorted(means.items(), key=lambda item: item[1])
    return f"By loss, {ladder}: {', '.join(f'{loss} {value:.1f} %' for loss, value in shown)}."


def _notes(
    rows: Sequence[Mapping[str, Any]], deciles: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    def line(case: str, ladder: str) -> str:
        some = [one for one in deciles if (one["case"], one["ladder"]) == (case, ladder)]
        pairs = (f"{100 * one['promised']:.2f} -> {100 * one['realised']:.2f}" for one in some)
        return f"Promised -> realised, {ladder}, {case}, by tenths of families: {', '.join(pairs)}."

    return (
        f"Target 7B on 140B tokens, ladders of {BUDGET:g} FLOPs, {FAMILIES} families drawn from "
        "the bundled prior, the same for every ladder; errors in % of the target's mean loss. "
        "'planned' is made as kleiber plan makes it, 'law taken as exact' without the model error. "
        "Where the law departs, every family carries the model error's random field.",
        "Bounds are 90 %, by bootstrap over families, paired.",
        f"{gadre.NAME}: ladders out of its finals, the prior taught without them; 3 recipes x 8 "
        "losses of the same models are one source, so no bounds. A ladder is planned before any "
        "loss is read; but that runs have at least 10 tokens a param is a rule which was set after "
        "these errors were seen, and the row without it is beside.",
        _by_loss(rows, PLAN),
        _by_loss(rows, BY_SIZE),
        line("law exact", PLAN_EXACT),
        line("law departs", PLAN),
    )


def _percent(value: Any) -> str:
    if isinstance(value, tuple):
        part, low, high = (100.0 * float(one) for one in value)
        return f"{part:.0f} % ({low:.0f} to {high:.0f})"
    return f"{100.0 * float(value):.0f}"


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as cells."""
    made = {
        key: f"{value:.2f}" if isinstance(value, float) and np.isfinite(value) else value
        for key, value in row.items()
    }
    share, kept = row.get("planned is smaller by %"), row.get("realised/promised")
    made["planned is smaller by %"] = None if share is None else _percent(share)
    if isinstance(kept, tuple):
        made["realised/promised"] = f"{kept[0]:.2f} ({kept[1]:.2f} to {kept[2]:.2f})"
    return made
