"""The difference of two recipes over compute: rung by rung, and where they swap order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kleiber.charts import theme
from kleiber.charts.extra import altair
from kleiber.errors import ValuesError

if TYPE_CHECKING:
    import altair as alt

NEEDED = ("FLOPs A", "A - B", "lower", "upper")


def draw_difference(
    rows: Sequence[Mapping[str, Any]],
    *,
    a: str,
    b: str,
    crossing: Sequence[float | None] = (),
    known: float | None = None,
    title: str = "",
    subtitle: str = "",
) -> alt.LayerChart:
    """Draw A - B (nats) of each rung with its interval; below the line A is better.

    ``crossing`` is the interval of C* as lower, median, upper (FLOPs), drawn as a band; ``known`` a
    compute at which the two are one. Raises ValuesError for rows without FLOPs and A - B,
    MissingExtraError without altair.
    """
    if not rows or any(name not in row for row in rows for name in NEEDED):
        raise ValuesError(
            f"Each rung needs {', '.join(NEEDED)}.",
            remedy="Give the rows that kleiber study crossovers writes.",
        )
    alt = altair()
    marks = [_mark(row) for row in rows if math.isfinite(_number(row["A - B"]))]
    ends = theme.padded([mark["flops"] for mark in marks], 0.08)
    x = theme.compute_axis(ends, "compute (FLOPs)")
    y = alt.Y("apart:Q", title=f"loss of {a} less that of {b} (nats)", axis=alt.Axis(tickCount=6))
    base = alt.Chart(alt.Data(values=marks))
    zero = alt.Chart(alt.Data(values=[{"apart": 0.0}])).mark_rule(color=theme.INK, strokeWidth=1)
    layers: list[Any] = [zero.encode(y=y)]
    found = [_number(one) for one in crossing]
    if len(found) == 3 and all(map(math.isfinite, found)):
        span = [{"flops": max(found[0], ends[0]), "end": min(found[2], ends[1])}]
        if span[0]["flops"] < span[0]["end"]:
            band = alt.Chart(alt.Data(values=span)).mark_rect(color=theme.ACCENT, opacity=0.15)
            layers.append(band.encode(x=x, x2="end:Q"))
    if known is not None:
        line = alt.Chart(alt.Data(values=[{"flops": known}]))
        layers.append(
            line.mark_rule(color=theme.ACCENT, strokeDash=[5, 4], strokeWidth=1.6).encode(x=x)
        )
    bars = [mark for mark in marks if mark["lower"] is not None]
    if bars:
        rule = alt.Chart(alt.Data(values=bars)).mark_rule(strokeWidth=2, color=theme.SIZES[2])
        layers.append(rule.encode(x=x, y=alt.Y("lower:Q", title=None), y2="upper:Q"))
    line = base.mark_line(color=theme.SIZES[2], strokeWidth=1.2, opacity=0.6)
    dots = base.mark_point(filled=True, size=80, color=theme.SIZES[2], opacity=1)
    tips = ["width:Q", alt.Tooltip("apart:Q", format="+.4f"), "seeds:Q"]
    layers += [line.encode(x=x, y=y), dots.encode(x=x, y=y, tooltip=tips)]
    return theme.dressed(
        alt.layer(*layers),
        title=title or f"{a} against {b}",
        subtitle=subtitle
        or f"Below the line {a} is better, above it {b}; bars are 90 % intervals.",
        synthetic=False,
        description=f"Difference of two recipes at {len(marks)} rungs.",
    )


def _mark(row: Mapping[str, Any]) -> dict[str, Any]:
    lower, upper = _number(row["lower"]), _number(row["upper"])
    known = math.isfinite(lower) and math.isfinite(upper)
    return {
        "flops": float(row["FLOPs A"]),
        "apart": float(row["A - B"]),
        "lower": lower if known else None,
        "upper": upper if known else None,
        "width": row.get("width"),
        "seeds": row.get("seeds"),
    }


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
