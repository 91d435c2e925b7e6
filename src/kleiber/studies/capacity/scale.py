"""What a preset gives the twelve declarations: its cells, its seeds, what it can afford to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from kleiber.errors import UsageError
from kleiber.studies.capacity.result import SEEDS

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell

PRESETS = {
    "cpu": "minutes a run on one core, bioD of a few hundred people",
    "gpu": "the paper's pools and windows, 50,000 people; about half an hour a result on a GPU",
    "paper": "the paper's full grid, as a plan with its price; nothing is trained",
}
PLANNED = "paper"


class Make(Protocol):
    """A cell of a scale, other settings in the place of its own."""

    def __call__(self, **changes: Any) -> Cell:
        """Return the cell."""
        ...


class Spoken(Protocol):
    """A cell of biographies in words, of a format."""

    def __call__(self, form: str) -> Cell:
        """Return the cell."""
        ...


@dataclass(frozen=True)
class Size:
    """A model that result 1 fills; ``figure`` is what the published one stores, bits/parameter."""

    name: str
    cell: Cell
    figure: float | None = None


@dataclass(frozen=True)
class Depth:
    """A model of other depth; its width is the one at which it has the parameters of a size."""

    size: str
    cell: Cell

    @property
    def name(self) -> str:
        """Name the arm."""
        return f"{self.cell.layers} layers, as {self.size}"


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One preset of the study; every cell is taught the same number of people or over-fills.

    ``high`` is the cell that architectures and forms are compared on at 1000 exposures, ``low``
    the one at few, ``paired`` the latter's model and people at 1000, ``mixed`` the one that junk
    is mixed into, ``strings`` bioD with other sizes, ``saturated`` the one whose weights are
    rounded. ``heads`` are of architectures at 1000 exposures and at few, where not the cell's.
    """

    name: str
    device: str
    sizes: Sequence[Size]
    high: Make
    low: Make
    paired: Make
    mixed: Make
    strings: Make
    spoken: Spoken
    saturated: Cell
    peak: str | None = None  # of sizes: where 2 bits are asked for, and where at most 2.3
    overfilled: str | None = None
    depths: Sequence[Depth] = ()
    mixes: Sequence[int] = (7,)  # parts of fresh junk for one useful part, the last compared
    long_mixed: float | None = None  # exposures at which junk is shown once more
    seeds: int = SEEDS
    long_seeds: int = SEEDS  # of results at 1000 exposures alone
    saturated_seeds: int = SEEDS  # of the one whose weights are rounded
    jobs: int | None = None
    rates: Sequence[float] = (0.5, 1.0, 2.0)
    rates_mixed: Sequence[float] = (0.5, 1.0, 2.0)
    exposures: Sequence[float] = (100, 200, 300, 500)
    experts: int = 8
    heads: Mapping[str, int] = field(default_factory=dict[str, int])
    heads_low: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: Mapping[int, Sequence[str]] = field(default_factory=dict[int, Sequence[str]])
    omitted: Sequence[int] = ()  # results that are not declared here


def scale(name: str) -> Scale:
    """Return a preset's cells by its name; raises UsageError for one that there is not."""
    check_preset(name)
    if name == PLANNED:
        raise UsageError(
            "The preset paper declares no arms to train: it is a plan with a price.",
            remedy="Read it with kleiber study capacity --result 1 --preset paper, or train "
            "another preset.",
        )
    return import_module(f"kleiber.studies.capacity.scale_{name}").SCALE


def check_preset(name: str) -> None:
    """Raise UsageError for a preset that there is not."""
    if name not in PRESETS:
        raise UsageError(
            f"There is no preset '{name}' of this study.",
            remedy=f"Use --preset {', '.join(list(PRESETS)[:-1])} or {list(PRESETS)[-1]}.",
        )
