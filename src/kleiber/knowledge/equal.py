"""Cells of equal parameters: the width at which an architecture comes nearest to a number."""

from __future__ import annotations

from dataclasses import replace

from kleiber.knowledge.cell import Cell
from kleiber.training.count import count_params
from kleiber.training.sizes import Sized, width_for


def of_size(cell: Cell, params: float) -> tuple[Cell, Sized]:
    """Return a cell with the width that comes nearest to so many parameters, and how near.

    The heads stay, and so does ``lr_times_width``: the rate goes with the width. Raises
    InputError where no width comes within half of the number.
    """
    changed = dict(cell.changed)
    if cell.mlp_ratio is not None:
        changed["mlp_ratio"] = cell.mlp_ratio
    found = width_for(
        cell.architecture,
        params,
        layers=cell.layers,
        vocab=cell.source().vocab,
        heads=cell.heads,
        **changed,
    )
    return replace(cell, width=found.config.width), found


def params_of(cell: Cell) -> int:
    """Return the parameters of a cell's model, all of them."""
    return count_params(cell.model(cell.source()))["total"]
