"""What a fit must do whatever the data: units, order, scale, noise, files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.fitting import Constraints, fit_points, load
from kleiber.laws import get
from kleiber.laws.base import Law
from kleiber.runs.points import Points
from tests.conftest import ON_A_GRID

few = settings(max_examples=12)
seeds = st.integers(0, 1000)
FAR = {"params": 1e10, "tokens": 1e12, "unique_tokens": 1e11, "experts": 64.0}
TERMS = {"A": ("params", "alpha"), "B": ("tokens", "beta")}


def rescaled(points: Points, params: float, tokens: float) -> Points:
    """Return points with counts in other units."""
    return dataclasses.replace(points, params=points.params * params, tokens=points.tokens * tokens)


@few
@given(seed=seeds, params=st.floats(1e-9, 1e3), tokens=st.floats(1e-12, 1e3))
@pytest.mark.parametrize("name", ["chinchilla", "tokens-power-floor"])
def test_units_of_counts_move_the_coefficients_alone(
    name: str, seed: int, params: float, tokens: float, ladder: Any
) -> None:
    law, points = get(name), ladder(name, seed=seed)
    made = fit_points(points, law, objective="log").values
    other = fit_points(rescaled(points, params, tokens), law, objective="log").values
    unit = {"params": params, "tokens": tokens}
    for key in law.names:
        expected = made[key]
        if key in TERMS:
            predictor, exponent = TERMS[key]
            expected *= unit[predictor] ** made[exponent]
        assert other[key] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["kaplan", "chinchilla-outer"])
def test_units_of_counts_do_not_move_predictions(name: str, ladder: Any) -> None:
    law, points = get(name), ladder(name, noise=0.003, side=5)
    made = fit_points(points, law, objective="log")
    other = fit_points(rescaled(points, 1e-9, 1e-12), law, objective="log")
    assert other.objective == pytest.approx(made.objective, rel=1e-8)
    ours, theirs = made.predict(1e10, 1e12), other.predict(10, 1)
    assert theirs.value == pytest.approx(ours.value, rel=1e-6)
    assert theirs.upper == pytest.approx(ours.upper, rel=1e-4)


@few
@given(seed=seeds, factor=st.floats(0.01, 30.0))
def test_the_scale_of_the_loss_moves_the_coefficients_alone(
    seed: int, factor: float, ladder: Any
) -> None:
    law, points = get("chinchilla"), ladder(seed=seed)
    scaled = dataclasses.replace(points, loss=points.loss * factor)
    for objective in ("log", "huber"):
        made = fit_points(points, law, objective=objective)
        other = fit_points(scaled, law, objective=objective)
        assert other.objective == pytest.approx(made.objective, rel=1e-5)
        for key, value in made.values.items():
            times = 1.0 if key in ("alpha", "beta") else factor
            assert other.values[key] == pytest.approx(value * times, rel=1e-4)


@few
@given(seed=seeds)
def test_the_order_of_the_rows_does_not_matter(seed: int, ladder: Any) -> None:
    points = ladder(seed=seed)
    mixed = points.take(np.random.default_rng(seed).permutation(len(points)))
    made, other = (fit_points(p, get("chinchilla")) for p in (points, mixed))
    assert other.objective == pytest.approx(made.objective, rel=1e-7)
    assert other.predict(1e10, 1e12).lower == pytest.approx(made.predict(1e10, 1e12).lower)


@pytest.mark.parametrize("objective", ["huber", "log", "raw"])
@pytest.mark.parametrize("law", ON_A_GRID, ids=lambda law: law.name)
def test_data_without_noise_give_their_law_back(
    law: Law, objective: str, ladder: Any, truths: Any
) -> None:
    made = fit_points(ladder(law.name, noise=0.0, side=5), law, objective=objective)
    assert made.status.code == "converged"
    assert made.certificate.agreeing > 1
    assert dict(made.values) == pytest.approx(truths[law.name], rel=1e-5)
    found = made.predict(**FAR)
    exact = float(law.loss(truths[law.name], **FAR))
    assert found.value == pytest.approx(exact, rel=1e-7)
    assert 0.0 < found.upper - found.lower < 1e-4
    assert found.lower < exact < found.upper


@few
@given(seed=seeds, noise=st.sampled_from([1e-9, 1e-7, 1e-4, 0.05]))
def test_any_noise_is_fitted_and_bounded(seed: int, noise: float, ladder: Any) -> None:
    for objective in ("huber", "log"):
        made = fit_points(ladder(seed=seed, noise=noise), get("chinchilla"), objective=objective)
        assert made.status.code in ("converged", "at-bound")
        assert np.isfinite(made.certificate.condition)
        for method in ("delta", "profile", "jackknife"):
            found = made.predict(1e10, 1e12, method=method)
            assert found.lower < found.value < found.upper


@few
@given(seed=seeds, law=st.sampled_from(ON_A_GRID))
def test_a_prediction_is_the_law_at_the_values(seed: int, law: Law, ladder: Any) -> None:
    made = fit_points(ladder(law.name, seed=seed), law)
    given_counts = dict.fromkeys(law.predictors, 30000000000.0)
    expected = float(law.loss(made.values, **given_counts))
    assert made.predict(**given_counts).value == pytest.approx(expected, rel=1e-9)
    many = made.predict_many(**{name: np.array([1e9, 3e10]) for name in law.predictors})
    assert many["value"][1] == pytest.approx(expected, rel=1e-9)
    assert many["lower"][1] == pytest.approx(made.predict(**given_counts).lower, rel=1e-12)


@pytest.mark.parametrize("law", ON_A_GRID, ids=lambda law: law.name)
def test_a_saved_fit_is_the_fit(law: Law, ladder: Any, tmp_path: Path) -> None:
    last = law.parameters[-1]
    held = Constraints(bounds={last.name: (0.01, 3.0) if last.lower < 3.0 else (60.0, 1e3)})
    made = fit_points(ladder(law.name), law, constraints=held, bootstraps=20, seed=5)
    again = load(made.save(tmp_path / "fit.json"))
    assert again.to_dict() == made.to_dict()
    assert again.status == made.status and again.certificate == made.certificate
    counts = dict.fromkeys(law.predictors, "30B")
    for method in ("delta", "profile", "bootstrap", "jackknife"):
        assert again.predict(**counts, method=method) == made.predict(**counts, method=method)
    assert again.frame().equals(made.frame())
    assert again.summary() == made.summary()
    assert again.save(tmp_path / "again.json").read_bytes() == (tmp_path / "fit.json").read_bytes()


def test_one_seed_gives_the_same_bytes(ladder: Any, tmp_path: Path) -> None:
    one, two = (fit_points(ladder(), get("chinchilla"), seed=3, bootstraps=50) for _ in range(2))
    assert one.save(tmp_path / "1").read_bytes() == two.save(tmp_path / "2").read_bytes()
    assert one.predict(1e10, 1e12, method="bootstrap") == two.predict(
        1e10, 1e12, method="bootstrap"
    )
    other = fit_points(ladder(), get("chinchilla"), seed=4, bootstraps=50)
    assert other.objective == pytest.approx(one.objective, rel=1e-9)
    assert other.interval("E", method="bootstrap") != one.interval("E", method="bootstrap")


def test_a_run_read_twice_counts_once(ladder: Any, make_points: Any) -> None:
    points = ladder(seed=2)
    index = np.sort(np.concatenate([np.arange(16), [3, 3, 3, 7]]))
    doubled = make_points(points.params[index], points.tokens[index], points.loss[index], run=index)
    for objective in ("huber", "log", "raw"):
        one, two = (
            fit_points(p, get("chinchilla"), objective=objective) for p in (points, doubled)
        )
        assert two.objective == pytest.approx(one.objective, rel=1e-4)
        assert two.values["E"] == pytest.approx(one.values["E"], rel=1e-4)
        assert two.n_runs == 16
        for method in ("delta", "jackknife", "profile"):
            ours, theirs = (f.predict(1e10, 1e12, method=method) for f in (one, two))
            assert theirs.lower == pytest.approx(ours.lower, rel=3e-3)


def test_five_copies_of_every_row_tell_no_more(ladder: Any, make_points: Any) -> None:
    points = ladder(seed=2)
    index = np.repeat(np.arange(16), 5)
    copied = make_points(points.params[index], points.tokens[index], points.loss[index], run=index)
    one, two = (fit_points(p, get("chinchilla")) for p in (points, copied))
    for method in ("delta", "profile", "jackknife"):
        ours, theirs = (f.predict(1e10, 1e12, method=method) for f in (one, two))
        assert theirs.lower == pytest.approx(ours.lower, rel=1e-5)
        assert theirs.upper == pytest.approx(ours.upper, rel=1e-5)
    assert two.delta == pytest.approx(one.delta, rel=1e-6)
