"""Fine-tuning through the rounding: its gradient, what it brings, what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kleiber.errors import InputError, UsageError
from kleiber.knowledge import Strings, Windows
from kleiber.knowledge.quantize.aware import Tuning, through, tune
from kleiber.knowledge.quantize.grid import Grid, round_to_nearest
from kleiber.knowledge.quantize.model import Rounding, quantize
from kleiber.knowledge.quantize.places import chosen, places
from kleiber.knowledge.quantize.table import Asked, quantize_folder
from kleiber.training import GPT, ModelConfig, RunFolder
from kleiber.training.model import initialise

SOURCE = Strings(20, K=2, D=8, T=8, name_tokens=2, seed=1)
BATCHES = Windows(SOURCE, exposures=40, batch=20)
GRID = Grid(bits=3, float_bits=32)


def built(**changes: Any) -> GPT:
    sizes = {"layers": 1, "width": 8, "heads": 2, "vocab": SOURCE.vocab, "context": 16, **changes}
    model = GPT(ModelConfig(**sizes))
    initialise(model, 0)
    return model


def loss_of(model: GPT, step: int) -> torch.Tensor:
    inputs, targets = (torch.from_numpy(part) for part in BATCHES.batch(step))
    return model(inputs, targets)


def test_the_step_is_the_rounded_models_gradient() -> None:
    """Straight through: the float weights get the gradient that the rounded ones have."""
    model = built()
    rounded = quantize(model, Rounding(grid=GRID)).model
    loss_of(rounded, 0).backward()
    seen = {p.name: p for p in chosen(model, "linear", GRID)}
    moved = {
        name: through(parameter, seen[name], GRID) if name in seen else parameter
        for name, parameter in model.named_parameters()
    }
    pair = tuple(torch.from_numpy(part) for part in BATCHES.batch(0))
    torch.func.functional_call(model, moved, pair).backward()
    for name, parameter in model.named_parameters():
        expected = rounded.get_parameter(name).grad
        assert parameter.grad is not None and expected is not None
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-6)


def test_what_is_seen_is_what_the_codes_stand_for() -> None:
    for shape in ({}, {"mlp": "experts", "experts": 3, "activation": "relu"}):
        model = built(**shape)
        for place in places(model):
            parameter = model.get_parameter(place.name)
            seen = through(parameter, place, GRID)
            parts = [round_to_nearest(one, GRID).weight() for one in place.matrices(parameter)]
            stands = torch.stack(parts).reshape(parameter.shape)
            torch.testing.assert_close(seen, stands, rtol=0, atol=1e-6)


def test_without_a_grid_it_is_adamw() -> None:
    """Five steps, with torch's own AdamW and schedule by hand."""
    how = Tuning(steps=5, lr=0.01, warmup=0.4, clip=1e9)
    tuned, losses = tune(built(), BATCHES, how, grid=None)
    model = built()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.999), eps=1e-6, weight_decay=0)
    shares = [0.5, 1.0, *(0.5 * (1 + np.cos(np.pi * done / 3)) for done in range(3))]
    for step, share in enumerate(shares):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * share
        optimizer.zero_grad()
        loss = loss_of(model, step)
        assert losses[step] == pytest.approx(loss.item(), rel=1e-5)
        loss.backward()
        optimizer.step()
    for name, parameter in tuned.named_parameters():
        torch.testing.assert_close(parameter, model.get_parameter(name), rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_rounded_models() -> None:
    model = built()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    tuned, losses = tune(model, BATCHES, Tuning(steps=30, lr=0.01), grid=GRID)
    first = loss_of(quantize(model, Rounding(grid=GRID)).model, 0).item()
    assert losses[0] == pytest.approx(first, rel=1e-5)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert losses[-1] < 0.9 * losses[0]
    last = loss_of(quantize(tuned, Rounding(grid=GRID)).model, 29).item()
    assert last < 0.9 * first


@pytest.mark.parametrize("weights", ["linear", "matrices", "all"])
def test_experts_and_all_weights_are_tuned(weights: str) -> None:
    model = built(mlp="experts", experts=3, activation="relu")
    how = Tuning(steps=20, lr=0.01)
    tuned, losses = tune(model, BATCHES, how, grid=Grid(bits=4), weights=weights)
    assert losses[-1] < losses[0]
    fc = "blocks.0.mlp.fc.weight"
    assert not torch.equal(tuned.get_parameter(fc), model.get_parameter(fc))


def test_three_bits_learnt_are_better_than_three_bits_rounded(taught: RunFolder) -> None:
    asked = Asked(methods=("rtn", "gptq", "aware"), bits=(3,), steps=150)
    found = {row["method"]: row for row in quantize_folder(taught, asked)}
    assert list(found) == ["float", "float, tuned", "rtn", "gptq", "aware"]
    aware, gptq = found["aware"], found["gptq"]
    assert aware["bits_per_param"] > gptq["bits_per_param"] + 0.1
    assert aware["storage_bits"] == gptq["storage_bits"]
    assert found["float, tuned"]["bits_per_param"] > aware["bits_per_param"]


def test_what_cannot_be_tuned() -> None:
    model = built()
    for settings in ({"steps": 0, "lr": 0.1}, {"steps": 5, "lr": 0.0}, {"steps": 5, "lr": -1.0}):
        with pytest.raises(UsageError, match="a rate above 0 are needed"):
            Tuning(**settings)
    with pytest.raises(UsageError, match="41 steps were asked for, and the data last 40"):
        tune(model, BATCHES, Tuning(steps=41, lr=0.01), grid=GRID)
    with pytest.raises(UsageError, match="leave an embedding"):
        tune(model, BATCHES, Tuning(steps=4, lr=0.01), grid=Grid(bits=2), weights="all")
    with pytest.raises(InputError, match="no finite number"):
        tune(model, BATCHES, Tuning(steps=40, lr=1e30), grid=GRID)
