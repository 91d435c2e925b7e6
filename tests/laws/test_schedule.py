"""The multi-power law against its sums written out, finite differences and published errors."""

from __future__ import annotations

import math
from pathlib import Path as File

import numpy as np
import pytest

from kleiber.errors import UsageError, ValuesError
from kleiber.laws.schedule import MULTI_POWER, path
from kleiber.laws.schedules import Schedule, constant, cosine, two_stage, warmup_stable_decay

PEAK = {"peak": 3e-4, "warmup": 216}
SHORT = {
    "cosine": cosine(2400, end=3e-5, **PEAK),
    "constant": constant(2400, **PEAK),
    "wsd": warmup_stable_decay(2400, end=3e-5, decay_from=2000, **PEAK),
    "linear": warmup_stable_decay(2400, end=3e-5, decay_from=2000, shape="linear", **PEAK),
    "two": two_stage(1600, second=9e-5, change_at=800, **PEAK),
}
# Luo et al. 2025, the authors' repository: L0, A, alpha, B, C, beta, gamma, unrounded, and the
# mean absolute error over six held-out schedules, in three digits
PUBLISHED = {
    25: ((3.04045406, 0.52468604, 0.50786857, 363.78751622, 2.06560812, 0.58279013, 0.64142257),
         0.00376),
    100: ((2.6514477, 0.60115152, 0.45295811, 437.9464276, 2.13245612, 0.59785199, 0.65523644),
          0.00435),
    400: ((2.37474466, 0.65421216, 0.42878731, 523.42464371, 2.02462735, 0.59350493, 0.63472457),
          0.00484),
}  # fmt: skip
VALUES = dict(zip(MULTI_POWER.names, PUBLISHED[100][0], strict=True))


def written(v: dict[str, float], rates: list[float], step: int) -> float:
    """Return the loss by the formula as it is written, in plain Python floats."""
    drop = 0.0
    for k in range(1, step + 1):
        since = math.fsum(rates[k : step + 1])
        x = v["C"] * rates[k] ** -v["gamma"] * since
        drop += (rates[k - 1] - rates[k]) * (1.0 - (1.0 + x) ** -v["beta"])
    area = math.fsum(rates[: step + 1])
    return v["L0"] + v["A"] * area ** -v["alpha"] - v["B"] * drop


@pytest.mark.parametrize("name", SHORT)
def test_the_law_is_its_sums_written_out(name: str) -> None:
    schedule = SHORT[name]
    steps = np.array([1, 100, 216, 799, 800, 801, 1599])
    rates = schedule.rates.tolist()
    expected = [written(VALUES, rates, int(step)) for step in steps]
    exact = np.exp(
        MULTI_POWER.gradient(MULTI_POWER.natural(VALUES), path(schedule, steps, None))[0]
    )
    assert exact == pytest.approx(expected, rel=1e-11)
    assert MULTI_POWER.loss(VALUES, schedule, steps) == pytest.approx(expected, abs=1e-5)


def test_merged_changes_move_no_loss_that_is_printed() -> None:
    long = cosine(24000, peak=3e-4, end=3e-5, warmup=2160)
    steps = np.arange(2160, 24000, 640)
    theta = MULTI_POWER.natural(VALUES)
    whole, merged = path(long, steps, None), path(long, steps)
    assert len(merged.drop) < len(whole.drop) / 12
    exact, near = (np.exp(MULTI_POWER.gradient(theta, one)[0]) for one in (whole, merged))
    assert np.abs(exact - near).max() < 1e-5


@pytest.mark.parametrize("name", SHORT)
def test_the_gradient_is_the_difference_of_values(name: str) -> None:
    along = path(SHORT[name], np.arange(50, 1600, 111))
    theta = MULTI_POWER.natural(VALUES)
    _, slope = MULTI_POWER.gradient(theta, along)
    for k in range(len(theta)):
        step = np.zeros(len(theta))
        step[k] = 1e-6
        ahead, behind = (MULTI_POWER.gradient(theta + s, along)[0] for s in (step, -step))
        assert slope[k] == pytest.approx((ahead - behind) / 2e-6, rel=1e-5, abs=1e-9)


def test_the_basis_is_what_the_coefficients_multiply() -> None:
    along = path(SHORT["cosine"], np.arange(250, 2400, 333))
    theta = MULTI_POWER.natural(VALUES)
    basis = MULTI_POWER.basis(theta, along)
    weights = np.array([VALUES[name] for name in MULTI_POWER.linear])
    assert weights @ basis == pytest.approx(np.exp(MULTI_POWER.gradient(theta, along)[0]))


@pytest.mark.parametrize("size", PUBLISHED)
def test_published_values_make_the_published_error(size: int, published: File) -> None:
    from kleiber.studies.laws_on_curves import HELD_OUT, curves_of

    values, error = PUBLISHED[size]
    curves = curves_of(published, size)
    named = dict(zip(MULTI_POWER.names, values, strict=True))
    found = [
        np.abs(MULTI_POWER.loss(named, c.schedule, c.steps) - c.loss).mean()
        for c in (curves[name] for name in HELD_OUT)
    ]
    assert np.mean(found) == pytest.approx(error, abs=1e-5)


def test_what_is_no_schedule_is_refused() -> None:
    for rates in ([1e-4], [0.0, 1e-4, 0.0], [1e-4, np.nan], [[1e-4, 1e-4]]):
        with pytest.raises(ValuesError, match="positive, finite learning rate"):
            Schedule("odd", np.array(rates))
    with pytest.raises(ValuesError, match=r"Steps from 10 to 2400 .* has 1 to 2399"):
        path(SHORT["cosine"], np.array([10, 2400]))
    with pytest.raises(ValuesError, match="Steps none"):
        path(SHORT["cosine"], np.array([], dtype=np.int64))
    with pytest.raises(UsageError, match="fewer steps of warm-up"):
        constant(100, peak=1e-3, warmup=100)
    with pytest.raises(UsageError, match="begins at step 90"):
        warmup_stable_decay(80, peak=1e-3, end=1e-5, decay_from=90)
    with pytest.raises(UsageError, match="needs a value for gamma"):
        MULTI_POWER.natural({k: v for k, v in VALUES.items() if k != "gamma"})
    with pytest.raises(ValueError, match="read-only"):
        SHORT["cosine"].rates[3] = 1.0
