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
MOST_BYTES = 120_000  # of a drawing in lines
SHARP = 2.5  # dots a point of a picture in dots


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
    spec = _rounded({**spec, "height": height})
    live = {
        **spec,
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {**spec.get("config", {}), "padding": 4, "aria": False},
    }
    return {
        "name": name,
        "spec": as_script(live),
        "still": _still(spec),
        "description": spec.get("description", ""),
        "caption": caption,
        "table": table,
    }


def _still(spec: dict[str, Any]) -> str:
    """Return the picture as a data address: drawn in lines, or in dots where it has many marks."""
    convert = vl_convert()
    # What a still says to those who cannot see it stands in its description.
    quiet = {**spec, "config": {**spec.get("config", {}), "aria": False}}
    kind, content = "svg+xml", convert.vegalite_to_svg(quiet).encode()
    if len(content) > MOST_BYTES:
        kind, content = "png", convert.vegalite_to_png(quiet, scale=SHARP)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _rounded(part: Any) -> Any:
    """Return plain data with numbers of as many digits as a picture can show."""
    if isinstance(part, float):
        return float(f"{part:.7g}")
    if isinstance(part, dict):
        return {name: _rounded(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_rounded(value) for value in part]
    return part


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
