"""A rung: one planned run, as plain numbers and names."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from kleiber.errors import InputError

DECAYS = ("coupled", "independent", "l2")
DECAYED = ("matrices", "all")
SCHEDULES = ("cosine", "linear", "constant", "wsd")
GRADIENTS = ("plain", "rms")
POSITIVE = (
    *("layers", "width", "heads", "vocab", "context", "tokens", "batch", "steps"),
    *("lr", "mlp_ratio", "init_scale", "rope_base", "clip", "epochs"),
)
NOT_NEGATIVE = ("seed", "weight_decay", "eps", "z_loss")
SHARES = ("warmup", "final_lr", "cooldown")
UNBOUNDED = ("clip",)  # where inf says something: none
LARGEST = 2**63  # no count of anything here is as large, and a seed may not be
LONGEST = 200  # bits of a number that an error shows
LABELS = ("name", "recipe")  # what a run is called decides nothing of it


@dataclass(frozen=True, kw_only=True)
class Rung:
    """Everything that decides one run; equal rungs end in equal weights.

    A step shows ``batch`` windows of ``context`` tokens, so that a run sees
    ``steps * batch * context`` tokens: ``tokens`` is what the recipe asked for, the other what
    whole steps make of it. ``weight_decay`` w acts once a step, in one of three modes::

        coupled      weights *= 1 - lr(step) w             (AdamW as optax and torch write it)
        independent  weights *= 1 - lr(step) / lr w        (w does not grow with the peak rate)
        l2           gradient += w weights                 (before the moments)
    """

    name: str
    recipe: str
    seed: int = 0

    # the model
    layers: int
    width: int
    heads: int
    vocab: int  # rows of the embedding
    context: int  # tokens of a window
    mlp_ratio: float = 4.0  # hidden channels of the MLP over the width
    mlp: str = "standard"  # standard, gated
    activation: str = "gelu"  # gelu, silu, relu
    norm: str = "rms"  # layer, layer-unbiased, rms
    biases: bool = False  # of the linear maps
    tied: bool = False  # one matrix for embedding and head
    qk_norm: bool = True
    init_scale: float = 1.0  # matrices start at std init_scale / sqrt(width)
    rope_base: float = 10_000.0

    # the training
    tokens: int
    batch: int  # windows a step
    steps: int
    lr: float  # the peak
    schedule: str = "cosine"
    warmup: float = 0.05  # share of the steps
    final_lr: float = 0.0  # share of the peak that the schedule ends at
    cooldown: float = 0.2  # share of the steps in which wsd falls
    weight_decay: float = 0.1
    decay: str = "coupled"
    decayed: str = "matrices"  # matrices (embedding and head among them), all
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-20
    clip: float = math.inf  # largest norm of a gradient; inf: none
    gradient: str = "plain"  # rms: every tensor's gradient over its own root mean square
    z_loss: float = 0.0  # weight of the squared log of the softmax's sum
    precision: str = "fp32"

    # the text
    text: str = "stdlib"  # a name that training.text knows, or a path
    tokenizer: str = "bytes"
    epochs: float = 1.0  # passes over the unique tokens, which are so many times fewer

    def __post_init__(self) -> None:
        """Refuse numbers that no run can have."""
        for one in fields(self):
            value = _of_kind(self.name, one.name, str(one.type), getattr(self, one.name))
            object.__setattr__(self, one.name, value)
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                raise self._refused(name, "more than 0")
            if name not in UNBOUNDED and math.isinf(getattr(self, name)):
                raise self._refused(name, "a finite number")
        for name in NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < math.inf:
                raise self._refused(name, "0 or more")
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise self._refused(name, "a share from 0 to 1")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise self._refused("betas", "two numbers from 0 up to 1")
        for name, known in (
            *(("decay", DECAYS), ("decayed", DECAYED)),
            *(("schedule", SCHEDULES), ("gradient", GRADIENTS)),
        ):
            if getattr(self, name) not in known:
                raise self._refused(name, f"one of {', '.join(known)}")
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise InputError(
                f"Rung '{self.name}' has {self.heads} heads over a width of {self.width}: rotary "
                "positions need an even whole number of channels a head.",
                remedy="Correct the recipe's heads or head_size for this width.",
            )

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Rung:
        """Return the rung of plain values; InputError for a name too many or too few."""
        known = {one.name for one in fields(cls)}
        needed = {one.name for one in fields(cls) if one.default is MISSING}
        strange, missing = content.keys() - known, needed - content.keys()
        if strange or missing:
            what = f"no rung has {', '.join(sorted(strange))}" if strange else ""
            lacks = f"there is no {', '.join(sorted(missing))}" if missing else ""
            raise InputError(
                f"This is no rung: {' and '.join(filter(None, (what, lacks)))}.",
                remedy="Make rungs with kleiber ladder show LADDER -o FILE.",
            )
        return cls(**content)

    @property
    def head_size(self) -> int:
        """Channels of one head."""
        return self.width // self.heads

    @property
    def batch_tokens(self) -> int:
        """Tokens that a step shows."""
        return self.batch * self.context

    @property
    def shown_tokens(self) -> int:
        """Tokens that the whole run shows: whole steps, so a little more than was asked for."""
        return self.steps * self.batch_tokens

    @property
    def unique_tokens(self) -> int:
        """Tokens of text that differ: whole windows, of those shown over the epochs."""
        return math.ceil(round(self.steps * self.batch / self.epochs, 6)) * self.context

    @property
    def fingerprint(self) -> str:
        """A short stable name of all that decides the run, its labels left out."""
        content = {k: v for k, v in self.to_dict().items() if k not in LABELS}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return the rung as plain values; no clipping as None, which JSON can say."""
        values = asdict(self)
        values["betas"] = list(self.betas)
        values["clip"] = self.clip if math.isfinite(self.clip) else None
        return values

    def _refused(self, name: str, expected: str) -> InputError:
        return InputError(
            f"Rung '{self.name}' has {name} {getattr(self, name)!r}; {expected} is expected.",
            remedy=f"Correct {name} in the recipe, or the ladder's scales.",
        )


def _of_kind(rung: str, name: str, kind: str, value: Any) -> Any:
    """Return a value as its field's kind, or raise InputError."""
    if name == "clip" and value is None:
        return math.inf
    if kind == "float" and (is_finite(value) or value in (math.inf, -math.inf)):
        return float(value)
    if kind == "int" and is_finite(value) and value == int(value) and abs(value) < LARGEST:
        return int(value)
    if kind.startswith("tuple") and isinstance(value, list | tuple) and len(value) == 2:
        return tuple(_of_kind(rung, name, "float", one) for one in value)
    if (kind == "str" and isinstance(value, str)) or (kind == "bool" and isinstance(value, bool)):
        return value
    said = {
        "int": "a whole number under 2**63",
        "float": "a number",
        "bool": "true or false",
        "str": "a text",
    }
    raise InputError(
        f"Rung '{rung}' has {name} {shown(value)}; {said.get(kind, 'two numbers')} is expected.",
        remedy=f"Correct {name} in the recipe.",
    )


def is_finite(value: object) -> bool:
    """Return whether a value is a number that float64 can hold; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def shown(value: object) -> str:
    """Return a value as text, and a number too long to read as its length."""
    if isinstance(value, int) and value.bit_length() > LONGEST:
        return f"a whole number of {value.bit_length():,} bits"
    return repr(value)
