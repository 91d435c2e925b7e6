"""Loss against compute: the runs, the fitted curves, the prediction and what came true."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kleiber.charts import theme
from kleiber.charts.extra import altair
from kleiber.charts.marks import key, run_layers, tooltip
from kleiber.charts.rows import Row, Table, is_synthetic, positive, rows_of, run_rows
from kleiber.units import format_count

if TYPE_CHECKING:
    import altair as alt

_RUN_TIP = (
    ("run", "run"),
    ("size", "params"),
    ("seen", "tokens"),
    ("compute", "compute"),
    ("loss", "loss"),
    ("role", "role"),
)
WIDEST = 2.0  # an interval may double the picture's span, or reach this far beyond it
FARTHEST = 1e3
SAME = 1e-9  # a hidden run this near the target, relatively, is the target


def fit_chart(
    *,
    points: Table,
    curves: Table = (),
    prediction: Mapping[str, Any] | None = None,
    title: str = "",
    subtitle: str = "",
    unit: str = "nats per token",
) -> alt.LayerChart:
    """Draw loss against training compute (6 x params x tokens), log on both axes.

    Parameters
    ----------
    points
        ``params, tokens, loss`` and optionally ``run``, ``role`` ("fitted" or "hidden") and
        ``synthetic``. Coloured by size; hidden runs are hollow.
    curves
        ``flops, loss`` and optionally ``lower, upper`` (a band) and ``params``: one thin line a
        size, or one dark line where params is absent, such as the compute-optimal frontier.
    prediction
        ``flops, predicted`` and optionally ``lower, upper, level, actual, params, tokens``.
    unit
        The unit of every loss given, for the axis.

    Raises
    ------
    ColumnError, ValuesError
        For a column that is missing and for values with no place on a log axis.
    MissingExtraError
        Where altair is not installed.
    """
    alt = altair()
    runs = run_rows(points, ("loss",))
    lines = _curve_rows(curves)
    target = _target(prediction) if prediction is not None else None
    runs = [row for row in runs if target is None or not _is_target(row, target)]

    everything = [*runs, *lines, *([target] if target else [])]
    flops = theme.padded(row["flops"] for row in everything)
    losses = _losses(everything)
    x = theme.compute_axis(flops, "training compute, FLOPs = 6 × params × tokens")
    y = theme.loss_axis(theme.padded(losses), f"loss, {unit}")
    colour = theme.size_colour([*runs, *lines])

    layers = [
        *_curve_layers(lines, x, y, colour),
        *run_layers(runs, x, y, colour, _RUN_TIP),
    ]
    if target is not None:
        layers += _target_layers(target, x, y)
    chart = alt.layer(*layers).resolve_scale(shape="independent")
    return theme.dressed(
        chart,
        title=title,
        subtitle=subtitle,
        synthetic=is_synthetic(points),
        description=_description(runs, target, unit),
    )


def _losses(rows: list[Row]) -> list[float]:
    """Return the losses that the axis must hold: those of runs, curves and the prediction.

    The edges of an interval are held too, but for one so wide that it would flatten the rest:
    it is cut where it leaves the picture.
    """
    inner = [row[name] for row in rows for name in ("loss", "actual") if name in row]
    low, high = min(inner), max(inner)
    room = max(high / low, WIDEST)
    edges = [row[name] for row in rows for name in ("lower", "upper") if name in row]
    return [*inner, *(min(max(edge, low / room), high * room) for edge in edges)]


def _curve_rows(curves: Table) -> list[Row]:
    """Return drawable rows of the curves, bands only where both edges are known."""
    drawn: list[Row] = []
    for row in rows_of(curves, ("flops", "loss"), "curves"):
        out: Row = {name: positive(row, name, "A curve") for name in ("flops", "loss")}
        out |= _edges(row, out["loss"])
        if row.get("params") is not None:
            out["params"] = positive(row, "params", "A curve")
        drawn.append(out)
    return drawn


def _target(prediction: Mapping[str, Any]) -> Row:
    """Return the prediction as one drawable row with its tooltips."""
    (row,) = rows_of([prediction], ("flops", "predicted"), "prediction")
    out: Row = {"flops": positive(row, "flops", "The prediction")}
    out["loss"] = positive(row, "predicted", "The prediction")
    actual = row.get("actual")
    if actual is not None and math.isfinite(actual) and actual > 0:
        out["actual"] = float(actual)
    out |= _edges(row, out["loss"])
    level = row.get("level")
    interval = f"{level:.0%} interval" if level is not None else "interval"
    if "lower" in out and "upper" in out:
        out["interval"] = f"{row['lower']:.4g} – {row['upper']:.4g}".replace("inf", "∞")
        out["key"] = f"prediction, {interval}"
    else:
        out["key"] = "prediction"
    for name, text in (("params", "size"), ("tokens", "seen")):
        if row.get(name) is not None:
            out[text] = format_count(float(row[name]))
    out["compute"] = f"{out['flops']:.3g} FLOPs".replace("e+", "e")
    return out


def _edges(row: Row, loss: float) -> Row:
    """Return an interval's edges, none where unknown; unbounded ones far outside the picture.

    Left out, an interval without bounds would look like certainty.
    """
    lower, upper = row.get("lower"), row.get("upper")
    if lower is None or upper is None or math.isnan(lower) or math.isnan(upper):
        return {}
    return {
        "lower": min(max(float(lower), loss / FARTHEST), loss),
        "upper": max(min(float(upper), loss * FARTHEST), loss),
    }


def _is_target(row: Row, target: Row) -> bool:
    """Return whether a hidden run is the one predicted, which has a mark of its own."""
    return (
        row["role"] == "hidden"
        and "actual" in target
        and math.isclose(row["flops"], target["flops"], rel_tol=SAME)
        and math.isclose(row["loss"], target["actual"], rel_tol=SAME)
    )


def _curve_layers(lines: list[Row], x: Any, y: Any, colour: Any) -> list[Any]:
    """Return bands beneath lines: coloured for one size, dark for a frontier."""
    alt = altair()
    layers: list[Any] = []
    sized = [row for row in lines if "params" in row]
    frontier = [row for row in lines if "params" not in row]
    for rows, tint in ((sized, colour), (frontier, alt.value(theme.INK))):
        band = [row for row in rows if "lower" in row]
        detail = alt.Detail("params:Q") if rows is sized else alt.Undefined
        if band:
            area = alt.Chart(alt.Data(values=band)).mark_area(opacity=0.13, clip=True)
            layers.append(area.encode(x=x, color=tint, detail=detail, **_between(y)))
        if rows:
            width = 1.3 if rows is sized else 1.8
            line = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=width, clip=True)
            layers.append(line.encode(x=x, y=y, color=tint, detail=detail))
    return layers


def _target_layers(target: Row, x: Any, y: Any) -> list[Any]:
    """Return the actual's hollow mark, and over it the interval's bar and the diamond.

    A good prediction lies on what came true: the bar's caps are wider than the ring, and the
    diamond smaller, so that each is seen when they coincide.
    """
    alt = altair()
    shown = [
        ("size", "params"),
        ("seen", "tokens"),
        ("compute", "compute"),
        ("loss", "predicted"),
        ("interval", "interval"),
        ("actual", "actual"),
    ]
    tip = tooltip(*(pair for pair in shown if pair[0] in target))
    base = alt.Chart(alt.Data(values=[target]))
    tint = alt.value(theme.ACCENT)
    layers: list[Any] = []
    if "actual" in target:
        ring = alt.Chart(alt.Data(values=[{**target, "key": "actual"}]))
        shape = key("actual", shape="circle", filled=False, colour=theme.INK, size=150)
        layers.append(
            ring.mark_point(filled=False, size=190, strokeWidth=1.8, opacity=1).encode(
                x=x, y=_at(y, "actual"), color=alt.value(theme.INK), shape=shape, tooltip=tip
            )
        )
    if "interval" in target:
        bar = base.mark_rule(strokeWidth=2, clip=True).encode(x=x, color=tint, **_between(y))
        caps = [
            base.mark_tick(orient="horizontal", thickness=2, size=24, opacity=1, clip=True).encode(
                x=x, y=_at(y, edge), color=tint
            )
            for edge in ("lower", "upper")
        ]
        layers += [bar, *caps]
    shape = key(target["key"], shape="diamond", filled=True, colour=theme.ACCENT)
    diamond = base.mark_point(filled=True, size=75, opacity=1)
    layers.append(diamond.encode(x=x, y=y, color=tint, shape=shape, tooltip=tip))
    return layers


def _at(y: Any, field: str) -> Any:
    """Return the loss axis reading another field."""
    other = y.copy()
    other.shorthand = f"{field}:Q"
    return other


def _between(y: Any) -> dict[str, Any]:
    """Return the encodings of an interval on the loss axis."""
    return {"y": _at(y, "lower"), "y2": altair().Y2("upper:Q")}


def _description(runs: list[Row], target: Row | None, unit: str) -> str:
    """Return the chart in words, for readers that cannot see it."""
    hidden = sum(row["role"] == "hidden" for row in runs)
    text = f"Loss ({unit}) against training compute for {len(runs) - hidden} fitted runs"
    if hidden:
        text += f" and {hidden} hidden ones"
    if target is not None:
        text += f"; predicted {target['loss']:.4g} at {target['compute']}"
        text += f" ({target['interval']})" if "interval" in target else ""
        text += f", actual {target['actual']:.4g}" if "actual" in target else ""
    return f"{text}."
