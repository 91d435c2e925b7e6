"""Coverage and width of every interval method, by simulation with a known truth.

Each repeat draws a ladder of k sizes by k token counts with 1 % noise, fits it, and predicts
one new run of 10 times the params and 10 times the tokens, which is drawn too. Two kinds of
harm are added: one diverged run (loss 11), and heavy tails (Student t, 2 degrees of freedom).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import betaincinv, stdtrit

from kleiber.fitting import engine, intervals
from kleiber.fitting.covariance import noise
from kleiber.fitting.engine import Problem
from kleiber.fitting.intervals import Method
from kleiber.fitting.objective import Objective
from kleiber.fitting.space import Constraints
from kleiber.laws import get
from kleiber.laws.base import Array
from kleiber.studies.table import Table

TRUTH = {"E": 1.82, "A": 482.0, "alpha": 0.3478, "B": 2085.0, "beta": 0.3658}
SMALLEST, SPAN, TOKENS_PER_PARAM = 2e7, 75.0, 20.0
NOISE, FARTHER, DIVERGED, TAILS = 0.01, 10.0, 11.0, 2.0
SIZES = (3, 4, 5, 8)
REPEATS, REPLICATES, LEVEL = 500, 500, 0.9


@dataclass(frozen=True)
class Way:
    """One way to fit and to bound."""

    name: str
    objective: Objective
    delta: float | str
    method: Method | Literal["textbook"]


LEAST_SQUARES = Way("least squares, t", "log", "auto", "textbook")
DEFAULT = Way("huber auto, delta (default)", "huber", "auto", "delta")
CLEAN = (
    LEAST_SQUARES,
    DEFAULT,
    Way("huber auto, profile", "huber", "auto", "profile"),
    Way("huber auto, bootstrap", "huber", "auto", "bootstrap"),
    Way("huber auto, jackknife", "huber", "auto", "jackknife"),
    Way("huber 1e-3, delta", "huber", 1e-3, "delta"),
    Way("least squares, profile", "log", "auto", "profile"),
    Way("least squares, delta", "log", "auto", "delta"),
)
HARMED = (LEAST_SQUARES, DEFAULT)


@dataclass(frozen=True)
class Ladders:
    """Simulated ladders: log-losses (R, n), the target's logs (2, 1), new runs (R,)."""

    logs: Array
    y: Array
    target: Array
    new: Array
    truth: float


def simulate(k: int, repeats: int, harm: str, seed: int) -> Ladders:
    """Draw ladders of k sizes by k token counts."""
    law = get("chinchilla")
    rng = np.random.default_rng([seed, k, len(harm)])
    sizes = np.geomspace(SMALLEST, SMALLEST * SPAN, k)
    params, tokens = (axis.ravel() for axis in np.meshgrid(sizes, TOKENS_PER_PARAM * sizes))
    clean = np.log(law.loss(TRUTH, params, tokens))
    y = clean + NOISE * rng.standard_normal((repeats, len(clean)))
    if harm == "one diverged run":
        y[np.arange(repeats), rng.integers(0, len(clean), repeats)] = np.log(DIVERGED)
    if harm == "heavy tails":
        y = clean + NOISE * rng.standard_t(TAILS, size=y.shape)
    far = FARTHER * np.array([[params.max()], [tokens.max()]])
    truth = float(law.loss(TRUTH, far[0], far[1])[0])
    new = truth * np.exp(NOISE * rng.standard_normal(repeats))
    return Ladders(np.log(np.stack([params, tokens])), y, np.log(far), new, truth)


def bound(ladders: Ladders, way: Way, replicates: int, seed: int) -> tuple[Array, Array, Array]:
    """Return lower, upper and predicted loss (R,) of the new runs."""
    repeats, n = ladders.y.shape
    problem: Problem = engine.pose(
        get("chinchilla"),
        ladders.logs,
        ladders.y,
        np.ones(n),
        run=np.arange(n),
        objective=way.objective,
        delta=np.inf if way.delta == "auto" else float(way.delta),
        constraints=Constraints(),
    )
    if way.objective == "huber" and way.delta == "auto":
        problem = problem.having(delta=engine.auto_delta(problem, repeats))
    solved = engine.optimise(problem, repeats)
    predicted = np.exp(problem.at(solved.phi, ladders.target)[0][:, 0])
    if way.method == "textbook":
        return *textbook(problem, solved.phi, ladders.target), predicted
    lower, upper = intervals.prediction_bounds(
        problem,
        solved,
        noise(problem, solved.phi),
        ladders.target,
        LEVEL,
        way.method,
        mean=False,
        replicates=replicates,
        seed=seed,
    )
    return lower[:, 0], upper[:, 0], predicted


def textbook(problem: Problem, phi: Array, target: Array) -> tuple[Array, Array]:
    """Return the bounds (R,) of nonlinear least squares: z +- t s sqrt(1 + g'(J J')^-1 g)."""
    jacobian, r = problem.jacobian(phi), problem.residuals(phi)
    dof = r.shape[1] - jacobian.shape[1]
    z, gradient = problem.at(phi, target)
    gram = jacobian @ jacobian.swapaxes(1, 2)
    solved = np.linalg.pinv(gram, rcond=1e-15, hermitian=True) @ gradient
    spread = np.sum(r * r, axis=1) / dof * (1.0 + np.sum(gradient * solved, axis=(1, 2)))
    half = stdtrit(dof, 0.5 + 0.5 * LEVEL) * np.sqrt(spread)
    return np.exp(z[:, 0] - half), np.exp(z[:, 0] + half)


def score(ladders: Ladders, way: Way, replicates: int, seed: int) -> dict[str, Any]:
    """Return coverage with its Clopper-Pearson bounds, width, Winkler score and error."""
    lower, upper, predicted = bound(ladders, way, replicates, seed)
    new, percent = ladders.new, 100.0 / ladders.truth
    hits, repeats = int(np.sum((new >= lower) & (new <= upper))), len(new)
    width = upper - lower
    missed = np.maximum(lower - new, 0.0) + np.maximum(new - upper, 0.0)
    winkler = width + 2.0 / (1.0 - LEVEL) * missed
    low, high = clopper_pearson(hits, repeats)
    return {
        "coverage": hits / repeats,
        "coverage_low": low,
        "coverage_high": high,
        "width": float(np.median(width) * percent),
        "mean_width": float(np.mean(width) * percent),
        "winkler": float(np.mean(winkler) * percent),
        "error": float(np.median(np.abs(predicted - ladders.truth)) * percent),
    }


def clopper_pearson(hits: int, repeats: int, level: float = 0.95) -> tuple[float, float]:
    """Return exact binomial bounds of a share."""
    tail = 0.5 - 0.5 * level
    low = betaincinv(hits, repeats - hits + 1, tail) if hits else 0.0
    high = betaincinv(hits + 1, repeats - hits, 1.0 - tail) if hits < repeats else 1.0
    return float(low), float(high)


def measure(repeats: int, replicates: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield one row a design, harm and way."""
    for harm, ways in (("none", CLEAN), ("one diverged run", HARMED), ("heavy tails", HARMED)):
        for k in SIZES:
            ladders = simulate(k, repeats, harm, seed)
            baseline = float("nan")
            for way in ways:
                found = score(ladders, way, replicates, seed)
                if way is LEAST_SQUARES:
                    baseline = found["width"]
                yield {
                    "harm": harm,
                    "design": f"{k}x{k}",
                    "way": way.name,
                    **found,
                    "width_ratio": found["width"] / baseline,
                }


def run(repeats: int = REPEATS, replicates: int = REPLICATES, seed: int = 0) -> Table:
    """Return the table of all designs, harms and ways."""
    found = list(measure(repeats, replicates, seed))
    clean = [row for row in found if row["harm"] == "none" and row["way"] == DEFAULT.name]
    coverage = ", ".join(f"{100 * row['coverage']:.1f}" for row in clean)
    ratios = ", ".join(f"{row['width_ratio']:.2f}" for row in clean)
    rows = [
        {
            "harm": row["harm"],
            "design": row["design"],
            "way": row["way"],
            "coverage %": f"{100 * row['coverage']:.1f} "
            f"({100 * row['coverage_low']:.1f} to {100 * row['coverage_high']:.1f})",
            "width %": f"{row['width']:.2f}",
            "of LS": f"{row['width_ratio']:.2f}",
            "Winkler %": f"{row['winkler']:.2f}",
            "error %": f"{row['error']:.2f}",
        }
        for row in found
    ]
    return Table(
        name="interval_coverage",
        title="Intervals of a new run at 10x params and 10x tokens",
        command=f"kleiber study interval-coverage --out results --repeats {repeats}"
        + (f" --seed {seed}" if seed else ""),
        columns=tuple(rows[0]),
        rows=rows,
        claims=[
            f"The default covers {coverage} % of new runs on 3x3, 4x4, 5x5 and 8x8 (90 % asked).",
            f"Its median width is {ratios} times that of least squares with t.",
        ],
        notes=(
            f"{repeats} repeats a row; {replicates} bootstrap replicates a fit. Sizes from "
            f"{SMALLEST:g} to {SMALLEST * SPAN:g} params and {TOKENS_PER_PARAM:g} times as many "
            "tokens, crossed. Coverage with its 95 % Clopper-Pearson bounds; width (median), "
            "Winkler score (mean; smaller is better) and error (median) in % of the true loss; "
            "'of LS' is the width over that of least squares with t on the same ladders.",
        ),
        seed=seed,
        extra={"measured": found},
    )
