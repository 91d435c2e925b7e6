"""The head and its loss for large batches: logits of some rows at a time, never whole.

A whole table of logits (8192 tokens by 3300 rows in fp32: 108 MB) passes through memory nine times
in a step: product, log-softmax, zeros, nll, softmax's backward, two products. A piece that stays in
the cache gives its loss and both gradients before the next one comes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kleiber.training.config import IGNORED

PIECE = 1 << 20  # logits at a time
LARGE = 1 << 22  # logits from which pieces pay


def head_loss(x_ND: Tensor, head_VD: Tensor, targets_N: Tensor) -> Tensor:
    """Return the mean nats of the targets asked for, from what the head reads.

    A compiler fuses the plain form itself, and small tables fit the cache as they are. A batch
    that asks for nothing (a pass can end in empty windows) costs 0 and teaches nothing.
    """
    small = len(x_ND) * len(head_VD) < LARGE
    if small or torch.compiler.is_compiling() or not torch.is_grad_enabled():
        logits_NV = F.linear(x_ND, head_VD).float()
        nats = F.cross_entropy(logits_NV, targets_N, ignore_index=IGNORED, reduction="sum")
        return nats / (targets_N != IGNORED).sum().clamp(min=1)
    loss, *_ = _Pieces.apply(x_ND, head_VD, targets_N, 0.0)
    return loss


def head_losses(
    x_ND: Tensor, head_VD: Tensor, targets_N: Tensor, z_loss: float
) -> tuple[Tensor, Tensor]:
    """Return the mean nats, and ``z_loss`` times the mean squared log of the softmax's sum.

    The second (PaLM, arXiv 2204.02311, section 5) keeps logits from drifting off together. It is
    their sum that is to be differentiated: in pieces, the first carries the gradient of both.
    """
    small = len(x_ND) * len(head_VD) < LARGE
    if small or torch.compiler.is_compiling() or not torch.is_grad_enabled():
        logits_NV, asked_N = F.linear(x_ND, head_VD).float(), targets_N != IGNORED
        count = asked_N.sum().clamp(min=1)
        whole_N = logits_NV.logsumexp(dim=1)
        own_N = logits_NV.gather(1, targets_N.clamp(min=0)[:, None])[:, 0]
        nats = ((whole_N - own_N) * asked_N).sum() / count
        return nats, z_loss * (whole_N.square() * asked_N).sum() / count
    both, log_z, *_ = _Pieces.apply(x_ND, head_VD, targets_N, z_loss)
    return both - log_z, log_z


class _Pieces(torch.autograd.Function):
    """The loss with both gradients made on the way; backward only scales them."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x_ND: Tensor, head_VD: Tensor, targets_N: Tensor, z_loss: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the mean loss, the z-loss in it, and gradients by ``x_ND`` and ``head_VD``."""
        asked_N = targets_N != IGNORED
        share_N = asked_N / asked_N.sum().clamp(min=1)
        rows_N = targets_N.clamp(min=0)
        step = max(1, PIECE // len(head_VD))
        loss, slope_VD, slopes, log_z = 0.0, 0.0, [], torch.zeros_like(share_N[0])
        pieces = (part.split(step) for part in (x_ND, rows_N, share_N))
        for x_PD, rows_P, share_P in zip(*pieces, strict=True):
            logits_PV = (x_PD @ head_VD.T).float()
            chance_PV = logits_PV.softmax(dim=-1)
            whole_P = logits_PV.amax(1) - chance_PV.amax(1).log()  # logsumexp, without its exp
            loss = loss + (whole_P - logits_PV.gather(1, rows_P[:, None])[:, 0]) @ share_P
            if z_loss:
                loss_z = z_loss * whole_P.square() @ share_P
                loss, log_z = loss + loss_z, log_z + loss_z
                chance_PV.mul_((1 + 2 * z_loss * whole_P)[:, None])
            chance_PV.scatter_add_(1, rows_P[:, None], -torch.ones_like(whole_P)[:, None])
            slope_PV = chance_PV.mul_(share_P[:, None])
            slopes.append((slope_PV @ head_VD).to(x_ND.dtype))
            slope_VD = slope_VD + (slope_PV.T @ x_PD).to(head_VD.dtype)
        return loss, log_z, torch.cat(slopes), slope_VD  # pyright: ignore[reportReturnType]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep the gradients."""
        ctx.save_for_backward(*output[2:])
        ctx.mark_non_differentiable(*output[1:])

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        """Return the gradients by the three inputs."""
        slope_ND, slope_VD = ctx.saved_tensors
        return slopes[0] * slope_ND, slopes[0] * slope_VD, None, None
