"""Parameters and FLOPs against the paper's own sizes and the built models."""

from __future__ import annotations

import pytest

from kleiber.training import GPT, ModelConfig, count_flops, count_params

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
