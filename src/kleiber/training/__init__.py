"""Training: a small GPT-2 with rotary positions, and everything needed to train it well.

``model`` the network (``norms``, ``feedforward``, ``experts`` its parts) · ``architectures`` others
by name · ``sizes`` the width for a number of parameters · ``count`` parameters and FLOPs ·
``optim`` AdamW · ``schedule`` the learning rate · ``step`` one update of one model or of a stack ·
``watch`` what foretells trouble · ``loop`` a whole run · ``folder`` what it leaves on disk ·
``rung`` a recipe's rung as what is taken here · ``text`` what a rung reads, in tokens ·
``chance`` draws as functions of integers · ``machine`` threads and memory.

A run takes any ``Batches``; but for ``text``, nothing here knows what the tokens mean.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kleiber.training.architectures import architecture
    from kleiber.training.config import Batches, ModelConfig, TrainConfig
    from kleiber.training.count import count_flops, count_params, exact_flops
    from kleiber.training.folder import RunFolder
    from kleiber.training.loop import Reading, train
    from kleiber.training.model import GPT
    from kleiber.training.sizes import equal_shapes, width_for

_PLACES = {
    "architectures": ("architecture",),
    "config": ("Batches", "ModelConfig", "TrainConfig"),
    "count": ("count_flops", "count_params", "exact_flops"),
    "folder": ("RunFolder",),
    "loop": ("Reading", "train"),
    "model": ("GPT",),
    "sizes": ("equal_shapes", "width_for"),
}
_HOME = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "GPT",
    "Batches",
    "ModelConfig",
    "Reading",
    "RunFolder",
    "TrainConfig",
    "architecture",
    "count_flops",
    "count_params",
    "equal_shapes",
    "exact_flops",
    "train",
    "width_for",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: counting needs no torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
