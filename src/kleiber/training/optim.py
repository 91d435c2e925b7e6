"""AdamW over one flat buffer a model; a stack of models is a buffer with a row each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class State:
    """Parameters and their two moments, each [S, P]: S models of P parameters."""

    params: Tensor
    first: Tensor
    second: Tensor

    @classmethod
    def new(cls, params: Tensor) -> State:
        """Return a state before its first step."""
        return cls(params, torch.zeros_like(params), torch.zeros_like(params))

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint holds."""
        return {"params": self.params, "first": self.first, "second": self.second}


def clip(gradient_SP: Tensor, largest: float) -> Tensor:
    """Return the factor [S, 1] that brings each model's gradient to at most the largest norm."""
    norm_S1 = gradient_SP.norm(dim=1, keepdim=True)
    return (largest / (norm_S1 + 1e-6)).clamp(max=1.0)


def adamw(
    params_SP: Tensor,
    first_SP: Tensor,
    second_SP: Tensor,
    gradient_SP: Tensor,
    *,
    shorten: Tensor,
    lr_S1: Tensor,
    decay_S1: Tensor,
    decays_P: Tensor,
    betas: tuple[float, float],
    eps: float,
    unbias: Tensor,
) -> None:
    """Move the buffers by one step of AdamW (arXiv 1711.05101), in torch's order of operations.

    ``shorten`` is what ``clip`` returned; ``decay_S1`` the weight decay of each model, on the
    parameters where ``decays_P`` is 1 and not 0; ``unbias`` holds ``1 - beta ** step`` for both
    betas, as a tensor so that a compiled step need not be compiled again.
    """
    one, two = betas
    clipped_SP = gradient_SP * shorten
    params_SP.mul_(1 - lr_S1 * decay_S1 * decays_P)
    first_SP.lerp_(clipped_SP, 1 - one)
    second_SP.mul_(two).addcmul_(clipped_SP, clipped_SP, value=1 - two)
    deviation_SP = (second_SP.sqrt() / unbias[1].sqrt()).add_(eps)
    params_SP.sub_(lr_S1 / unbias[0] * (first_SP / deviation_SP))
