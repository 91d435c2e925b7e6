"""A choice between laws as text that a person reads."""

from __future__ import annotations

import math

from kleiber.judging.choice import Choice, Held, Tried
from kleiber.units import format_count


def text(found: Choice) -> str:
    """Return the verdict, the ranked laws, and those left out with the reason."""
    heads = ("law", *(f"{_sizes(held)} hidden %" for held in found.best.held))
    heads += ("mean |error| %", "of reducible %", "weight")
    rows = [heads, *(_cells(one) for one in found.tried)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    lines = [f"{found.family}: {found.sentence()}", ""]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        lines.append(("  " + "  ".join(cells)).rstrip())
    lines += [
        "",
        "  Errors are of the log-loss of a hidden size's finals, predicted less actual, by a fit",
        "  to all smaller sizes; weights are of the density that each law gave them.",
        f"  A hidden size's error is the mean over its finals ({_finals(found)}), with its sign;",
        "  |error| is without signs. Of reducible: with its sign, over actual less the law's own",
        "  floor; floors differ, so it compares no two laws.",
    ]
    lines += [f"  left out: {one.law}: {one.reason}" for one in found.left]
    lines += [
        f"  the second largest size is hidden from none, for {one.law} needs it: {one.reason}"
        for one in found.short
    ]
    return "\n".join(lines)


def _sizes(held: Held) -> str:
    """Return what was hidden: a size, or the span of sizes that count as one."""
    low, high = format_count(min(held.sizes)), format_count(max(held.sizes))
    return high if low == high else f"{low}-{high}"


def _finals(found: Choice) -> str:
    """Return how many finals each hidden size has."""
    return ", ".join(f"{held.finals} of {_sizes(held)}" for held in found.best.held)


def _cells(one: Tried) -> tuple[str, ...]:
    """Return one law as the cells of the table."""
    parts = [held.of_reducible for held in one.held]
    mean = sum(parts) / len(parts)
    return (
        one.law,
        *(f"{100 * held.signed:+.2f}" for held in one.held),
        f"{100 * one.error:.2f}",
        f"{100 * mean:+.1f}" if math.isfinite(mean) else "-",
        f"{one.weight:.2f}",
    )
