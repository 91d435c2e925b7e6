"""Norms: what a block does to the residual before it reads it."""

from __future__ import annotations

from torch import Tensor, nn

from kleiber.training.config import EPS, ModelConfig

QK_EPS = 1e-6


def norm(config: ModelConfig) -> nn.Module:
    """Return the norm of an architecture, over the width.

    ================  ==========================================================
    layer             (x - mean) / deviation, times a weight, plus a bias
    layer-unbiased    the same without the bias
    rms               x / root mean square, times a weight (arXiv 1910.07467)
    ================  ==========================================================
    """
    if config.norm == "rms":
        return nn.RMSNorm(config.width, eps=EPS)
    return nn.LayerNorm(config.width, eps=EPS, bias=config.norm == "layer")


def unit_rms(x: Tensor, dim: int = -1) -> Tensor:
    """Return queries or keys over the root mean square of each head, without a weight.

    QK-norm (arXiv 2302.05442) as picodo has it, a public fork of the NanoDO family, with its eps:
    no parameter, so that a score is at most the root of the head's size. Other codes give it a
    weight a channel. A turn by rotary positions changes no length: before or after it is the same.
    """
    square = x.float().square().mean(dim=dim, keepdim=True)
    return (x * (square + QK_EPS).rsqrt()).to(x.dtype)
