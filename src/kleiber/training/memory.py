"""How much memory a training will need, said before it starts."""

from __future__ import annotations

import os

from kleiber.errors import InputError
from kleiber.training.config import ModelConfig
from kleiber.training.count import count_params

SHORT = 128

FLOAT = 4
COPIES = 6  # of every parameter: itself, gradient, two moments, and two passing ones
A_TOKEN = 34  # floats a layer and channel that the backward pass reads again (measured)
HEAD = 4  # floats a token and row: logits, their gradient, and what the softmax keeps
PROCESS = 450e6  # torch itself, compilers and the texts' tables


def training_bytes(
    model: ModelConfig, *, batch: int, window: int, precision: str = "fp32", stack: int = 1
) -> float:
    """Estimate the bytes that training takes at its highest point, within about a third."""
    tokens = batch * window
    kept = model.layers * A_TOKEN * model.width
    if window <= SHORT:
        kept += model.layers * 3 * model.heads * window  # scores, kept by the plain products
    half = 0.6 if precision == "bf16" else 1.0
    activations = tokens * (kept * half + HEAD * model.vocab) * FLOAT
    parameters = COPIES * count_params(model)["total"] * FLOAT
    return PROCESS + stack * (parameters + activations)


def available_bytes() -> float:
    """Return the memory that this machine can still give, or infinity where it does not say."""
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
    model: ModelConfig, *, batch: int, window: int, precision: str = "fp32", at_once: int = 1
) -> None:
    """Raise if trainings at once would need more memory than there is."""
    needed = at_once * training_bytes(model, batch=batch, window=window, precision=precision)
    there = available_bytes()
    if needed > there:
        raise InputError(
            f"A model of {count_params(model)['total']:,} parameters on {batch} windows of "
            f"{window} tokens needs about {needed / 1e9:.1f} GB, and {there / 1e9:.1f} GB are "
            "free; nothing was started.",
            remedy="Take a smaller batch, width or number of layers, or fewer jobs at once.",
        )
