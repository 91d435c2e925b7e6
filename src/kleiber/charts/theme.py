"""One look for every chart: fonts, colours, axes whose ticks a person would choose."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from kleiber.charts.extra import altair
from kleiber.charts.rows import Row

FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
INK, GREY, RULE = "#1c2430", "#5a6472", "#e6e9ee"
ACCENT = "#d1420b"  # vermilion: apart from every step of SIZES, for colour-blind eyes too
# Viridis without its pale end, which is lost on white: dark is small, green is large.
SIZES = ("#3b2a76", "#35548c", "#277b8e", "#1f9e88", "#4cb86a", "#93c93a")
PAPER = "white"
# What each colour above becomes on a dark page: the same hues, the darkest sizes lifted.
DARK = {
    PAPER: "#171c23",
    INK: "#e6eaf0",
    GREY: "#a3aebc",
    RULE: "#2b333e",
    ACCENT: "#ff8552",
    **dict(
        zip(
            SIZES,
            ("#9485ea", "#6d9ae4", "#4ab4c9", "#42c9a3", "#80d978", "#c8e153"),
            strict=True,
        )
    ),
}
WIDTH, HEIGHT = 620, 400
MUCH = 6.0  # a span of losses beyond which ticks are steps of ten
MOST_IN_LEGEND = 9

COUNT_LABEL = "replace(format(datum.value, '.3~s'), 'G', 'B')"  # 1.5G parameters are 1.5B


def padded(values: Iterable[float], share: float = 0.05) -> tuple[float, float]:
    """Return the span of positive values, widened on a log axis by a share of itself."""
    logs = [math.log10(value) for value in values]
    low, high = min(logs), max(logs)
    margin = max((high - low) * share, 0.02)
    return 10 ** (low - margin), 10 ** (high + margin)


def compute_axis(domain: tuple[float, float], title: str) -> Any:
    """Return a log x over the domain itself, ticked at powers of ten, or 1, 2, 5 when few."""
    alt = altair()
    low, high = (math.log10(edge) for edge in domain)
    steps = (1,) if high - low > 3 else (1, 2, 5)
    ticks = [
        step * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for step in steps
    ]
    # "1e20", as it is typed: fonts without all superscripts would mix two faces in one number.
    return alt.X(
        "flops:Q",
        title=title,
        scale=alt.Scale(type="log", domain=list(domain), nice=False),
        axis=alt.Axis(
            values=[tick for tick in ticks if domain[0] <= tick <= domain[1]],
            labelExpr="replace(format(datum.value, '.0e'), '+', '')",
        ),
    )


def loss_axis(domain: tuple[float, float], title: str) -> Any:
    """Return a log y over the domain itself, ticked at round losses."""
    alt = altair()
    ticks = round_ticks(domain)
    return alt.Y(
        "loss:Q",
        title=title,
        scale=alt.Scale(type="log", domain=list(domain), nice=False),
        axis=alt.Axis(values=ticks, format="~g"),
    )


def count_axis(channel: str, field: str, domain: tuple[float, float], title: str) -> Any:
    """Return a log x or y over the domain itself, ticked at round numbers in human counts."""
    alt = altair()
    power = 10.0 ** math.floor(math.log10(domain[0]))
    ticks = [power * tick for tick in round_ticks((domain[0] / power, domain[1] / power))]
    return getattr(alt, channel.upper())(
        f"{field}:Q",
        title=title,
        scale=alt.Scale(type="log", domain=list(domain), nice=False),
        axis=alt.Axis(values=ticks, labelExpr=COUNT_LABEL),
    )


def round_ticks(domain: tuple[float, float], wanted: int = 5) -> list[float]:
    """Return round values in the domain, about evenly far apart on a log axis."""
    low, high = domain
    if high / low > MUCH:
        return _steps_of_ten(low, high, wanted)
    ticks: list[float] = []
    least = math.log(high / low) / (wanted + 3)
    for step in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001):
        values = [round(k * step, 6) for k in range(math.ceil(low / step), int(high / step) + 1)]
        if len(values) > 40 * wanted:
            break
        for value in values:
            if value > 0 and all(abs(math.log(value / tick)) >= least for tick in ticks):
                ticks.append(value)
        if len(ticks) >= wanted:
            break
    return sorted(ticks)


def _steps_of_ten(low: float, high: float, wanted: int) -> list[float]:
    """Return 1, 2, 5, 10 … of a domain, or every so many powers of ten of a vast one."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        ticks = [step * 10.0**power for power in powers for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= wanted + 4:
            return inside
    return inside[:: -(-len(inside) // wanted)]


def size_colour(rows: Sequence[Row]) -> Any:
    """Return colour by model size on a log scale, with a legend in human counts.

    Where sizes are many the legend names round ones between them. It is never a colour bar:
    lines and points together would make of one a list of every tick.
    """
    alt = altair()
    sizes = sorted({row["params"] for row in rows if row.get("params")})
    few = len(sizes) <= MOST_IN_LEGEND
    named = sizes if few else _steps_of_ten(sizes[0], sizes[-1], MOST_IN_LEGEND - 4)
    legend = alt.Legend(
        title="model size",
        type="symbol",
        values=named[::-1],
        labelExpr=COUNT_LABEL,
        symbolType="circle",
        symbolSize=110,
        symbolStrokeWidth=0,
        symbolOpacity=1,
    )
    span = [sizes[0], sizes[-1]] if len(sizes) > 1 else [sizes[0] / 2, sizes[0] * 2]
    scale = alt.Scale(type="log", domain=span, range=list(SIZES), interpolate="lab")
    return alt.Color("params:Q", scale=scale, legend=legend)


def dressed(chart: Any, *, title: str, subtitle: str, synthetic: bool, description: str) -> Any:
    """Return a chart with its size, titles and the common look."""
    alt = altair()
    if synthetic and "synthetic" not in f"{title} {subtitle}".lower():
        subtitle = f"Synthetic runs. {subtitle}".strip()
    heading = alt.TitleParams(
        text=title,
        **({"subtitle": subtitle.splitlines()} if subtitle else {}),
        anchor="start",
        frame="group",
        offset=14,
        fontSize=17,
        fontWeight=600,
        color=INK,
        subtitleFontSize=12.5,
        subtitleColor=GREY,
        subtitlePadding=6,
        subtitleLineHeight=17,
    )
    return (
        chart.properties(width=WIDTH, height=HEIGHT, title=heading, description=description)
        .configure(font=FONT, background=PAPER, padding=18)
        .configure_view(stroke=None)
        .configure_axis(
            domainColor=GREY,
            tickColor=GREY,
            tickSize=4,
            gridColor=RULE,
            labelColor=INK,
            labelFontSize=12,
            labelPadding=5,
            titleColor=INK,
            titleFontSize=12.5,
            titleFontWeight=500,
            titlePadding=10,
        )
        .configure_legend(
            labelColor=INK,
            labelFontSize=12,
            titleColor=GREY,
            titleFontSize=12,
            titleFontWeight=500,
            offset=22,
            rowPadding=4,
        )
    )
