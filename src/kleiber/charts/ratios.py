"""Ratios of what two arms store: an interval each, on the range that a result asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kleiber.charts import theme
from kleiber.charts.extra import altair
from kleiber.errors import ValuesError

if TYPE_CHECKING:
    import altair as alt

NEEDED = ("ratio", "value", "lower", "upper", "least", "most", "published", "floored")
ROW = 44  # pixels a comparison
LEAST = 1e-3  # the smallest ratio that the axis goes to, and its inverse the largest
COLOURS = {"shown": theme.SIZES[2], "not shown at this scale": theme.GREY, "opposite": theme.ACCENT}


def draw_ratios(
    rows: Sequence[Mapping[str, Any]], *, title: str = "", subtitle: str = ""
) -> alt.LayerChart:
    """Draw each comparison's ratio with its interval, and the range asked for as a band.

    ``rows`` have ``ratio`` (its name), ``value, lower, upper``, ``least`` and ``most`` (a bound, or
    None), ``published``, ``floored`` (empty, or which side stored nothing: drawn hollow) and
    ``verdict``. Raises ValuesError for rows without them, MissingExtraError without altair.
    """
    if not rows or any(name not in row for row in rows for name in NEEDED):
        raise ValuesError(
            f"Each row needs {', '.join(NEEDED)}.",
            remedy="Give the rows under 'compared' that kleiber study capacity writes.",
        )
    alt = altair()
    ends = _ends(rows)
    marks = [_mark(row, ends) for row in rows]
    scale = alt.Scale(type="log", domain=list(ends), nice=False, clamp=True)
    ticks = alt.Axis(values=theme.round_ticks(ends, 7), format="~g", grid=True)
    names = [mark["ratio"] for mark in marks]
    x = alt.X("value:Q", title="times as much", scale=scale, axis=ticks)
    y = alt.Y("ratio:N", title=None, sort=names, axis=alt.Axis(labelLimit=330, ticks=False))
    verdicts = [name for name in COLOURS if any(mark["verdict"] == name for mark in marks)]
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=verdicts, range=[COLOURS[name] for name in verdicts]),
        legend=alt.Legend(title=None, orient="bottom", columns=3, symbolFillColor=theme.PAPER),
    )
    base = alt.Chart(alt.Data(values=marks))
    bands = base.mark_bar(height=ROW - 16, color=theme.RULE, opacity=0.8)
    bars = base.mark_rule(strokeWidth=2)
    dots = base.mark_point(size=90, opacity=1, strokeWidth=2)
    says = [
        base.transform_filter(alt.datum.right == (side == "right")).mark_text(
            align=side, dx=-8 if side == "right" else 8, dy=-13, fontSize=11, color=theme.GREY
        )
        for side in ("left", "right")
    ]
    one = alt.Chart(alt.Data(values=[{"value": 1.0}])).mark_rule(color=theme.INK, strokeWidth=1)
    return theme.dressed(
        alt.layer(
            bands.encode(x=alt.X("least:Q", scale=scale), x2="most:Q", y=y),
            one.encode(x=x),
            bars.encode(x=alt.X("lower:Q", scale=scale), x2="upper:Q", y=y, color=colour),
            dots.encode(
                x=x,
                y=y,
                color=colour,
                fill=alt.Fill("inside:N", scale=None),
                tooltip=["ratio:N", "number:N", "published:N", "verdict:N"],
            ),
            *(text.encode(x=x, y=y, text="number:N") for text in says),
        ),
        title=title or "What one arm stores over another",
        subtitle=subtitle
        or "Bars are intervals over seeds, bands what is asked for; a hollow mark is a bound:\n"
        "one side stored nothing that can be told from none.",
        synthetic=False,  # the people are, the training is not
        description=f"{len(marks)} ratios of bits stored, with intervals.",
    ).properties(height=ROW * len(marks))


def _ends(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the span of all intervals and bounds, 1 within it."""
    bounds = [row[name] for row in rows for name in ("least", "most") if row[name]]
    values = [_number(row, name) for row in rows for name in ("value", "lower", "upper")]
    near = [min(max(value, LEAST), 1 / LEAST) for value in values]
    return theme.padded([*near, *bounds, 0.8, 1.25], 0.12)


def _mark(row: Mapping[str, Any], ends: tuple[float, float]) -> dict[str, Any]:
    """Return what is drawn of a comparison, within the ends."""
    verdict = row.get("verdict") or "not shown at this scale"
    published = f"; published {row['published']}" if row["published"] else ""
    sign = {"over": "at most ", "under": "at least "}.get(row["floored"], "")
    return {
        "ratio": row["ratio"],
        "verdict": verdict,
        **{
            name: min(max(_number(row, name), ends[0]), ends[1])
            for name in ("value", "lower", "upper")
        },
        "least": max(row["least"] or ends[0], ends[0]),
        "most": min(row["most"] or ends[1], ends[1]),
        "right": row["value"] > math.sqrt(ends[0] * ends[1]),
        "number": f"{sign}{row['value']:.3g}{published}",
        "published": row["published"] or "-",
        "inside": theme.PAPER if row["floored"] else COLOURS.get(verdict, theme.GREY),
    }


def _number(row: Mapping[str, Any], name: str) -> float:
    """Return an end of an interval; the ratio itself where there is none, as of one seed."""
    found = row[name]
    return row["value"] if found is None or not math.isfinite(found) else float(found)
