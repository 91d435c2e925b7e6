"""QK-norm by hand, what it bounds, and that nothing sees ahead, whatever the model."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from kleiber.errors import InputError
from kleiber.training import GPT, ModelConfig, TrainConfig, architecture
from kleiber.training.huggingface import huggingface_config
from kleiber.training.machine import can_compile
from kleiber.training.model import Attention, initialise, rotary
from kleiber.training.step import Stepper
from kleiber.training.watch import attention_max

WINDOWS = [12, 100, 140]  # explicit products up to 128, torch's kernel beyond


def made(window: int = 12, **changes: Any) -> GPT:
    shape: dict[str, Any] = {"layers": 2, "width": 16, "heads": 2, "vocab": 31, "context": window}
    model = GPT(ModelConfig(**{**shape, "qk_norm": True, "tied": False, **changes}))
    initialise(model, 1)
    return model


def by_hand(layer: Attention, x_BTD: torch.Tensor, heads: int) -> torch.Tensor:
    """Return attention with normed queries and keys, position by position, in float64.

    Rotary positions as complex numbers: pair k is channels k and k + K / 2.
    """
    B, T, D = x_BTD.shape
    K, x = D // heads, x_BTD.double()
    weight, bias = layer.qkv.weight.double(), layer.qkv.bias.double()
    q, k, v = (
        (x @ w.T + b).view(B, T, heads, K)
        for w, b in zip(weight.chunk(3), bias.chunk(3), strict=True)
    )
    angle = torch.arange(T)[:, None] * 10_000.0 ** (-torch.arange(0, K, 2).double() / K)

    def turned(y: torch.Tensor) -> torch.Tensor:
        y = y / (y.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        pair = torch.complex(y[..., : K // 2], y[..., K // 2 :])
        return pair * torch.polar(torch.ones_like(angle), angle)[None, :, None]

    q, k = turned(q), turned(k)
    mixed = torch.zeros(B, T, heads, K, dtype=torch.float64)
    for t in range(T):
        score = (q[:, t, None] * k[:, : t + 1].conj()).real.sum(-1) / math.sqrt(K)
        mixed[:, t] = (score.softmax(1)[..., None] * v[:, : t + 1]).sum(1)
    return mixed.view(B, T, D) @ layer.out.weight.double().T + layer.out.bias.double()


@pytest.mark.parametrize("window", WINDOWS)
def test_by_hand(window: int) -> None:
    layer = Attention(made(window).config)
    turn = rotary(window, 8, 10_000.0)
    x = torch.randn(2, window, 16, generator=torch.Generator().manual_seed(window))
    with torch.no_grad():
        torch.testing.assert_close(
            layer(x, turn).double(), by_hand(layer, x, 2), rtol=1e-5, atol=1e-5
        )
        if window == 12:
            torch.testing.assert_close(layer.batch_last(x, turn), layer(x, turn))


def test_scores_have_a_bound_that_they_do_not_have_without() -> None:
    tokens = torch.randint(0, 31, (4, 12), generator=torch.Generator().manual_seed(0))
    found = {}
    for normed in (True, False):
        model = made(qk_norm=normed)
        with torch.no_grad():
            for block in model.blocks:
                block.attention.qkv.weight.mul_(100)
        found[normed] = attention_max(model, tokens)
    assert math.sqrt(8) / 2 < found[True] <= math.sqrt(8) + 1e-5
    assert found[False] > 100


def test_it_has_no_parameters_and_no_format_elsewhere() -> None:
    assert made().state_dict().keys() == made(qk_norm=False).state_dict().keys()
    with pytest.raises(InputError, match="no format for queries and keys that are normed"):
        huggingface_config(made().config)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("normed", [True, False])
@pytest.mark.parametrize("name", ["gpt2", "mistral", "gpt2-gated"])
def test_nothing_sees_ahead(name: str, normed: bool, window: int) -> None:
    """The gradient of a position's loss by what comes in later is 0, not nearly 0."""
    shape: dict[str, Any] = {"layers": 2, "width": 16, "heads": 4, "vocab": 31, "context": window}
    model = GPT(architecture(name, **shape, qk_norm=normed, tied=False))
    initialise(model, 0)
    seen: list[torch.Tensor] = []

    def keep(_: Any, __: Any, out_BTD: torch.Tensor) -> torch.Tensor:
        seen.append(out_BTD.detach().requires_grad_())
        return seen[0]

    model.embed.register_forward_hook(keep)
    tokens = torch.randint(0, 31, (2, window), generator=torch.Generator().manual_seed(3))
    for at in (0, window // 2, window - 1):
        seen.clear()
        targets = torch.full_like(tokens, -100)
        targets[:, at] = 5
        model(tokens, targets).backward()
        slope_BTD = seen[0].grad
        assert slope_BTD is not None
        assert not slope_BTD[:, at + 1 :].any()
        assert slope_BTD[:, : at + 1].abs().amax(-1).min() > 0  # and every one before is seen


@pytest.mark.skipif(not can_compile(), reason="needs a C++ compiler and Python's headers")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on import
def test_compiled_steps_are_the_same() -> None:
    config = TrainConfig(lr=1e-2)
    ends = []
    for compiled in (False, True):
        stepper = Stepper(made(layers=1).config, [config], compiled=compiled)
        for step in range(5):
            draw = torch.Generator().manual_seed(step)
            tokens = torch.randint(0, 31, (1, 6, 13), generator=draw)
            stepper.step(tokens[..., :-1], tokens[..., 1:], 1.0, step + 1, watch=step % 2 == 0)
            stepper.watched()
        ends.append(stepper.state.params)
    assert (ends[0] - ends[1]).norm() / ends[0].norm() < 1e-5
