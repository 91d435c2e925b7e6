"""Tables that are legal and awkward: a fit says what it could not know, and claims no more."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kleiber.fitting import Constraints, Fit, fit_points
from kleiber.fitting.bootstrap import bootstrap
from kleiber.laws import get

CHINCHILLA = get("chinchilla")
METHODS = ("delta", "profile", "jackknife", "bootstrap")


def every_interval(made: Fit) -> list[tuple[str, float, float, float]]:
    """Return (method and name, lower, value, upper) of every interval of a fit."""
    found = []
    for method in METHODS:
        for name, box in made.intervals(method=method).items():
            found.append((f"{method} {name}", box.lower, made.values[name], box.upper))
        one = made.predict(1e10, 1e12, method=method)
        found.append((f"{method} run", one.lower, one.value, one.upper))
        found.append((f"{method} curve", one.mean_lower, one.value, one.mean_upper))
    return found


def test_a_loss_that_never_changes(ladder: Any, make_points: Any) -> None:
    points = ladder()
    made = fit_points(make_points(points.params, points.tokens, np.full(16, 3.0)), CHINCHILLA)
    assert made.status.code == "at-bound" and made.objective < 1e-20
    assert made.predict(1e10, 1e12).value == pytest.approx(3.0, rel=1e-9)
    for name in made.at_bound:
        assert math.isnan(made.interval(name).lower)


def test_one_diverged_run(ladder: Any, make_points: Any) -> None:
    points = ladder(seed=1, side=5)
    loss = points.loss.copy()
    loss[7] = 11.0
    spoilt = make_points(points.params, points.tokens, loss)
    robust, fragile = (
        fit_points(spoilt, CHINCHILLA, objective=objective) for objective in ("huber", "log")
    )
    clean = fit_points(points, CHINCHILLA)
    assert robust.status.code == "converged"
    assert robust.values["E"] == pytest.approx(clean.values["E"], abs=0.06)
    assert robust.noise < 3 * clean.noise < 0.2 * fragile.noise
    truth = 1.8 + 430 / 1e10**0.345 + 1900 / 1e12**0.362
    one = robust.predict(1e10, 1e12)
    assert one.lower < truth < one.upper


def test_one_ratio_of_tokens_to_params(make_points: Any) -> None:
    n = np.repeat(np.geomspace(1e7, 1e9, 4), 4)
    loss = 1.8 + 430 / n**0.345 + 1900 / (20 * n) ** 0.362
    noisy = loss * np.exp(0.01 * np.random.default_rng(0).standard_normal(16))
    made = fit_points(make_points(n, 20 * n, noisy), CHINCHILLA)
    assert made.status.code in ("flat", "at-bound") and made.certificate.condition > 1e12
    for name in made.at_bound:
        assert math.isnan(made.interval(name).lower)
    assert "000 %" not in made.summary(method="profile").replace("> 1,000 %", "")
    if not made.at_bound:
        box = made.interval("alpha")
        assert box.upper - box.lower > 1.0
    for name in ("alpha", "beta", "A", "B"):
        wide = made.interval(name, method="profile")
        assert wide.upper - wide.lower > 0.5


def test_two_sizes_do_not_give_an_exponent(ladder: Any, make_points: Any) -> None:
    n = np.repeat([1e8, 1e9], 8)
    d = np.tile(np.geomspace(1e9, 1e11, 8), 2)
    loss = 1.8 + 430 / n**0.345 + 1900 / d**0.362
    noisy = loss * np.exp(0.005 * np.random.default_rng(3).standard_normal(16))
    made = fit_points(make_points(n, d, noisy), CHINCHILLA)
    assert not made.status.ok
    box = made.interval("alpha")
    assert math.isnan(box.lower) or box.upper - box.lower > 2.0
    assert made.interval("alpha", method="profile").upper > 2.0


def test_billions_and_trillions(ladder: Any, make_points: Any) -> None:
    points = ladder(side=5)
    made = fit_points(
        make_points(points.params / 1e9, points.tokens / 1e12, points.loss), CHINCHILLA
    )
    raw = fit_points(points, CHINCHILLA)
    assert made.objective == pytest.approx(raw.objective, rel=1e-7)
    for key, unit, exponent in (("A", 1e9, "alpha"), ("B", 1e12, "beta")):
        assert made.values[key] * unit ** raw.values[exponent] == pytest.approx(
            raw.values[key], rel=1e-4
        )
    assert made.predict(10, 1).value == pytest.approx(raw.predict(1e10, 1e12).value, rel=1e-7)


def test_no_floor_to_be_seen(ladder: Any, truths: Any) -> None:
    made = fit_points(
        ladder(side=5, truth={**truths["chinchilla"], "E": 0.0}, seed=4), CHINCHILLA, bootstraps=40
    )
    if "E" in made.at_bound:
        assert made.status.code == "at-bound" and "E" in made.status.sentence
        assert made.values["E"] < 1e-6
        assert math.isnan(made.interval("E").lower)
    box = made.interval("E", method="profile")
    assert box.lower < 1e-3 and 1e-4 < box.upper < 0.2
    for which, low, value, high in every_interval(made):
        assert not low > value and not high < value, which


def test_a_parameter_on_the_user_s_bound(ladder: Any) -> None:
    held = Constraints(bounds={"A": (1.0, 150.0), "alpha": (0.2, 0.5)})
    made = fit_points(ladder(seed=1), CHINCHILLA, constraints=held, bootstraps=40)
    assert made.at_bound == ("A",) and made.values["A"] == pytest.approx(150.0)
    assert math.isnan(made.interval("A").lower)
    assert made.to_dict()["intervals"]["A"] == {"lower": None, "upper": None}
    box = made.interval("A", method="profile")
    assert 1.0 <= box.lower < 150.0 and box.upper == pytest.approx(150.0)
    for name, (low, high) in held.bounds.items():
        for method in METHODS:
            box = made.interval(name, method=method)
            ends = np.array([box.lower, box.upper])
            assert not np.any(ends < low * (1 - 1e-9)) and not np.any(ends > high * (1 + 1e-9))
    refits = bootstrap(made.problem, 40, 0)
    drawn = np.exp(made.problem.raw_theta(refits.phi)[:, 1])
    assert drawn.max() <= 150.0 * (1 + 1e-9)
    assert "at a bound" in made.summary()


def test_five_thousand_points_of_forty_runs(make_points: Any) -> None:
    rng = np.random.default_rng(2)
    n = np.repeat(np.geomspace(1e7, 1e9, 40), 125)
    d = np.tile(np.geomspace(1e9, 1e11, 125), 40)
    run = np.repeat(np.arange(40), 125)
    whole = 0.01 * rng.standard_normal(40)[run]  # what lifts or sinks a whole run
    noise = np.exp(whole + 0.001 * rng.standard_normal(5000))
    points = make_points(n, d, (1.8 + 430 / n**0.345 + 1900 / d**0.362) * noise, run=run)
    made = fit_points(points, CHINCHILLA, bootstraps=100)
    assert made.status.code == "converged" and made.n_runs == 40
    truth = 1.8 + 430 / 1e10**0.345 + 1900 / 1e12**0.362
    for method in ("delta", "bootstrap", "jackknife"):
        one = made.predict(1e10, 1e12, method=method)
        assert one.lower < truth < one.upper
        assert one.upper - one.lower > 2 * 1.64 * 0.005 * truth  # runs, not checkpoints, count
    assert made.noise == pytest.approx(0.01, rel=0.5)


def test_fewer_runs_than_parameters(make_points: Any) -> None:
    rng = np.random.default_rng(0)
    n = np.repeat(np.geomspace(1e7, 1e9, 3), 100)
    d = np.tile(np.geomspace(1e9, 1e11, 100), 3)
    run = np.repeat(np.arange(3), 100)
    whole = 0.01 * rng.standard_normal(3)[run]
    drift = np.cumsum(0.0005 * rng.standard_normal((3, 100)), axis=1).ravel()
    loss = (1.8 + 430 / n**0.345 + 1900 / d**0.362) * np.exp(whole + drift)
    made = fit_points(make_points(n, d, loss, run=run), CHINCHILLA, bootstraps=20)
    assert made.spread.dof[0] < 1
    assert math.isnan(made.noise)
    for method in ("delta", "profile", "bootstrap"):
        one = made.predict(1e10, 1e12, method=method)
        assert np.isnan([one.lower, one.upper, one.mean_lower, one.mean_upper]).all()
        assert all(math.isnan(b.lower) for b in made.intervals(method=method).values())
    one = made.predict(1e10, 1e12)  # what is left is the jackknife over the three runs
    assert one.method == "jackknife" and one.lower < one.value < one.upper
    assert "unknown" in made.summary()
    assert made.to_dict(method="delta")["intervals"]["E"] == {"lower": None, "upper": None}
    assert made.to_dict()["noise"] is None


def test_two_runs_say_next_to_nothing(make_points: Any) -> None:
    n = np.repeat([1e8, 1e9], 50)
    d = np.tile(np.geomspace(1e9, 1e11, 50), 2)
    run = np.repeat([0, 1], 50)
    drift = np.cumsum(0.001 * np.random.default_rng(1).standard_normal((2, 50)), axis=1).ravel()
    loss = (1.8 + 430 / n**0.345 + 1900 / d**0.362) * np.exp(drift)
    made = fit_points(make_points(n, d, loss, run=run), CHINCHILLA, bootstraps=20)
    for method in METHODS:
        one = made.predict(1e10, 1e12, method=method)
        unknown = np.isnan([one.lower, one.upper]).all()
        assert unknown or one.upper - one.lower > 0.3, method


def test_all_parameters_fixed(ladder: Any, truths: Any) -> None:
    held = Constraints(fix=truths["chinchilla"])
    made = fit_points(ladder(noise=0.01), CHINCHILLA, constraints=held)
    assert dict(made.values) == pytest.approx(truths["chinchilla"], rel=1e-12)
    assert made.status.code == "converged" and made.noise == pytest.approx(0.01, rel=0.5)
    for method in METHODS:
        one = made.predict(1e10, 1e12, method=method)
        assert one.mean_lower == pytest.approx(one.value) == pytest.approx(one.mean_upper)
        assert one.lower < one.value < one.upper
        for name, box in made.intervals(method=method).items():
            ends = [box.lower, box.upper]
            assert ends == pytest.approx([made.values[name]] * 2, rel=1e-12)


def test_one_free_parameter(ladder: Any, truths: Any) -> None:
    held = {k: v for k, v in truths["chinchilla"].items() if k != "E"}
    made = fit_points(ladder(), CHINCHILLA, constraints=Constraints(fix=held), bootstraps=50)
    for method in METHODS:
        box = made.interval("E", method=method)
        assert box.lower < made.values["E"] < box.upper


@pytest.mark.parametrize("delta", [1e-7, 1e-5, 1e-3, 0.1, 10.0])
def test_any_delta_reaches_an_optimum(delta: float, ladder: Any) -> None:
    for seed in range(4):
        made = fit_points(ladder(seed=seed, side=5, noise=0.02), CHINCHILLA, delta=delta)
        assert made.status.code in ("converged", "at-bound"), (seed, made.status)
    if delta == 10.0:
        whole = fit_points(ladder(seed=3, side=5, noise=0.02), CHINCHILLA, objective="log")
        assert made.objective == pytest.approx(whole.objective, rel=1e-9)


def test_automatic_delta_is_a_fixed_multiple_of_the_noise(ladder: Any) -> None:
    for noise in (1e-4, 0.003, 0.03):
        made = fit_points(ladder(side=8, noise=noise), CHINCHILLA)
        assert made.delta_rule == "auto" and made.delta is not None
        assert made.delta == pytest.approx(1.345 * made.noise, rel=0.03)
        assert made.noise == pytest.approx(noise, rel=0.25)


def test_a_thousand_replicates_of_a_law_without_terms_stay_small(ladder: Any) -> None:
    import tracemalloc

    points = ladder("chinchilla-outer", side=8)
    made = fit_points(points, get("chinchilla-outer"), objective="log")
    tracemalloc.start()
    try:
        bootstrap(made.problem, 60, seed=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60e6
