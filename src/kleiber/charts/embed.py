"""What a page needs to draw a chart by itself: the library and the specification as text.

Both stand inside script elements. Run names are hostile: no text of a table may close the
element that it stands in, and no text of the library may either.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from kleiber.charts.extra import vl_convert


@cache
def library() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script that defines ``vegaEmbed``."""
    bundle: str = vl_convert().javascript_bundle()
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def as_script(value: Any) -> str:
    """Return plain data as JSON that may stand inside a script element.

    '<' is written as its JSON escape, so that the text holds neither an end tag nor a comment.
    """
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
