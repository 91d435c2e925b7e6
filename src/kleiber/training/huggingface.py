"""A trained model in the files of Hugging Face, for the architectures that have a format there.

``GPTNeoXForCausalLM`` is GPT-2 with rotary positions, ``LlamaForCausalLM`` and
``MistralForCausalLM`` the gated ones; written without that library, which then reads the folder by
``from_pretrained``. Tokens are those of the run: no tokenizer is written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.errors import InputError, UsageError
from kleiber.training.config import EPS, ModelConfig

if TYPE_CHECKING:
    from torch import Tensor

ACTIVATIONS = {"gelu": "gelu_pytorch_tanh", "silu": "silu", "relu": "relu"}
NEOX = {"mlp": "standard", "norm": "layer", "biases": True}
LLAMA = {"mlp": "gated", "norm": "rms", "biases": False}


def write_huggingface(config: ModelConfig, weights: dict[str, Tensor], folder: str | Path) -> Path:
    """Write ``config.json`` and ``model.safetensors`` into a new or empty folder; return it.

    Raises InputError for an architecture that has no format there, UsageError for a folder that
    holds anything.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    described = huggingface_config(config)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is already there.", remedy="Name a new folder.")
    tensors = huggingface_weights(config, weights)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    text = json.dumps(described, indent=2)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    return folder


def huggingface_config(config: ModelConfig) -> dict[str, Any]:
    """Return what ``config.json`` says; raises InputError for what has no format."""
    shared: dict[str, Any] = {
        "vocab_size": config.vocab,
        "hidden_size": config.width,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "max_position_embeddings": config.context,
        "hidden_act": ACTIVATIONS[config.activation],
        "tie_word_embeddings": config.tied,
        "rope_theta": config.rope_base,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        "initializer_range": config.init_scale * config.width**-0.5,
        "bos_token_id": None,
        "eos_token_id": None,
        "torch_dtype": "float32",
    }
    if config.qk_norm:
        raise InputError(
            "Hugging Face has no format for queries and keys that are normed without a weight.",
            remedy="The run folder's own weights.safetensors holds any model.",
        )
    if _is(config, NEOX) and config.key_heads == config.heads:
        shared["rope_parameters"]["partial_rotary_factor"] = 1.0
        return {
            **shared,
            "architectures": ["GPTNeoXForCausalLM"],
            "model_type": "gpt_neox",
            "rotary_pct": 1.0,
            "rotary_emb_base": config.rope_base,
            "layer_norm_eps": EPS,
            "use_parallel_residual": False,
            "attention_bias": True,
        }
    if _is(config, LLAMA):
        groups = config.key_heads < config.heads
        return {
            **shared,
            "architectures": ["MistralForCausalLM" if groups else "LlamaForCausalLM"],
            "model_type": "mistral" if groups else "llama",
            "num_key_value_heads": config.key_heads,
            "head_dim": config.head_size,
            "rms_norm_eps": EPS,
            **(
                {"sliding_window": None} if groups else {"attention_bias": False, "mlp_bias": False}
            ),
        }
    raise InputError(
        f"Hugging Face has no format for a model of mlp '{config.mlp}', norm '{config.norm}', "
        f"{'with' if config.biases else 'without'} biases and {config.key_heads} of "
        f"{config.heads} heads for keys.",
        remedy="Write out a GPT-2 with a standard MLP, a LLaMA or a Mistral; the run folder's own "
        "weights.safetensors holds any model.",
    )


def huggingface_weights(config: ModelConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors by their names there; a tied head is the embedding, named once."""
    neox = huggingface_config(config)["model_type"] == "gpt_neox"
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        block, _, rest = name.removeprefix("blocks.").partition(".")
        if not block.isdigit():
            found[(NEOX_ENDS if neox else LLAMA_ENDS)[name]] = tensor
        elif neox:
            part, _, kind = rest.rpartition(".")
            said = _interleaved(tensor, config.heads) if part == "attention.qkv" else tensor
            found[f"gpt_neox.layers.{block}.{NEOX_PARTS[part]}.{kind}"] = said
        else:
            part, _, kind = rest.rpartition(".")
            for there, rows in zip(LLAMA_PARTS[part], _rows(config, part, tensor), strict=True):
                found[f"model.layers.{block}.{there}.{kind}"] = rows
    return found


NEOX_ENDS = {
    "embed.weight": "gpt_neox.embed_in.weight",
    "norm.weight": "gpt_neox.final_layer_norm.weight",
    "norm.bias": "gpt_neox.final_layer_norm.bias",
    "head.weight": "embed_out.weight",
}
NEOX_PARTS = {
    "norm1": "input_layernorm",
    "norm2": "post_attention_layernorm",
    "attention.qkv": "attention.query_key_value",
    "attention.out": "attention.dense",
    "mlp.fc": "mlp.dense_h_to_4h",
    "mlp.out": "mlp.dense_4h_to_h",
}
LLAMA_ENDS = {
    "embed.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}
LLAMA_PARTS = {
    "norm1": ("input_layernorm",),
    "norm2": ("post_attention_layernorm",),
    "attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention.out": ("self_attn.o_proj",),
    "mlp.fc": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.out": ("mlp.down_proj",),
}


def _rows(config: ModelConfig, part: str, tensor: Tensor) -> tuple[Tensor, ...]:
    """Return one matrix of ours as the several that it is there."""
    if part == "attention.qkv":
        shared = config.key_heads * config.head_size
        return tensor.split([config.width, shared, shared])
    return tensor.chunk(len(LLAMA_PARTS[part]))


def _interleaved(tensor: Tensor, heads: int) -> Tensor:
    """Return rows [3, heads, head size] as GPT-NeoX lays them: [heads, 3, head size]."""
    return tensor.unflatten(0, (3, heads, -1)).transpose(0, 1).flatten(0, 2)


def _is(config: ModelConfig, kind: dict[str, Any]) -> bool:
    return all(getattr(config, name) == value for name, value in kind.items())
