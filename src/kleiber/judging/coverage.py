"""What intervals covered where every source was left out: by sizes seen, by scale-up.

Beside the calibrated interval stand the two that it must beat: the model's own, and a constant
percentage, which is calibrated in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import betaincinv, ndtri

from kleiber.fitting.shares import NAMES
from kleiber.judging.calibration import Calibration, balanced, typical, weighted_quantile
from kleiber.judging.leave_out import Trials
from kleiber.judging.teach import Taught
from kleiber.laws.base import Array, Mask

MODEL = "the model's own"
LEVELS = (0.5, 0.8, 0.9, 0.95)
REACHES = ((0.0, 3.0), (3.0, 10.0), (10.0, 30.0), (30.0, np.inf))


@dataclass(frozen=True)
class Coverage:
    """How an interval of a level did on some cells, every source counting once.

    ``low`` and ``high`` are 95 % Clopper-Pearson bounds with the sources as trials;
    ``median_width`` is the full width relative to the loss, median over sources of medians;
    ``score`` is the interval score (Gneiting and Raftery 2007) of the log-loss.
    """

    level: float
    covered: float
    low: float
    high: float
    clusters: int
    median_width: float
    score: float


@dataclass(frozen=True)
class Proof:
    """One set of cells, judged with three intervals of one level."""

    cells: str
    calibrated: Coverage
    model: Coverage
    constant: Coverage


def half_widths(
    trials: Trials,
    level: float,
    scale: Array | None = None,
    others: Mapping[str, Sequence[float]] | None = None,
) -> Array:
    """Return each hidden final's half width, its factor taken from the other sources alone.

    ``others`` are scores of sources beside those of the trials. NaN where there is no other.
    """
    scale = trials.scale if scale is None else scale
    scores = np.abs(trials.error) / scale
    names = np.array(trials.clusters)[trials.cell]
    w = balanced(trials, np.ones(len(scores), dtype=bool))
    beside = list((others or {}).values())
    more = np.array([x for own in beside for x in own])
    more_w = np.array([1.0 / len(own) for own in beside for _ in own])
    out = np.full(len(scores), np.nan)
    for one in np.unique(names):
        rest = names != one
        values, worth = np.append(scores[rest], more), np.append(w[rest], more_w)
        if len(values):
            out[names == one] = weighted_quantile(values, worth, level)
    return out * scale


def coverage(trials: Trials, half: Array, chosen: Mask, level: float) -> Coverage:
    """Judge half widths on chosen hidden finals; NaN where they are unknown."""
    w = balanced(trials, chosen)[chosen]
    w /= w.sum()
    missed, wide = np.abs(trials.error[chosen]), half[chosen]
    names = np.array(trials.clusters)[trials.cell][chosen]
    sources = np.unique(names)
    if np.isnan(wide).any():
        return Coverage(level, np.nan, np.nan, np.nan, len(sources), np.nan, np.nan)
    covered, m = float(w @ (missed <= wide)), len(sources)
    hits, tail = covered * m, 0.025
    widths = [float(np.median(2.0 * wide[names == one])) for one in sources]
    return Coverage(
        level,
        covered,
        float(betaincinv(hits, m - hits + 1.0, tail)) if hits > 1e-9 else 0.0,
        float(betaincinv(hits + 1.0, m - hits, 1.0 - tail)) if hits < m - 1e-9 else 1.0,
        m,
        float(np.median(widths)),
        float(w @ (2.0 * wide + 2.0 / (1.0 - level) * np.maximum(missed - wide, 0.0))),
    )


def prove(
    trials: Trials, level: float = 0.9, others: Mapping[str, Sequence[float]] | None = None
) -> tuple[Proof, ...]:
    """Return how the intervals did on all cells, by number of sizes, and by scale-up.

    ``others`` as in :func:`half_widths`; the constant knows the sources of the trials alone.
    """
    earned = half_widths(trials, level, others=others)
    model = float(ndtri(0.5 + 0.5 * level)) * trials.sd
    constant = half_widths(trials, level, np.ones_like(trials.scale))
    k = np.array([cell.k for cell in trials.cells])[trials.cell]
    whole = np.array([cell.whole for cell in trials.cells])[trials.cell]
    scale_up = np.array([cell.scale_up for cell in trials.cells])[trials.cell]
    chosen: dict[str, Mask] = {"all": np.ones(len(k), dtype=bool), "all smaller sizes": whole}
    chosen |= {f"{n} size{'s' * (n > 1)}": k == n for n in range(1, 6)}
    for low, high in REACHES:
        name = f"scale-up to {high:g}x" if np.isfinite(high) else f"scale-up over {low:g}x"
        chosen[name] = (scale_up > low) & (scale_up <= high)
    return tuple(
        Proof(
            name,
            coverage(trials, earned, some, level),
            coverage(trials, model, some, level),
            coverage(trials, constant, some, level),
        )
        for name, some in chosen.items()
        if some.any()
    )


def rows_of(taught: Taught, level: float = 0.9) -> dict[str, Any]:
    """Return the prior, its factors, its errors and its proof as plain data."""
    prior, table = taught.bundle.prior, Calibration.from_dict(taught.bundle.calibration)
    sd = np.sqrt(np.diag(prior.covariance))
    levels = [one for one in LEVELS if one <= table.most_level]
    return {
        "sources": {name: len(one.families) for name, one in taught.bundle.sources.items()},
        "prior": {
            name: {"mean": float(m), "sd": float(s)}
            for name, m, s in zip(NAMES, prior.mean, sd, strict=True)
        },
        "sigma": prior.sigma,
        "factors": {f"{one:g}": table.factor(one, 2) for one in levels},
        "factors_one_size": {f"{one:g}": table.factor(one, 1) for one in levels},
        "errors": [
            asdict(typical(taught.trials, sizes)) for sizes in ("1", "2", "3", "4", "5", "all")
        ],
        "proof": [asdict(one) for one in prove(taught.trials, level, taught.others)],
    }


def report(taught: Taught, level: float = 0.9) -> str:
    """Return what was learnt and how the intervals did, as text."""
    found = rows_of(taught, level)
    sources = ", ".join(f"{name} {n}" for name, n in found["sources"].items())
    lines = [
        f"learnt from {len(found['sources'])} sources (families each): {sources}",
        "",
        "prior of a family at 1B params on 20B tokens",
    ]
    lines += [f"  {k:<12}{v['mean']:7.3f} +- {v['sd']:.3f}" for k, v in found["prior"].items()]
    lines += [
        f"  residual scale {100 * found['sigma']:.2f} %",
        "",
        f"each {'own ' if taught.others else ''}source left out: error of the hidden finals, "
        "% of the loss, over sources",
        f"  {'sizes seen':<12}{'median':>8}{'mean':>8}{'p90':>8}{'worst':>8}{'sources':>9}",
    ]
    for one in found["errors"]:
        if one["clusters"]:
            numbers = [100 * one[key] for key in ("median", "mean", "p90", "worst")]
            lines.append(
                f"  {one['sizes']:<12}"
                + "".join(f"{x:8.2f}" for x in numbers)
                + f"{one['clusters']:9d}"
            )
    lines += [
        "",
        f"{level:.0%} intervals, every source's factor from the others: covered (95 % bounds), "
        "median full width %, score %",
        f"  {'cells':<20}{'calibrated':<34}{MODEL:<22}constant",
    ]
    for one in prove(taught.trials, level, taught.others):
        lines.append(
            f"  {one.cells:<20}{_bounded(one.calibrated):<34}"
            f"{_of(one.model):<22}{_of(one.constant)}"
        )
    factors = ", ".join(f"{level} {x:.2f}" for level, x in found["factors"].items())
    single = ", ".join(f"{level} {x:.2f}" for level, x in found["factors_one_size"].items())
    lines += ["", f"factors on the scale, by level: {factors}; of one size: {single}"]
    return "\n".join(lines)


def _bounded(one: Coverage) -> str:
    if np.isnan(one.covered):
        return "-"
    within = f" ({one.low:.2f} to {one.high:.2f})"
    return f"{one.covered:.2f}{within}, {100 * one.median_width:.1f}, {100 * one.score:.1f}"


def _of(one: Coverage) -> str:
    if np.isnan(one.covered):
        return "-"
    return f"{one.covered:.2f}, {100 * one.median_width:.1f}, {100 * one.score:.1f}"
