"""A ladder trained with a screen that shows how far each rung is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kleiber.cli.know.screen import Screen, Shown
from kleiber.cli.output import say

if TYPE_CHECKING:
    from pathlib import Path

    from kleiber.recipes.rung import Rung


def trained(
    rungs: Sequence[Rung], out: Path, *, jobs: int | None = None, device: str = "cpu"
) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
    """Train rungs that a study asks for, shown on a screen."""
    from kleiber.launching.ladder import train_ladder

    return train_ladder(rungs, out, jobs=jobs, device=device, watch=Watched(rungs, quiet=False))


class Watched:
    """The screen as a ladder's watch."""

    def __init__(self, rungs: Sequence[Rung], *, quiet: bool) -> None:
        self.rungs, self.quiet = rungs, quiet
        self.screen: Losses | None = None

    def begin(self, groups: Sequence[Sequence[int]]) -> None:
        """Open the screen."""
        from kleiber.launching.expect import Throughput

        stack = {number: i for i, group in enumerate(groups, 1) for number in group}
        work = Throughput().seconds
        shown = [Shown(r.name, work(r), stack.get(i, 0)) for i, r in enumerate(self.rungs)]
        self.screen = Losses(shown, quiet=self.quiet)

    def known(self, number: int, result: dict[str, Any]) -> None:
        """Take note of a rung that was finished before."""
        if self.screen is not None:
            self.screen.known(number, result)

    def start(self, number: int) -> None:
        """Show that a rung began."""
        if self.screen is not None:
            self.screen.start(number)

    def show(self, number: int, event: dict[str, Any]) -> None:
        """Show how far a rung is."""
        if self.screen is not None:
            self.screen.show(number, event)

    def close(self, *, stopped: bool) -> None:
        """Close the screen, and say how to go on."""
        if self.screen is not None:
            self.screen.close()
        if stopped and not self.quiet:
            say("stopped; the same command goes on from the last checkpoints")


class Losses(Screen):
    """A screen whose finished runs say their loss."""

    def said(self, result: dict[str, Any]) -> str:
        """Return a finished rung's loss."""
        return f"loss {result['loss']:.4f} nats held out, {result['train_loss']:.4f} in training"
