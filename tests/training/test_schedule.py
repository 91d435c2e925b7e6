"""The four schedules against their closed forms, at every step."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kleiber.errors import InputError
from kleiber.training.config import TrainConfig
from kleiber.training.schedule import rate, share_at

STEPS = 400


def shares(steps: int = STEPS, **settings: Any) -> list[float]:
    config = TrainConfig(lr=1.0, **settings)
    return [share_at(config, step, steps) for step in range(steps)]


def test_the_usual_schedule_is_what_it_was() -> None:
    for warmup, final in ((0.02, 0.0), (0.0, 0.1), (0.33, 0.5)):
        before = [rate(step, STEPS, warmup=warmup, final=final) for step in range(STEPS)]
        assert shares(warmup=warmup, final_lr=final) == before


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant", "wsd"])
@pytest.mark.parametrize(
    "rise", [{"warmup": 0.1}, {"warmup_steps": 40}, {"warmup": 0.5, "warmup_steps": 40}]
)
def test_all_rise_on_a_line(schedule: str, rise: dict[str, Any]) -> None:
    found = shares(schedule=schedule, **rise)
    assert found[:40] == pytest.approx([(step + 1) / 40 for step in range(40)])
    assert found[40] == 1.0


def test_a_cosine() -> None:
    found = shares(schedule="cosine", warmup=0.1, final_lr=0.2)[40:]
    assert found == pytest.approx(
        [0.2 + 0.8 * math.cos(math.pi * k / 720) ** 2 for k in range(360)]  # half-angle form
    )


def test_a_line() -> None:
    found = shares(schedule="linear", warmup=0.1, final_lr=0.2)[40:]
    assert found == pytest.approx([1 - 0.8 * k / 360 for k in range(360)])
    assert shares(schedule="linear", warmup_steps=0) == pytest.approx(
        [1.0] + [1 - k / 399 for k in range(399)]  # without a rise the first step is at the peak
    )


def test_constant_stays() -> None:
    assert set(shares(schedule="constant", warmup=0.1, final_lr=0.2)[40:]) == {1.0}


@pytest.mark.parametrize(("cooldown", "falling"), [(0.25, 100), (0.5, 200), (0.9, 360)])
def test_warm_up_stable_decay(cooldown: float, falling: int) -> None:
    found = shares(schedule="wsd", warmup=0.1, cooldown=cooldown, final_lr=0.1)
    assert found[40 : STEPS - falling] == [1.0] * (360 - falling)
    assert found[STEPS - falling :] == pytest.approx(
        [1 - 0.9 * k / falling for k in range(falling)]
    )


def test_a_rise_as_long_as_the_run_leaves_nothing_to_fall() -> None:
    for schedule in ("cosine", "linear", "constant", "wsd"):
        assert shares(10, schedule=schedule, warmup_steps=20) == pytest.approx(
            [(step + 1) / 20 for step in range(10)]
        )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"schedule": "rsqrt"}, "no schedule 'rsqrt'; there are cosine, linear, constant, wsd"),
        ({"schedule": "wsd", "warmup": 0.6, "cooldown": 0.5}, r"rises for 0\.6 .* falls for 0\.5"),
        ({"schedule": "wsd", "cooldown": 0.0}, "falls for 0"),
        ({"warmup_steps": -1}, "warmup_steps of at least 0, not 1 and -1"),
        ({"micro_batches": 0}, "micro_batches of at least 1"),
        ({"decay": "muon"}, "no decay 'muon'"),
        ({"decayed": "norms"}, "no decayed 'norms'"),
        ({"gradient": "sign"}, "no gradient 'sign'"),
        ({"z_loss": -1.0}, r"z_loss of 0 or more, not -1\.0"),
        ({"weight_decay": math.nan}, "weight_decay of 0 or more, not nan"),
        ({"eps": math.inf}, "eps of 0 or more, not inf"),
    ],
)
def test_what_cannot_train(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TrainConfig(**{"lr": 1e-3, **settings})
