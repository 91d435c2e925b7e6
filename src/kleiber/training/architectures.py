"""Architectures by name: what each changes of a GPT-2 with rotary positions, in one table.

The published results compare these (arXiv 2404.05405, sections 2, 5, 7 and 9). A name stands for
config fields and nothing else, so that any two are a few fields apart, and any of them can be
given with a field changed: ``architecture("llama", layers=2, width=24, heads=3, vocab=332,
context=32, tied=True)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kleiber.errors import InputError
from kleiber.training.config import ModelConfig

SHARED = "four queries a key"  # in the table: kv_heads as Mistral has them
LLAMA: Mapping[str, Any] = {
    "mlp": "gated",
    "mlp_ratio": 8 / 3,  # as many parameters as a standard MLP of ratio 4
    "activation": "silu",
    "norm": "rms",
    "biases": False,
    "tied": False,
}
ARCHITECTURES: Mapping[str, Mapping[str, Any]] = {
    "gpt2": {},
    "llama": LLAMA,
    "mistral": {**LLAMA, "mlp_ratio": 3.5, "kv_heads": SHARED},
    "gpt2-quarter": {"mlp_ratio": 1},
    "gpt2-nomlp": {"mlp": "none"},
    "gpt2-gated": {"mlp": "gated", "mlp_ratio": 8 / 3},
    "gpt2-moe": {"mlp": "experts", "mlp_ratio": 1},
    "gpt2-qknorm": {"qk_norm": True},
    # from LLaMA to GPT-2, a difference at a time; biases of the linear maps are the last
    "llama-tied": {**LLAMA, "tied": True},
    "llama-standard": {**LLAMA, "tied": True, "mlp": "standard", "mlp_ratio": 4},
    "llama-gelu": {"norm": "rms", "biases": False},
    "llama-layernorm": {"norm": "layer-unbiased", "biases": False},
    "llama-normbias": {"biases": False},
}
PRESETS = ("gpt2", "llama", "mistral", "gpt2-quarter", "gpt2-nomlp", "gpt2-moe")
CHAIN = (
    *("llama", "llama-tied", "llama-standard", "llama-gelu", "llama-layernorm"),
    *("llama-normbias", "gpt2"),
)
"""LLaMA turned into GPT-2: each has one difference less than the one before."""


def architecture(name: str, **shape: Any) -> ModelConfig:
    """Return the config of an architecture at a shape.

    Parameters
    ----------
    name
        One of ``ARCHITECTURES``.
    shape
        ``layers``, ``width``, ``heads``, ``vocab`` and ``context``, and any other field that is to
        be different from the architecture's.
    """
    fields = dict(changes(name))
    if fields.get("kv_heads") == SHARED:
        fields["kv_heads"] = mistral_kv_heads(int(shape.get("heads", 1)))
    return ModelConfig(**{**fields, **shape})


def changes(name: str) -> Mapping[str, Any]:
    """Return the fields in which an architecture differs from GPT-2."""
    if name not in ARCHITECTURES:
        raise InputError(
            f"There is no architecture '{name}'.", remedy=f"Use one of {', '.join(ARCHITECTURES)}."
        )
    return ARCHITECTURES[name]


def mistral_kv_heads(heads: int) -> int:
    """Return the heads of keys and values: a quarter of the heads, or as near as divides them.

    Four heads share one where 4 divides their number, none do where it is odd, else two
    (arXiv 2404.05405, appendix B, whose "4 groups" is read so).
    """
    share = 1 if heads % 2 else 2 if heads % 4 else 4
    return max(1, heads // share)


def table() -> list[dict[str, str]]:
    """Return a row an architecture: its name, and every field in which one of them differs."""
    columns = dict.fromkeys(field for each in ARCHITECTURES.values() for field in each)
    usual = ModelConfig(layers=1, width=2, heads=1, vocab=1, context=1)
    return [
        {
            "name": name,
            **{field: _said(each.get(field, getattr(usual, field))) for field in columns},
        }
        for name, each in ARCHITECTURES.items()
    ]


def _said(value: Any) -> str:
    if value is None:
        return "one a head"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
