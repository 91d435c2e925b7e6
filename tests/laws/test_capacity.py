"""The capacity law against its formula, its limits, finite differences and the engine."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.errors import UsageError
from kleiber.fitting import Constraints, fit_points, load
from kleiber.laws import CAPACITY, LAWS, get
from kleiber.runs import Points

VALUES = {"plateau": 2.1, "share": 0.985, "sharpness": 5.0}
DEMAND = np.geomspace(0.2, 6.0, 15)


def written(demand: np.ndarray, v: dict[str, float]) -> np.ndarray:
    s = v["sharpness"]
    return ((v["share"] * demand) ** -s + v["plateau"] ** -s) ** (-1 / s)


def points(bits: np.ndarray, demand: np.ndarray) -> Points:
    n = len(bits)
    return Points(
        run=np.arange(n),
        names=tuple(f"cell-{i}" for i in range(n)),
        params=1e6 / demand,
        tokens=demand,
        loss=bits,
        weight=np.ones(n),
        final=np.ones(n, dtype=bool),
    )


def test_it_is_its_formula_and_found_by_name_but_no_law_of_a_loss() -> None:
    assert CAPACITY.loss(VALUES, tokens=DEMAND) == pytest.approx(written(DEMAND, VALUES), rel=1e-13)
    assert get("capacity") is CAPACITY
    assert CAPACITY not in LAWS


def test_it_has_two_limits_and_stays_below_both() -> None:
    far = CAPACITY.loss(VALUES, tokens=np.array([1e-6, 1e6]))
    assert far == pytest.approx([0.985e-6, 2.1], rel=1e-12)
    bits = CAPACITY.loss(VALUES, tokens=DEMAND)
    assert np.all(bits < np.minimum(0.985 * DEMAND, 2.1))
    assert np.all(np.diff(bits) > 0)
    corner = float(CAPACITY.loss(VALUES, tokens=2.1 / 0.985))
    assert corner == pytest.approx(2.1 / 2 ** (1 / 5.0), rel=1e-12)


@pytest.mark.parametrize("sharpness", [0.5, 3.0, 40.0])
def test_the_gradient_is_the_difference_of_values(sharpness: float) -> None:
    logs = np.log(DEMAND)[None]
    theta = CAPACITY.natural({**VALUES, "sharpness": sharpness})
    _, gradient = CAPACITY.gradient(theta, logs)
    for k in range(3):
        step = np.zeros(3)
        step[k] = 1e-6
        ahead = CAPACITY.gradient(theta + step, logs)[0]
        behind = CAPACITY.gradient(theta - step, logs)[0]
        assert gradient[k] == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-9)


def test_recentring_keeps_the_curve_and_can_be_undone() -> None:
    theta, logs, shift = CAPACITY.natural(VALUES), np.log(DEMAND)[None], np.array([0.7])
    moved = CAPACITY.recentre(theta, shift)
    before = CAPACITY.gradient(theta, logs)[0]
    assert CAPACITY.gradient(moved, logs - shift[:, None])[0] == pytest.approx(before, abs=1e-13)
    assert CAPACITY.recentre(moved, -shift) == pytest.approx(theta, abs=1e-13)
    assert np.all(np.isfinite(CAPACITY.loss(VALUES, tokens=np.array([1e-30, 1e30]))))


@pytest.mark.parametrize("truth", [VALUES, {"plateau": 1.1, "share": 0.96, "sharpness": 2.5}])
def test_the_engine_recovers_it_without_noise(truth: dict[str, float]) -> None:
    found = fit_points(points(written(DEMAND, truth), DEMAND), CAPACITY)
    assert found.status.ok
    assert dict(found.values) == pytest.approx(truth, rel=1e-6)
    assert found.certificate.agreeing == found.certificate.starts


@pytest.mark.parametrize("method", ["delta", "profile", "bootstrap", "jackknife"])
def test_every_interval_covers_the_plateau_under_noise(method: str) -> None:
    hits = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        bits = written(DEMAND, VALUES) * np.exp(0.02 * rng.standard_normal(len(DEMAND)))
        made = fit_points(
            points(bits, DEMAND),
            CAPACITY,
            constraints=Constraints(bounds={"share": (0.5, 1.0)}),
            bootstraps=200,
        )
        box = made.interval("plateau", 0.9, method)
        assert 1.8 < box.lower < box.upper < 2.6
        hits += box.lower <= VALUES["plateau"] <= box.upper
    assert hits >= 14


def test_a_fit_of_it_is_said_in_its_own_words_and_can_be_saved(tmp_path) -> None:
    rng = np.random.default_rng(1)
    bits = written(DEMAND, VALUES) * np.exp(0.01 * rng.standard_normal(len(DEMAND)))
    made = fit_points(points(bits, DEMAND), CAPACITY, constraints=Constraints(fix={"share": 1.0}))
    assert "demand 0.2 to 6" in made.summary() and "tokens" not in made.summary()
    again = load(made.save(tmp_path / "fit.json"))
    assert again.values == made.values and again.law is CAPACITY
    with pytest.raises(UsageError, match="reads demand"):
        made.predict()
