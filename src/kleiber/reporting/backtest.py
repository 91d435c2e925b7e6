"""The back-test's card: the largest size hidden and predicted, and a table of cells if given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kleiber.errors import UsageError
from kleiber.reporting.headline import NO_INTERVAL, strip
from kleiber.reporting.text import DASH, Shown, counted, minus, shown, span
from kleiber.units import format_count

if TYPE_CHECKING:
    from kleiber.judging import Hidden

BELOW = "the run lies below the fitted floor"


def hidden_card(hidden: Hidden) -> dict[str, Any]:
    """Return what was hidden, what was said of it, and by how much that was wrong."""
    return {
        "title": f"{format_count(hidden.params)} params on {format_count(hidden.tokens)} tokens",
        "run": hidden.run,
        "scale_up": f"{hidden.scale_up:.2g}×",
        "inside": hidden.inside,
        "known": math.isfinite(hidden.lower),
        "strip": strip(hidden.predicted, hidden.lower, hidden.upper, hidden.actual),
        "rows": [
            ("predicted", shown(hidden.predicted, "", ".4f"), "nats"),
            (
                f"{hidden.level:.0%} interval",
                span(hidden.lower, hidden.upper, NO_INTERVAL, ".4f"),
                "nats",
            ),
            ("actual", shown(hidden.actual, "", ".4f"), "nats"),
            ("error", shown(hidden.error, "", "+.4f"), "nats"),
            ("of the loss", shown(100 * hidden.relative, "", "+.2f"), "%"),
            ("of the reducible loss", shown(100 * hidden.of_reducible, BELOW, "+.2g"), "%"),
        ],
        "others": _others(hidden),
    }


def _others(hidden: Hidden) -> str:
    """Return how the other runs of the hidden size did."""
    if hidden.others < 1:
        return ""
    return (
        f"Over all {counted(hidden.others + 1, 'run')} of the hidden size the error is "
        f"{hidden.mean_absolute:.4f} nats on average, whichever its sign."
    )


def cells_table(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table of cells (``columns``, ``rows``, optionally ``title``, ``note``) as text.

    A row is a sequence in the order of the columns, or a mapping by their names.
    """
    lacking = [name for name in ("columns", "rows") if name not in found]
    if lacking:
        raise UsageError(
            f"The back-test has no {' and no '.join(lacking)}.",
            remedy="Give a mapping with columns (names) and rows (sequences, or mappings by name).",
        )
    columns = [str(name) for name in found["columns"]]
    rows: list[list[Shown]] = []
    for row in found["rows"]:
        cells = [row.get(name) for name in columns] if isinstance(row, Mapping) else list(row)
        if len(cells) != len(columns):
            raise UsageError(
                f"A row of the back-test has {len(cells)} cells and there are "
                f"{len(columns)} columns: {', '.join(columns)}.",
                remedy="Give every row one cell a column; None is the unknown.",
            )
        rows.append([_cell(value) for value in cells])
    return {
        "title": str(found.get("title", "Errors by what was fitted")),
        "note": str(found.get("note", "")),
        "columns": columns,
        "rows": rows,
    }


def _cell(value: Any) -> Shown:
    """Return one cell as text; None and NaN are unknown."""
    if value is None:
        return Shown(DASH, "unknown")
    if isinstance(value, float):
        return shown(value, "unknown")
    return Shown(minus(str(value)))
