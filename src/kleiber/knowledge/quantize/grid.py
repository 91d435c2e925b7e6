"""A grid of 2^b values for each scale: codes, scales, what they stand for, what they take to store.

The symmetric grid is AutoGPTQ's: ``scale = 2 max|w| / (2^b - 1)``, zero point ``2^(b-1)``. The
asymmetric one spans ``min(w, 0)`` to ``max(w, 0)``; its zero point is the code of 0. Either way
``w' = scale (code - zero)``, and no weight moves by more than half a scale.

Shape suffixes: R rows (a linear map's outputs), C columns (its inputs), G groups of columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kleiber.errors import InputError, UsageError

FEWEST, MOST = 2, 8  # bits of a code
SHARES = ("tensor", "channel")
FLOAT_BITS = (16, 32)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """How finely a matrix is rounded, and how many of its weights share a scale.

    ``group`` is "tensor", "channel" (a row) or a number of columns of a row; what is left over at
    a row's end is a shorter group. ``float_bits`` are those of a scale as it is stored.
    """

    bits: int
    group: int | str = "channel"
    symmetric: bool = True
    float_bits: int = 16

    def __post_init__(self) -> None:
        """Refuse what is no grid."""
        if not FEWEST <= self.bits <= MOST:
            raise UsageError(
                f"{self.bits} bits a weight; {FEWEST} to {MOST} can be rounded to.",
                remedy=f"Ask for {FEWEST} to {MOST} bits, such as 4.",
            )
        of_columns = isinstance(self.group, int) and self.group >= 1
        if not (of_columns or self.group in SHARES):
            raise UsageError(
                f"The group is {self.group!r}; tensor, channel or a number of columns is expected.",
                remedy="Use channel, or a group such as 32.",
            )
        if self.float_bits not in FLOAT_BITS:
            raise UsageError(
                f"float_bits is {self.float_bits}; 16 or 32 is expected.",
                remedy="Use 16, as AutoGPTQ stores, or 32.",
            )

    @property
    def name(self) -> str:
        """Who shares a scale, in a word."""
        return f"group {self.group}" if isinstance(self.group, int) else f"per {self.group}"

    @property
    def top(self) -> int:
        """The largest code."""
        return 2**self.bits - 1

    def width(self, columns: int) -> int:
        """Columns that share a scale in a matrix of so many."""
        return min(self.group, columns) if isinstance(self.group, int) else columns

    def groups(self, columns: int) -> Tensor:
        """Return the group of each column, [C]."""
        return torch.arange(columns) // self.width(columns)


@dataclass(frozen=True)
class Quantized:
    """A matrix as codes: ``codes_RC`` (uint8), and a scale and a zero point for each group."""

    codes_RC: Tensor
    scales_RG: Tensor  # [1, 1] where a tensor shares one
    zeros_RG: Tensor
    grid: Grid

    def weight(self) -> Tensor:
        """Return what the codes stand for, [R, C]."""
        group_C = self.grid.groups(self.codes_RC.shape[1]).to(self.codes_RC.device)
        return decode(self.codes_RC, self.scales_RG[:, group_C], self.zeros_RG[:, group_C])

    @property
    def storage(self) -> dict[str, int]:
        """Bits of the codes, of the scales and of the zero points, where these differ."""
        zeros = 0 if self.grid.symmetric else self.zeros_RG.numel() * self.grid.bits
        return {
            "codes": self.codes_RC.numel() * self.grid.bits,
            "scales": self.scales_RG.numel() * self.grid.float_bits,
            "zeros": zeros,
        }


def round_to_nearest(weight_RC: Tensor, grid: Grid) -> Quantized:
    """Round each weight to the nearest value of its grid."""
    return round_on(weight_RC, *find_scales(weight_RC, grid), grid)


def round_on(weight_RC: Tensor, scales_RG: Tensor, zeros_RG: Tensor, grid: Grid) -> Quantized:
    """Round each weight to the nearest value of a grid whose scales are given."""
    group_C = grid.groups(weight_RC.shape[1]).to(weight_RC.device)
    codes_RC = encode(weight_RC, scales_RG[:, group_C], zeros_RG[:, group_C], grid)
    return Quantized(codes_RC.to(torch.uint8), scales_RG, zeros_RG, grid)


def find_scales(weight_RC: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return the scale and the zero point of every group, [R, G] each ([1, 1] for a tensor).

    Raises InputError for weights that are no finite numbers.
    """
    if not torch.isfinite(weight_RC).all():
        raise InputError(
            "A weight is no finite number, so that no grid can hold it.",
            remedy="Train the run again; it diverged.",
        )
    if grid.group == "tensor":
        weight_RC = weight_RC.reshape(1, -1)
    parts = weight_RC.split(grid.width(weight_RC.shape[1]), dim=1)
    low_RG = torch.stack([part.amin(1) for part in parts], dim=1).clamp(max=0)
    high_RG = torch.stack([part.amax(1) for part in parts], dim=1).clamp(min=0)
    if grid.symmetric:
        high_RG = torch.maximum(high_RG, -low_RG)
        low_RG = -high_RG
    empty_RG = low_RG == high_RG  # all zeros: any scale stores them exactly
    span_RG = torch.where(empty_RG, torch.ones_like(low_RG) * grid.top, high_RG - low_RG)
    scales_RG = _stored(span_RG / grid.top, grid.float_bits)
    if grid.symmetric:
        return scales_RG, torch.full_like(scales_RG, 2 ** (grid.bits - 1))
    return scales_RG, torch.round(-low_RG / scales_RG)


def encode(weight: Tensor, scale: Tensor, zero: Tensor, grid: Grid) -> Tensor:
    """Return the nearest codes, as floats."""
    return (torch.round(weight / scale) + zero).clamp(0, grid.top)


def decode(code: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """Return what codes stand for."""
    return scale * (code - zero)


def _stored(scales: Tensor, bits: int) -> Tensor:
    """Return scales as floats of so many bits can hold them.

    Halves are taken upwards: a scale that is too small would cut off the largest weight, by more
    than half a step at 8 bits.
    """
    if bits == 32:
        return scales.float().to(scales.dtype)
    half = scales.half()
    if torch.isinf(half).any():
        raise InputError(
            f"A scale of {float(scales.max()):.3g} is more than 16 bits hold.",
            remedy="Store scales in 32 bits (--float-bits 32).",
        )
    above = (half.view(torch.int16) + 1).view(torch.float16)  # the next half of a positive one
    return torch.where(half.to(scales.dtype) < scales, above, half).to(scales.dtype)
