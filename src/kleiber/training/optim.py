"""AdamW over one flat buffer a model; a stack of models is a buffer with a row each.

An eps of 1e-20, which keeps the update of any gradient as large as Adam means it to be (the usual
1e-8 outgrows the gradients of large models: arXiv 2309.14322, 2407.05872), is safe with second
moments in fp32. A gradient of 0 gives 0 / (0 + eps) = 0. Squares of gradients under 4.9e-19 are
denormal, with fewer digits: the update is then off by up to a third of itself, and never larger
than it should be. Under 1.2e-22 they round to 0, and the update is the gradient over eps: .012 of
the rate at most. Where a processor takes denormals for 0 the same holds from 4.9e-19 down, and an
update could be 49 times the rate; torch on a CPU does not, eager or compiled
(tests/training/test_eps.py), and a GPU's compiled step was not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def scaled(gradient_SP: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return gradients of which each matrix's (of so many numbers) is over its root mean square.

    What is 0 throughout stays 0. Divided by the largest first, so that no square underflows.
    """
    parts = []
    for part_SN in gradient_SP.split(list(sizes), dim=1):
        largest_S1 = part_SN.abs().amax(dim=1, keepdim=True)
        even_SN = part_SN / torch.where(largest_S1 > 0, largest_S1, 1)
        mean_S1 = even_SN.square().mean(dim=1, keepdim=True)
        parts.append(even_SN * torch.where(mean_S1 > 0, mean_S1, 1).rsqrt())
    return torch.cat(parts, dim=1)


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
    l2: bool = False,
) -> None:
    """Move the buffers by one step of AdamW (arXiv 1711.05101), in torch's order of operations.

    ``shorten`` is what ``clip`` returned; ``decay_S1`` the weight decay of each model, on the
    parameters where ``decays_P`` is 1 and not 0; ``unbias`` holds ``1 - beta ** step`` for both
    betas, as a tensor so that a compiled step need not be compiled again. With ``l2`` the decay is
    added to the gradient instead, as torch's Adam does.
    """
    one, two = betas
    clipped_SP = gradient_SP * shorten
    if l2:
        clipped_SP = clipped_SP + decay_S1 * decays_P * params_SP
    else:
        params_SP.mul_(1 - lr_S1 * decay_S1 * decays_P)
    first_SP.lerp_(clipped_SP, 1 - one)
    second_SP.mul_(two).addcmul_(clipped_SP, clipped_SP, value=1 - two)
    deviation_SP = (second_SP.sqrt() / unbias[1].sqrt()).add_(eps)
    params_SP.sub_(lr_S1 / unbias[0] * (first_SP / deviation_SP))
