"""A whole model on a grid: its weights replaced by what their codes stand for, storage counted."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kleiber.errors import UsageError
from kleiber.knowledge.quantize.calibrate import hessian, linear_order
from kleiber.knowledge.quantize.gptq import DAMP, gptq
from kleiber.knowledge.quantize.grid import Grid, Quantized, round_to_nearest
from kleiber.knowledge.quantize.places import Place, chosen, said
from kleiber.training import GPT

METHODS = ("rtn", "gptq")


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """How a model is rounded: to what grid, which of its weights, by what method."""

    grid: Grid
    method: str = "rtn"
    weights: str = "linear"
    act_order: bool = True
    damp: float = DAMP

    def __post_init__(self) -> None:
        """Refuse methods that there are not."""
        if self.method not in METHODS:
            raise UsageError(
                f"There is no method '{self.method}'.", remedy=f"Use {' or '.join(METHODS)}."
            )


@dataclass(frozen=True)
class Rounded:
    """A rounded model: its weights are what the codes stand for.

    ``parts`` holds the matrices of each rounded parameter; all others are kept as floats of the
    grid's ``float_bits``, and hold just what so many bits can.
    """

    model: GPT
    parts: dict[str, list[Quantized]]
    storage: dict[str, int]  # bits of codes, of scales, of zeros, of what was kept
    notes: tuple[str, ...]

    @property
    def bits(self) -> int:
        """Bits that the model takes to store."""
        return sum(self.storage.values())


@torch.no_grad()
def quantize(model: GPT, how: Rounding, texts: Sequence[Tensor] = ()) -> Rounded:
    """Return a rounded copy of a model.

    GPTQ goes from map to map in the order in which a token meets them, and each is calibrated on
    what it reads in the model as rounded so far. ``texts`` are those of ``calibration``. What GPTQ
    has no inputs for (an embedding, an expert that no token chose) is rounded to nearest, and
    ``notes`` say so.
    """
    found = {place.name: place for place in chosen(model, how.weights, how.grid)}
    model = copy.deepcopy(model)
    for name, parameter in model.named_parameters():
        if name not in found and how.grid.float_bits == 16:
            parameter.copy_(parameter.half())
    order = _calibrated(model, found, how, texts)
    parts: dict[str, list[Quantized]] = {}
    for name in [name for name in found if name not in order]:  # those first: the maps read them
        parameter = model.get_parameter(name)
        parts[name] = [round_to_nearest(one, how.grid) for one in found[name].matrices(parameter)]
        _put(parameter, parts[name])
    unread: list[str] = []
    for name, module in order.items():
        parameter, moments_ECC = model.get_parameter(name), hessian(model, module, texts)
        maps = zip(found[name].matrices(parameter), moments_ECC, strict=True)
        parts[name] = [_moved(weight_RC, moments_CC, how) for weight_RC, moments_CC in maps]
        unread += [name for moments_CC in moments_ECC if not moments_CC.any()]
        _put(parameter, parts[name])
    notes = said([*found.values()], how.grid) + _left_over(found, order, unread, how)
    return Rounded(model, parts, _storage(model, parts, how.grid), tuple(notes))


def float_bits(model: GPT) -> int:
    """Return the bits that a model takes to store as it is."""
    return sum(p.numel() * p.element_size() * 8 for p in model.parameters())


def _storage(model: GPT, parts: dict[str, list[Quantized]], grid: Grid) -> dict[str, int]:
    """Return the bits of everything that must be stored, by what they are."""
    total: dict[str, int] = dict.fromkeys(("codes", "scales", "zeros", "kept"), 0)
    for name, parameter in model.named_parameters():
        if name not in parts:
            total["kept"] += parameter.numel() * grid.float_bits
        for part in parts.get(name, ()):
            for kind, bits in part.storage.items():
                total[kind] += bits
    return total


def _calibrated(
    model: GPT, found: dict[str, Place], how: Rounding, texts: Sequence[Tensor]
) -> dict[str, str]:
    """Return the parameters that GPTQ rounds, in the order of its work, with their modules."""
    if how.method != "gptq":
        return {}
    if not len(texts):
        raise UsageError(
            "GPTQ needs texts to calibrate on, and got none.",
            remedy="Give it those of kleiber.knowledge.quantize.calibrate.calibration.",
        )
    modules = linear_order(model, texts)
    return {f"{name}.weight": name for name in modules if f"{name}.weight" in found}


def _moved(weight_RC: Tensor, moments_CC: Tensor, how: Rounding) -> Quantized:
    """Round one matrix by GPTQ; one whose map read nothing (an idle expert's) to nearest."""
    if not moments_CC.any():
        return round_to_nearest(weight_RC, how.grid)
    return gptq(weight_RC, moments_CC, how.grid, act_order=how.act_order, damp=how.damp)


def _put(parameter: Tensor, parts: list[Quantized]) -> None:
    """Give a parameter the values that its codes stand for."""
    stands = torch.stack([one.weight() for one in parts])
    parameter.copy_(stands.reshape(parameter.shape))


def _left_over(
    found: dict[str, Place], order: dict[str, str], unread: list[str], how: Rounding
) -> list[str]:
    """Return a sentence on what GPTQ was asked to round and could not."""
    left = [n for n, place in found.items() if n not in order and place.kind != "vector"]
    left += [f"{unread.count(name)} of {name}" for name in dict.fromkeys(unread)]
    if how.method != "gptq" or not left:
        return []
    return [f"Rounded to nearest, without inputs to calibrate on: {', '.join(left)}."]
