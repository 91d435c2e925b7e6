"""Checks of residuals: what they say of the law's form and of single runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import stdtr

from kleiber.fitting import Fit
from kleiber.fitting.bootstrap import jackknife
from kleiber.judging.finding import Finding, issue
from kleiber.laws.base import Array

SURE = 1e-4  # chance of a trend this strong in the noise of a right law
LEAST_TREND = 0.002  # log-loss: a trend that no one would act on
LEFT_OVER = 4  # points beyond parameters that a trend needs
DIVERGED, WORSE = 8.0, 0.1  # noises, and log-loss, above the law
FARTHER = 10.0  # times params and tokens at which influence is judged
DOMINATES = 1.0  # half-widths of the interval that one run may move the prediction by
MOST_RUNS = 400


def trend(fit: Fit) -> Iterator[Finding]:
    """K008: curvature over scale that the law's form leaves over."""
    r, weight = fit.residuals, fit.points.weight
    n = fit.n_runs
    shapes = _shapes(fit)
    for name, shape in shapes.items():
        if n - fit.problem.free < LEFT_OVER:
            return
        jacobian = fit.problem.jacobian(fit.solved.phi)[0]
        slope, error, dof = _partial(np.vstack([jacobian, shape[None]]), r, weight, n)
        if error <= 0:
            continue
        chance = 2.0 * float(stdtr(dof, -abs(slope / error)))
        size = abs(slope) * float(np.sqrt(np.average((shape - shape.mean()) ** 2, weights=weight)))
        if chance < SURE / len(shapes) and size > LEAST_TREND:
            yield issue(
                "K008",
                f"Residuals bend with {name} by {100 * size:.2g} % of the loss (chance "
                f"{chance:.0e} in the noise): the law's form is too stiff, or something else "
                "changes with scale.",
                "Try --law chinchilla-outer, drop the smallest sizes (--min-params), and judge "
                "by kleiber backtest.",
            )
            return


def _shapes(fit: Fit) -> dict[str, Array]:
    """Return the curvatures looked for, each (n,), of centred logs scaled to one."""
    logs = {name: np.log(fit.points.predictor(name)) for name in fit.law.predictors}
    unit = {name: (x - x.mean()) / max(float(x.std()), 1e-9) for name, x in logs.items()}
    shapes = {f"{name} squared": x**2 for name, x in unit.items()}
    if len(unit) == 2:
        (first, x), (second, y) = unit.items()
        shapes[f"{first} times {second}"] = x * y
    return shapes


def _partial(rows: Array, r: Array, weight: Array, runs: int) -> tuple[float, float, int]:
    """Return the last row's coefficient, its standard error and the degrees of freedom.

    Residuals are clipped at four of their own robust scales, so that no run makes a trend.
    """
    scale = 1.4826 * float(np.median(np.abs(r - np.median(r))))
    clipped = np.clip(r, -4.0 * scale, 4.0 * scale)
    root = np.sqrt(weight)
    design, target = (rows * root).T, clipped * root
    solution, *_ = np.linalg.lstsq(design, target, rcond=1e-12)
    dof = runs - len(rows)
    if dof <= 0:
        return 0.0, 0.0, 1
    left = float(np.sum((target - design @ solution) ** 2)) / dof
    inverse = np.linalg.pinv(design.T @ design, rcond=1e-12, hermitian=True)
    return float(solution[-1]), float(np.sqrt(max(left * inverse[-1, -1], 0.0))), dof


def dominant(fit: Fit) -> Iterator[Finding]:
    """K009: one run without which the prediction would be another."""
    if not (fit.spread.known and fit.n_runs <= MOST_RUNS):
        return
    far = {
        name: np.array([FARTHER * float(fit.points.predictor(name).max())])
        for name in fit.law.predictors
    }
    logs = np.log(np.stack([far[name] for name in fit.law.predictors]))
    bounds = fit.predict_many(**far, level=0.9, method="delta")
    half = 0.5 * float(np.log(bounds["mean_upper"][0] / bounds["mean_lower"][0]))
    without = fit.problem.at(jackknife(fit.problem).phi, logs)[0][:, 0]
    moved = np.abs(without - np.log(bounds["value"][0]))
    worst = int(np.argmax(moved))
    others = float(np.partition(moved, -2)[-2]) if len(moved) > 1 else 0.0
    if half > 0 and moved[worst] > DOMINATES * half and moved[worst] > 2.0 * others:
        yield issue(
            "K009",
            f"Without run {fit.points.names[worst]} the loss predicted at ten times the largest "
            f"run moves by {100 * moved[worst]:.2g} %, {moved[worst] / half:.1f} half-widths of "
            "its interval.",
            "Look at that run; train another of its scale, or leave it out and compare.",
        )


def diverged(fit: Fit) -> Iterator[Finding]:
    """K014: a run far above the law."""
    if not np.isfinite(fit.noise) or fit.objective_name == "raw":
        return
    r = fit.residuals
    worst = int(np.argmax(r))
    if r[worst] > max(DIVERGED * fit.noise, WORSE):
        count = int(np.sum(r > max(DIVERGED * fit.noise, WORSE)))
        yield issue(
            "K014",
            f"Run {fit.points.names[int(fit.points.run[worst])]} lies {100 * r[worst]:.0f} % above "
            f"the law, {r[worst] / fit.noise:.0f} noises ({count} such point"
            f"{'s' if count > 1 else ''}): it diverged, or its loss is of another kind.",
            "Leave it out; the Huber objective already bears one, least squares does not.",
        )
