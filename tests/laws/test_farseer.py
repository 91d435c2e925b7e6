"""The Farseer law against its published formula, finite differences, and surfaces of its own."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares

from kleiber import Runs, fit, fit_points
from kleiber.fitting import engine
from kleiber.fitting.models import Smooth
from kleiber.fitting.problem import Data
from kleiber.fitting.space import Constraints
from kleiber.laws import get
from kleiber.laws.base import Array
from kleiber.runs.collections import load
from tests.conftest import points_from

# of the size of published ones: a floor near 2 nats, a data exponent that falls with size
VALUES = {
    "A3": 0.021, "gamma": 0.169, "b3": 1.2, "A2": 88.0, "beta": 0.1, "b2": -5.3,
    "A1": 0.124, "alpha": 0.123, "b1": 0.424,
}  # fmt: skip
DATA = Path(__file__).parents[3] / "shared" / "data"
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


def somewhere(seed: int = 3) -> tuple[Array, Array]:
    """Return centred logs (2, 12) and theta (4, 9) near the values above."""
    law, rng = get("farseer"), np.random.default_rng(seed)
    logs = np.log(np.stack([rng.choice(PARAMS, 12), rng.choice(TOKENS, 12)]))
    shift = law.shift(logs.mean(axis=1))
    theta = law.recentre(law.natural(VALUES), shift) + 0.05 * rng.normal(size=(4, 9))
    theta[:, 1::3] = np.abs(theta[:, 1::3])
    return logs - shift[:, None], theta


def test_the_curvature_is_the_difference_of_gradients() -> None:
    logs, theta = somewhere()
    data = Data(logs, np.full(12, 1.0), np.ones(12), np.inf, "log")
    model = Smooth(get("farseer"), logs)
    _, _, hessian = model.derivatives(theta, data)
    for k in range(9):
        step = np.eye(9)[k] * 1e-5
        ahead, behind = (model.derivatives(theta + s, data)[1] for s in (step, -step))
        column = (ahead - behind) / 2e-5
        assert hessian[:, k] == pytest.approx(column, rel=1e-6, abs=1e-7 * np.abs(hessian).max())


def test_a_bent_step_agrees_to_first_order_and_leaves_the_exponents() -> None:
    logs, theta = somewhere()
    model, loose = Smooth(get("farseer"), logs), np.ones(9, dtype=bool)
    step = np.random.default_rng(4).normal(size=theta.shape)
    off = [np.abs(model.bend(theta, theta + h * step, loose) - theta - h * step).max()
           for h in (1e-4, 1e-5)]  # fmt: skip
    assert off[1] < 0.02 * off[0]
    moved = theta + 0.01 * step
    assert np.array_equal(model.bend(theta, moved, loose)[:, 1::3], moved[:, 1::3])
    loose[[0, 5]] = False
    assert np.array_equal(model.bend(theta, moved, loose)[:, [0, 5]], moved[:, [0, 5]])


def by_scipy(x: Array, y: Array, seen: Array, tries: int = 8) -> float:
    """Return the least half sum of squares that scipy finds in levels, slopes and exponents."""
    rng, middle, level = np.random.default_rng(0), y.mean(), seen.mean()

    def misfit(u: Array) -> Array:
        l3, s3, g, l2, s2, b, l1, s1, a = u
        floor = l3 - s3 * np.expm1(g * x) / g
        falling = np.exp(np.minimum(l1 - s1 * np.expm1(a * x) / a, 5.0))
        data = l2 - s2 * np.expm1(-b * x) / -b - falling * y + np.exp(l1) * middle
        return np.logaddexp(floor, data) - seen

    lower, upper = [-20, 0, 0.01, -20, 0, 0.01, -6, 0, 0.01], [5, 3, 2, 5, 3, 2, 1, 3, 2]
    costs: list[float] = []
    for _ in range(tries):
        share, (p, q, r) = rng.uniform(0.3, 0.95), rng.uniform(0.02, 1.0, 3)
        start = [
            *(level + np.log(share), rng.uniform(0, 0.2), p),
            *(level + np.log1p(-share), rng.uniform(0, 1), q),
            *(np.log(rng.uniform(0.1, 0.6)), rng.uniform(0, 0.1), r),
        ]
        tight = {"xtol": 1e-13, "ftol": 1e-13, "gtol": 1e-13}
        found = least_squares(
            misfit, start, bounds=(lower, upper), x_scale="jac", max_nfev=300, **tight
        )
        costs.append(float(found.cost))
    return min(costs)


@pytest.mark.parametrize(
    ("name", "family", "bound"),
    [
        ("misfitting", "best", "A2"),
        ("open_athena_isoflop", "llama_3/llama_3/raw_loss", "alpha"),
        ("open_athena_isoflop", "marin_202603/dclm", "gamma"),
    ],
)
def test_real_surfaces_converge_no_higher_than_scipy(name: str, family: str, bound: str) -> None:
    if not DATA.exists():
        pytest.skip("the public data sets are not beside this project (../shared/data)")
    runs: Runs = load(name, family, folder=DATA)
    made = fit(runs, law="farseer", objective="log", bootstraps=0)
    assert made.status.code == "at-bound" and bound in made.at_bound
    assert made.certificate.agreeing >= 3
    x, y = np.log(made.points.params), np.log(made.points.tokens)
    least = by_scipy(x - x.mean(), y, np.log(made.points.loss))
    assert made.objective <= least * (1.0 + 1e-6)
    robust = fit(runs, law="farseer", bootstraps=0)
    assert robust.status.code == "at-bound" and robust.certificate.agreeing >= 3


def test_a_fixed_coefficient_still_converges() -> None:
    law = get("farseer")
    n, d = (
        axis.ravel() for axis in np.meshgrid(np.geomspace(5e7, 2e9, 8), np.geomspace(1e9, 2e11, 8))
    )
    rough = np.exp(0.003 * np.random.default_rng(5).normal(size=n.size))
    points = points_from(n, d, law.loss(VALUES, params=n, tokens=d) * rough)
    for fix in ({"A3": VALUES["A3"]}, {"gamma": VALUES["gamma"]}):
        held = Constraints(fix=fix)
        made = fit_points(points, law, objective="log", constraints=held, bootstraps=0)
        assert made.status.code in ("at-bound", "converged"), made.status.sentence
        assert made.values[next(iter(fix))] == pytest.approx(next(iter(fix.values())))


def test_a_limited_fit_stays_limited() -> None:
    n, d = (
        axis.ravel() for axis in np.meshgrid(np.geomspace(5e7, 2e9, 5), np.geomspace(1e9, 2e11, 5))
    )
    law = get("farseer")
    points = points_from(n, d, law.loss(VALUES, params=n, tokens=d))
    asked: list[int | None] = []
    whole = engine.auto_delta
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            engine,
            "auto_delta",
            lambda problem, rows=1, steps=None: asked.append(steps) or whole(problem, rows, steps),
        )
        fit_points(points, law, steps=2, starts=1, bootstraps=0)
    assert asked == [2]
