"""The bits a model stores, on the screen: a bar on its way to the published line."""

from __future__ import annotations

from typing import Any

from kleiber.cli.screen import Screen

LINE = 2.0  # bits a parameter: where published models end
BAR = 30  # characters from 0 to the line


class Bits(Screen):
    """A screen whose runs say the bits they store, on the way and at their end."""

    def said(self, result: dict[str, Any]) -> str:
        """Return a finished run's bits."""
        return bar(result)

    def measured(self, event: dict[str, Any]) -> str | None:
        """Return the bits that a reading measured."""
        return None if bits_of(event) is None else bar(event)


def bits_of(row: dict[str, Any]) -> tuple[float, float] | None:
    """Return what was stored and what there is, in bits a parameter; None where neither is said.

    Of random strings it is what was memorised, which is another quantity.
    """
    for kind in ("", "memorised_"):
        if f"{kind}bits_per_param" in row:
            return row[f"{kind}bits_per_param"], row[f"max_{kind}bits_per_param"]
    return None


def bar(row: dict[str, Any]) -> str:
    """Return bits a parameter as a bar on the way to the line, and all that the data holds."""
    bits, most = bits_of(row) or (0.0, 0.0)
    filled = min(BAR, max(0, round(BAR * bits / LINE)))
    track = f"{'█' * filled}{'·' * (BAR - filled)}│{LINE:.0f}"
    return f"{track}  {bits:6.3f} bits/param, data {most:.2f}"
