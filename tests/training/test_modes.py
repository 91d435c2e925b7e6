"""Modes of decay, scaled gradients and what decays, through whole steps of a real model.

Each is set against a brute force in float64 that takes the gradients from autograd.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from kleiber.errors import InputError
from kleiber.training import GPT, ModelConfig, TrainConfig, architecture
from kleiber.training.config import ModelConfig as Shape
from kleiber.training.machine import can_compile
from kleiber.training.optim import scaled
from kleiber.training.step import Stepper, parts_of

SHAPE = ModelConfig(layers=2, width=16, heads=2, vocab=31, context=12, qk_norm=True, tied=False)
PEAK, DECAY, STEPS = 4e-3, 0.3, 5
BASE = TrainConfig(
    lr=PEAK, weight_decay=DECAY, betas=(0.9, 0.95), eps=1e-8, clip=math.inf, compiled=False
)
MODES: list[dict[str, Any]] = [
    {"decay": "coupled"},
    {"decay": "independent"},
    {"decay": "l2"},
    {"decay": "independent", "decayed": "all"},
    {"decay": "l2", "clip": 0.05},
    {"gradient": "rms"},
    {"gradient": "rms", "decay": "l2", "decayed": "all"},
    {"z_loss": 0.1},
]


def text(step: int, models: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(step)
    tokens = torch.randint(0, 31, (models, 8, 13), generator=draw)
    targets = tokens[..., 1:].clone()
    targets[:, ::3, :5] = -100
    return tokens[..., :-1], targets


def share(step: int) -> float:
    return (1.0, 0.7, 0.4, 0.9, 0.2)[step]


def ours(configs: list[TrainConfig], *, compiled: bool = False, shape: Shape = SHAPE) -> Stepper:
    stepper = Stepper(shape, configs, compiled=compiled)
    for step in range(STEPS):
        stepper.step(*text(step, len(configs)), share(step), step + 1)
    return stepper


def brute(config: TrainConfig, which: int = 0, models: int = 1) -> torch.Tensor:
    """Return the parameters after the same steps, by hand and in float64."""
    model = GPT(SHAPE)
    stepper = Stepper(SHAPE, [config])
    model.load_state_dict(stepper.weights(0))
    model = model.double()
    first = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    second = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for step in range(STEPS):
        inputs, targets = (part[which] for part in text(step, models))
        logits = model(inputs).flatten(0, 1)
        asked = targets.flatten() != -100
        chance = logits.log_softmax(-1)[asked]
        loss = -chance.gather(1, targets.flatten()[asked][:, None]).mean()
        loss = loss + config.z_loss * logits[asked].exp().sum(-1).log().square().mean()
        model.zero_grad()
        loss.backward()
        rate = config.lr * share(step)
        slopes = {
            name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None
        }
        if config.gradient == "rms":
            for name, slope in slopes.items():
                pieces = slope.chunk(3) if "qkv" in name else [slope]
                slopes[name] = torch.cat([one / one.square().mean().sqrt() for one in pieces])
        norm = math.sqrt(sum(one.square().sum().item() for one in slopes.values()))
        with torch.no_grad():
            for name, p in model.named_parameters():
                matrix = p.dim() == 2 or config.decayed == "all"
                decay = config.weight_decay * matrix
                g = slopes[name] * min(1.0, config.clip / norm)
                if config.decay == "l2":
                    g = g + decay * p
                if config.decay == "coupled":
                    p.mul_(1 - rate * decay)
                if config.decay == "independent":
                    p.mul_(1 - share(step) * decay)
                first[name] = 0.9 * first[name] + 0.1 * g
                second[name] = 0.95 * second[name] + 0.05 * g**2
                up = first[name] / (1 - 0.9 ** (step + 1))
                down = (second[name] / (1 - 0.95 ** (step + 1))).sqrt() + config.eps
                p.sub_(rate * up / down)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def start(config: TrainConfig) -> torch.Tensor:
    return Stepper(SHAPE, [config]).state.params[0]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_mode_is_the_brute_force(mode: dict[str, Any]) -> None:
    config = replace(BASE, **mode)
    found, exact, before = ours([config]).state.params[0], brute(config), start(config)
    # over what was moved: gradients near 0 have a sign that rounding may turn
    assert (found - exact).norm() < 2e-4 * (exact - before).norm()
    usual = brute(BASE)
    if config != BASE:  # the mode is seen
        assert (exact - usual).norm() > 1e-2 * (usual - before).norm()


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_stack_keeps_its_own_rates_and_decays(mode: dict[str, Any]) -> None:
    configs = [
        replace(BASE, **mode),
        replace(BASE, **mode, lr=PEAK / 4, weight_decay=2 * DECAY, seed=1),
    ]
    stack = ours(configs).state.params
    for i, config in enumerate(configs):
        exact, before = brute(config, i, 2), start(config)
        assert (stack[i] - exact).norm() < 2e-4 * (exact - before).norm()


@pytest.mark.skipif(not can_compile(), reason="needs a C++ compiler and Python's headers")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on import
@pytest.mark.parametrize("models", [1, 2])
def test_compiling_changes_nothing(models: int) -> None:
    """All options at once; windows of 12 tokens attend with the batch last."""
    mode: dict[str, Any] = {
        **{"decay": "l2", "decayed": "all", "gradient": "rms", "z_loss": 0.1, "micro_batches": 2}
    }
    configs = [replace(BASE, **mode, seed=seed, lr=PEAK / (1 + seed)) for seed in range(models)]
    ends = [
        ours(configs, compiled=kind, shape=replace(SHAPE, layers=1)).state.params
        for kind in (False, True)
    ]
    before = Stepper(replace(SHAPE, layers=1), configs).state.params
    assert (ends[0] - ends[1]).norm() < 1e-3 * (ends[0] - before).norm()


def test_independent_decay_does_not_grow_with_the_rate() -> None:
    """Without a gradient (its eps outweighs it) weights shrink by schedule times decay."""
    for lr in (1e-3, 1e-1):
        config = replace(BASE, lr=lr, decay="independent", eps=1e30)
        shrunk, before = ours([config]).weights(0), Stepper(SHAPE, [config]).weights(0)
        factor = math.prod(1 - share(step) * DECAY for step in range(STEPS))
        torch.testing.assert_close(shrunk["head.weight"], before["head.weight"] * factor)
        torch.testing.assert_close(shrunk["norm.weight"], before["norm.weight"])


def test_scaling_by_hand() -> None:
    gradient = torch.tensor([[3.0, 4.0, 0.0, 0.0, 1e-30, 2e-30], [0.0, 1.0, 5.0, 5.0, 7.0, 0.0]])
    root = math.sqrt(12.5), math.sqrt(2.5), math.sqrt(0.5), math.sqrt(24.5)
    expected = torch.tensor(
        [
            [3 / root[0], 4 / root[0], 0, 0, 1 / root[1], 2 / root[1]],
            [0, 1 / root[2], 1, 1, 7 / root[3], 0],
        ]
    )
    torch.testing.assert_close(scaled(gradient, [2, 2, 2]), expected)


@pytest.mark.parametrize("name", ["gpt2", "mistral", "llama", "gpt2-moe"])
def test_a_matrix_is_one_that_published_codes_have(name: str) -> None:
    fewer = {"experts": 4} if name == "gpt2-moe" else {}
    shape = architecture(name, layers=1, width=16, heads=4, vocab=31, context=12, **fewer)
    for label, parameter in GPT(shape).named_parameters():
        parts = parts_of(label, parameter.shape, shape)
        assert sum(parts) == parameter.numel()
        if label.endswith("qkv.weight"):
            keys = 16 * 4 if name == "mistral" else 16 * 16
            assert parts == [16 * 16, keys, keys]
        elif label.endswith("mlp.fc.weight") and name in ("llama", "mistral"):
            assert parts == [shape.hidden * 16] * 2
        else:
            assert len(parts) == (3 if "qkv" in label else 1)


@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize("parts", [2, 4, 8])
def test_parts_of_a_batch_are_the_batch(parts: int, models: int) -> None:
    """Targets that are not asked for lie unevenly, so that parts weigh unequally."""
    configs = [replace(BASE, seed=seed, z_loss=1e-2) for seed in range(models)]
    whole, pieces = (
        Stepper(SHAPE, configs),
        Stepper(SHAPE, [replace(one, micro_batches=parts) for one in configs]),
    )
    inputs, targets = text(0, models)
    targets[:, :2] = -100
    (slope, nats), (sum_slope, sum_nats) = (
        whole._read(inputs, targets),
        pieces._read(inputs, targets),
    )
    torch.testing.assert_close(sum_nats, nats, rtol=1e-6, atol=1e-6)
    assert (sum_slope - slope).norm() / slope.norm() < 1e-6
    for step in range(STEPS):
        for one in (whole, pieces):
            one.step(*text(step, models), share(step), step + 1)
    apart = (whole.state.params - pieces.state.params).norm()
    assert apart < 1e-3 * (whole.state.params - Stepper(SHAPE, configs).state.params).norm()


def test_a_batch_without_equal_parts_is_refused() -> None:
    stepper = Stepper(SHAPE, [replace(BASE, micro_batches=3)])
    with pytest.raises(InputError, match="8 windows has no 3 equal parts"):
        stepper.step(*text(0), 1.0, 1)
