"""The Farseer law against its published formula, finite differences, and surfaces of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kleiber import fit_points
from kleiber.laws import get
from tests.conftest import points_from

# of the size of published ones: a floor near 2 nats, a data exponent that falls with size
VALUES = {
    "A3": 0.021, "gamma": 0.169, "b3": 1.2, "A2": 88.0, "beta": 0.1, "b2": -5.3,
    "A1": 0.124, "alpha": 0.123, "b1": 0.424,
}  # fmt: skip
PARAMS = np.array([1e7, 2e8, 3e9, 7e10])
TOKENS = np.array([2e9, 1e11, 5e10, 1.4e12])


def published_form(v: dict[str, float], n: float, d: float) -> float:
    """Return the loss by eq. 3 as it is published, with its own signs."""
    a3, a2, a1, power2 = -v["A3"], v["A2"], -v["A1"], -v["beta"]
    falling = math.exp(a1 * n ** v["alpha"] + v["b1"])
    floor = math.exp(a3 * n ** v["gamma"] + v["b3"])
    return floor + math.exp(a2 * n**power2 + v["b2"]) * d**-falling


def test_the_law_is_the_published_form() -> None:
    law = get("farseer")
    assert tuple(VALUES) == law.names
    expected = [published_form(VALUES, n, d) for n, d in zip(PARAMS, TOKENS, strict=True)]
    assert law.loss(VALUES, params=PARAMS, tokens=TOKENS) == pytest.approx(expected, rel=1e-12)


def test_the_gradient_is_the_difference_of_values() -> None:
    law = get("farseer")
    logs = np.log(np.stack([PARAMS, TOKENS]))
    theta = law.natural(VALUES) + 0.01 * np.random.default_rng(1).random((5, 9))
    _, slope = law.gradient(theta, logs)
    for k in range(9):
        step = np.eye(9)[k] * 1e-6
        ahead, behind = law.gradient(theta + step, logs)[0], law.gradient(theta - step, logs)[0]
        assert slope[:, k] == pytest.approx((ahead - behind) / 2e-6, rel=1e-5, abs=1e-7)


def test_recentring_keeps_the_surface_and_leaves_tokens_alone() -> None:
    law = get("farseer")
    logs = np.log(np.stack([PARAMS, TOKENS]))
    theta, shift = law.natural(VALUES), law.shift(logs.mean(axis=1))
    assert shift[1] == 0.0 and shift[0] > 0.0
    moved = law.recentre(theta, shift)
    near = law.gradient(moved, logs - shift[:, None])[0]
    assert near == pytest.approx(law.gradient(theta, logs)[0], abs=1e-12)
    assert law.recentre(moved, -shift) == pytest.approx(theta, abs=1e-12)


def test_a_surface_of_its_own_is_fitted_and_extrapolated() -> None:
    law = get("farseer")
    n, d = (
        axis.ravel() for axis in np.meshgrid(np.geomspace(5e7, 2e9, 8), np.geomspace(1e9, 2e11, 8))
    )
    points = points_from(n, d, law.loss(VALUES, params=n, tokens=d))
    made = fit_points(points, law, bootstraps=0)
    assert np.abs(made.residuals).max() < 1e-4
    truth = float(law.loss(VALUES, params=2e10, tokens=2e12))
    assert float(law.loss(made.values, params=2e10, tokens=2e12)) == pytest.approx(truth, rel=5e-3)
    plain = fit_points(points, get("chinchilla"), bootstraps=0)
    assert np.abs(made.residuals).max() < 0.05 * np.abs(plain.residuals).max()


def test_far_from_the_data_it_neither_overflows_nor_vanishes() -> None:
    far = np.array([1.0, 1e30])
    loss = get("farseer").loss(VALUES, params=far, tokens=far)
    assert np.all(np.isfinite(loss) & (loss > 0))
