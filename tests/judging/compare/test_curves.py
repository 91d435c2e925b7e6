"""The batched fit against finite differences, scipy's optimiser and curves that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from kleiber.judging.compare.candidates import FORMS, candidates_of
from kleiber.judging.compare.curves import DE, DQ, LOG_A, SIZE, E, R, gradient, losses, solve
from kleiber.judging.compare.ladders import Ladders, ladders_of
from kleiber.judging.compare.resample import draw
from kleiber.judging.compare.rungs import arms_of

DECAY = np.array([0.6])
P = np.array([1.6, 0.3, np.log(0.16), 0.02, -0.03, 0.04, 0.015, -0.01])


@pytest.fixture(scope="module")
def data(recipe) -> Ladders:
    return ladders_of(*arms_of(recipe((1.7, 2.3, 0.15), seed=1), recipe((1.72, 2.2, 0.15), seed=2)))


def test_the_curve_is_its_equation(data: Ladders) -> None:
    axes = data.axes()
    u = np.exp(np.log(data.flops) - np.log(data.flops).mean())
    v = data.flops / data.flops.min()
    s = data.arm
    exponent = np.exp(P[LOG_A] + s * P[DQ])
    power = np.exp(P[R] + s * P[4]) * u**-exponent
    term = np.where(s > 0, P[6], P[7]) * v**-0.6
    assert np.allclose(losses(P[None], DECAY, axes)[0], P[E] + s * P[DE] + power + term, rtol=1e-13)


def test_the_gradient_is_the_finite_difference(data: Ladders) -> None:
    axes = data.axes()
    found = gradient(P[None], DECAY, axes)[0]
    step = 1e-6
    for k in range(SIZE):
        up, down = P.copy(), P.copy()
        up[k] += step
        down[k] -= step
        both = losses(np.stack([up, down]), np.repeat(DECAY, 2), axes)
        assert np.allclose(found[:, k], (both[0] - both[1]) / (2 * step), atol=1e-8)


def test_the_minimum_is_scipys(data: Ladders) -> None:
    known = candidates_of(data)
    weight, axes = data.inverse(), data.axes()
    for k in range(0, len(known.names), 3):
        centre, sd, decay = known.centre[k], known.sd[k], known.decay[k : k + 1]

        def objective(z, centre=centre, sd=sd, decay=decay) -> float:
            p = centre + sd * z
            rest = data.mean - losses(p[None], decay, axes)[0]
            return float(rest @ weight @ rest + z @ z)

        made = solve(
            data.mean[None], weight, axes, decay, centre[None], sd[None], centre[None], steps=40
        )
        best = minimize(objective, np.zeros(SIZE), method="BFGS", options={"gtol": 1e-7})
        assert made.cost[0] == pytest.approx(objective((made.p[0] - centre) / sd), rel=1e-9)
        assert made.cost[0] <= best.fun * (1 + 1e-6)


def test_a_multiplier_never_crosses(data: Ladders) -> None:
    known = candidates_of(data)

    def crossing(form: str) -> float:
        """Return the share of draws of one form alone that change their sign."""
        alone = np.array([float(name == form) for name in known.names])
        only = replace(known, weight=alone / alone.sum())
        draws = draw(data, np.random.default_rng(0), 400, candidates=only)
        far = np.sign(draws.difference(np.logspace(10, 24, 40)))
        return float((far != far[:, :1]).any(axis=1).mean())

    assert crossing("multiplier") == 0.0
    assert all(crossing(form) > 0.2 for form in FORMS if form != "multiplier")


def test_hidden_rungs_weigh_for_the_true_form(recipe) -> None:
    def weights(other: tuple[float, float, float]) -> dict[str, float]:
        arms = arms_of(recipe((1.7, 2.3, 0.15), seed=3), recipe(other, seed=4))
        return candidates_of(ladders_of(*arms)).by_name()

    same_form, crossing = weights((1.7, 2.2, 0.15)), weights((1.7, 2.1, 0.14))
    assert set(same_form) == {*FORMS, *(f"{form} + small-scale term" for form in FORMS)}
    assert sum(same_form.values()) == pytest.approx(1.0)
    assert same_form["multiplier"] > 0.2
    assert crossing["multiplier"] < 0.03


def test_errors_of_differences_are_those_of_repeated_ladders(recipe) -> None:
    """Paired seeds: what the covariance says against the spread over 400 simulated ladders."""
    rng = np.random.default_rng(5)
    base = ladders_of(*arms_of(recipe((1.7, 2.3, 0.15)), recipe((1.72, 2.2, 0.15))))
    told = replace(base, sd=0.003, scale=np.ones(14), correlation=0.7)
    _, _, error = told.differences()
    common, ours = rng.normal(size=(4000, 7, 3)), rng.normal(size=(4000, 2, 7, 3))
    noise = 0.003 * (np.sqrt(0.7) * common[:, None] + np.sqrt(0.3) * ours)
    apart = noise[:, 0].mean(axis=2) - noise[:, 1].mean(axis=2)
    assert np.allclose(error, apart.std(), rtol=0.03)
