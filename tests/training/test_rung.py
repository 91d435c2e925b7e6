"""A rung is what the trainer takes, every field of it."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import pytest

from kleiber.errors import InputError
from kleiber.recipes.rung import Rung
from kleiber.training import ModelConfig, TrainConfig, train
from kleiber.training.noise import Noise
from kleiber.training.rung import model_of, training_of

RUNG = Rung(
    **{"name": "16", "recipe": "paper", "layers": 2, "width": 16, "heads": 2, "vocab": 31},
    **{"context": 12, "tokens": 864, "batch": 6, "steps": 12, "lr": 4e-3},
)
OTHERS: dict[str, Any] = {
    **{"layers": 3, "width": 24, "heads": 4, "vocab": 37, "context": 20, "mlp_ratio": 2.5},
    **{"mlp": "gated", "activation": "silu", "norm": "layer", "biases": True, "tied": True},
    **{"qk_norm": False, "init_scale": 0.5, "rope_base": 500.0, "seed": 3, "lr": 1e-3},
    **{"schedule": "wsd", "warmup": 0.1, "final_lr": 0.2, "cooldown": 0.3},
    **{"weight_decay": 0.3, "decay": "independent", "decayed": "all", "betas": (0.8, 0.9)},
    **{"eps": 1e-8, "clip": 1.0, "gradient": "rms", "z_loss": 1e-4, "precision": "bf16"},
}
DATA = {"name", "recipe", "tokens", "batch", "steps", "text", "tokenizer", "epochs"}


def test_every_field_of_a_rung_arrives() -> None:
    assert {one.name for one in fields(Rung)} == OTHERS.keys() | DATA
    for name, value in OTHERS.items():
        changed = replace(RUNG, **{name: value})
        model, training = model_of(changed), training_of(changed)
        said = [getattr(one, name) for one in (model, training) if hasattr(one, name)]
        assert said == [value]
        assert (model, training) != (model_of(RUNG), training_of(RUNG))


def test_what_a_rung_has_by_default_is_the_papers() -> None:
    assert model_of(RUNG) == ModelConfig(
        **{"layers": 2, "width": 16, "heads": 2, "vocab": 31, "context": 12, "mlp_ratio": 4.0},
        **{"norm": "rms", "biases": False, "tied": False, "qk_norm": True, "init_scale": 1.0},
    )
    assert training_of(RUNG, micro_batches=2, compiled=False) == TrainConfig(
        **{"lr": 4e-3, "weight_decay": 0.1, "betas": (0.9, 0.95), "eps": 1e-20},
        **{"clip": math.inf, "warmup": 0.05, "micro_batches": 2, "compiled": False},
    )


def test_a_rung_trains() -> None:
    data = Noise(steps=RUNG.steps, batch_size=RUNG.batch, context=RUNG.context, vocab=RUNG.vocab)
    *_, last = train(model_of(RUNG), [training_of(RUNG, compiled=False)], [data], watch=True)
    assert last.tokens == RUNG.shown_tokens
    assert math.log(31) - 0.5 < last.losses[0] < math.log(31) + 1
    assert last.watched[0]["eps_share"] == 0
    assert last.watched[0]["attention_max"] <= math.sqrt(RUNG.head_size) + 1e-5


def test_what_no_model_has_is_refused() -> None:
    with pytest.raises(InputError, match="no mlp 'wide'"):
        model_of(replace(RUNG, mlp="wide"))
    with pytest.raises(InputError, match="warmup"):
        training_of(replace(RUNG, warmup=1.0))
