"""The knowledge law in three pictures: over exposures, over bits a weight, bits against accuracy.

Each takes the plain rows that the study ``capacity-law`` leaves under ``drawn``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kleiber.charts import theme
from kleiber.charts.extra import altair
from kleiber.charts.rows import Row
from kleiber.errors import ValuesError
from kleiber.units import format_count

if TYPE_CHECKING:
    import altair as alt

FLOAT = 32.0
LEAST = -1.0  # bits of a value below which a rounded model is not drawn
LINES = {"fano": "at least (Fano)", "all_or_none": "all or none", "jensen": "at most (Jensen)"}


def drawings(drawn: Mapping[str, Any]) -> dict[str, alt.LayerChart]:
    """Return the pictures that there is something for, by the end of their file's name."""
    charts: dict[str, alt.LayerChart] = {}
    if drawn["learnt"]:
        charts[""] = draw_learning(drawn)
    if drawn["rounded"]:
        charts["-rounding"] = draw_rounding(drawn)
    if drawn["accuracy"]:
        charts["-accuracy"] = draw_accuracy(drawn)
    return charts


def draw_learning(drawn: Mapping[str, Any]) -> alt.LayerChart:
    """Draw the plateau against exposures, a line and its interval a size; dots are cells' means.

    Filled dots are of models asked for over 2.5 bits a parameter, hollow ones of less full ones.

    Raises
    ------
    ValuesError
        Where there is no cell to draw.
    """
    alt = altair()
    lines, dots = _named(drawn["learning"]), _named(drawn["learnt"])
    if not dots:
        raise ValuesError("There is no cell to draw over exposures.")
    colour = _sizes(dots)
    across = theme.padded((row["exposures"] for row in lines), 0.0)
    x = theme.count_axis("x", "exposures", across, "exposures of each fact")
    top = 1.04 * max([row["upper"] for row in lines] + [row["bits"] for row in dots])
    scale = alt.Scale(domain=[0.0, top], nice=False, clamp=True)
    y = alt.Y("bits:Q", title="bits stored, per parameter", scale=scale)
    base = alt.Chart(alt.Data(values=lines))
    low = alt.Y("lower:Q", title="bits stored, per parameter", scale=scale)
    layers = [
        base.mark_area(opacity=0.13).encode(x=x, y=low, y2=alt.Y2("upper:Q"), color=colour),
        base.mark_line(strokeWidth=1.8).encode(x=x, y=y, color=colour),
        *_dots(dots, x, y, colour, "full", ("size", "people")),
    ]
    return theme.dressed(
        alt.layer(*layers),
        title="What exposures teach",
        subtitle="plateaus by one law, 90% intervals; hollow: asked for less than 2.5 bits",
        synthetic=False,
        description=f"Bits per parameter against exposures, {len(dots)} cells and the law.",
    )


def draw_rounding(drawn: Mapping[str, Any]) -> alt.LayerChart:
    """Draw the share kept against bits a weight: the law's lines, and rounded models as dots.

    Raises
    ------
    ValuesError
        Where no model was rounded.
    """
    alt = altair()
    lines, dots = list(drawn["rounding"]), _named(drawn["rounded"])
    if not dots:
        raise ValuesError("There is no rounded model to draw.")
    states = list(dict.fromkeys(row["state"] for row in lines or dots))
    colours = [theme.ACCENT, theme.SIZES[1], theme.SIZES[3]][: len(states)]
    colour = alt.Color(
        "state:N",
        scale=alt.Scale(domain=states, range=colours),
        legend=alt.Legend(title="models", symbolType="circle", symbolStrokeWidth=0),
    )
    widths = sorted({row["width"] for row in dots})
    span = [widths[0] - 0.25, widths[-1] + 0.25]
    axis = alt.Axis(values=list(range(int(widths[0]), int(widths[-1]) + 1)), format="d")
    x = alt.X("width:Q", title="bits a weight", scale=alt.Scale(domain=span), axis=axis)
    share = alt.Scale(domain=[0.0, 1.04], nice=False)
    y = alt.Y("kept:Q", title="share of bits kept", scale=share, axis=alt.Axis(format="%"))
    line = alt.Chart(alt.Data(values=lines)).mark_line(strokeWidth=1.8)
    filled = [{**dot, "full": True} for dot in dots]
    layers = [
        line.encode(x=x, y=y, color=colour),
        *_dots(filled, x, y, colour, "full", ("size", "state")),
    ]
    return theme.dressed(
        alt.layer(*layers),
        title="What fewer bits a weight keep",
        subtitle="GPTQ after training; lines by one law, of the largest model",
        synthetic=False,
        description=f"Share of stored bits kept against bits a weight, {len(dots)} models.",
    )


def draw_accuracy(drawn: Mapping[str, Any]) -> alt.LayerChart:
    """Draw bits of a value against accuracy: every pair a dot, the bounds as lines.

    Raises
    ------
    ValuesError
        Where there are no pairs.
    """
    alt = altair()
    pairs = drawn["accuracy"]
    if not pairs:
        raise ValuesError("There are no pairs of accuracy and bits to draw.")
    columns = zip(pairs["accuracy"], pairs["bits"], pairs["weight_bits"], strict=True)
    every = [
        {"accuracy": a, "bits": bits, "weights": "float" if width == FLOAT else "rounded"}
        for a, bits, width in columns
    ]
    dots = [dot for dot in every if dot["bits"] > LEAST]
    dots.sort(key=lambda dot: dot["weights"], reverse=True)  # float ones on top
    lines = [{**line, "line": LINES[line["line"]]} for line in pairs["lines"]]
    across = alt.Scale(domain=[0.0, 1.0], nice=False)
    up = alt.Scale(domain=[LEAST, 1.03 * pairs["most"]], nice=False)
    x = alt.X("accuracy:Q", title="values right", axis=alt.Axis(format="%"), scale=across)
    y = alt.Y("bits:Q", title="bits of a value", scale=up)
    dot_colour = alt.Color(
        "weights:N",
        scale=alt.Scale(domain=["float", "rounded"], range=[theme.SIZES[1], theme.ACCENT]),
        legend=alt.Legend(title="weights", symbolType="circle", symbolStrokeWidth=0),
    )
    dash = alt.StrokeDash(
        "line:N",
        scale=alt.Scale(domain=list(LINES.values()), range=[[1, 0], [2, 3], [7, 4]]),
        legend=alt.Legend(title=None, symbolType="stroke", symbolStrokeColor=theme.GREY),
    )
    spots = alt.Chart(alt.Data(values=dots)).mark_point(filled=True, size=16, opacity=0.55)
    curves = alt.Chart(alt.Data(values=lines)).mark_line(
        color=theme.GREY, strokeWidth=1.5, clip=True
    )
    hidden = len(every) - len(dots)
    under = f"; {hidden} rounded ones below {LEAST:g} bit are not drawn" if hidden else ""
    return theme.dressed(
        alt.layer(
            spots.encode(x=x, y=y, color=dot_colour), curves.encode(x=x, y=y, strokeDash=dash)
        ),
        title="Accuracy and bits",
        subtitle=f"{len(dots):,} attributes of models{under}",
        synthetic=False,
        description=f"Bits of a value against accuracy, {len(dots)} pairs between two bounds.",
    )


def _named(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return rows with their size as a person writes it."""
    return [{**row, "size": format_count(row["params"])} for row in rows]


def _sizes(dots: Sequence[Row]) -> Any:
    """Return colour by size, one of a few."""
    alt = altair()
    sizes = sorted({dot["size"]: dot["params"] for dot in dots}.items(), key=lambda one: one[1])
    every = max(1, (len(theme.SIZES) - 1) // max(1, len(sizes) - 1))
    colours = [theme.SIZES[min(i * every, len(theme.SIZES) - 1)] for i in range(len(sizes))]
    return alt.Color(
        "size:N",
        scale=alt.Scale(domain=[name for name, _ in sizes], range=colours),
        legend=alt.Legend(
            title="parameters", symbolType="circle", symbolStrokeWidth=0, symbolOpacity=1
        ),
    )


def _dots(
    dots: Sequence[Row], x: Any, y: Any, colour: Any, by: str, tips: tuple[str, ...]
) -> list[Any]:
    """Return dots, filled where ``by`` holds and hollow where it does not."""
    alt = altair()
    layers: list[Any] = []
    for filled in (True, False):
        chosen = [dot for dot in dots if bool(dot[by]) == filled]
        if chosen:
            edge = {"stroke": theme.PAPER, "strokeWidth": 0.8} if filled else {"strokeWidth": 1.8}
            mark = alt.Chart(alt.Data(values=chosen)).mark_point(
                filled=filled, size=70, opacity=1, **edge
            )
            shown = [alt.Tooltip(f"{tip}:N") for tip in tips]
            layers.append(mark.encode(x=x, y=y, color=colour, tooltip=shown))
    return layers
