"""The page's charts: a specification for the browser, and a still picture for paper."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from kleiber.charts import theme
from kleiber.charts.embed import as_script
from kleiber.charts.extra import vl_convert
from kleiber.errors import UsageError

if TYPE_CHECKING:
    import altair as alt

HEIGHT = 400


def figure(
    name: str, chart: alt.LayerChart, table: dict[str, Any], *, caption: str, height: int = HEIGHT
) -> dict[str, Any]:
    """Return a chart as the figure macro takes it.

    The still picture stands where no script runs and on paper; the live one is as wide as its
    place and takes the colours of the page's theme.
    """
    if not name.isidentifier():
        raise UsageError(f"A figure's name is one word, not '{name}'.")
    spec = chart.to_dict()
    spec.pop("title", None)
    spec["height"] = height
    still: str = vl_convert().vegalite_to_svg(spec)
    live = {
        **spec,
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {**spec.get("config", {}), "padding": 4, "aria": False},
    }
    return {
        "name": name,
        "spec": as_script(live),
        "still": f"data:image/svg+xml;base64,{base64.b64encode(still.encode()).decode()}",
        "description": spec.get("description", ""),
        "caption": caption,
        "table": table,
    }


def palettes() -> dict[str, dict[str, str]]:
    """Return the colours that the page's style shares with its charts, light and dark."""
    named = {
        "card": theme.PAPER,
        "ink": theme.INK,
        "grey": theme.GREY,
        "rule": theme.RULE,
        "accent": theme.ACCENT,
    }
    return {"light": named, "dark": {name: theme.DARK[colour] for name, colour in named.items()}}
