"""A dial of training against loss: approximation, gap and test loss side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kleiber.charts import theme
from kleiber.charts.extra import altair
from kleiber.errors import ValuesError

if TYPE_CHECKING:
    import altair as alt

PANELS = (
    ("seen", "approximation: loss on shown text"),
    ("gap", "generalisation gap"),
    ("test", "test loss, their sum"),
)
WIDTH, HEIGHT = 230, 260
NEEDED = ("seen", "gap", "test")


def draw_paradigm(
    rows: Sequence[Mapping[str, Any]], *, dial: str, said: str, title: str = "", subtitle: str = ""
) -> alt.HConcatChart:
    """Draw three panels over a dial on a log axis: what training misses, the gap, and their sum.

    ``rows`` have the dial, ``epochs``, ``seen``, ``gap`` and ``test`` (nats, means over seeds) and
    may have ``kind``, which splits lines further. A line is of one count of epochs. Raises
    ValuesError for rows without these, MissingExtraError without altair.
    """
    drawn = [_mark(row, dial) for row in rows if all(_known(row.get(one)) for one in NEEDED)]
    if not drawn:
        raise ValuesError(
            "There is no run to draw.", remedy=f"Give rows with {dial}, epochs and {NEEDED}."
        )
    alt = altair()
    values = [mark["dial"] for mark in drawn]
    x = alt.X(
        "dial:Q",
        title=said,
        scale=alt.Scale(type="log", domain=list(theme.padded(values)), nice=False),
        axis=alt.Axis(
            values=theme.round_ticks((min(values), max(values)), 4),
            format="~g",
            labelOverlap="greedy",
            labelSeparation=8,
        ),
    )
    epochs = sorted({mark["epochs"] for mark in drawn})
    kinds = list(dict.fromkeys(mark["kind"] for mark in drawn))
    every = max(1, (len(theme.SIZES) - 1) // max(1, len(epochs) - 1))
    colour = alt.Color(
        "epochs:O",
        scale=alt.Scale(domain=epochs, range=[theme.SIZES[i * every] for i in range(len(epochs))]),
        legend=alt.Legend(title="epochs", orient="bottom", direction="horizontal"),
    )
    dash = alt.StrokeDash(
        "kind:N",
        scale=alt.Scale(domain=kinds),
        legend=alt.Legend(title=None, orient="bottom") if len(kinds) > 1 else None,
    )
    base = alt.Chart(alt.Data(values=drawn))
    panels: list[Any] = []
    for name, heading in PANELS:
        y = alt.Y(
            f"{name}:Q",
            title="nats a byte" if name == "seen" else None,
            scale=alt.Scale(zero=name == "gap", nice=True),
            axis=alt.Axis(tickCount=5, format="~g"),
        )
        tips = [alt.Tooltip(f"{one}:Q", format=".4f") for one in NEEDED]
        line = base.mark_line(strokeWidth=1.8).encode(x=x, y=y, color=colour, strokeDash=dash)
        dots = base.mark_point(filled=True, size=36, opacity=1).encode(
            x=x, y=y, color=colour, tooltip=["kind:N", "epochs:O", "dial:Q", *tips]
        )
        heads = alt.TitleParams(
            heading, anchor="start", frame="group", fontSize=12.5, fontWeight=500, color=theme.INK
        )
        panels.append(alt.layer(line, dots).properties(width=WIDTH, height=HEIGHT, title=heads))
    joined = alt.hconcat(*panels, spacing=26)
    dressed = theme.dressed(
        alt.layer(base.mark_point()),
        title=title or "Test loss, split in two",
        subtitle=subtitle
        or "Means over seeds; once through much text, or many times through little.",
        synthetic=False,
        description=f"Approximation, gap and test loss of {len(drawn)} settings over {said}.",
    )
    return _with(joined, dressed)


def _with(joined: Any, dressed: Any) -> Any:
    """Return panels with the titles and the look that a single chart was given."""
    joined.title, joined.config = dressed.title, dressed.config
    joined.description = dressed.description
    return joined


def _mark(row: Mapping[str, Any], dial: str) -> dict[str, Any]:
    return {
        "dial": float(row[dial]),
        "epochs": int(row["epochs"]),
        "kind": str(row.get("kind", row.get("decay", ""))),
        **{name: float(row[name]) for name in NEEDED},
    }


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
