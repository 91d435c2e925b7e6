"""The broken law against its formula, finite differences, and data that break."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber import fit_points
from kleiber.errors import UsageError
from kleiber.laws import get
from kleiber.laws.broken import broken
from tests.conftest import points_from

ONE = {"E": 1.8, "B": 40.0, "c0": 0.12, "c1": 0.25, "d1": 3e9, "f1": 0.4}
TWO = {**ONE, "c2": -0.3, "d2": 9e10, "f2": 1.3}
TOKENS = np.array([1e6, 2e8, 3e9, 4e10, 7e12])


def written(v: dict[str, float], x: float, breaks: int) -> float:
    """Return the loss by the formula as it is written, in plain Python floats."""
    product = 1.0
    for i in range(1, breaks + 1):
        inner = 1.0 + (x / v[f"d{i}"]) ** (1.0 / v[f"f{i}"])
        product *= inner ** (-v[f"c{i}"] * v[f"f{i}"])
    return v["E"] + v["B"] * x ** -v["c0"] * product


@pytest.mark.parametrize(("breaks", "values"), [(1, ONE), (2, TWO)])
def test_the_law_is_its_formula_and_its_gradient_the_difference(
    breaks: int, values: dict[str, float]
) -> None:
    law = broken(breaks, "tokens")
    expected = [written(values, float(x), breaks) for x in TOKENS]
    assert law.loss(values, tokens=TOKENS) == pytest.approx(expected, rel=1e-12)
    assert tuple(values) == law.names
    theta, logs = law.natural(values), np.log(TOKENS)[None]
    rng = np.random.default_rng(2)
    many = theta + 0.02 * rng.random((5, len(theta)))
    _, slope = law.gradient(many, logs)
    for k in range(len(theta)):
        step = np.eye(len(theta))[k] * 1e-6
        ahead, behind = law.gradient(many + step, logs)[0], law.gradient(many - step, logs)[0]
        assert slope[:, k] == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-8)
    shift = logs.mean(axis=1)
    moved = law.recentre(theta, shift)
    assert law.gradient(moved, logs - shift)[0] == pytest.approx(law.gradient(theta, logs)[0])
    assert law.recentre(moved, -shift) == pytest.approx(theta, abs=1e-12)


def test_far_from_the_break_the_slopes_are_those_named() -> None:
    law = broken(1, "params")
    values = {**ONE, "E": 0.0}

    def slope(at: float) -> float:
        low, high = law.loss(values, params=np.array([at, at * np.e]))
        return float(np.log(low / high))

    assert slope(1e2) == pytest.approx(0.12, abs=1e-6)
    assert slope(1e16) == pytest.approx(0.37, abs=1e-6)


@pytest.mark.parametrize("predictor", ["tokens", "params"])
def test_a_break_in_data_is_found_again(predictor: str) -> None:
    law = get(f"{predictor}-broken")
    x = np.geomspace(1e7, 1e12, 40)
    truth = {"E": 1.9, "B": 60.0, "c0": 0.15, "c1": 0.35, "d1": 2e9, "f1": 0.5}
    other = {"params": 1e8} if predictor == "tokens" else {"tokens": 1e9}
    points = points_from(**{predictor: x, **other}, loss=law.loss(truth, **{predictor: x}))
    made = fit_points(points, law, bootstraps=0)
    assert made.objective < 1e-9
    assert made.values["d1"] == pytest.approx(2e9, rel=0.1)
    assert made.values["c1"] == pytest.approx(0.35, rel=0.1)
    plain = fit_points(points, get(f"{predictor}-power-floor"), bootstraps=0)
    assert np.abs(made.residuals).max() < 0.1 * np.abs(plain.residuals).max()


def test_two_breaks_are_found_again() -> None:
    law = broken(2, "tokens")
    x = np.geomspace(1e6, 1e14, 60)
    truth = {
        "E": 1.5, "B": 60.0, "c0": 0.1, "c1": 0.3, "d1": 1e9, "f1": 0.3,
        "c2": -0.25, "d2": 1e12, "f2": 0.3,
    }  # fmt: skip
    points = points_from(params=1e8, tokens=x, loss=law.loss(truth, tokens=x))
    made = fit_points(points, law, bootstraps=0)
    assert np.abs(made.residuals).max() < 2e-3


def test_no_break_and_too_many_are_refused() -> None:
    for wrong in (0, 5):
        with pytest.raises(UsageError, match=f"{wrong} breaks was asked for"):
            broken(wrong, "tokens")
