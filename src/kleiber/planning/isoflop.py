"""IsoFLOP profiles: Approach 2 with its bias stated, beside the surface fitted to the same runs.

The minimum of a parabola through a grid is the grid's minimum only where the loss is even in
log params about it. A Chinchilla surface is not, unless alpha = beta and the grid is centred,
so the parabolas' minima are off even without noise (Czech et al. 2026, arXiv 2603.22339). How
far off depends on the surface and on the grid: both are at hand here, so it is computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from kleiber.errors import UsageError, ValuesError
from kleiber.fitting import fit as fit_runs
from kleiber.fitting.answers import Interval
from kleiber.fitting.intervals import check_level
from kleiber.fitting.result import Fit
from kleiber.laws.base import Array, Mask
from kleiber.planning.allocation import Allocation, allocate, splittable
from kleiber.planning.cost import TRAIN_FLOPS, TRAINING
from kleiber.planning.deployment import best_for_cost, best_for_loss
from kleiber.planning.flaws import Flaw, judge, own_bias
from kleiber.planning.parabola import (
    FEWEST,
    Design,
    Minima,
    PowerLaw,
    grouped,
    inside,
    minima,
    power_law,
    resamples,
)
from kleiber.planning.profiles import Estimate, IsoFlop, Profile, Target
from kleiber.runs import Runs
from kleiber.units import flops_6nd, parse_count

WIDEST = 1.5  # most compute over least within what is still one budget
NOT_6ND = 0.05  # log units that a column of FLOPs may differ by


def isoflop(
    runs: object,
    *,
    budgets: Sequence[float | str] | None = None,
    target_flops: float | str | None = None,
    tolerance: float = 0.1,
    fit: Fit | None = None,
    level: float = 0.9,
    bootstraps: int = 1000,
    seed: int = 0,
) -> IsoFlop:
    """Return the optimum of every budget by its parabola and by a surface, and the bias.

    Parameters
    ----------
    runs
        Runs, or anything that ``Runs.read`` takes; the end of each counts.
    budgets
        Budgets in FLOPs; by default found where compute steps by more than ``tolerance``.
        Compute is the column ``flops`` where every run has it, else 6 * params * tokens.
    target_flops
        A budget to extrapolate both approaches to.
    fit
        The surface, a fit of a law of params and tokens; a Chinchilla fit by default.

    Intervals of the parabolas are percentiles over resamples of the runs of each budget.

    Raises
    ------
    ValuesError
        Where fewer than two budgets have a minimum inside their grid.
    """
    table = Runs.read(runs).select(points="finals")
    surface = fit or fit_runs(table, "chinchilla", bootstraps=bootstraps, seed=seed)
    splittable(surface)
    check_level(level)
    target = None if target_flops is None else _positive(target_flops)
    wanted = None if budgets is None else [_positive(one) for one in budgets]
    design, loss, counted, flaws = _design(table, wanted, tolerance)
    found = minima(design, loss)
    used, own = judge(design, found)
    flaws += own
    if all(len(np.unique(design.params[design.members(i)])) < FEWEST for i in range(len(used))):
        raise ValuesError(
            f"No budget has {FEWEST} sizes: {len(design)} runs have {len(used)} different amounts "
            "of compute.",
            remedy="Say which runs share a budget (--budgets 1e19,1e20, --tolerance 0.3), or split "
            "a budget by a fitted surface (kleiber allocate).",
        )
    if used.sum() < 2:
        why = " ".join(flaw.message for flaw in flaws[:3])
        raise ValuesError(
            f"{int(used.sum())} of {len(used)} budgets has a minimum inside its grid, and a power "
            f"law takes 2. {why}",
            remedy="Train, at each of several budgets, sizes on both sides of the best one; or "
            "split a budget by a fitted surface (kleiber allocate).",
        )
    if used.sum() == 2:
        flaws.append(
            Flaw("I008", "tip", "Two budgets have a minimum: the power law through them has no "
                 "residual to judge it by.", "Add a third budget.")
        )  # fmt: skip
    drawn = None
    if bootstraps:
        drawn = inside(design, minima(design, loss, resamples(design, bootstraps, seed)))
    curve = replace(design, tokens=design.budgets[design.group] / TRAIN_FLOPS / design.params)
    free, on_curve = (minima(one, _surface_loss(surface, one)) for one in (design, curve))
    profiles = _profiles(design, found, (free, on_curve), used, surface)
    best = allocate(
        surface,
        target or float(design.budgets[-1]),
        level=level,
        method="bootstrap" if bootstraps and surface.bootstraps else None,
    )
    laws = [
        [_law(design, part, kind, used) for part in (found, drawn, free, on_curve)]
        for kind in ("params", "tokens")
    ]
    exponents = [
        _estimate(law.exponent[0], draws.exponent if draws else None, level)
        for law, draws, *_ in laws
        if law
    ]
    there = _target(surface, best, laws, level) if target else None
    known = [(one.flops, one.bias) for one in profiles if one.used and math.isfinite(one.bias)]
    flaws += own_bias([*known, *([(there.flops, there.bias)] if there else [])])
    unknown = Interval(math.nan, math.nan, level, best.intervals["params"].method)
    failed = int(np.isnan(laws[0][1].exponent).sum()) if laws[0][1] else 0
    return IsoFlop(
        profiles=profiles,
        params_exponent=exponents[0],
        tokens_exponent=exponents[1],
        surface_exponent=Estimate(best.exponent, best.intervals.get("exponent", unknown)),
        target=there,
        flaws=tuple(sorted(flaws, key=lambda flaw: flaw.code)),
        counted=counted,
        fit=surface,
        replicates=bootstraps,
        failed=failed,
    )


def _positive(value: float | str) -> float:
    """Return a budget or raise a UsageError."""
    count = parse_count(value)
    if not count > 0:
        raise UsageError(
            f"A budget is {count:g} FLOPs; it must be more than 0.",
            remedy="Give for example target_flops=1e24 (--target-flops 1e24).",
        )
    return count


def _design(
    table: Runs, wanted: list[float] | None, tolerance: float
) -> tuple[Design, Array, str, list[Flaw]]:
    """Return the runs by budget, their losses, how compute is counted, and what that hides."""
    if not 0.0 < tolerance < WIDEST - 1.0:
        raise UsageError(
            f"The tolerance of a budget is {tolerance:g}; it lies between 0 and {WIDEST - 1:g}.",
            remedy="Give for example tolerance=0.1 (--tolerance 0.1).",
        )
    points, flaws = table.points(), list[Flaw]()
    product = flops_6nd(points.params, points.tokens)
    flops, counted = product, TRAINING
    if "flops" in table.frame.columns and table.frame["flops"].null_count() == 0:
        flops = table.frame["flops"].cast(pl.Float64).to_numpy()
        counted = "the table's column flops"
        apart = float(np.abs(np.log(product / flops)).max())
        if apart > NOT_6ND:
            flaws.append(
                Flaw(
                    "I005",
                    "tip",
                    f"6 * params * tokens is up to {np.expm1(apart):.0%} from the column flops, "
                    "so the parabolas split the column's budget and the surface the product's.",
                    "Leave the column out (--columns) to count both as the product.",
                )
            )
    masks = [mask for mask in grouped(flops, tolerance, wanted) if mask.any()]
    if not masks:
        raise ValuesError(
            f"No run lies within {tolerance:.0%} of the budgets given; compute runs from "
            f"{flops.min():.3g} to {flops.max():.3g} FLOPs.",
            remedy="Give the budgets of the runs (--budgets), or leave them out.",
        )
    for mask in masks:
        least, most = float(flops[mask].min()), float(flops[mask].max())
        if most > WIDEST * least:
            raise ValuesError(
                f"{int(mask.sum())} runs between {least:.3g} and {most:.3g} FLOPs have no step in "
                "compute between them, so they are no budget.",
                remedy="Say the budgets (--budgets 1e19,1e20), lower --tolerance, or split the "
                "budget by a fitted surface (kleiber allocate).",
            )
    index = np.concatenate([np.flatnonzero(mask) for mask in masks])
    group = np.concatenate([np.full(int(m.sum()), i, dtype=np.int64) for i, m in enumerate(masks)])
    middle = np.array([math.exp(float(np.log(flops[mask]).mean())) for mask in masks])
    if len(index) < len(points):
        flaws.append(
            Flaw("I006", "tip", f"{len(points) - len(index)} of {len(points)} runs lie further "
                 f"than {tolerance:.0%} from every budget, and only the surface reads them.",
                 "Widen --tolerance, or name their budgets (--budgets).")
        )  # fmt: skip
    design = Design(points.params[index], points.tokens[index], group, middle)
    return design, points.loss[index], counted, flaws


def _surface_loss(surface: Fit, design: Design) -> Array:
    """Return the losses (n,) of the fitted surface at the design, without noise."""
    return surface.law.loss(surface.values, params=design.params, tokens=design.tokens)


def _profiles(
    design: Design, found: Minima, free: tuple[Minima, Minima], used: Mask, surface: Fit
) -> tuple[Profile, ...]:
    """Return every budget's optimum by both approaches, and the bias between them."""
    theta = surface.problem.raw_theta(surface.solved.phi)
    profiles: list[Profile] = []
    for place, budget in enumerate(design.budgets):
        own = design.params[design.members(place)]
        true = best_for_cost(surface.law, theta, math.log(budget / TRAIN_FLOPS), 0.0)[0]
        profiles.append(
            Profile(
                flops=float(budget),
                runs=len(own),
                least_params=float(own.min()),
                most_params=float(own.max()),
                params=float(np.exp(found.params[0, place])),
                tokens=float(np.exp(found.tokens[0, place])),
                curvature=float(found.curvature[0, place]),
                surface_params=float(np.exp(true[0])),
                surface_tokens=float(np.exp(true[1])),
                bias=float(np.expm1(free[0].tokens[0, place] - true[1])),
                bias_on_curve=float(np.expm1(free[1].tokens[0, place] - true[1])),
                used=bool(used[place]),
            )
        )
    return tuple(profiles)


def _law(design: Design, part: Minima | None, kind: str, used: Mask) -> PowerLaw | None:
    """Return the power law through the minima of the budgets in use."""
    if part is None:
        return None
    return power_law(design.budgets[used], getattr(part, kind)[:, used])


def _estimate(value: float, draws: Array | None, level: float) -> Estimate:
    """Return a value with the percentiles of its resamples."""
    tail = 0.5 - 0.5 * level
    low = high = math.nan
    if draws is not None and np.isfinite(draws).any():
        low, high = np.nanquantile(draws, [tail, 1.0 - tail])
    return Estimate(float(value), Interval(float(low), float(high), level, "bootstrap"))


def _target(
    surface: Fit, best: Allocation, laws: list[list[PowerLaw | None]], level: float
) -> Target:
    """Return both approaches at the target, and what the parabolas' split costs there."""
    estimates: list[Estimate] = []
    for fitted, draws, *_ in laws:
        assert fitted is not None
        many = np.exp(draws.log_at(best.flops)[:, 0]) if draws else None
        estimates.append(_estimate(math.exp(fitted.log_at(best.flops)[0, 0]), many, level))
    params, tokens = estimates
    biases = [
        math.exp(free.log_at(best.flops)[0, 0]) / best.tokens - 1.0 for free in laws[1][2:] if free
    ]
    theta = surface.problem.raw_theta(surface.solved.phi)
    split = surface.law.loss(
        surface.values, params=best.flops / TRAIN_FLOPS / tokens.value, tokens=tokens.value
    )
    worth = np.exp(best_for_loss(surface.law, theta, float(split), 0.0)[0].sum()) * TRAIN_FLOPS
    return Target(
        flops=best.flops,
        params=params,
        tokens=tokens,
        surface_params=Estimate(best.params, best.intervals["params"]),
        surface_tokens=Estimate(best.tokens, best.intervals["tokens"]),
        gap=tokens.value / best.tokens - 1.0,
        bias=biases[0],
        bias_on_curve=biases[1],
        wasted=1.0 - float(worth) / best.flops,
    )
