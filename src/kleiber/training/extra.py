"""What training needs and a plain installation lacks: torch, safetensors, a device."""

from __future__ import annotations

import importlib.util
import re

from kleiber.errors import InputError, MissingExtraError, UsageError

NEEDED = ("torch", "safetensors")
DEVICES = re.compile(r"cpu|cuda(:\d+)?")


def require() -> None:
    """Raise MissingExtraError where a library that training needs is not installed."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(
                f"Training and measuring need {name}, which is not installed.",
                remedy="Install it with: pip install 'kleiber[train]'.",
            )


def check_device(device: str) -> None:
    """Raise if there is no such device; only one that is not the CPU costs the import of torch."""
    if not DEVICES.fullmatch(device):
        raise UsageError(
            f"There is no device '{device}'.", remedy="Use cpu, cuda, or cuda:1 for the second."
        )
    if device == "cpu":
        return
    import torch

    number = int(device.partition(":")[2] or 0)
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number >= there:
        found = f"{there} of them" if there else "none"
        raise InputError(
            f"'{device}' asks for an NVIDIA GPU, and torch {torch.__version__} sees {found}.",
            remedy="Leave --device out to train on the CPU, or install torch for your driver.",
        )
