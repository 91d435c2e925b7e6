"""The functions between two linear maps."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def activate(x: Tensor, kind: str) -> Tensor:
    """Return an activation by its name: gelu, silu or relu."""
    if kind == "gelu":
        return gelu(x)
    return F.silu(x) if kind == "silu" else F.relu(x)


def gelu(x: Tensor) -> Tensor:
    """Return GELU in its tanh form, of which a compiler gets the equal form with a sigmoid.

    ``x / 2 (1 + tanh(u)) = x sigmoid(2 u)``, and an exponential is cheaper than a tanh.
    """
    if torch.compiler.is_compiling():
        return x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))
    return F.gelu(x, approximate="tanh")
