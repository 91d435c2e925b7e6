"""Which parameters of a model are rounded: matrices by their part, of any architecture.

A parameter within ``blocks`` that is a matrix, or a stack of them (experts), is of the "linear"
kind; a matrix outside them (embedding, head) of the "embedding" kind; the rest (norms, biases)
"vector". A shared matrix is one parameter, and is rounded once.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.quantize.grid import Grid

WEIGHTS = {
    "linear": ("linear",),  # as AutoGPTQ: embedding, head, norms and biases stay
    "matrices": ("linear", "embedding"),
    "all": ("linear", "embedding", "vector"),
}
# Bits of a code. At 2, with all else in float, three models of 1.9 to 2.0 bits a parameter fall to
# -3.0 to -3.5 (width 24, 73 rows): every token is read wrongly, and so is every score.
SMALLEST_EMBEDDING = 3


@dataclass(frozen=True)
class Place:
    """One parameter: its name, its kind, its shape."""

    name: str
    kind: str
    shape: tuple[int, ...]

    @property
    def columns(self) -> int:
        """Weights of one row."""
        return self.shape[-1]

    def matrices(self, parameter: Tensor) -> list[Tensor]:
        """Return views of the matrices [R, C] that a parameter holds; a vector is one row."""
        if self.kind == "vector":
            return [parameter.reshape(1, -1)]
        return list(parameter.reshape(-1, *self.shape[-2:]).unbind(0))


def places(model: nn.Module) -> list[Place]:
    """Return every parameter of a model."""
    found: list[Place] = []
    for name, parameter in model.named_parameters():
        owner = model.get_submodule(name.rpartition(".")[0])
        found.append(Place(name, _kind(name, parameter, owner), tuple(parameter.shape)))
    return found


def chosen(model: nn.Module, weights: str, grid: Grid) -> list[Place]:
    """Return the parameters to round, or raise for a grid that does not suit them."""
    if weights not in WEIGHTS:
        raise UsageError(
            f"There are no weights '{weights}'.", remedy=f"Use one of {', '.join(WEIGHTS)}."
        )
    found = [place for place in places(model) if place.kind in WEIGHTS[weights]]
    if grid.bits < SMALLEST_EMBEDDING and "embedding" in WEIGHTS[weights]:
        raise UsageError(
            f"{grid.bits} bits a weight leave an embedding {2**grid.bits} values a channel, and a "
            f"model nothing of what it knows; an embedding needs {SMALLEST_EMBEDDING} or more.",
            remedy="Keep it in float (--weights linear), or ask for more bits.",
        )
    if not found:
        raise InputError(
            "The model has no matrices in its blocks to round.",
            remedy="Round all weights (--weights all).",
        )
    widest = max(place.columns for place in found)
    if isinstance(grid.group, int) and grid.group > widest:
        raise UsageError(
            f"A group of {grid.group} columns is wider than any matrix of this model, the widest "
            f"of {widest}.",
            remedy=f"Use a group of {widest} or fewer, or channel.",
        )
    return found


def said(found: list[Place], grid: Grid) -> list[str]:
    """Return what is to be known of groups that do not come out even, a sentence each."""
    if not isinstance(grid.group, int):
        return []
    group = grid.group
    matrices = [place for place in found if place.kind != "vector"]
    narrow = sorted({place.columns for place in matrices if place.columns < group})
    uneven = sorted({p.columns for p in matrices if p.columns > group and p.columns % group})
    notes: list[str] = []
    if narrow:
        widths = ", ".join(map(str, narrow))
        notes.append(f"Rows of {widths} columns are narrower than {group}: one scale a row.")
    notes += [
        f"Rows of {columns} columns end in a group of {columns % group}." for columns in uneven
    ]
    return notes


def _kind(name: str, parameter: Tensor, owner: nn.Module) -> str:
    """Return a parameter's kind; a stack of biases [E, D] is no matrix."""
    stacked = any(other.dim() >= 3 for other in owner.parameters(recurse=False))
    if parameter.dim() < 2 or (parameter.dim() == 2 and stacked):
        return "vector"
    return "linear" if name.startswith("blocks.") else "embedding"
