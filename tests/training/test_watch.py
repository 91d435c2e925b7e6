"""What is watched by hand, that it changes nothing, and that a folder says no more than before."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from kleiber.training import GPT, ModelConfig, RunFolder, TrainConfig, train
from kleiber.training.config import SINCE, fingerprint
from kleiber.training.model import initialise, rotary, rotate
from kleiber.training.noise import Noise
from kleiber.training.optim import State
from kleiber.training.watch import attention_max, gradient_sizes

SHAPE = ModelConfig(layers=2, width=16, heads=2, vocab=31, context=12)
CONFIGS = [TrainConfig(lr=1e-3), TrainConfig(lr=4e-3, seed=1)]
POINT = ["step", "tokens", "loss", "lr", "seconds"]


def noises(steps: int = 12) -> list[Noise]:
    return [Noise(steps=steps, batch_size=6, context=12, vocab=31, seed=s) for s in range(2)]


def test_the_largest_score_by_hand() -> None:
    model = GPT(replace(SHAPE, layers=1))
    initialise(model, 0)
    tokens = torch.randint(0, 31, (20, 12), generator=torch.Generator().manual_seed(0))
    turn = rotary(12, 8, 10_000.0)
    largest = -math.inf
    with torch.no_grad():
        block = model.blocks[0]
        qkv = block.attention.qkv(block.norm1(model.embed(tokens[:8])))
        for head in range(2):
            q, k = (qkv[..., at + 8 * head : at + 8 * head + 8] for at in (0, 16))
            q, k = rotate(q, *turn), rotate(k, *turn)
            for t in range(12):
                for s in range(t + 1):
                    score = (q[:, t] * k[:, s]).sum(-1) / math.sqrt(8)
                    largest = max(largest, score.max().item())
    assert attention_max(model, tokens) == pytest.approx(largest, rel=1e-5)


def test_sizes_of_a_gradient_by_hand() -> None:
    gradient = torch.tensor([[3.0, 4.0, 0.6, 0.8], [0.0, 1.0, 1e-3, 1e-3]])
    first = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0]])
    second = torch.tensor([[4.0, 1e-6, 1.0, 1.0], [0.0, 1.0, 1e-6, 1e-6]]) * (1 - 0.95**3)
    state = State(torch.zeros(2, 4), first, second)
    found = gradient_sizes(gradient, [2, 2], state, beta=0.95, count=3, eps=1e-2)
    assert [one["grad_rms"] for one in found] == pytest.approx(
        [math.sqrt(26 / 4), math.sqrt((1 + 2e-6) / 4)]
    )
    assert [one["grad_rms_least"] for one in found] == pytest.approx([math.sqrt(0.5), 1e-3])
    assert [one["eps_share"] for one in found] == pytest.approx([1 / 4, 2 / 3])


def test_watching_changes_nothing_but_what_points_say(tmp_path: Path) -> None:
    folders = {
        kind: [RunFolder(tmp_path / f"{kind}{i}") for i in range(2)] for kind in ("plain", "seen")
    }
    for kind, both in folders.items():
        *_, last = train(SHAPE, CONFIGS, noises(), both, readings=4, watch=kind == "seen")
    for plain, seen in zip(*folders.values(), strict=True):
        assert (plain.path / "run.json").read_bytes() == (seen.path / "run.json").read_bytes()
        a, b = ((f.path / "weights.safetensors").read_bytes() for f in (plain, seen))
        assert a == b
        assert [list(point) for point in plain.points()] == [POINT] * 4
        for before, point in zip(plain.points(), seen.points(), strict=True):
            more = [name for name in point if name not in POINT]
            assert more == ["attention_max", "grad_rms", "grad_rms_least", "eps_share"]
            assert all(point[name] == before[name] for name in POINT[:-1])
            assert point["grad_rms"] > point["grad_rms_least"] > 0
            assert 0 <= point["eps_share"] < 0.1  # of 1e-6
    assert last.watched[1]["attention_max"] == folders["seen"][1].points()[-1]["attention_max"]
    assert last.watched[0] != last.watched[1]


def test_a_large_eps_is_seen() -> None:
    *_, last = train(SHAPE, [replace(CONFIGS[0], eps=10.0)], noises()[:1], watch=True)
    assert last.watched[0]["eps_share"] == 1.0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"schedule": "linear", "warmup_steps": 3},
        {"schedule": "constant", "micro_batches": 2},
        {"schedule": "wsd", "cooldown": 0.5, "decay": "independent", "gradient": "rms"},
        {"schedule": "cosine", "decay": "l2", "decayed": "all", "z_loss": 1e-2, "eps": 1e-20},
    ],
    ids=str,
)
def test_an_interrupted_run_goes_on_bit_for_bit(settings: dict[str, Any], tmp_path: Path) -> None:
    shape = replace(SHAPE, qk_norm=True)
    configs = [replace(one, **settings, clip=math.inf) for one in CONFIGS]
    whole, broken = ([RunFolder(tmp_path / f"{n}{i}") for i in range(2)] for n in ("w", "b"))
    list(train(shape, configs, noises(), whole, readings=12, watch=True))
    for stop in (4, 8):
        for reading in train(
            shape, configs, noises(), broken, readings=12, save_every=3, watch=True
        ):
            if reading.step >= stop:
                break
    list(train(shape, configs, noises(), broken, readings=12, watch=True))
    for one, other in zip(whole, broken, strict=True):
        a, b = ((f.path / "weights.safetensors").read_bytes() for f in (one, other))
        assert a == b
        points = [[{**p, "seconds": 0} for p in f.points()] for f in (one, other)]
        assert points[0] == points[1]


def test_a_folder_says_what_it_always_said(tmp_path: Path) -> None:
    """Of a usual run, byte by byte as runs before these settings left it."""
    folder = RunFolder(tmp_path / "run")
    list(train(SHAPE, CONFIGS[:1], noises()[:1], [folder], about=[{"cell": {"people": 3}}]))
    record = folder.record()
    assert list(record["train"]) == [
        *("lr", "seed", "weight_decay", "betas", "eps", "clip", "warmup", "final_lr"),
        *("precision", "compiled"),
    ]
    assert list(record["model"]) == [
        *("layers", "width", "heads", "vocab", "context", "mlp_ratio", "rope_base", "init_scale"),
    ]
    assert list(record["flops_per_token"]) == ["6nd", "6nd_body", "matmul", "attention"]
    assert record["fingerprint"] == "a0817729b65d6a5a"


def test_each_later_setting_is_said_where_it_differs() -> None:
    usual = CONFIGS[0]
    others: dict[str, Any] = {
        **{"schedule": "wsd", "warmup_steps": 3, "cooldown": 0.3, "decay": "l2"},
        **{"decayed": "all", "gradient": "rms", "z_loss": 1e-4, "micro_batches": 2},
    }
    assert others.keys() | {"qk_norm"} == set(SINCE)
    names = {fingerprint(usual.to_dict())}
    for name, value in others.items():
        said = replace(usual, **{name: value}).to_dict()
        assert said == {**usual.to_dict(), name: value}
        names.add(fingerprint(said))
    assert len(names) == len(others) + 1
    normed = replace(SHAPE, qk_norm=True)
    assert normed.to_dict() == {**SHAPE.to_dict(), "qk_norm": True}
    assert ModelConfig.of(normed.to_dict()) == normed
    assert json.dumps(replace(usual, clip=math.inf).to_dict(), allow_nan=False)
