"""What a fit leaves over: each run's distance from the law, in percent of its loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kleiber.charts import theme
from kleiber.charts.extra import altair
from kleiber.charts.marks import run_layers
from kleiber.charts.rows import Table, is_synthetic, run_rows

if TYPE_CHECKING:
    import altair as alt

_RUN_TIP = (
    ("run", "run"),
    ("size", "params"),
    ("seen", "tokens"),
    ("loss", "loss"),
    ("predicted", "predicted"),
    ("residual", "residual, %"),
)


def residual_chart(
    *, points: Table, title: str = "", subtitle: str = "", noise: float | None = None
) -> alt.LayerChart:
    """Draw each run's residual, ``100 log(loss / predicted)`` percent, against compute.

    ``points`` have ``params, tokens, loss, predicted`` and optionally ``run``, ``role`` and
    ``synthetic``. ``noise`` (a standard deviation of log-loss) shades where two runs in three
    should lie. Raises as :func:`kleiber.charts.fit_chart` does.
    """
    alt = altair()
    rows = run_rows(points, ("loss", "predicted"))
    for row in rows:
        row["residual"] = 100 * math.log(row["loss"] / row["predicted"])
    band = 100 * noise if noise is not None and math.isfinite(noise) else 0.0
    reach = 1.12 * max(band, *(abs(row["residual"]) for row in rows), 1e-6)
    flops = theme.padded(row["flops"] for row in rows)
    x = theme.compute_axis(flops, "training compute, FLOPs = 6 × params × tokens")
    y = alt.Y(
        "residual:Q",
        title="loss above the law, %",
        scale=alt.Scale(domain=[-reach, reach], nice=False),
        axis=alt.Axis(labelExpr="datum.value === 0 ? '0' : format(datum.value, '+~f')"),
    )
    layers = []
    if band:
        edge = alt.Chart(alt.Data(values=[{"residual": -band, "upper": band}]))
        shade = edge.mark_rect(color=theme.INK, opacity=0.06)
        layers.append(shade.encode(y=y, y2=alt.Y2("upper:Q")))
    zero = alt.Chart(alt.Data(values=[{"residual": 0}]))
    layers.append(zero.mark_rule(color=theme.GREY, strokeWidth=1.3).encode(y=y))
    layers += run_layers(rows, x, y, theme.size_colour(rows), _RUN_TIP)
    return theme.dressed(
        alt.layer(*layers).resolve_scale(shape="independent"),
        title=title,
        subtitle=subtitle,
        synthetic=is_synthetic(points),
        description=f"Residuals of {len(rows)} runs in percent of the loss against compute.",
    )
