"""Norms: what a block does to the residual before it reads it."""

from __future__ import annotations

from torch import nn

from kleiber.training.config import EPS, ModelConfig


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
