"""What training a cell comes to: steps, tokens, FLOPs, and the hours of a GPU that they take.

No GPU has been timed for these models; the rule is an assumption and is said wherever hours are::

    FLOPs/s = peak * mfu * min(1, width / 768)

because narrow products wait for memory: a GPU reaches at width 192 a quarter of what it reaches
from 768 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kleiber.knowledge.cell import Cell
from kleiber.knowledge.mixture import Mixture
from kleiber.knowledge.packing import Windows
from kleiber.knowledge.texts import Source
from kleiber.planning.cost import Prices
from kleiber.training.count import count_flops, count_params

FULL = 768  # the width from which a GPU is busy with arithmetic
CONVENTION = "attention"  # of ``training.count``: matrix products, head and attention


@dataclass(frozen=True)
class Work:
    """One run of a cell; ``tokens`` are all that its steps read, junk included."""

    cell: Cell
    params: int
    steps: int
    tokens: int
    flops: float

    def gpu_hours(self, prices: Prices) -> float:
        """Return the GPU-hours of its FLOPs, more than the price list has for a narrow model."""
        return prices.gpu_hours(self.flops) / reached(self.cell.width)


def works_of(cells: Sequence[Cell]) -> list[Work]:
    """Return what training each cell comes to; raises for one that cannot be taught or built."""
    known: dict[str, tuple[Source, Windows | Mixture]] = {}  # many models are taught the same
    works: list[Work] = []
    for cell in cells:
        data = str(_data_of(cell))
        if data not in known:
            source = cell.source()
            known[data] = source, cell.batches(source)
        source, batches = known[data]
        model = cell.model(source)
        tokens = batches.steps * cell.batch * batches.width
        each = count_flops(model, context=batches.width)[CONVENTION]
        params = count_params(model)["total"]
        works.append(Work(cell, params, batches.steps, tokens, tokens * each))
    return works


def reached(width: int) -> float:
    """Return the share of a wide model's FLOPs/s that one of this width reaches, as assumed."""
    return min(1.0, width / FULL)


def _data_of(cell: Cell) -> Cell:
    """Return the cell with one model for all, so that equal ones are taught the same texts."""
    return replace(
        cell, layers=1, width=2, heads=1, architecture="gpt2", changed={}, mlp_ratio=None,
        lr=1.0, lr_times_width=None, weight_decay=None, decay_over_run=None,
    )  # fmt: skip
