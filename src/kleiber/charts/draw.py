"""The picture of a fit: its runs, a line a size, the frontier with its band, a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.charts.fit import fit_chart
from kleiber.units import flops_6nd

if TYPE_CHECKING:
    import altair as alt

    from kleiber.fitting import Fit, Prediction
    from kleiber.judging import Hidden

MOST_CURVES = 12
STEPS = 40


def draw_fit(
    fit: Fit,
    *,
    prediction: Prediction | None = None,
    hidden: Hidden | None = None,
    level: float = 0.9,
    title: str = "",
) -> alt.LayerChart:
    """Draw a fit of params and tokens: loss against compute, with the band and the prediction.

    The dark line is the compute-optimal frontier, its band the interval of a new run.
    """
    points = [
        {
            "run": r["run"],
            "params": r["params"],
            "tokens": r["tokens"],
            "loss": r["loss"],
            "role": "fitted",
            "synthetic": fit.data.synthetic,
        }
        for r in fit.frame().iter_rows(named=True)
    ]
    target = _target(prediction, hidden, level)
    reach = float(np.max(flops_6nd(fit.points.params, fit.points.tokens)))
    if target is not None:
        reach = max(reach, target["flops"])
    curves = [*_sizes(fit), *_frontier(fit, reach, level)]
    held = ", ".join(f"{k} = {v:.4g}" for k, v in fit.values.items())
    return fit_chart(
        points=points,
        curves=curves,
        prediction=target,
        title=title or f"{fit.law.title}: {fit.law.equation}",
        subtitle=f"{held}; band: {level:.0%} of new runs",
    )


def _target(
    prediction: Prediction | None, hidden: Hidden | None, level: float
) -> dict[str, Any] | None:
    """Return the prediction as the chart's row."""
    if hidden is not None:
        return {
            "flops": float(flops_6nd(hidden.params, hidden.tokens)),
            "params": hidden.params,
            "tokens": hidden.tokens,
            "predicted": hidden.predicted,
            "lower": hidden.lower,
            "upper": hidden.upper,
            "level": hidden.level,
            "actual": hidden.actual,
        }
    if prediction is None or prediction.params is None or prediction.tokens is None:
        return None
    return {
        "flops": float(flops_6nd(prediction.params, prediction.tokens)),
        "params": prediction.params,
        "tokens": prediction.tokens,
        "predicted": prediction.value,
        "lower": prediction.lower,
        "upper": prediction.upper,
        "level": level,
    }


def _sizes(fit: Fit) -> list[dict[str, float]]:
    """Return the fitted curve of each size over the tokens that it was seen at."""
    sizes = np.unique(fit.points.params)
    if len(sizes) > MOST_CURVES:
        return []
    rows: list[dict[str, float]] = []
    for size in sizes:
        seen = fit.points.tokens[fit.points.params == size]
        tokens = np.geomspace(seen.min(), seen.max(), STEPS) if seen.min() < seen.max() else seen
        losses = fit.predict_many(np.full(len(tokens), size), tokens, method="delta")["value"]
        rows += [
            {"params": float(size), "flops": float(c), "loss": float(v)}
            for c, v in zip(flops_6nd(size, tokens), losses, strict=True)
        ]
    return rows


def _frontier(fit: Fit, reach: float, level: float) -> list[dict[str, float]]:
    """Return the compute-optimal frontier from the smallest run to the farthest point."""
    if fit.law.optimum is None:
        return []
    lowest = float(np.min(flops_6nd(fit.points.params, fit.points.tokens)))
    flops = np.geomspace(lowest, reach, 2 * STEPS)
    scale, slope = fit.law.optimum(fit.problem.raw_theta(fit.solved.phi))
    params = np.exp(scale[0] + slope[0] * np.log(flops / 6.0))
    if not np.all(np.isfinite(params)):
        return []
    bands = fit.predict_many(params, flops / 6.0 / params, level=level, method="delta")
    return [
        {"flops": float(c), "loss": float(v), "lower": float(lo), "upper": float(hi)}
        for c, v, lo, hi in zip(flops, bands["value"], bands["lower"], bands["upper"], strict=True)
    ]
