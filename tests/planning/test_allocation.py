"""The best split of a budget against a search, and its intervals against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar

from kleiber.errors import FitError, KleiberError, UsageError
from kleiber.fitting import Constraints, Fit, fit_points
from kleiber.laws import get
from kleiber.planning import allocate

JOINT = ("chinchilla", "chinchilla-outer", "kaplan")


def searched(made: Fit, flops: float) -> float:
    """Return the best params by a search over the loss of the fitted values."""

    def loss(log_params: float) -> float:
        n = np.exp(log_params)
        return float(made.law.loss(made.values, params=n, tokens=flops / 6 / n))

    middle = 0.5 * np.log(flops / 6)
    found = minimize_scalar(loss, bounds=(middle - 12, middle + 12), options={"xatol": 1e-11})
    return float(np.exp(found.x))


@pytest.mark.parametrize("flops", [1e19, 5.76e23, 1e27])
@pytest.mark.parametrize("name", JOINT)
def test_the_closed_form_is_the_minimum(name: str, flops: float, ladder: Any) -> None:
    made = fit_points(ladder(name, noise=0.002, side=5), get(name), objective="log")
    best = allocate(made, flops)
    assert best.params == pytest.approx(searched(made, flops), rel=1e-5)
    assert 6 * best.params * best.tokens == pytest.approx(flops, rel=1e-12)
    assert best.tokens_per_param == pytest.approx(best.tokens / best.params)
    assert best.loss == pytest.approx(
        float(made.law.loss(made.values, params=best.params, tokens=best.tokens)), rel=1e-10
    )
    further = allocate(made, flops * 1.001)
    slope = np.log(further.params / best.params) / np.log(1.001)
    assert best.exponent == pytest.approx(slope, rel=1e-8)


def test_chinchilla_s_exponent_and_its_delta_interval(ladder: Any) -> None:
    made = fit_points(ladder(seed=3, side=5), get("chinchilla"), objective="log")
    best = allocate(made, 1e23, level=0.8)
    alpha, beta = made.values["alpha"], made.values["beta"]
    assert best.exponent == pytest.approx(beta / (alpha + beta), rel=1e-12)
    # the same by differences, in raw coordinates: least squares of all runs, delta method
    names = made.law.names
    theta = made.law.natural(made.values)
    logs = made.law.logs(params=made.points.params, tokens=made.points.tokens)

    def slopes(f: Any) -> np.ndarray:
        steps = 1e-5 * np.eye(len(names))
        return np.array([(f(theta + s) - f(theta - s)) / 2e-5 for s in steps])

    jacobian = slopes(lambda t: made.law.gradient(t, logs)[0])
    model = made.noise**2 * np.linalg.inv(jacobian @ jacobian.T)
    gradient = slopes(lambda t: t[4] / (t[2] + t[4]))
    error = np.sqrt(gradient @ model @ gradient)
    half = stats.t.ppf(0.9, 20) * error
    box = best.intervals["exponent"]
    assert 0.5 * (box.lower + box.upper) == pytest.approx(best.exponent, rel=1e-9)
    assert 0.5 * (box.upper - box.lower) >= half * (1 - 1e-4)  # or the sandwich's, if larger
    assert 0.5 * (box.upper - box.lower) <= 2 * half


@pytest.mark.parametrize("method", ["delta", "bootstrap", "jackknife"])
@pytest.mark.parametrize("name", JOINT)
def test_intervals_hold_their_values_and_belong_together(
    name: str, method: str, ladder: Any
) -> None:
    made = fit_points(ladder(name, noise=0.003, side=5), get(name), bootstraps=60)
    best = allocate(made, "1e22", method=method)
    for key, box in best.intervals.items():
        assert box.lower < getattr(best, key) < box.upper, key
        assert (box.level, box.method) == (0.9, method)
    params, tokens = best.intervals["params"], best.intervals["tokens"]
    assert 6 * params.lower * tokens.upper == pytest.approx(1e22, rel=1e-9)
    assert 6 * params.upper * tokens.lower == pytest.approx(1e22, rel=1e-9)
    wider = allocate(made, 1e22, method=method, level=0.99)
    for key, box in best.intervals.items():
        assert wider.intervals[key].lower <= box.lower and box.upper <= wider.intervals[key].upper
    content = best.to_dict()
    assert content["params"] == best.params and content["interval_method"] == method
    assert content["intervals"]["params"] == {"lower": params.lower, "upper": params.upper}


def test_a_tie_fixes_the_exponent(ladder: Any) -> None:
    held = Constraints(tie=(("alpha", "beta"),))
    best = allocate(fit_points(ladder(), get("chinchilla"), constraints=held), 1e21)
    assert best.exponent == pytest.approx(0.5, rel=1e-12)
    box = best.intervals["exponent"]
    assert box.lower == pytest.approx(0.5, abs=1e-9) and box.upper == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("name", ["params-power", "tokens-power-floor"])
def test_a_law_of_one_variable_splits_nothing(name: str, ladder: Any) -> None:
    made = fit_points(ladder(name), get(name))
    with pytest.raises(UsageError, match="cannot be split") as error:
        allocate(made, 1e21)
    assert error.value.code == "usage" and "--law chinchilla" in error.value.remedy


@pytest.mark.parametrize("flops", [0, -1e20, float("nan"), float("inf"), "much", ""])
def test_budgets_that_are_none(flops: Any, ladder: Any) -> None:
    made = fit_points(ladder(), get("chinchilla"))
    with pytest.raises(KleiberError):
        allocate(made, flops)


def test_methods_and_levels_that_mean_nothing(ladder: Any) -> None:
    made = fit_points(ladder(), get("chinchilla"), bootstraps=0)
    with pytest.raises(UsageError, match="not built") as error:
        allocate(made, 1e21, method="profile")
    assert "delta, bootstrap or jackknife" in error.value.remedy
    with pytest.raises(UsageError, match="methods are"):
        allocate(made, 1e21, method="guess")
    with pytest.raises(UsageError, match="0 bootstraps"):
        allocate(made, 1e21, method="bootstrap")
    for level in (0.0, 1.0, 95):
        with pytest.raises(UsageError, match="between 0 and 1"):
            allocate(made, 1e21, level=level)


def test_an_exponent_at_zero_splits_nothing(ladder: Any, make_points: Any) -> None:
    points = ladder(seed=1)
    held = Constraints(fix={"alpha": 0.0, "A": 0.5})
    made = fit_points(points, get("chinchilla"), constraints=held)
    with pytest.raises(FitError, match="a budget cannot be split") as error:
        allocate(made, 1e21)
    assert error.value.code == "fit"


def test_few_runs_give_the_split_without_an_interval(make_points: Any) -> None:
    rng = np.random.default_rng(0)
    n = np.repeat(np.geomspace(1e7, 1e9, 3), 100)
    d = np.tile(np.geomspace(1e9, 1e11, 100), 3)
    drift = np.cumsum(0.0005 * rng.standard_normal((3, 100)), axis=1).ravel()
    loss = (1.8 + 430 / n**0.345 + 1900 / d**0.362) * np.exp(drift)
    made = fit_points(
        make_points(n, d, loss, run=np.repeat(np.arange(3), 100)), get("chinchilla"), bootstraps=9
    )
    assert made.spread.dof[0] < 1
    for method in ("delta", "bootstrap"):
        best = allocate(made, 1e21, method=method)
        assert np.isfinite(best.params)
        for box in best.intervals.values():
            assert np.isnan([box.lower, box.upper]).all()
    assert "unknown" in best.text()
    assert best.to_dict()["params"] == best.params
    three = allocate(made, 1e21)  # the jackknife over three runs is what is left
    assert three.intervals["params"].method == "jackknife"
