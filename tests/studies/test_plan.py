"""The study of plans: ladders of one price, a field as it is said to be, errors as they are."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.fitting.prior import WEAK
from kleiber.planning.design import Belief, Criterion, ModelError
from kleiber.studies.plan_simulated import (
    BUDGET,
    TARGET,
    Field,
    by_hand,
    fewer,
    ratio,
    readings,
    realised,
)


def test_ladders_by_hand_cost_the_budget_at_20_tokens_a_param() -> None:
    for name, ladder in by_hand(BUDGET).items():
        assert np.sum(6.0 * ladder.params * ladder.tokens) == pytest.approx(BUDGET), name
        assert ladder.tokens == pytest.approx(20.0 * ladder.params)
        assert len(ladder.params) == (1 if name.startswith("one") else 5)


def test_the_field_is_as_strong_and_as_smooth_as_the_model_error_says() -> None:
    model = ModelError(0.0, 0.02, 2.0)
    field = Field.draw(4000, model, np.random.default_rng(0))
    x, y = np.array([20.0, 21.5, 20.0]), np.array([23.0, 23.0, 26.0])
    drawn = field.at(x, y)
    places = np.stack([x, y])
    expected = model.sd**2 * model.alike(places, places)
    assert np.cov(drawn.T) == pytest.approx(expected, abs=0.06 * model.sd**2)
    assert np.abs(drawn.mean(axis=0)).max() < 0.05 * model.sd


def test_readings_are_ends_and_checkpoints_before_them() -> None:
    ladder = by_hand(BUDGET)["five sizes, 16x, 20 tokens a param"]
    x, y, mid, w, run = readings(ladder)
    ends = w == 1.0
    assert np.exp(x[ends]) == pytest.approx(ladder.params)
    assert np.exp(y[ends]) == pytest.approx(ladder.tokens)
    assert (mid[ends] == 0.0).all() and (mid[~ends] > 0.0).all()
    assert (y[~ends] < y[ends][run[~ends]]).all() and (~ends).sum() >= 40


def test_families_err_as_much_as_was_promised() -> None:
    theta = WEAK.draws(300, 5)
    ladder = by_hand(BUDGET)["five sizes, 64x, 20 tokens a param"]
    promise = Criterion(Belief.of_families(WEAK, theta), TARGET, ModelError(0.0, 0.0)).promise(
        ladder.params, ladder.tokens
    )
    errors = np.abs(realised(ladder, TARGET, theta, WEAK, None, 1))
    assert errors.mean() == pytest.approx(promise.error, rel=0.15)
    field = Field.draw(300, ModelError(0.0, 0.03), np.random.default_rng(2))
    worse = np.abs(realised(ladder, TARGET, theta, WEAK, field, 1))
    assert worse.mean() > 1.5 * errors.mean()


def test_how_much_smaller_and_how_well_kept() -> None:
    rng = np.random.default_rng(0)
    other = np.abs(rng.standard_normal(400))
    part, low, high = fewer(0.6 * other, other, 0)
    assert part == pytest.approx(0.4) and low == pytest.approx(0.4) and high == pytest.approx(0.4)
    kept, low, high = ratio(other, np.full(400, np.sqrt(2.0 / np.pi)), 0)
    assert low < kept < high and low < 1.0 < high and high - low < 0.2
