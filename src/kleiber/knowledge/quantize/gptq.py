"""GPTQ: round a matrix column by column, and let the columns to come make up for each error.

Rounding column q of ``W`` moves the layer's outputs; the optimal brain surgeon's answer is to move
the columns not yet rounded by ::

    - (w_q - quant(w_q)) / [H^-1]_qq  [H^-1]_q,q+1:        H = 2/n X X^T

and to go on with the inverse of what is left of H. All those inverses are rows of one Cholesky
factor ``U``, ``H^-1 = U^T U`` (Frantar et al., arXiv 2210.17323), so that a column costs one
product. Updates beyond a block of 128 columns wait until the block is done.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kleiber.errors import InputError
from kleiber.knowledge.quantize.grid import Grid, Quantized, encode, find_scales

BLOCK = 128
DAMP = 0.01


def gptq(
    weight_RC: Tensor,
    hessian_CC: Tensor,
    grid: Grid,
    *,
    act_order: bool = True,
    damp: float = DAMP,
) -> Quantized:
    """Round a linear map's matrix so that its outputs move little.

    Parameters
    ----------
    weight_RC
        Outputs by inputs.
    hessian_CC
        ``2/n X X^T`` of what the map reads; its factor does not matter.
    act_order
        Round the columns of the largest inputs first, while most are left to make up for them.
        Groups stay those of neighbours in the matrix, with scales found beforehand (AutoGPTQ's
        static groups); without it a group's scale is found when its turn comes.
    damp
        Share of the Hessian's mean diagonal that is added to it.

    A column whose input is always 0 becomes 0. Raises InputError for a Hessian that is none.
    """
    exact_RC, hessian_CC = weight_RC.double().clone(), hessian_CC.double().clone()
    columns = exact_RC.shape[1]
    dead_C = hessian_CC.diagonal() == 0
    hessian_CC[dead_C, dead_C] = 1.0
    exact_RC[:, dead_C] = 0.0
    order_C = torch.arange(columns, device=exact_RC.device)
    if act_order:
        order_C = hessian_CC.diagonal().argsort(descending=True, stable=True)
    root_CC = _root(hessian_CC[order_C][:, order_C], damp)
    group_C = grid.groups(columns).to(exact_RC.device)[order_C]
    scales_RG, zeros_RG = find_scales(exact_RC, grid)
    late = not act_order and isinstance(grid.group, int)  # scales of weights as they are by then
    width = grid.width(columns)
    block = width * max(1, BLOCK // width) if late else BLOCK
    left_RC = exact_RC[:, order_C]
    codes_RC = torch.zeros_like(left_RC)
    for begin in range(0, columns, block):
        end = min(begin + block, columns)
        errors_RB = torch.zeros_like(left_RC[:, begin:end])
        for q in range(begin, end):
            g = int(group_C[q])
            if late and q % width == 0:
                now = find_scales(left_RC[:, q : q + width], grid)
                scales_RG[:, g : g + 1], zeros_RG[:, g : g + 1] = now
            code_R = encode(left_RC[:, q], scales_RG[:, g], zeros_RG[:, g], grid)
            stands_R = scales_RG[:, g] * (code_R - zeros_RG[:, g])
            error_R = (left_RC[:, q] - stands_R) / root_CC[q, q]
            left_RC[:, q:end] -= error_R[:, None] * root_CC[q, q:end]
            codes_RC[:, q], errors_RB[:, q - begin] = code_R, error_R
        left_RC[:, end:] -= errors_RB @ root_CC[begin:end, end:]
    back_C = order_C.argsort()
    scales_RG, zeros_RG = scales_RG.to(weight_RC.dtype), zeros_RG.to(weight_RC.dtype)
    return Quantized(codes_RC[:, back_C].to(torch.uint8), scales_RG, zeros_RG, grid)


def output_error(weight_RC: Tensor, other_RC: Tensor, hessian_CC: Tensor) -> float:
    """Return how far a map's outputs move, squared: the trace of ``(W - W') H (W - W')^T``."""
    moved_RC = (weight_RC - other_RC).double()
    return float(((moved_RC @ hessian_CC.double()) * moved_RC).sum())


def _root(hessian_CC: Tensor, damp: float) -> Tensor:
    """Return the upper Cholesky factor of the damped Hessian's inverse."""
    damped_CC = hessian_CC.clone()
    damped_CC.diagonal().add_(damp * hessian_CC.diagonal().mean())
    try:
        inverse_CC = torch.cholesky_inverse(torch.linalg.cholesky(damped_CC))
        return torch.linalg.cholesky(inverse_CC, upper=True)
    except RuntimeError:
        raise InputError(
            "What the linear map reads gives no positive definite Hessian, even damped.",
            remedy="Calibrate on more texts, or damp more.",
        ) from None
