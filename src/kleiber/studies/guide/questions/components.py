"""Degrees of freedom: principal components of the fitted parameters over families.

The guide finds 99.49 % of the variance of (ln A, ln B, ln E, alpha, beta) in three
components. The three logs of coefficients vary by whole units and the exponents by tenths:
three components are then the three logs, whatever the laws are like. Standardised, each
parameter counts once.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from kleiber.laws import published
from kleiber.laws.base import Array
from kleiber.studies.guide.questions.answer import Found, Question, over, parts, percent
from kleiber.studies.guide.questions.bench import LAW, Bench, How, Sight

NAMES = ("ln A", "ln B", "ln E", "alpha", "beta")
ORDER = [LAW.index(name.removeprefix("ln ")) for name in NAMES]
KEPT = 3
LEAST_SIZES = 3
GUIDE_CUT = 10e9
PUBLISHED = 0.9949
REFERENCE = (1e9, 20e9)  # params and tokens at which a term is as large as a loss can show
# A coefficient below this share of the loss is none, and an exponent outside is at its bound.
NO_FLOOR, EXPONENTS = 1e-6, (1e-3, 4.9)
EVERY, KNOWN = "all families", "identified families"
MADE: dict[str, How | None] = {
    "the guide's fit: one start, curve_fit": None,
    "least squares on the loss, exact": "raw",
    "default": "default",
}


def explained(table: Array, *, standardised: bool) -> Array:
    """Return each component's share of the variance of a table (families, parameters).

    ``s_i^2 / sum s^2`` of the singular values of the centred columns, which are divided by
    their standard deviations where ``standardised``.
    """
    centred = table - table.mean(axis=0)
    if standardised:
        centred = centred / centred.std(axis=0)
    squares = np.linalg.svd(centred, compute_uv=False) ** 2
    return squares / squares.sum()


def at_reference(table: Array) -> Array:
    """Return the table with the logs of both terms at 1B params and 20B tokens for ln A, ln B.

    A is the term at one parameter, where nothing was trained: ``ln A = ln(A / N^alpha) + alpha
    ln N`` repeats alpha whatever the family is like.
    """
    logs = np.log(REFERENCE)
    return np.column_stack([table[:, :2] - table[:, 3:] * logs, table[:, 2:]])


def sights(bench: Bench) -> list[Sight]:
    """Return the whole family, fitted in both ways; nothing of few sizes or apart."""
    if len(bench.groups) < LEAST_SIZES or bench.family.apart:
        return []
    return [bench.sight(bench.groups, how=how) for how in MADE.values() if how is not None]


def identified(bench: Bench, theta: Array) -> bool:
    """Whether the design can tell five parameters, and none rests on a bound."""
    log_e, exponents = theta[2], theta[3:]
    typical = float(np.log(np.median(bench.points.loss)))
    return bool(
        len(bench.groups) >= LEAST_SIZES
        and len(np.unique(bench.points.tokens)) >= 3
        and log_e > typical + np.log(NO_FLOOR)
        and np.all((exponents > EXPONENTS[0]) & (exponents < EXPONENTS[1]))
    )


def guides(bench: Bench) -> Array | None:
    """Return the parameters (5,) that scipy's curve_fit reaches from the guide's one start."""
    from scipy.optimize import curve_fit

    start = published("muennighoff-2023-c4").values
    first = [start["A"], start["B"], start["E"], start["alpha"], start["beta"]]
    first[:3] = np.log(first[:3]).tolist()
    points = bench.points
    seen = points.tokens > GUIDE_CUT
    if seen.sum() <= len(first):
        return None
    x = np.log(np.stack([points.params[seen], points.tokens[seen]]))

    def law(x: Array, a: float, b: float, e: float, alpha: float, beta: float) -> Array:
        return np.exp(e) + np.exp(a - alpha * x[0]) + np.exp(b - beta * x[1])

    def slopes(x: Array, a: float, b: float, e: float, alpha: float, beta: float) -> Array:
        size, data = np.exp(a - alpha * x[0]), np.exp(b - beta * x[1])
        floor = np.full_like(size, np.exp(e))
        return np.stack([size, data, floor, -x[0] * size, -x[1] * data], axis=1)

    bounds = ([-np.inf, -np.inf, -np.inf, 0.0, 0.0], np.inf)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = curve_fit(law, x, points.loss[seen], p0=first, bounds=bounds, jac=slopes)[0]
        except (RuntimeError, ValueError):
            return None
    return np.asarray(found, dtype=np.float64)


def find(benches: Sequence[Bench]) -> Found:
    """Table the variance in three components, raw and standardised, for every way of fitting."""
    usual = [b for b in parts(benches)["all families"] if len(b.groups) >= LEAST_SIZES]
    rows: list[dict[str, Any]] = []
    fitted = 0
    for said, how in MADE.items():
        thetas: dict[Bench, Array] = {}
        ended: set[Bench] = set()
        for bench in usual:
            if how is None:
                made = guides(bench)
                fitted += made is not None
                ended.add(bench)
            else:
                (one,) = bench.fit([bench.sight(bench.groups, how=how)])
                made = None if one is None else one.theta[ORDER]
                if one is not None and one.converged:
                    ended.add(bench)
            if made is not None and np.all(np.isfinite(made)):
                thetas[bench] = made
        known = {b: t for b, t in thetas.items() if b in ended and identified(b, t)}
        for which, some in ((EVERY, thetas), (KNOWN, known)):
            clusters = over((b, 0.0) for b in some).clusters
            rows += row(said, which, np.array(list(some.values())), clusters)
        each = _one_a_cluster(known)
        rows += row(said, "identified, mean of each cluster", each, len(each))
    return Found(
        _sentence(rows),
        (
            "fits",
            "families",
            "n",
            "clusters",
            "raw %",
            "standardised %",
            "at 1B and 20B %",
            *(f"sd {name}" for name in NAMES),
            "ln A ~ alpha",
            "ln B ~ beta",
        ),
        rows,
        (
            "Share of the variance of (ln A, ln B, ln E, alpha, beta) over families in the first "
            "three principal components; 'at 1B and 20B' is standardised, with the logs of the two "
            "terms there in the place of ln A and ln B. 'identified': three sizes and token counts "
            "at least, an optimum reached, no parameter at a bound. The last two columns are "
            "correlations.",
        ),
        others=fitted,
    )


def _one_a_cluster(known: dict[Bench, Array]) -> Array:
    """Return each cluster's mean parameters (clusters, 5)."""
    clusters = dict.fromkeys(b.family.cluster for b in known)
    return np.array(
        [
            np.mean([theta for b, theta in known.items() if b.family.cluster == name], axis=0)
            for name in clusters
        ]
    )


def row(made: str, which: str, table: Array, clusters: int) -> list[dict[str, Any]]:
    """Return one row for parameters (families, 5) in the order of NAMES, none for too few."""
    if len(table) <= len(NAMES):
        return []
    spread = table.std(axis=0)

    def three(some: Array, *, standardised: bool = True) -> float:
        return percent(float(explained(some, standardised=standardised)[:KEPT].sum()))

    def related(first: int, second: int) -> float:
        return round(float(np.asarray(np.corrcoef(table[:, first], table[:, second]))[0, 1]), 3)

    return [
        {
            "fits": made,
            "families": which,
            "n": len(table),
            "clusters": clusters,
            "raw %": three(table, standardised=False),
            "standardised %": three(table),
            "at 1B and 20B %": three(at_reference(table)),
            **{f"sd {n}": round(float(s), 3) for n, s in zip(NAMES, spread, strict=True)},
            "ln A ~ alpha": related(0, 3),
            "ln B ~ beta": related(1, 4),
        }
    ]


def _sentence(rows: Sequence[dict[str, Any]]) -> str:
    """Return what three components hold, raw and standardised, and why the two differ."""
    if not rows:
        return "Fewer families than parameters: no components."
    guide, default = next(iter(MADE)), list(MADE)[-1]

    def of(made: str, which: str) -> dict[str, Any]:
        some = [r for r in rows if r["fits"] == made]
        return next((r for r in some if r["families"] == which), (some or list(rows))[0])

    theirs, ours = of(guide, EVERY), of(default, KNOWN)
    near = min(rows, key=lambda one: abs(one["raw %"] - 100 * PUBLISHED))
    logs = [theirs[f"sd {n}"] for n in NAMES[:3]]
    small = [theirs[f"sd {n}"] for n in NAMES[3:]]
    return (
        f"Three components hold {theirs['raw %']:.2f} % of the raw variance of the guide's fits (n "
        f"= {theirs['n']}; published {100 * PUBLISHED:.2f} %, nearest {near['raw %']:.2f} % for "
        f"{near['families']} by {near['fits']}), because the log-coefficients vary by "
        f"{min(logs):.2g} to {max(logs):.2g} and the exponents by {min(small):.2g} to "
        f"{max(small):.2g}: three components are the three logs by construction. Standardised, "
        f"each parameter counting once, the same fits have {theirs['standardised %']:.1f} %. Exact "
        f"robust fits ({ours['families']}, n = {ours['n']}) have {ours['standardised %']:.1f} % "
        "standardised, because A and B are the terms at one parameter and one token and so repeat "
        f"the exponents (ln A ~ alpha {ours['ln A ~ alpha']:.2f}, ln B ~ beta "
        f"{ours['ln B ~ beta']:.2f}), and {ours['at 1B and 20B %']:.1f} % with the terms written "
        "at 1B params and 20B tokens."
    )


QUESTION = Question("components", "Degrees of freedom over families", sights, find)
