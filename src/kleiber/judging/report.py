"""A back-test as text that a person reads."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kleiber.judging.backtest import Backtest, Outcome
from kleiber.units import format_count

HEADS = ("k", "sizes", "share", "points", "scale-up", "predicted", "interval", "actual",
         "error %", "of reducible %", "best seen %", "most trained %")  # fmt: skip


def text(found: Backtest) -> str:
    """Return the table of cells, and how to read it."""
    if not found.outcomes:
        return f"{found.family}: no cell has more points than the law has parameters."
    first = found.outcomes[0]
    lines = [
        f"{found.family}: {format_count(first.hidden)} hidden, predicted by {found.law}"
        f"{_cut(found)}",
        "",
    ]
    rows = [HEADS, *(cells(outcome) for outcome in found.outcomes)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADS))]
    lines += [_aligned(row, widths) for row in rows]
    lines += ["", *(f"  {said}" for said in _reading(found))]
    if any(not outcome.identified for outcome in found.outcomes):
        lines.append("  * too few sizes or token counts to identify the law")
    return "\n".join(line.rstrip() for line in lines)


def _reading(found: Backtest) -> tuple[str, ...]:
    """Return how to read the table: whose losses its rows show, over what errors are means."""
    baselines = (
        "The last two columns are the errors of the best loss seen and of the most-trained run's",
        "loss.",
    )
    if all(math.isclose(o.error, o.predicted - o.actual, abs_tol=1e-9) for o in found.outcomes):
        return ("Errors are predicted less actual, of the one hidden final.", *baselines)
    return (
        "Predicted, interval and actual are of the hidden size's most-trained run. Errors are",
        "predicted less actual, averaged over every hidden point: not the difference of the two.",
        *baselines,
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one row of the table, right-aligned."""
    return "  " + "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True))


def _percent(share: float, digits: int) -> str:
    """Return a signed share in per cent, a dash for the unknown."""
    return f"{100 * share:+.{digits}f}" if math.isfinite(share) else "-"


def _cut(found: Backtest) -> str:
    """Return what was dropped from the start of runs."""
    cut = found.cut
    said = [f"{format_count(cut.tokens)} tokens"] if cut.tokens else []
    said += [f"{cut.fraction:.0%} of each run"] if cut.fraction else []
    return f"; the first {' and '.join(said)} dropped" if said else ""


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Return one outcome as the cells of the table."""
    span = f"{format_count(min(outcome.sizes))}-{format_count(max(outcome.sizes))}"
    return (
        f"{outcome.k}{'' if outcome.identified else '*'}",
        span,
        f"{outcome.share:.0%}" + (" finals" if outcome.which == "finals" else ""),
        f"{outcome.points}",
        f"{outcome.scale_up:.3g}x",
        f"{outcome.predicted:.4f}",
        f"{outcome.lower:.3f}-{outcome.upper:.3f}" if outcome.lower > 0 else "-",
        f"{outcome.actual:.4f}",
        _percent(outcome.relative, 2),
        _percent(outcome.of_reducible, 1),
        f"{100 * outcome.best:.1f}",
        f"{100 * outcome.most:.1f}",
    )
