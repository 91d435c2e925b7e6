"""Curves fitted: known values come back, the objective is Huber's, bad curves are refused."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.errors import FitError, UsageError, ValuesError
from kleiber.fitting.curves import Curve, fit_curves
from kleiber.laws.schedule import MULTI_POWER
from kleiber.laws.schedules import constant, cosine, two_stage, warmup_stable_decay

PEAK = {"peak": 3e-4, "warmup": 500}
TRUE = {
    "L0": 2.65, "A": 0.6, "alpha": 0.45, "B": 440.0, "C": 2.1, "beta": 0.6, "gamma": 0.65,
}  # fmt: skip
FITTED = (
    cosine(6000, end=3e-5, **PEAK),
    constant(6000, **PEAK),
    two_stage(4000, second=9e-5, change_at=2000, **PEAK),
)
UNSEEN = warmup_stable_decay(8000, end=3e-5, decay_from=6500, **PEAK)


def curve(schedule, noise: float = 0.0, seed: int = 0) -> Curve:
    steps = np.arange(500, len(schedule), 64)
    loss = MULTI_POWER.loss(TRUE, schedule, steps)
    rng = np.random.default_rng(seed)
    return Curve(schedule, steps, loss * np.exp(noise * rng.normal(size=len(steps))))


def test_known_values_come_back_without_the_prior() -> None:
    found = fit_curves([curve(one) for one in FITTED], prior_weight=0.0)
    assert found.status.code == "converged"
    assert dict(found.values) == pytest.approx(TRUE, rel=2e-2)
    assert found.errors(curve(UNSEEN)).worst < 1e-4
    assert found.objective < 1e-9


def test_noise_and_the_prior_leave_an_unseen_schedule_predicted() -> None:
    found = fit_curves([curve(one, 5e-4, seed) for seed, one in enumerate(FITTED)])
    error = found.errors(curve(UNSEEN))
    assert error.mean_absolute < 2e-3
    assert error.schedule == "wsd" and error.readings == len(curve(UNSEEN).loss)
    assert error.worst >= error.mean_absolute >= abs(error.bias)


def test_the_objective_is_the_sum_of_huber_losses_and_no_neighbour_is_lower() -> None:
    curves = [curve(one, 2e-3, seed) for seed, one in enumerate(FITTED)]
    found = fit_curves(curves, delta=1e-3)

    def by_hand(theta: np.ndarray) -> float:
        values, total = MULTI_POWER.values(theta), 0.0
        for one in curves:
            r = np.abs(np.log(MULTI_POWER.loss(values, one.schedule, one.steps) / one.loss))
            total += np.where(r <= 1e-3, 0.5 * r * r, 1e-3 * (r - 5e-4)).sum()
        for name, (centre, spread) in MULTI_POWER.prior.items():
            place = MULTI_POWER.names.index(name)
            total += 0.5 * found.prior_weight * ((theta[place] - centre) / spread) ** 2
        return total

    best = MULTI_POWER.natural(found.values)
    assert by_hand(best) == pytest.approx(found.objective, rel=1e-9)
    for direction in np.eye(len(best)):
        for step in (-1e-3, 1e-3):
            assert by_hand(best + step * direction) > found.objective


def test_bad_curves_are_refused() -> None:
    steps = np.array([600, 700])
    with pytest.raises(FitError, match="2 readings cannot carry the 7"):
        fit_curves([Curve(FITTED[0], steps, np.array([3.0, 2.9]))])
    with pytest.raises(ValuesError, match="2 steps and 1 losses"):
        Curve(FITTED[0], steps, np.array([3.0]))
    with pytest.raises(ValuesError, match="not positive"):
        Curve(FITTED[0], steps, np.array([3.0, np.nan]))
    for wrong in ({"delta": 0.0}, {"prior_weight": -1.0}):
        with pytest.raises(UsageError, match="it must be"):
            fit_curves([curve(FITTED[0])], **wrong)
