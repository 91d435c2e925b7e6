"""Objectives, gradients and Hessians of both models against sums and differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import huber

from kleiber.fitting.models import Powers, Smooth, model_of
from kleiber.fitting.objective import Objective
from kleiber.fitting.problem import Data
from kleiber.laws import LAWS, get
from kleiber.laws.base import Law

OBJECTIVES: tuple[Objective, ...] = ("huber", "log", "raw")
DELTA = 0.02


def posed(law: Law, objective: Objective, truths: Any) -> tuple[np.ndarray, Data]:
    """Return parameter rows (4, K) near a truth and data of 15 points, some far off the curve."""
    rng = np.random.default_rng(7)
    n, d = np.exp(rng.uniform(np.log(1e7), np.log(1e10), 15)), np.exp(rng.uniform(21, 27, 15))
    u, x = d / rng.choice([1.0, 5.0, 40.0], 15), rng.choice([1.0, 8.0, 128.0], 15)
    logs = law.logs(params=n, tokens=d, unique_tokens=u, experts=x)
    shift = law.shift(logs.mean(axis=1))
    theta = law.recentre(law.natural(truths[law.name]), shift)
    z, _ = law.gradient(theta, logs - shift[:, None])
    y = z + 0.05 * rng.standard_normal(15)
    rows = theta + 0.03 * rng.standard_normal((4, len(theta)))
    return rows, Data(logs - shift[:, None], y, rng.uniform(0.2, 1.0, 15), DELTA, objective)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_value_gradient_and_hessian(law: Law, objective: Objective, truths) -> None:
    theta, data = posed(law, objective, truths)
    model = model_of(law, data.logs)
    assert isinstance(model, Powers if law.terms else Smooth)
    f, gradient, hessian = model.derivatives(theta, data)
    z, _ = law.gradient(theta, data.logs)
    if objective == "raw":
        by_hand = (data.w * 0.5 * (np.exp(z) - np.exp(data.y)) ** 2).sum(axis=1)
    else:
        limit = DELTA if objective == "huber" else 1e9
        by_hand = (data.w * huber(limit, z - data.y)).sum(axis=1)
    assert f == pytest.approx(by_hand, rel=1e-12)
    assert hessian == pytest.approx(hessian.swapaxes(1, 2), rel=1e-12)
    for k in range(theta.shape[1]):
        step = np.zeros(theta.shape[1])
        step[k] = 1e-6
        ahead, behind = (model.derivatives(theta + s * step, data) for s in (1, -1))
        assert gradient[:, k] == pytest.approx((ahead[0] - behind[0]) / 2e-6, rel=1e-6, abs=1e-8)
        size = np.abs(hessian).max()
        assert hessian[:, k] == pytest.approx(
            (ahead[1] - behind[1]) / 2e-6, rel=1e-5, abs=1e-6 * size
        )


@pytest.mark.parametrize("name", ["chinchilla", "params-power", "tokens-power-floor"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_two_models_agree_on_a_sum_of_powers(name: str, objective: Objective, truths) -> None:
    law = get(name)
    theta, data = posed(law, objective, truths)
    exact, differenced = (
        model.derivatives(theta, data)
        for model in (Powers.of(law, data.logs), Smooth(law, data.logs))
    )
    for ours, theirs in zip(exact, differenced, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-7, abs=1e-7)


def test_a_curved_step_agrees_with_a_straight_one_to_first_order(truths) -> None:
    law = get("chinchilla")
    theta, data = posed(law, "log", truths)
    model = model_of(law, data.logs)
    step = np.random.default_rng(1).standard_normal(theta.shape)
    for size in (1e-3, 1e-4):
        assert np.abs(model.retract(theta, size * step) - theta - size * step).max() < 40 * size**2
