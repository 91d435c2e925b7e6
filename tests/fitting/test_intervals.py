"""Intervals against textbook formulas and slow loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from kleiber.fitting import Constraints, Fit, fit_points
from kleiber.fitting.covariance import covariance
from kleiber.laws import get
from kleiber.runs.points import Points

LEVEL = 0.9


@pytest.fixture(scope="module")
def line(make_points: Any) -> Points:
    """Return 14 runs of a one-term power law with log-normal noise: a straight line in logs."""
    rng = np.random.default_rng(12)
    n = np.exp(np.sort(rng.uniform(np.log(1e7), np.log(1e10), 14)))
    return make_points(n, 1e9, 12.0 / n**0.08 * np.exp(0.03 * rng.standard_normal(14)))


def regression(points: Points) -> dict[str, Any]:
    """Return ordinary least squares of log-loss on log-params, by the textbook."""
    design = np.stack([np.ones(len(points)), -np.log(points.params)], axis=1)
    y = np.log(points.loss)
    beta, *_ = np.linalg.lstsq(design, y, rcond=None)
    r = y - design @ beta
    dof = len(y) - 2
    bread = np.linalg.inv(design.T @ design)
    meat = (design.T * r**2) @ design
    return {
        "beta": beta,
        "scale": np.sqrt(r @ r / dof),
        "t": stats.t.ppf(0.5 + LEVEL / 2, dof),
        "bread": bread,
        "sandwich": bread @ meat @ bread,
    }


def test_the_model_s_covariance_is_the_textbook_s(line: Points) -> None:
    made, book = fit_points(line, get("params-power"), objective="log"), regression(line)
    assert np.log(made.values["A"]) == pytest.approx(book["beta"][0], rel=1e-8)
    assert made.values["alpha"] == pytest.approx(book["beta"][1], rel=1e-8)
    assert made.noise == pytest.approx(book["scale"], rel=1e-8)
    both = covariance(made.problem, made.solved, made.spread)
    shift = made.problem.shift[0]
    back = np.array([[1.0, shift], [0.0, 1.0]])  # log A = log A at the centre + alpha shift
    expected = book["scale"] ** 2 * book["bread"]
    assert back @ both.model[0] @ back.T == pytest.approx(expected, rel=1e-7)
    assert back @ both.sandwich[0] @ back.T == pytest.approx(book["sandwich"], rel=1e-7)


@pytest.mark.parametrize("target", [3e8, 1e12])
def test_prediction_intervals_of_a_straight_line(line: Points, target: float) -> None:
    made, book = fit_points(line, get("params-power"), objective="log"), regression(line)
    x = np.array([1.0, -np.log(target)])
    centre = float(x @ book["beta"])
    by_model = float(x @ book["bread"] @ x) * book["scale"] ** 2
    curve = max(by_model, float(x @ book["sandwich"] @ x))
    for variance, method, tolerance in ((curve, "delta", 1e-7), (by_model, "profile", 2e-3)):
        half = book["t"] * np.sqrt(variance + book["scale"] ** 2)
        mean = book["t"] * np.sqrt(variance)
        found = made.predict(target, level=LEVEL, method=method)
        assert np.log(found.value) == pytest.approx(centre, rel=1e-8)
        for bound, sign in ((found.lower, -1), (found.upper, 1)):
            assert sign * (np.log(bound) - centre) == pytest.approx(half, rel=tolerance)
        for bound, sign in ((found.mean_lower, -1), (found.mean_upper, 1)):
            assert sign * (np.log(bound) - centre) == pytest.approx(mean, rel=tolerance)


def test_parameter_intervals_of_a_straight_line(line: Points) -> None:
    made, book = fit_points(line, get("params-power"), objective="log"), regression(line)
    for k, name in enumerate(("A", "alpha")):
        model = book["scale"] * np.sqrt(book["bread"][k, k])
        error = max(model, np.sqrt(book["sandwich"][k, k]))
        for size, method, tolerance in ((error, "delta", 1e-7), (model, "profile", 2e-3)):
            box = made.interval(name, LEVEL, method)
            ends = np.array([box.lower, box.upper])
            ends = np.log(ends) if name == "A" else ends
            assert ends - book["beta"][k] == pytest.approx(
                book["t"] * size * np.array([-1, 1]), rel=tolerance
            )


def refit(points: Points, index: Any, like: Fit, make_points: Any) -> Fit:
    """Fit the chosen rows, each a run of its own, as another fit was made."""
    chosen = make_points(points.params[index], points.tokens[index], points.loss[index])
    delta = {"delta": like.delta} if like.delta else {}
    return fit_points(
        chosen, like.law, objective=like.objective_name, constraints=like.constraints, **delta
    )


@pytest.mark.parametrize("objective", ["log", "huber", "raw"])
def test_the_jackknife_is_a_slow_loop(objective: str, ladder: Any, make_points: Any) -> None:
    points = ladder(seed=9)
    delta = {"delta": 0.01} if objective == "huber" else {}
    made = fit_points(points, get("chinchilla"), objective=objective, **delta)
    everyone = np.arange(16)
    left_out = [refit(points, everyone[everyone != i], made, make_points) for i in everyone]
    raw = objective == "raw"
    scale = (lambda x: x) if raw else np.log
    draws = scale(np.array([f.predict(1e10, 1e12).value for f in left_out]))
    variance = 15 / 16 * np.sum((draws - draws.mean()) ** 2)
    t = stats.t.ppf(0.95, 15)
    found = made.predict(1e10, 1e12, method="jackknife")
    centre = scale(found.value)
    for half, ends in (
        (t * np.sqrt(variance), (found.mean_lower, found.mean_upper)),
        (t * np.sqrt(variance + made.noise**2), (found.lower, found.upper)),
    ):
        assert scale(np.array(ends)) == pytest.approx([centre - half, centre + half], rel=1e-6)
    exponents = np.array([f.values["alpha"] for f in left_out])
    error = np.sqrt(15 / 16 * np.sum((exponents - exponents.mean()) ** 2))
    box = made.interval("alpha", method="jackknife")
    assert 0.5 * (box.upper - box.lower) == pytest.approx(t * error, rel=1e-5)


def test_the_bootstrap_is_a_slow_loop(ladder: Any, make_points: Any) -> None:
    points = ladder(seed=10, side=5)
    made = fit_points(points, get("chinchilla"), delta=0.01, bootstraps=25, seed=6)
    counts = np.random.default_rng(6).multinomial(25, np.full(25, 1 / 25), size=25)
    refits = [refit(points, np.repeat(np.arange(25), row), made, make_points) for row in counts]
    draws = np.array([f.predict(1e10, 1e12).value for f in refits])
    found = made.predict(1e10, 1e12, method="bootstrap")
    expected = np.exp(np.quantile(np.log(draws), [0.05, 0.95]))
    assert [found.mean_lower, found.mean_upper] == pytest.approx(list(expected), rel=1e-6)
    assert found.lower < found.mean_lower and found.upper > found.mean_upper
    values = np.array([f.values["beta"] for f in refits])
    box = made.interval("beta", method="bootstrap")
    assert [box.lower, box.upper] == pytest.approx(
        list(np.quantile(values, [0.05, 0.95])), rel=1e-5
    )


@pytest.mark.parametrize("method", ["delta", "profile", "jackknife", "bootstrap"])
def test_fixed_and_tied_parameters(method: str, ladder: Any) -> None:
    held = Constraints(fix={"E": 1.8}, tie=(("alpha", "beta"),))
    made = fit_points(ladder(seed=4), get("chinchilla"), constraints=held, bootstraps=60)
    boxes = made.intervals(method=method)
    assert boxes["E"].lower == pytest.approx(1.8) and boxes["E"].upper == pytest.approx(1.8)
    assert boxes["alpha"].lower == pytest.approx(boxes["beta"].lower, rel=2e-3)
    assert boxes["alpha"].upper == pytest.approx(boxes["beta"].upper, rel=2e-3)
    for name in ("A", "alpha", "B", "beta"):
        assert boxes[name].lower < made.values[name] < boxes[name].upper
        assert made.interval(name, method=method) == boxes[name]


@pytest.mark.parametrize("method", ["delta", "profile", "jackknife", "bootstrap"])
def test_a_wider_level_is_a_wider_interval(method: str, ladder: Any) -> None:
    made = fit_points(ladder(seed=4), get("chinchilla"), bootstraps=200)
    boxes = [made.interval("alpha", level, method) for level in (0.5, 0.8, 0.95)]
    runs = [made.predict("10B", "1T", level=level, method=method) for level in (0.5, 0.8, 0.95)]
    for wide, narrow in zip(boxes[1:], boxes, strict=False):
        assert wide.lower < narrow.lower < narrow.upper < wide.upper
    for wide, narrow in zip(runs[1:], runs, strict=False):
        assert wide.lower < narrow.lower < narrow.value < narrow.upper < wide.upper
        assert wide.mean_lower < narrow.mean_lower < narrow.mean_upper < wide.mean_upper
    for one in runs:
        assert one.lower < one.mean_lower and one.mean_upper < one.upper


def test_the_profile_s_ends_have_the_deviance_of_an_f_test(ladder: Any) -> None:
    """Refit with a parameter held at its profile bound: the objective has risen by t squared."""
    made = fit_points(ladder(seed=4), get("chinchilla"), objective="log")
    t = stats.t.ppf(0.95, 11)
    for name, box in made.intervals(method="profile").items():
        for end in (box.lower, box.upper):
            held = fit_points(
                made.points,
                made.law,
                objective="log",
                constraints=Constraints(fix={name: end}),
            )
            deviance = 2 * (held.objective - made.objective) / made.noise**2
            assert np.sqrt(deviance) == pytest.approx(t, rel=2e-3)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 90.0, float("nan")])
def test_a_level_that_means_nothing(level: float, ladder: Any) -> None:
    from kleiber.errors import UsageError

    made = fit_points(ladder(), get("chinchilla"))
    for ask in (made.intervals, lambda x: made.predict(1e9, 1e10, level=x)):
        with pytest.raises(UsageError, match="must lie between 0 and 1") as error:
            ask(level)
        assert "--level 0.9" in error.value.remedy
