"""Parameters and FLOPs against the paper's own sizes and the built models."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from kleiber.training import GPT, ModelConfig, architecture, count_flops, count_params
from kleiber.training.count import body_params, exact_flops, optimal_tokens

ROWS = 3275


def gpt2(layers: int, heads: int, vocab: int = ROWS) -> ModelConfig:
    return ModelConfig(layers=layers, width=64 * heads, heads=heads, vocab=vocab, context=512)


@pytest.mark.parametrize(
    ("layers", "heads", "params"),
    [(2, 2, 816_000), (6, 4, 5_577_472), (6, 6, 11_905_152), (12, 12, 87_571_200)],
)
def test_the_papers_sizes(layers: int, heads: int, params: int) -> None:
    config = gpt2(layers, heads)
    assert count_params(config)["total"] == params
    assert sum(p.numel() for p in GPT(config).parameters()) == params


@pytest.mark.parametrize("width", [16, 24, 40])
@pytest.mark.parametrize("ratio", [1, 4])
def test_the_groups_are_the_built_models(width: int, ratio: int) -> None:
    config = ModelConfig(layers=3, width=width, heads=2, vocab=73, context=19, mlp_ratio=ratio)
    model = GPT(config)
    groups = count_params(config)
    built = {
        "embedding": model.embed.weight.numel(),
        "attention": sum(p.numel() for n, p in model.named_parameters() if "attention" in n),
        "mlp": sum(p.numel() for n, p in model.named_parameters() if ".mlp." in n),
        "norms": sum(p.numel() for n, p in model.named_parameters() if "norm" in n),
    }
    assert {name: groups[name] for name in built} == built
    assert groups["total"] == sum(built.values()) == groups["body"] + groups["embedding"]


def test_flops_conventions_differ_by_what_they_leave_out() -> None:
    config = gpt2(2, 2)
    flops, params = count_flops(config), count_params(config)
    assert flops["6nd"] == 6 * params["total"]
    assert flops["6nd"] - flops["6nd_body"] == 6 * params["embedding"]
    one_bias_each = config.layers * 9 * config.width  # 3 + 1 + 4 + 1 widths of biases
    assert flops["6nd"] - flops["matmul"] == 6 * (params["norms"] + one_bias_each)
    assert flops["attention"] - flops["matmul"] == 6 * 2 * 512 * 128


def test_the_papers_counts_by_hand() -> None:
    """151M parameters and 3.68B tokens at D = 1024, L = 12, V = 32,101 (arXiv 2409.15156)."""
    config = ModelConfig(
        **{"layers": 12, "width": 1024, "heads": 16, "vocab": 32_101, "context": 512},
        **{"tied": False, "biases": False, "qk_norm": True, "norm": "rms"},
    )
    assert body_params(config) == 150_994_944
    assert optimal_tokens(config) == 20 * (150_994_944 + 32_871_424) == 3_677_327_360
    assert count_params(config)["body"] == 150_994_944 + 25 * 1024  # and a weight a norm
    # 6 N and the head's 6 D V, then 12 L T D of scores and mixing
    assert exact_flops(config) == 6 * (150_994_944 + 32_871_424) + 12 * 12 * 512 * 1024
    assert exact_flops(config) - count_flops(config)["attention"] == 6 * 12 * 512 * 1024


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("gpt2", {}),
        ("gpt2", {"tied": False, "qk_norm": True, "biases": False}),
        ("llama", {}),
        ("mistral", {}),
        ("gpt2-nomlp", {"tied": False}),
        ("gpt2-gated", {"mlp_ratio": 5}),
    ],
)
def test_exact_flops_are_those_that_torch_counts(name: str, changes: dict[str, Any]) -> None:
    """Forward and backward of a whole batch, product by product as they are called."""
    shape = {"layers": 3, "width": 32, "heads": 4, "vocab": 73, "context": 40}
    config = architecture(name, **{**shape, **changes})
    model, tokens = GPT(config), torch.randint(0, 73, (5, 31))
    with FlopCounterMode(display=False) as counter:
        model(tokens[:, :-1], tokens[:, 1:]).backward()
    assert counter.get_total_flops() == 5 * 30 * exact_flops(config, context=30)
