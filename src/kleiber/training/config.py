"""What a run is made of: a model's shape, a training's settings, a source of batches."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import Field, asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.recipes.rung import DECAYED, DECAYS, GRADIENTS, SCHEDULES

PRECISIONS = ("fp32", "bf16")
MLPS = ("standard", "gated", "none", "experts")
ACTIVATIONS = ("gelu", "silu", "relu")
NORMS = ("layer", "layer-unbiased", "rms")
EPS = 1e-5  # of all norms, so that architectures differ in what they say they do
NEEDED = {"layers", "width", "heads", "vocab", "context"}
IGNORED = -100  # the target where nothing is to be predicted; PyTorch's cross entropy skips it
LATER = (  # fields of a shape that the first runs' folders do not name
    *("mlp", "activation", "norm", "biases", "tied", "kv_heads"),
    *("experts", "top_k", "capacity", "test_capacity", "balance"),
)
SINCE = (  # fields that later runs' folders name where they say something, each by itself
    *("qk_norm", "schedule", "warmup_steps", "cooldown", "decay", "decayed", "gradient"),
    *("z_loss", "micro_batches"),
)


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
    """The shape of a model; as it is by default, GPT-2 with rotary positions and no dropout.

    Other architectures are a few fields away; ``architectures.py`` names them.
    """

    layers: int
    width: int
    heads: int
    vocab: int  # rows in use, not the tokenizer's
    context: int  # longest window, in tokens
    mlp_ratio: float = 4  # hidden width of the MLP, or of one expert, over the model's
    rope_base: float = 10_000.0
    init_scale: float = 0.6  # matrices start at std init_scale / sqrt(width): .0217 at 768
    mlp: str = "standard"
    activation: str = "gelu"
    norm: str = "layer"
    biases: bool = True  # of the linear maps
    tied: bool = True  # one matrix at both ends
    kv_heads: int | None = None  # heads of keys and values; None: one a head
    experts: int = 32  # the five below are read where mlp is "experts"
    top_k: int = 1  # experts that a token passes
    capacity: float = 2.0  # tokens that an expert takes in training, over an even share
    test_capacity: float = 8.0  # the same where nothing is learned
    balance: float = 0.01  # weight of the loss that evens the experts' load
    qk_norm: bool = False  # queries and keys over their root mean square, before they turn

    def __post_init__(self) -> None:
        """Refuse shapes that no model can have."""
        for name in ("layers", "width", "heads", "vocab", "context"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"A model has {name} of at least 1, not {getattr(self, name)}.",
                    remedy=f"Give {name} a positive whole number.",
                )
        for name, known in (("mlp", MLPS), ("activation", ACTIVATIONS), ("norm", NORMS)):
            _check_known(name, getattr(self, name), known)
        if self.width % self.heads or self.head_size % 2:
            raise InputError(
                f"{self.heads} heads cannot share a width of {self.width}: rotary positions need "
                "an even whole number of channels a head.",
                remedy="Choose heads so that width / heads is even, such as one head.",
            )
        if not 1 <= self.key_heads <= self.heads or self.heads % self.key_heads:
            raise InputError(
                f"{self.heads} heads cannot share {self.key_heads} heads of keys and values: each "
                "of these serves equally many.",
                remedy="Choose kv_heads that divide heads, or leave it out.",
            )
        if self.mlp != "none" and not (self.mlp_ratio > 0 and self.hidden >= 1):
            raise InputError(
                f"A model has mlp_ratio of at least 1 / width, not {self.mlp_ratio}.",
                remedy="Give mlp_ratio a positive number, or set mlp to 'none'.",
            )
        if self.mlp == "experts":
            self._check_experts()

    def _check_experts(self) -> None:
        """Refuse mixtures that no token can pass."""
        if not 1 <= self.top_k <= self.experts:
            raise InputError(
                f"A token cannot pass {self.top_k} of {self.experts} experts.",
                remedy="Choose top_k from 1 to the number of experts.",
            )
        for name in ("capacity", "test_capacity"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(
                    f"Experts of {name} {getattr(self, name)} take no tokens; it is a multiple of "
                    "an even share, more than 0.",
                    remedy=f"Give {name} a positive number, such as 2; {self.experts} drops none.",
                )
        if not (math.isfinite(self.balance) and self.balance >= 0):
            raise InputError(
                f"The weight of the balance loss is {self.balance}; 0 or more is expected.",
                remedy="Give balance a number such as 0.01, or 0 for none.",
            )

    @classmethod
    def of(cls, content: dict[str, Any]) -> ModelConfig:
        """Return the shape that a ``run.json`` tells; what an older one leaves out is as it was."""
        known = {one.name for one in fields(cls)}
        strange, missing = content.keys() - known, NEEDED - content.keys()
        if strange or missing:
            what = f"no model has {', '.join(sorted(strange))}" if strange else ""
            lacks = f"there is no {', '.join(sorted(missing))}" if missing else ""
            raise InputError(
                f"This is no model's shape: {' and '.join(filter(None, (what, lacks)))}.",
                remedy="Use a run folder that this version of kleiber wrote, or an older one.",
            )
        return cls(**content)

    def to_dict(self) -> dict[str, Any]:
        """Return the shape as plain values; a plain GPT-2's as it was before there were others.

        So a folder that an earlier version began is known again, and goes on.
        """
        values = _without_unsaid(asdict(self), fields(self))
        if all(values[one.name] == one.default for one in fields(self) if one.name in LATER):
            return {name: value for name, value in values.items() if name not in LATER}
        return values

    @property
    def head_size(self) -> int:
        """Channels of one head."""
        return self.width // self.heads

    @property
    def key_heads(self) -> int:
        """Heads of keys and values, each of which serves ``heads / key_heads`` of queries."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def hidden(self) -> int:
        """Hidden channels of the MLP, or of one expert; 0 where there is none."""
        return 0 if self.mlp == "none" else round(self.mlp_ratio * self.width)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How one model is trained: AdamW, linear warm-up, cosine to a share of the peak rate.

    ``weight_decay`` w acts in one of three modes, ``decay``, on what ``decayed`` names::

        coupled      weights *= 1 - rate(step) w         (AdamW as torch and optax write it)
        independent  weights *= 1 - rate(step) / lr w    (as NanoDO's independent_weight_decay)
        l2           gradient += w weights               (after clipping, before the moments)

    NanoDO decays all parameters, norms and biases too; here, unless told, matrices alone.
    """

    lr: float
    seed: int = 0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    clip: float = 1.0  # largest norm of a gradient; inf: none
    warmup: float = 0.02  # share of the steps
    final_lr: float = 0.0  # share of the peak that the schedule ends at
    precision: str = "fp32"
    compiled: bool | None = None  # None: decided by the work ahead (step.pays)
    schedule: str = "cosine"  # cosine, linear, constant, wsd
    warmup_steps: int | None = None  # steps themselves, in place of the share
    cooldown: float = 0.2  # share of the steps in which wsd falls
    decay: str = "coupled"  # coupled, independent, l2
    decayed: str = "matrices"  # matrices (embedding and head among them), all
    gradient: str = "plain"  # rms: each matrix's gradient over its root mean square (optim.scaled)
    z_loss: float = 0.0  # weight of the mean squared log of the softmax's sum; 1e-4 is usual
    micro_batches: int = 1  # parts that a batch is read in, one after the other

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        for name, known in (
            *(("precision", PRECISIONS), ("schedule", SCHEDULES), ("decay", DECAYS)),
            *(("decayed", DECAYED), ("gradient", GRADIENTS)),
        ):
            _check_known(name, getattr(self, name), known)
        if not (self.lr > 0 and self.clip > 0 and 0 <= self.warmup < 1):
            raise InputError(
                f"A training needs lr > 0, clip > 0 and 0 <= warmup < 1, not lr {self.lr}, "
                f"clip {self.clip}, warmup {self.warmup}.",
                remedy="Correct the setting.",
            )
        for name in ("weight_decay", "eps", "final_lr", "z_loss"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(
                    f"A training has {name} of 0 or more, not {getattr(self, name)}.",
                    remedy="Correct the setting.",
                )
        if self.micro_batches < 1 or (self.warmup_steps or 0) < 0:
            raise InputError(
                f"A training has micro_batches of at least 1 and warmup_steps of at least 0, not "
                f"{self.micro_batches} and {self.warmup_steps}.",
                remedy="Correct the setting.",
            )
        rising = self.warmup if self.warmup_steps is None else 0.0
        if self.schedule == "wsd" and not (0 < self.cooldown and rising + self.cooldown <= 1):
            raise InputError(
                f"A schedule of wsd rises for {rising:g} of the steps and falls for "
                f"{self.cooldown:g}: something above 0, and not more than all together.",
                remedy="Correct warmup or cooldown.",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values; those that came later, only where they differ.

        So a folder that an earlier version began is known again, and goes on. No clipping is None,
        which JSON can say.
        """
        values = _without_unsaid(asdict(self), fields(self))
        values["clip"] = self.clip if math.isfinite(self.clip) else None
        return values


def _check_known(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise InputError for a name that nothing here has."""
    if value not in known:
        raise InputError(
            f"There is no {name} '{value}'; there are {', '.join(known)}.",
            remedy="Use one of them.",
        )


def _without_unsaid(values: dict[str, Any], known: Iterable[Field[Any]]) -> dict[str, Any]:
    """Return settings without those of ``SINCE`` that are what they always were."""
    unsaid = {one.name for one in known if one.name in SINCE and values[one.name] == one.default}
    return {name: value for name, value in values.items() if name not in unsaid}


def fingerprint(*parts: Any) -> str:
    """Return a short stable name of dataclasses and plain values: equal parts, equal name."""
    plain = [asdict(part) if hasattr(part, "__dataclass_fields__") else part for part in parts]
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
