"""A chart as a file: the suffix says which kind. Nothing that is saved asks the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.charts.embed import as_script, library
from kleiber.charts.extra import vl_convert
from kleiber.errors import UsageError

if TYPE_CHECKING:
    import altair as alt

SUFFIXES = (".svg", ".png", ".html", ".json")
PIXELS_A_POINT = 2.0

# The policy makes the browser itself refuse any outside request that the page might try.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>kleiber</title>
</head>
<body>
<div id="chart"></div>
<script>{library}</script>
<script type="application/json" id="spec">{spec}</script>
<script>
const spec = JSON.parse(document.getElementById("spec").textContent);
const actions = {{export: true, source: false, compiled: false, editor: false}};
vegaEmbed("#chart", spec, {{mode: "vega-lite", renderer: "svg", actions}});
</script>
</body>
</html>
"""


def save_chart(chart: alt.TopLevelMixin, path: str | Path) -> Path:
    """Write a chart to ``path`` as .svg, .png, .html (self-contained) or .json (Vega-Lite).

    Raises
    ------
    UsageError
        For any other suffix, and where the folder is missing or the file cannot be written.
    MissingExtraError
        Where vl-convert is not installed and the suffix is not .json.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"'{target.name}' ends in {f'{suffix!r}' if suffix else 'no suffix'}, which names no "
            "kind of chart.",
            remedy=f"End the name in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.",
        )
    if not target.parent.is_dir():
        raise UsageError(
            f"The folder '{target.parent}' does not exist.",
            remedy="Make it first, or name a file in a folder that exists.",
        )
    content = _content(chart.to_dict(), suffix)
    try:
        target.write_bytes(content)
    except OSError as error:
        raise UsageError(
            f"'{target}' cannot be written: {error.strerror}.",
            remedy="Name a file that you may write.",
        ) from error
    return target


def _content(spec: dict[str, Any], suffix: str) -> bytes:
    """Return the bytes of a file of one kind."""
    if suffix == ".json":
        return (json.dumps(spec, indent=1, ensure_ascii=False) + "\n").encode()
    convert = vl_convert()
    if suffix == ".svg":
        return convert.vegalite_to_svg(spec).encode()
    if suffix == ".png":
        return convert.vegalite_to_png(spec, scale=PIXELS_A_POINT)
    return _PAGE.format(library=library(), spec=as_script(spec)).encode()
