"""Bits per parameter against what was asked for: a model fills up, and the plateau shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.charts import theme
from kleiber.charts.extra import altair
from kleiber.charts.marks import key
from kleiber.charts.rows import Row
from kleiber.errors import ValuesError
from kleiber.judging.stored import Stored, longest, stored_rows
from kleiber.units import format_count

if TYPE_CHECKING:
    import altair as alt

    from kleiber.judging.capacity import Plateau

STEPS = 100
ROOM = 1.06
_TIP = (
    ("size", "params"),
    ("crowd", "people"),
    ("seen", "exposures"),
    ("each", "bits per param"),
    ("seeds", "seeds"),
)


def draw_filling(
    rows: Iterable[Mapping[str, Any]],
    plateaus: Sequence[Plateau] = (),
    *,
    title: str = "",
    subtitle: str = "",
) -> alt.LayerChart:
    """Draw capacity results: bits stored a parameter against bits that the data hold a parameter.

    A dot is the mean of a model's seeds, with their span as a bar, coloured by its parameters;
    on the grey line it would know everything. Each known plateau adds its law. Results of fewer
    exposures are hollow, their laws dashed.

    Raises
    ------
    ColumnError, ValuesError
        For a row that is no capacity result, and where there is none.
    MissingExtraError
        Where altair is not installed.
    """
    alt = altair()
    table = longest(stored_rows(list(rows)))
    if not table:
        raise ValuesError("There is no capacity result to draw.")
    known = sorted((one for one in plateaus if one.known), key=lambda one: -one.exposures)
    dots = filling_rows(table)
    right = ROOM * max(dot["demand"] for dot in dots)
    top = ROOM * max(2.0, *(dot["upper"] for dot in dots))
    bottom = min(0.0, *(dot["lower"] for dot in dots))
    title_x = "bits that the data hold, per parameter (R^max)"
    few = alt.Axis(tickCount=6)
    x = alt.X("demand:Q", title=title_x, scale=alt.Scale(domain=[0, right], nice=False), axis=few)
    scale = alt.Scale(domain=[bottom, top], nice=False)
    y = alt.Y("bits:Q", title="bits stored, per parameter", scale=scale, axis=few)
    layers = [
        *_everything(min(right, top), x, y),
        *(layer for i, one in enumerate(known) for layer in _law(one, right, x, y, dashed=i > 0)),
        *_dots(dots, x, y),
    ]
    return theme.dressed(
        alt.layer(*layers).resolve_scale(shape="independent"),
        title=title or "A model fills up",
        subtitle=subtitle or "\n".join(one.sentence().partition(";")[0] for one in known),
        synthetic=False,
        description=f"Bits per parameter stored against bits asked for, {len(dots)} models.",
    )


def filling_rows(table: Sequence[Stored]) -> list[Row]:
    """Return one row a cell: the mean of its seeds, their span, and texts for tooltips."""
    most = max(row.exposures for row in table)
    dots: list[Row] = []
    for cell in dict.fromkeys(row.cell for row in table):
        same = [row for row in table if row.cell == cell]
        bits = [row.bits for row in same]
        mean = sum(bits) / len(bits)
        dots.append(
            {
                "params": cell[1],
                "demand": same[0].demand,
                "bits": mean,
                "lower": min(bits),
                "upper": max(bits),
                "most": cell[2] == most,
                "size": format_count(cell[1]),
                "crowd": f"{cell[0]:,}",
                "seen": f"{cell[2]:,.0f}",
                "each": f"{mean:.3f} of {same[0].demand:.3f}",
                "seeds": str(len(same)),
            }
        )
    return dots


def _everything(end: float, x: Any, y: Any) -> list[Any]:
    """Return the line on which a model knows all, with its name."""
    alt = altair()
    ends = alt.Data(values=[{"demand": at, "bits": at} for at in (0.0, end)])
    line = alt.Chart(ends).mark_line(color=theme.GREY, strokeWidth=1, clip=True)
    spot = alt.Data(values=[{"demand": 0.45 * end, "bits": 0.45 * end, "name": "knows all"}])
    text = alt.Chart(spot).mark_text(align="right", dx=-8, dy=-4, color=theme.GREY, fontSize=12)
    return [line.encode(x=x, y=y), text.encode(x=x, y=y, text="name:N")]


def _law(plateau: Plateau, right: float, x: Any, y: Any, *, dashed: bool) -> list[Any]:
    """Return the fitted law of one count of exposures, and the interval of its plateau."""
    alt = altair()
    demand = np.linspace(right / STEPS, right, STEPS)
    values = [
        {"demand": float(at), "bits": float(bits)}
        for at, bits in zip(demand, plateau.curve(demand), strict=True)
    ]
    dash = {"strokeDash": [5, 4]} if dashed else {}
    line = alt.Chart(alt.Data(values=values)).mark_line(
        color=theme.ACCENT, strokeWidth=1.6, clip=True, **dash
    )
    layers = [line.encode(x=x, y=y)]
    if plateau.upper < right:  # a wider interval says that little is known, and would hide all
        span = [{"demand": 0.0, "end": right, "bits": plateau.lower, "above": plateau.upper}]
        band = alt.Chart(alt.Data(values=span)).mark_rect(
            color=theme.ACCENT, opacity=0.13, clip=True
        )
        layers.insert(0, band.encode(x=x, x2="end:Q", y=y, y2="above:Q"))
    return layers


def _dots(dots: list[Row], x: Any, y: Any) -> list[Any]:
    """Return the span of seeds as bars, and the means over them: filled, or hollow."""
    alt = altair()
    sizes = sorted({dot["size"]: dot["params"] for dot in dots}.items(), key=lambda one: one[1])
    every = max(1, (len(theme.SIZES) - 1) // max(1, len(sizes) - 1))
    colours = [theme.SIZES[min(i * every, len(theme.SIZES) - 1)] for i in range(len(sizes))]
    colour = alt.Color(
        "size:N",
        scale=alt.Scale(domain=[name for name, _ in sizes], range=colours),
        legend=alt.Legend(title="parameters", symbolType="circle", symbolStrokeWidth=0),
    )
    spread = [dot for dot in dots if dot["upper"] > dot["lower"]]
    bar = alt.Chart(alt.Data(values=spread)).mark_rule(strokeWidth=2)
    lower = y.copy()
    lower.shorthand = "lower:Q"
    layers = [bar.encode(x=x, y=lower, y2=alt.Y2("upper:Q"), color=colour)] if spread else []
    tips = [alt.Tooltip(f"{name}:N", title=said) for name, said in _TIP]
    for filled in (True, False):
        chosen = [dot for dot in dots if dot["most"] == filled]
        if not chosen:
            continue
        seen = sorted({int(dot["seen"].replace(",", "")) for dot in chosen}, reverse=True)
        name = f"{' or '.join(f'{count:,}' for count in seen)} exposures"
        base = alt.Chart(alt.Data(values=[{**dot, "key": name} for dot in chosen]))
        mark = base.mark_point(filled=filled, size=70, opacity=1, strokeWidth=1.8)
        if filled:
            mark = base.mark_point(
                filled=True, size=70, opacity=1, stroke=theme.PAPER, strokeWidth=0.8
            )
        shape = key(name, shape="circle", filled=filled, colour=theme.GREY)
        layers.append(mark.encode(x=x, y=y, color=colour, shape=shape, tooltip=tips))
    return layers
