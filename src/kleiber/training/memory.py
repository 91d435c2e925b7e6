"""How much memory a training will need, said before it starts."""

from __future__ import annotations

import os

from kleiber.errors import InputError
from kleiber.training.config import ModelConfig
from kleiber.training.count import count_params

SHORT = 128

FLOAT = 4
COPIES = 6  # of every parameter: itself, gradient, two moments, and two passing ones
A_BLOCK, AN_MLP = 18, 4  # floats a layer and channel, or hidden channel of the MLP, that the
# backward pass reads again (measured together: 34 a channel at four hidden ones each)
NORMED = 6  # the same of QK-norm, a layer and channel
HEAD = 4  # floats a token and row: logits, their gradient, and what the softmax keeps
PROCESS = 450e6  # torch itself, compilers and the texts' tables


def training_bytes(
    model: ModelConfig, *, batch: int, window: int, precision: str = "fp32", stack: int = 1
) -> float:
    """Estimate the bytes that training takes at its highest point, within about a third."""
    tokens = batch * window
    kept = model.layers * (A_BLOCK * model.width + AN_MLP * hidden_floats(model, test=False))
    if model.qk_norm:
        kept += model.layers * NORMED * model.width
    if window <= SHORT:
        kept += model.layers * 3 * model.heads * window  # scores, kept by the plain products
    half = 0.6 if precision == "bf16" else 1.0
    activations = tokens * (kept * half + HEAD * model.vocab) * FLOAT
    parameters = COPIES * count_params(model)["total"] * FLOAT
    return PROCESS + stack * (parameters + activations)


def hidden_floats(model: ModelConfig, *, test: bool) -> float:
    """Return a token's floats between the maps of an MLP; experts hold empty places as well."""
    if model.mlp != "experts":
        return model.hidden * (2 if model.mlp == "gated" else 1)
    factor = model.test_capacity if test else model.capacity
    return min(model.top_k * factor, model.experts) * (model.hidden + model.width)


def available_bytes(device: str = "cpu") -> float:
    """Return the memory that a device can still give, or infinity where it does not say."""
    if device.startswith("cuda"):
        import torch

        return float(torch.cuda.mem_get_info(device)[0])
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return float(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def check_memory(
    model: ModelConfig,
    *,
    batch: int,
    window: int,
    precision: str = "fp32",
    at_once: int = 1,
    device: str = "cpu",
) -> None:
    """Raise if trainings at once would need more memory than there is."""
    needed = at_once * training_bytes(model, batch=batch, window=window, precision=precision)
    what = (
        f"A model of {count_params(model)['total']:,} parameters on {batch:,} windows of "
        f"{window:,} tokens"
    )
    check_room(needed, what, device=device)


LESS = "Take a smaller batch, width or number of layers, or fewer jobs at once."


def check_room(needed: float, what: str, *, device: str = "cpu", remedy: str = LESS) -> None:
    """Raise if what is to be done would need more memory than there is."""
    there = available_bytes(device)
    if needed > there:
        raise InputError(
            f"{what} needs about {_size(needed)}, and {_size(there)} are free; nothing was "
            "started.",
            remedy=remedy,
        )


def _size(bytes_: float) -> str:
    """Return bytes as people say them."""
    return f"{bytes_ / 1e12:,.1f} TB" if bytes_ > 1e12 else f"{bytes_ / 1e9:.1f} GB"
