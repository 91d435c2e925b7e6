"""What is said before training agrees with the trainer's own counts."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from kleiber.errors import InputError, UsageError
from kleiber.launching.expect import Throughput, expected, seconds_left, throughput
from kleiber.launching.ladder import Standing, stack_bytes
from kleiber.recipes.recipe import Recipe, recipe
from kleiber.training.count import count_params
from kleiber.training.rung import model_of, training_of

PLAIN = {"heads": 2, "vocab": 50, "context": 16, "steps": 10, "batch": 4, "lr": 0.1}
SCALE = {"D": 24, "L": 3}


@pytest.mark.parametrize(
    ("mlp", "norm", "biases", "tied", "ratio"),
    [
        *product(
            ("standard", "gated", "none"), ("layer", "rms"), (True, False), (True, False), (4,)
        ),
        ("gated", "layer-unbiased", True, False, 2.7),
    ],
)
def test_P_of_a_formula_is_what_the_model_has(
    mlp: str, norm: str, biases: bool, tied: bool, ratio: float
) -> None:
    options = {"mlp": mlp, "norm": norm, "biases": biases, "tied": tied, "mlp_ratio": ratio}
    made = Recipe.of({**PLAIN, **options}, name="r", source="r")
    shape = model_of(made.rung(SCALE))
    assert made.number("P", SCALE, field="test") == count_params(shape)["total"]
    assert made.number("F", SCALE, field="test") == (shape.hidden or round(24 * ratio))


def test_the_trainer_takes_what_the_recipe_says() -> None:
    said = {
        **{"weight_decay": 0.3, "decay": "l2", "decayed": "all", "schedule": "wsd", "warmup": 0.1},
        **{"cooldown": 0.3, "final_lr": 0.01, "betas": [0.8, 0.9], "eps": 1e-9, "clip": 2.0},
        **{"gradient": "rms", "z_loss": 1e-4, "precision": "bf16"},
    }
    training = training_of(Recipe.of({**PLAIN, **said}, name="r", source="r").rung(SCALE, seed=7))
    for name, value in {**said, "betas": (0.8, 0.9), "lr": 0.1, "seed": 7}.items():
        assert getattr(training, name) == value
    shape = model_of(Recipe.of({**PLAIN, "qk_norm": "D > 24"}, name="r", source="r").rung(SCALE))
    assert (shape.qk_norm, shape.context, shape.vocab) == (False, 16, 50)


def test_the_papers_exaflop() -> None:
    found = expected(recipe("nanodo-paper").rung({"D": 1024}), Throughput())
    assert found.params_body == 150_994_944
    assert found.flops_6nd == pytest.approx(3.33e18, rel=2e-3)
    # 6 (N + D V) + 12 L S D a token: attention's scores whole, the head once
    each = 6 * (150_994_944 + 1024 * 32_101) + 12 * 12 * 512 * 1024
    assert found.flops == each * found.rung.shown_tokens
    assert not expected(recipe("nanodo-paper").rung({"D": 16384}), Throughput()).fits


def test_speeds_that_are_said() -> None:
    rung = Recipe.of(PLAIN, name="r", source="r").rung(SCALE)
    for text in ("50", "50e9", "50B"):
        assert throughput(text, [rung]).speed == 50e9
    assert throughput("50", [rung]).seconds(rung) == pytest.approx(
        expected(rung, Throughput()).flops / 50e9
    )
    assert "assumed" in throughput(None, [rung]).sentence()
    for text in ("-1", "0", "fast"):
        with pytest.raises(UsageError, match="GFLOP/s or the word here is expected"):
            throughput(text, [rung])


def test_time_left_goes_by_what_was_measured() -> None:
    made = Recipe.of(PLAIN, name="r", source="r")
    one, other = (made.rung({**SCALE, "D": 40}, seed=seed) for seed in (0, 1))  # too wide to stack
    assert seconds_left([Standing(one, "missing")]) is None
    begun = Standing(one, "stopped", step=4, seconds=2.0)
    assert seconds_left([begun]) == pytest.approx(3.0)
    assert seconds_left([begun, Standing(other, "missing")]) == pytest.approx(3.0 + 5.0)
    assert seconds_left([Standing(one, "done", 10, 2.0), Standing(other, "failed")]) == 0


def test_a_stack_tells_its_seconds_once() -> None:
    made = Recipe.of(PLAIN, name="r", source="r")
    stack = [made.rung(SCALE, seed=seed) for seed in range(3)]
    begun = [Standing(rung, "running", step=5, seconds=30.0) for rung in stack]
    assert seconds_left(begun) == pytest.approx(30.0)
    failed = [Standing(stack[0], "failed", 2, 30.0), *begun[1:]]
    assert seconds_left(failed) == pytest.approx(30.0)
    # 3 rungs of 10 steps in 60 s: one of them takes 20 s, and a stack of two more 40 s
    done = [Standing(rung, "done", 10, 60.0) for rung in stack]
    lone = Standing(made.rung({**SCALE, "lr": 0.2}), "missing")
    assert seconds_left([*done, lone]) == pytest.approx(20.0)
    more = [Standing(made.rung(SCALE, seed=seed), "missing") for seed in (3, 4)]
    assert seconds_left([*done, *more]) == pytest.approx(40.0)


@pytest.mark.parametrize("change", [{"warmup": 1.0}, {"schedule": "wsd", "warmup": 0.9}])
def test_what_cannot_be_trained_has_no_price(change: dict[str, object]) -> None:
    rung = Recipe.of({**PLAIN, **change}, name="r", source="r").rung(SCALE)
    with pytest.raises(InputError, match=r"warmup"):
        expected(rung, Throughput())


def test_a_stack_needs_more_memory_but_one_process() -> None:
    rungs = [Recipe.of(PLAIN, name="r", source="r").rung(SCALE, seed=seed) for seed in range(3)]
    alone, three = stack_bytes(rungs[:1]), stack_bytes(rungs)
    assert alone < three < 3 * alone


def test_nothing_is_written_by_looking(tmp_path: Path) -> None:
    from kleiber.launching.ladder import standing

    rung = Recipe.of(PLAIN, name="r", source="r").rung(SCALE)
    assert standing(rung, tmp_path / "out").state == "missing"
    assert list(tmp_path.iterdir()) == []
