"""A grid of cells trained with a screen that shows how far each is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.cli.know.screen import Screen, Shown
from kleiber.cli.output import say

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell

STEP, SPEED = 2e-3, 2e10  # seconds that a step costs at least, and FLOPs a second: for time left


def train_cells(
    cells: Sequence[Cell],
    folders: Sequence[Path],
    *,
    jobs: int | None = None,
    device: str = "cpu",
    glances: int = 0,
    quiet: bool = False,
) -> list[dict[str, Any]]:
    """Train and measure every cell; see :func:`kleiber.launching.train_cells`."""
    from kleiber.launching import train_cells as train

    watch = Watched(cells, quiet=quiet)
    return train(cells, folders, jobs=jobs, device=device, glances=glances, watch=watch)


class Watched:
    """The screen as a grid's watch."""

    def __init__(self, cells: Sequence[Cell], *, quiet: bool) -> None:
        self.cells, self.quiet = cells, quiet
        self.screen: Screen | None = None

    def begin(self, groups: Sequence[Sequence[int]]) -> None:
        """Open the screen."""
        self.screen = Screen(_shown(self.cells, groups), quiet=self.quiet)

    def known(self, number: int, result: dict[str, Any]) -> None:
        """Show a cell that was finished before."""
        if self.screen is not None:
            self.screen.known(number, result)

    def start(self, number: int) -> None:
        """Show that a cell began."""
        if self.screen is not None:
            self.screen.start(number)

    def show(self, number: int, event: dict[str, Any]) -> None:
        """Show how far a cell is."""
        if self.screen is not None:
            self.screen.show(number, event)

    def close(self, *, stopped: bool) -> None:
        """Close the screen, and say how to go on."""
        if self.screen is not None:
            self.screen.close()
        if stopped and not self.quiet:
            say("stopped; the same command goes on from the last checkpoints")


def _shown(cells: Sequence[Cell], groups: Sequence[Sequence[int]]) -> list[Shown]:
    """Return each run as the screen needs it."""
    from kleiber.knowledge.prepare import record

    stack = {number: i for i, group in enumerate(groups, 1) for number in group}
    shown: list[Shown] = []
    for number, cell in enumerate(cells):
        said = record(cell)
        tokens = cell.batch * said["model"]["context"]
        work = said["steps"] * (STEP + tokens * said["flops_per_token"]["matmul"] / SPEED)
        shown.append(Shown(cell.name, work, stack.get(number, 0)))
    return shown
