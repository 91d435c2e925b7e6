"""What foretells trouble in a run: how large attention's scores are, and gradients beside eps.

Both instabilities of large models show in small ones at a high rate (arXiv 2309.14322): scores
that grow until attention is one-hot, and gradients so small that Adam's eps outweighs them. Read
now and then, they cost a part of a forward pass each time.

Shape suffixes as in ``model``; S models of a stack, P parameters of each, N numbers of a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kleiber.training.model import GPT, Attention, ahead
from kleiber.training.optim import State

WINDOWS = 8  # of a batch whose scores are looked at


@torch.no_grad()
def attention_max(model: GPT, tokens_BT: Tensor, windows: int = WINDOWS) -> float:
    """Return the largest score (query by key over the root of the head's size) of any layer.

    Of the batch's first few windows, before the softmax; a masked score does not count. With
    ``qk_norm`` it cannot exceed the root of the head's size.
    """
    found: list[Tensor] = []

    def look(layer: Attention, given: tuple[Any, ...]) -> None:
        q_BHTK, k_BHTK, _ = layer.turned(*given)
        hidden_TT = ahead(q_BHTK.shape[2], q_BHTK.device)
        for q_HTK, k_HTK in zip(q_BHTK, k_BHTK, strict=True):  # a window at a time: T squared
            score_HTT = (q_HTK @ k_HTK.mT) * layer.head_size**-0.5
            found.append((score_HTT + hidden_TT).amax())

    layers = [module for module in model.modules() if isinstance(module, Attention)]
    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    try:
        model.hidden(tokens_BT[:windows])
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(found).amax().item()


@torch.no_grad()
def gradient_sizes(
    gradient_SP: Tensor, sizes: Sequence[int], state: State, *, beta: float, count: int, eps: float
) -> list[dict[str, float]]:
    """Return for each model its gradient's root mean square, and what eps does to the update.

    ``grad_rms`` is of all parameters, ``grad_rms_least`` of the matrix that has the smallest, both
    as the loss gives them; ``eps_share`` the share of the parameters that were ever moved whose
    root second moment, what Adam divides by, is less than eps.
    """
    squares_S = [part.double().square().mean(dim=1) for part in gradient_SP.split(list(sizes), 1)]
    rms_S = gradient_SP.double().square().mean(dim=1).sqrt().tolist()
    least_S = torch.stack(squares_S).amin(dim=0).sqrt().tolist()
    root_SP = (state.second / (1 - beta**count)).sqrt()
    moved_SP = state.first != 0
    small_S = ((root_SP < eps) & moved_SP).sum(1) / moved_SP.sum(1).clamp(min=1)
    return [
        {"grad_rms": rms, "grad_rms_least": least, "eps_share": small}
        for rms, least, small in zip(rms_S, least_S, small_S.tolist(), strict=True)
    ]
