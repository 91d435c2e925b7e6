"""The picture of a fit: its runs, a line a size, the frontier with its band, a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kleiber.charts.fit import fit_chart
from kleiber.charts.residuals import residual_chart
from kleiber.units import flops_6nd

if TYPE_CHECKING:
    import altair as alt

    from kleiber.fitting import Fit, Prediction
    from kleiber.judging import Hidden

MOST_CURVES = 12
MOST_POINTS = 4000  # beyond it a picture has more marks than an eye has use for
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
    points = point_rows(fit)
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


def draw_residuals(fit: Fit, *, title: str = "", subtitle: str = "") -> alt.LayerChart:
    """Draw what a fit leaves over, in percent of each loss, with the noise as a band.

    The noise of objective "raw" is in nats and not in percent, so that it has no band.
    """
    noise = None if fit.objective_name == "raw" else fit.noise
    return residual_chart(points=point_rows(fit), title=title, subtitle=subtitle, noise=noise)


def point_rows(fit: Fit, most: int = MOST_POINTS) -> list[dict[str, Any]]:
    """Return the fitted points as rows for a chart, evenly thinned to at most so many."""
    frame = fit.frame()
    return [
        {
            "run": r["run"],
            "params": r["params"],
            "tokens": r["tokens"],
            "loss": r["loss"],
            "predicted": r["fitted"],
            "role": "fitted",
            "synthetic": fit.data.synthetic,
        }
        for r in frame.gather_every(-(-frame.height // most)).iter_rows(named=True)
    ]


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
    if len(sizes) > MOST_CURVES or not {*fit.law.predictors} <= {"params", "tokens"}:
        return []  # one size has no one curve where a third predictor moves the loss
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
    lowest = float(np.min(flops_6nd(fit.points.params, fit.points.tokens)))
    rows = frontier_rows(fit, np.geomspace(lowest, reach, 2 * STEPS), level)
    return [
        {k: v for k, v in row.items() if k in ("flops", "loss", "lower", "upper")} for row in rows
    ]


def frontier_rows(
    fit: Fit, flops: NDArray[np.float64], level: float = 0.9
) -> list[dict[str, float]]:
    """Return the best run of each compute: flops, params, tokens, loss, lower, upper.

    Empty for a law that has no optimum in closed form.
    """
    if fit.law.optimum is None:
        return []
    scale, slope = fit.law.optimum(fit.problem.raw_theta(fit.solved.phi))
    params = np.exp(scale[0] + slope[0] * np.log(flops / 6.0))
    if not np.all(np.isfinite(params)):
        return []
    tokens = flops / 6.0 / params
    bands = fit.predict_many(params, tokens, level=level, method="delta")
    columns = (flops, params, tokens, bands["value"], bands["lower"], bands["upper"])
    names = ("flops", "params", "tokens", "loss", "lower", "upper")
    return [
        {name: float(value) for name, value in zip(names, row, strict=True)}
        for row in zip(*columns, strict=True)
    ]
