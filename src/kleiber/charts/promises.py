"""What plans promised against what came: a dot a tenth of the families, each ladder a colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kleiber.charts import theme
from kleiber.charts.extra import altair
from kleiber.errors import ValuesError

if TYPE_CHECKING:
    import altair as alt

NEEDED = ("ladder", "case", "promised", "realised", "standard_error")
COLOURS = (theme.ACCENT, theme.INK, *theme.SIZES[1:])


def draw_promises(rows: Sequence[Mapping[str, Any]], *, title: str = "") -> alt.LayerChart:
    """Draw realised against promised mean error, in percent, with one standard error each way.

    ``rows`` have ``ladder, case, promised, realised, standard_error``, errors as shares of the
    loss; on the diagonal a promise was kept. Raises ValuesError for rows without them.
    """
    if not rows or any(name not in row for row in rows for name in NEEDED):
        raise ValuesError(
            f"Each row needs {', '.join(NEEDED)}.",
            remedy="Give the rows under 'calibration' that kleiber study plan writes.",
        )
    alt = altair()
    dots = [
        {
            "ladder": row["ladder"],
            "case": row["case"],
            "promised": 100.0 * row["promised"],
            "realised": 100.0 * row["realised"],
            "lower": 100.0 * max(row["realised"] - row["standard_error"], 1e-6),
            "upper": 100.0 * (row["realised"] + row["standard_error"]),
        }
        for row in rows
    ]
    ends = theme.padded(dot[name] for dot in dots for name in ("promised", "lower", "upper"))
    scale = alt.Scale(type="log", domain=list(ends), nice=False)
    ticks = alt.Axis(values=theme.round_ticks(ends), format="~g")
    x = alt.X("promised:Q", title="promised mean error, % of the loss", scale=scale, axis=ticks)
    y = alt.Y("realised:Q", title="realised mean error, % of the loss", scale=scale, axis=ticks)
    names = list(dict.fromkeys(dot["ladder"] for dot in dots))
    cases = list(dict.fromkeys(dot["case"] for dot in dots))
    colour = alt.Color(
        "ladder:N",
        scale=alt.Scale(domain=names, range=list(COLOURS[: len(names)])),
        legend=alt.Legend(title="ladder", orient="bottom", columns=2, labelLimit=320),
    )
    shape = alt.Shape(
        "case:N",
        scale=alt.Scale(domain=cases, range=["circle", "triangle-up"]),
        legend=alt.Legend(title="families", orient="bottom", columns=1),
    )
    both = [{"promised": end, "realised": end} for end in ends]
    line = alt.Chart(alt.Data(values=both)).mark_line(color=theme.GREY, strokeWidth=1.3)
    base = alt.Chart(alt.Data(values=dots))
    bars = base.mark_rule(strokeWidth=1.2, opacity=0.55).encode(
        x=x, y=alt.Y("lower:Q", scale=scale), y2="upper:Q", color=colour
    )
    marks = base.mark_point(filled=True, size=52, opacity=0.95).encode(
        x=x, y=y, color=colour, shape=shape
    )
    return theme.dressed(
        alt.layer(line.encode(x=x, y=y), bars, marks),
        title=title or "Promises of plans, and what came",
        subtitle="Each mark is a tenth of the simulated families, by what was promised.\n"
        "On the line a promise was kept; bars are one standard error.",
        synthetic=True,
        description=f"Realised against promised error of {len(names)} ladders.",
    )
