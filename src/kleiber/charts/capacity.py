"""Bits stored against parameters: what models hold, what there is to hold, and the plateau."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.charts import theme
from kleiber.charts.extra import altair
from kleiber.charts.marks import CROWD, key
from kleiber.charts.rows import Row
from kleiber.errors import ValuesError
from kleiber.judging.stored import Stored, longest, stored_rows
from kleiber.units import format_count

if TYPE_CHECKING:
    import altair as alt

    from kleiber.judging.capacity import Plateau

GUIDES = (1.0, 2.0)  # bits per parameter: published at 100 and at 1000 exposures
STEPS = 80
MOST_LABELS = 8
ROOM = 1.15  # factor beyond the smallest and the largest model
LETTER = 6.3  # pixels of a letter, a little more than it takes
_TIP = (
    ("crowd", "people"),
    ("size", "params"),
    ("seen", "exposures"),
    ("held", "bits stored"),
    ("each", "bits per param"),
    ("share", "of all there is"),
    ("seeds", "seeds"),
)


def draw_capacity(
    rows: Iterable[Mapping[str, Any]],
    plateau: Plateau | Sequence[Plateau] | None = None,
    *,
    title: str = "",
    subtitle: str = "",
) -> alt.LayerChart:
    """Draw capacity results: bits stored against parameters, log on both axes.

    A dot is the mean of a model's seeds, with their span as a bar; a dotted line is all there
    is to know of so many people; grey lines are 1 and 2 bits per parameter. Each plateau
    that is known adds its law to every number of people, and a band for its interval. Results
    of fewer exposures are hollow, their laws dashed.

    Raises
    ------
    ColumnError, ValuesError
        For a row that is no capacity result, and where no model stored anything.
    MissingExtraError
        Where altair is not installed.
    """
    alt = altair()
    given = list(rows)
    table = [row for row in longest(stored_rows(given)) if row.bits > 0]
    if not table:
        raise ValuesError("No model stored anything, so there is nothing to draw on a log axis.")
    known = [one for one in _sequence(plateau) if one.known]
    dots, ceilings = dot_rows(table), _ceilings(table)
    across = theme.padded(dot["params"] * edge for dot in dots for edge in (1 / ROOM, ROOM))
    edges = [edge for dot in dots for edge in (dot["lower"], dot["upper"])]
    up = theme.padded([*edges, *(line["bits"] for line in ceilings)], 0.1)
    x = theme.count_axis("x", "params", across, "parameters")
    y = theme.count_axis("y", "bits", up, "bits stored")
    labelled = len(ceilings) <= MOST_LABELS
    colour = _colour(sorted({row.people for row in table}), legend=not labelled)
    layers = [
        *_guide_layers(across, up, x, y),
        *_plateau_layers(known, across, up, x, y),
        *_ceiling_layers(ceilings, across, x, y, colour),
        *(_ceiling_names(ceilings, across, x, y) if labelled else []),
        *_law_layers(known, table, across, x, y, colour),
        *_dot_layers(dots, x, y, colour),
    ]
    return theme.dressed(
        alt.layer(*layers).resolve_scale(shape="independent", strokeDash="independent"),
        title=title or "Bits of knowledge against parameters",
        subtitle=subtitle or _subtitle(known),
        synthetic=False,  # the people are, the training is not
        description=_description(dots, known),
    )


def _sequence(plateau: Plateau | Sequence[Plateau] | None) -> list[Plateau]:
    """Return plateaus as a list, most exposures first."""
    if plateau is None:
        return []
    found = list(plateau) if isinstance(plateau, Sequence) else [plateau]
    return sorted(found, key=lambda one: -one.exposures)


def dot_rows(table: Sequence[Stored]) -> list[Row]:
    """Return one row a cell: the mean of its seeds, their span, and texts for tooltips."""
    most = max(row.exposures for row in table)
    dots: list[Row] = []
    for cell in dict.fromkeys(row.cell for row in table):
        same = [row for row in table if row.cell == cell]
        bits = [row.bits * row.params for row in same]
        mean = sum(bits) / len(bits)
        demand = same[0].demand * same[0].params
        dots.append(
            {
                "people": cell[0],
                "params": cell[1],
                "bits": mean,
                "lower": min(bits),
                "upper": max(bits),
                "most": cell[2] == most,
                "crowd": f"{cell[0]:,}",
                "size": format_count(cell[1]),
                "seen": f"{cell[2]:,.0f}",
                "held": f"{format_count(mean)} of {format_count(demand)}",
                "each": f"{mean / cell[1]:.3f} of {demand / cell[1]:.3f}",
                "share": f"{mean / demand:.1%}",
                "seeds": str(len(same)),
            }
        )
    return dots


def _ceilings(table: Sequence[Stored]) -> list[Row]:
    """Return one row for each number of people: the bits that there are to store of them."""
    demands = {row.people: row.demand * row.params for row in table}
    return [
        {
            "people": people,
            "bits": bits,
            "label": f"{format_count(people)} people: {format_count(bits)} bits",
        }
        for people, bits in sorted(demands.items())
    ]


def _colour(people: list[int], *, legend: bool) -> Any:
    """Return colour by the number of people on a log scale."""
    alt = altair()
    span = [people[0], people[-1]] if len(people) > 1 else [people[0] / 2, people[0] * 2]
    shown = alt.Legend(
        title="people",
        type="symbol",
        values=people[::-1],
        labelExpr=theme.COUNT_LABEL,
        symbolType="circle",
        symbolSize=110,
        symbolStrokeWidth=0,
    )
    scale = alt.Scale(type="log", domain=span, range=list(theme.SIZES), interpolate="lab")
    return alt.Color("people:Q", scale=scale, legend=shown if legend else None)


def _line(slope: float, across: tuple[float, float], up: tuple[float, float]) -> list[Row]:
    """Return the two ends of ``bits = slope * params`` within the picture; none if outside."""
    low, high = max(across[0], up[0] / slope), min(across[1], up[1] / slope)
    if low >= high:
        return []
    return [{"params": end, "bits": end * slope} for end in (low, high)]


def _guide_layers(
    across: tuple[float, float], up: tuple[float, float], x: Any, y: Any
) -> list[Any]:
    """Return the grey lines of 1 and 2 bits per parameter, each named where it has room."""
    alt = altair()
    layers: list[Any] = []
    apart = theme.WIDTH * math.log(GUIDES[1] / GUIDES[0]) / math.log(across[1] / across[0])
    for slope in GUIDES:
        ends = _line(slope, across, up)
        if not ends:
            continue
        line = alt.Chart(alt.Data(values=ends))
        layers.append(
            line.mark_line(color=theme.GREY, strokeWidth=1, opacity=0.75).encode(x=x, y=y)
        )
        unit = "bit" if slope == 1.0 else "bits"
        name = f"{slope:g} {unit}/param"
        if LETTER * (len(name) + 2) > apart:
            name = f"{slope:g} {unit}"
        end, place = _named_at(slope, ends, name, across, up)
        text = alt.Chart(alt.Data(values=[{**end, "name": name}]))
        written = text.mark_text(fontSize=11.5, color=theme.GREY, **place)
        layers.append(written.encode(x=x, y=y, text="name:N"))
    return layers


def _named_at(
    slope: float, ends: list[Row], name: str, across: tuple[float, float], up: tuple[float, float]
) -> tuple[Row, dict[str, Any]]:
    """Return the end of a line that its name stands at, and how it stands there.

    The line rises to the right, so that it never crosses a text to its right at the top, below
    it at its lower end, or above it at the right edge, where more than 2 bits would be.
    """
    across_pixels = theme.WIDTH / math.log(across[1] / across[0])
    up_pixels = theme.HEIGHT / math.log(up[1] / up[0])
    beside = 16 * across_pixels / up_pixels + 4  # the line's way across a letter's height
    if ends[1]["params"] < 0.999 * across[1]:  # it leaves at the top
        if across_pixels * math.log(across[1] / ends[1]["params"]) > LETTER * (len(name) + 2):
            return ends[1], {"align": "left", "baseline": "top", "dx": 6, "dy": 1}
        return ends[1], {"align": "right", "baseline": "top", "dx": -beside, "dy": 1}
    if slope == GUIDES[1]:
        return ends[1], {"align": "right", "baseline": "bottom", "dx": -2, "dy": -6}
    if ends[0]["params"] > 1.001 * across[0]:  # it enters at the bottom
        return ends[0], {"align": "left", "baseline": "bottom", "dx": beside, "dy": -3}
    return ends[0], {"align": "left", "baseline": "top", "dx": 8, "dy": 5}


def _plateau_layers(
    known: Sequence[Plateau], across: tuple[float, float], up: tuple[float, float], x: Any, y: Any
) -> list[Any]:
    """Return the band of a plateau's interval: the bits of models that are quite full."""
    alt = altair()
    layers: list[Any] = []
    for one in known:
        if not (math.isfinite(one.lower) and math.isfinite(one.upper)):
            continue
        rows = [{"params": p, "lower": one.lower * p, "upper": one.upper * p} for p in across]
        area = alt.Chart(alt.Data(values=rows))
        band = area.mark_area(color=theme.ACCENT, opacity=0.16, clip=True)
        layers.append(band.encode(x=x, y=_at(y, "lower"), y2=alt.Y2("upper:Q")))
        if len(layers) == 1:  # an area has no shape of its own: a mark of no size names it
            name = f"plateau, {one.level:.0%} interval"
            shape = key(name, shape="square", filled=True, colour=theme.ACCENT, size=130)
            spot = alt.Chart(alt.Data(values=[{"params": across[0], "bits": up[0], "key": name}]))
            named = spot.mark_point(filled=True, size=0, color=theme.ACCENT, opacity=0.35)
            layers.append(named.encode(x=x, y=y, shape=shape))
    return layers


def _ceiling_layers(
    ceilings: list[Row], across: tuple[float, float], x: Any, y: Any, colour: Any
) -> list[Any]:
    """Return a dotted line at all the bits that there are of so many people."""
    alt = altair()
    rows = [{**line, "params": end} for line in ceilings for end in across]
    base = alt.Chart(alt.Data(values=rows))
    line = base.mark_line(strokeWidth=1.2, strokeDash=[1.5, 3], opacity=0.9)
    return [line.encode(x=x, y=y, color=colour, detail="people:N")]


def _ceiling_names(ceilings: list[Row], across: tuple[float, float], x: Any, y: Any) -> list[Any]:
    """Return the name of each ceiling, on the side that leaves the rising lines clear."""
    alt = altair()
    scale = theme.WIDTH / math.log(across[1] / across[0])
    taken = [LETTER * (len(one["label"]) + 2) for one in ceilings]
    room_right = [scale * math.log(across[1] * GUIDES[0] / one["bits"]) for one in ceilings]
    room_left = [scale * math.log(one["bits"] / (GUIDES[1] * across[0])) for one in ceilings]
    at_right = [a >= b for a, b in zip(room_right, room_left, strict=True)]
    for side, room in ((True, room_right), (False, room_left)):
        if all(a > b for a, b in zip(room, taken, strict=True)):
            at_right = [side] * len(ceilings)
            break
    placed = list(zip(ceilings, at_right, strict=True))
    right = [{**one, "params": across[1]} for one, side in placed if side]
    left = [{**one, "params": across[0]} for one, side in placed if not side]
    layers: list[Any] = []
    for rows, align, dx in ((right, "right", -2), (left, "left", 4)):
        if rows:
            ends = alt.Chart(alt.Data(values=rows))
            text = ends.mark_text(
                align=align, baseline="bottom", dx=dx, dy=-4, fontSize=11.5, color=theme.INK
            )
            layers.append(text.encode(x=x, y=y, text="label:N"))
    return layers


def _law_layers(
    known: Sequence[Plateau],
    table: Sequence[Stored],
    across: tuple[float, float],
    x: Any,
    y: Any,
    colour: Any,
) -> list[Any]:
    """Return the fitted law of each number of people, dashed for fewer exposures."""
    alt = altair()
    layers: list[Any] = []
    for place, one in enumerate(known):
        mine = [row for row in table if row.exposures == one.exposures]
        rows: list[Row] = []
        for people in sorted({row.people for row in mine}):
            own = [row for row in mine if row.people == people]
            least = max(across[0], min(row.params for row in own) / 1.1)
            params = np.geomspace(least, across[1], STEPS)
            bits = params * one.curve(own[0].demand * own[0].params / params)
            rows += [
                {"people": people, "params": float(p), "bits": float(b)}
                for p, b in zip(params, bits, strict=True)
            ]
        if rows:
            dash = {"strokeDash": [6, 4]} if place else {}
            line = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=1.6, clip=True, **dash)
            layers.append(line.encode(x=x, y=y, color=colour, detail="people:N"))
    return layers


def _dot_layers(dots: list[Row], x: Any, y: Any, colour: Any) -> list[Any]:
    """Return the span of seeds as bars, and the means over them: filled, or hollow."""
    alt = altair()
    layers: list[Any] = []
    spread = [dot for dot in dots if dot["upper"] > dot["lower"]]
    if spread:
        bar = alt.Chart(alt.Data(values=spread)).mark_rule(strokeWidth=2)
        layers.append(bar.encode(x=x, y=_at(y, "lower"), y2=alt.Y2("upper:Q"), color=colour))
    tips = [alt.Tooltip(f"{name}:N", title=title) for name, title in _TIP]
    area = max(18.0, 70 / max(1.0, len(dots) / CROWD) ** 0.5)
    for filled in (True, False):
        chosen = [dot for dot in dots if dot["most"] == filled]
        if not chosen:
            continue
        seen = sorted({dot["seen"] for dot in chosen}, key=lambda text: -int(text.replace(",", "")))
        name = f"model, {' or '.join(seen)} exposures"
        base = alt.Chart(alt.Data(values=[{**dot, "key": name} for dot in chosen]))
        shape = key(name, shape="circle", filled=filled, colour=theme.GREY)
        mark = base.mark_point(filled=False, size=area, opacity=1, strokeWidth=1.8)
        if filled:
            edge = {"stroke": theme.PAPER, "strokeWidth": 0.8}
            mark = base.mark_point(filled=True, size=area, opacity=1, **edge)
        else:  # no line shows through a hollow mark
            blank = base.mark_point(filled=True, size=area, opacity=1, color=theme.PAPER)
            layers.append(blank.encode(x=x, y=y))
        layers.append(mark.encode(x=x, y=y, color=colour, shape=shape, tooltip=tips))
    return layers


def _at(y: Any, field: str) -> Any:
    """Return the axis of bits reading another field."""
    other = y.copy()
    other.shorthand = f"{field}:Q"
    return other


def _subtitle(known: Sequence[Plateau]) -> str:
    """Return each plateau with its interval, a line each."""
    lines: list[str] = []
    for one in known:
        span = ""
        if math.isfinite(one.lower) and math.isfinite(one.upper):
            span = f" ({one.level:.0%} interval {one.lower:.2f} to {one.upper:.2f})"
        lines.append(
            f"plateau at {one.exposures:,.0f} exposures: {one.value:.2f} bits per parameter{span}"
        )
    if known:
        lines.append("lines: the capacity law; dotted: all there is to know of so many people")
    return "\n".join(lines)


def _description(dots: Sequence[Row], known: Sequence[Plateau]) -> str:
    """Return the chart in words, for readers that cannot see it."""
    people = sorted({dot["people"] for dot in dots})
    text = (
        f"Bits stored against parameters for {len(dots)} models of {dots[0]['size']} and others, "
        f"trained on {people[0]:,} to {people[-1]:,} people"
    )
    said = "; ".join(_subtitle(known).split("\n")[:-1])
    return f"{text}; {said}." if said else f"{text}."
