"""What a run is made of: a model's shape, a training's settings, a source of batches."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError

PRECISIONS = ("fp32", "bf16")


class Batches(Protocol):
    """Batches as a pure function of the step, so that a resumed run sees what it would have."""

    @property
    def steps(self) -> int:
        """Steps until the data ends."""
        ...

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs and targets, each [batch, time]; a target of -100 is not asked for."""
        ...


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The shape of a GPT-2 with rotary positions, no dropout and one matrix at both ends."""

    layers: int
    width: int
    heads: int
    vocab: int  # rows in use, not the tokenizer's
    context: int  # longest window, in tokens
    mlp_ratio: int = 4  # hidden width of the MLP over the model's
    rope_base: float = 10_000.0
    init_scale: float = 0.6  # matrices start at std init_scale / sqrt(width): .0217 at 768

    def __post_init__(self) -> None:
        """Refuse shapes that no model can have."""
        for name in ("layers", "width", "heads", "vocab", "context", "mlp_ratio"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"A model has {name} of at least 1, not {getattr(self, name)}.",
                    remedy=f"Give {name} a positive whole number.",
                )
        if self.width % self.heads or self.head_size % 2:
            raise InputError(
                f"{self.heads} heads cannot share a width of {self.width}: rotary positions need "
                "an even whole number of channels a head.",
                remedy="Choose heads so that width / heads is even, such as one head.",
            )

    @property
    def head_size(self) -> int:
        """Channels of one head."""
        return self.width // self.heads


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How one model is trained: AdamW, linear warm-up, cosine to a share of the peak rate."""

    lr: float
    seed: int = 0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    clip: float = 1.0  # largest norm of a gradient
    warmup: float = 0.02  # share of the steps
    final_lr: float = 0.0  # share of the peak that the cosine ends at
    precision: str = "fp32"
    compiled: bool | None = None  # None: decided by the work ahead (step.pays)

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        if self.precision not in PRECISIONS:
            raise InputError(
                f"There is no precision '{self.precision}'; there are {' and '.join(PRECISIONS)}.",
                remedy="Use one of them.",
            )
        if not (self.lr > 0 and self.clip > 0 and 0 <= self.warmup < 1):
            raise InputError(
                f"A training needs lr > 0, clip > 0 and 0 <= warmup < 1, not lr {self.lr}, "
                f"clip {self.clip}, warmup {self.warmup}.",
                remedy="Correct the setting.",
            )


def fingerprint(*parts: Any) -> str:
    """Return a short stable name of dataclasses and plain values: equal parts, equal name."""
    plain = [asdict(part) if hasattr(part, "__dataclass_fields__") else part for part in parts]
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
