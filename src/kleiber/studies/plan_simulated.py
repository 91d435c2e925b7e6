"""Families drawn from the prior: what planned ladders and ladders by hand say of their target.

The runs of every ladder are read with noise, a law is fitted under the prior, and its error at the
target is taken against the family's own loss. In the second variant every family also leaves its
law by a smooth random field over log params and log tokens, so that no law of the kind is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.fitting.evidence import (
    BEGINNING,
    CHECKPOINT,
    LEAST_RATIO,
    LEAST_TOKENS,
    MOST_CHECKPOINTS,
    Evidence,
)
from kleiber.fitting.posterior import solve
from kleiber.fitting.prior import Prior
from kleiber.fitting.shares import Design, log_loss, mid_schedule
from kleiber.laws.base import Array, Index
from kleiber.planning.design import MEAN_OF_ABSOLUTE, Belief, Criterion, ModelError, Target
from kleiber.planning.rules import Rules
from kleiber.planning.search import Menu, choose

TARGET, BUDGET = Target(7e9, 140e9), 1e20
FAMILIES, SEED = 500, 0
PLANNED = 48  # families that a plan is made with, of another seed than those it is tried on
BOOTSTRAPS = 2000
RATIO = 20.0  # tokens per param of ladders by hand
SPANS = (16.0, 64.0)  # largest over smallest size of five
WAVES = 200  # of the random field
OWN_NOISE = 0.5  # of a checkpoint's noise variance; the rest is its run's
EXACT = ModelError(0.0, 0.0)
PLAN, PLAN_EXACT = "planned", "planned, law taken as exact"
ONE = "one large model, 20 tokens a param"


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
            one = row(f"500 families, {case}", name, ladder, TARGET, errors[name])
            one["promised %"] = 100.0 * float(promised.mean())
            one["realised/promised"] = ratio(errors[name], promised, SEED)
            if name != ours:
                one["planned is smaller by %"] = fewer(errors[ours], errors[name], SEED)
            rows.append(one)
            deciles += [
                {"case": case, "ladder": name, **part} for part in _deciles(errors[name], promised)
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


def row(
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
