"""Marks that every chart of runs shares: what a run looks like, and its line in the legend."""

from __future__ import annotations

from typing import Any

from kleiber.charts.extra import altair
from kleiber.charts.rows import Row
from kleiber.charts.theme import GREY, PAPER

CROWD = 80  # runs that a picture has room for at full size
_NUMBERS = {"loss": ".4f", "actual": ".4f", "predicted": ".4f", "residual": "+.2f"}


def run_layers(
    rows: list[Row], x: Any, y: Any, colour: Any, tip: tuple[tuple[str, str], ...]
) -> list[Any]:
    """Return filled marks for fitted runs and hollow ones for hidden runs."""
    alt = altair()
    layers: list[Any] = []
    for name, filled in (("fitted run", True), ("hidden run", False)):
        chosen = [{**row, "key": name} for row in rows if (row["role"] == "hidden") != filled]
        if not chosen:
            continue
        base = alt.Chart(alt.Data(values=chosen))
        # Many runs get smaller marks: what is shown then is where they lie thick.
        crowd = max(1.0, len(chosen) / CROWD)
        area, edge = max(14.0, 66 / crowd**0.5), 0.7 / crowd**0.25
        # A thin white edge keeps neighbours apart where runs lie on one another.
        mark = (
            base.mark_point(filled=True, size=area, opacity=1, stroke=PAPER, strokeWidth=edge)
            if filled
            else base.mark_point(filled=False, size=58, opacity=1, strokeWidth=1.8)
        )
        shape = key(name, shape="circle", filled=filled, colour=GREY)
        layers.append(mark.encode(x=x, y=y, color=colour, shape=shape, tooltip=tooltip(*tip)))
    return layers


def key(name: str, *, shape: str, filled: bool, colour: str, size: int = 100) -> Any:
    """Return a shape that is the same for a whole layer, with one line of legend naming it."""
    alt = altair()
    legend = alt.Legend(
        title=None,
        symbolSize=size,
        symbolStrokeWidth=1.6,
        symbolStrokeColor=colour,
        symbolFillColor=colour if filled else "transparent",
    )
    return alt.Shape("key:N", scale=alt.Scale(domain=[name], range=[shape]), legend=legend)


def tooltip(*fields: tuple[str, str]) -> list[Any]:
    """Return tooltips of (field, title): losses in four decimals, the rest as text."""
    alt = altair()
    return [
        alt.Tooltip(f"{field}:Q", title=title, format=_NUMBERS[field])
        if field in _NUMBERS
        else alt.Tooltip(f"{field}:N", title=title)
        for field, title in fields
    ]
