"""The page's charts: a specification for the browser, and a still picture for paper."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from kleiber.charts import theme
from kleiber.charts.embed import as_script
from kleiber.charts.extra import vl_convert
from kleiber.errors import UsageError

if TYPE_CHECKING:
    import altair as alt

HEIGHT = 400
MANY = 10  # rows from which columns are shorter
_DRAWN = re.compile(r' (?:d|transform)="[^"]*"')
_NEEDLESS = re.compile(r' (?:opacity="1"|(?:role|aria-\w+)="[^"]*")')
_CLIP = re.compile(r"\bclip\d+\b")
_FINE = re.compile(r"(\.\d)\d+")


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
    shared = live.pop("data", None)  # of a single layer, which the library writes above it
    layers = [layer if "data" in layer else {**layer, "data": shared} for layer in live["layer"]]
    return {
        "name": name,
        "spec": as_script({**live, "layer": [_columned(layer) for layer in layers]}),
        "still": _still(spec),
        "description": spec.get("description", ""),
        "caption": caption,
        "table": table,
    }


def _still(spec: dict[str, Any]) -> str:
    """Return the picture as a data address, its drawing no finer than an eye can see.

    What a still says to those who cannot see it stands in its description and not in each mark.
    """
    quiet = {**spec, "config": {**spec.get("config", {}), "aria": False}}
    drawn: str = vl_convert().vegalite_to_svg(quiet)
    coarse = _DRAWN.sub(lambda found: _FINE.sub(r"\1", found[0]), drawn)
    coarse = _NEEDLESS.sub("", coarse)
    # The library counts its clips through its whole life; the same chart is the same bytes.
    clips = list(dict.fromkeys(_CLIP.findall(coarse)))
    coarse = _CLIP.sub(lambda found: f"clip_{clips.index(found[0])}", coarse)
    return f"data:image/svg+xml;base64,{base64.b64encode(coarse.encode()).decode()}"


def _rounded(part: Any) -> Any:
    """Return plain data with numbers of as many digits as a picture can show."""
    if isinstance(part, float):
        return float(f"{part:.7g}")
    if isinstance(part, dict):
        return {name: _rounded(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_rounded(value) for value in part]
    return part


def _columned(layer: dict[str, Any]) -> dict[str, Any]:
    """Return a layer whose rows are columns, a value that never changes written once.

    The page's script makes rows of them again; names of columns are half of a table of rows.
    """
    rows: list[dict[str, Any]] = layer["data"]["values"]
    if len(rows) < MANY or any(row.keys() != rows[0].keys() for row in rows):
        return layer
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    constant = {name: held[0] for name, held in columns.items() if held.count(held[0]) == len(rows)}
    varied = {name: held for name, held in columns.items() if name not in constant}
    return {**layer, "data": {"columns": varied, "constant": constant, "rows": len(rows)}}


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
