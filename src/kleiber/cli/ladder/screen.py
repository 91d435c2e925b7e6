"""A ladder trained with a screen that shows how far each rung is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kleiber.cli.screen import Screen, Shown, Stacks, Watched

if TYPE_CHECKING:
    from pathlib import Path

    from kleiber.recipes.rung import Rung


def trained(
    rungs: Sequence[Rung], out: Path, *, jobs: int | None = None, device: str = "cpu"
) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
    """Train rungs that a study asks for, shown on a screen."""
    from kleiber.launching.ladder import train_ladder

    return train_ladder(rungs, out, jobs=jobs, device=device, watch=watched(rungs, quiet=False))


def watched(rungs: Sequence[Rung], *, quiet: bool) -> Watched:
    """Return a screen as the ladder's watch."""
    return Watched(partial(_screen, rungs, quiet=quiet), quiet=quiet)


class Losses(Screen):
    """A screen whose finished runs say their loss."""

    def said(self, result: dict[str, Any]) -> str:
        """Return a finished rung's loss."""
        return f"loss {result['loss']:.4f} nats held out, {result['train_loss']:.4f} in training"


def _screen(rungs: Sequence[Rung], stacks: Stacks, *, quiet: bool) -> Losses:
    """Return the screen of rungs, each with about how long it takes."""
    from kleiber.launching.expect import Throughput

    seconds = Throughput().seconds
    shown = [Shown(r.name, seconds(r), stacks.get(i, 0)) for i, r in enumerate(rungs)]
    return Losses(shown, quiet=quiet)
