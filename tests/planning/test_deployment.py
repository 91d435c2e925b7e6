"""Training and serving together: against published figures, brute force and the closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kleiber
from kleiber.errors import FitError, UsageError
from kleiber.fitting import fit_points
from kleiber.laws import get
from kleiber.planning import Allocation, allocate, prices
from kleiber.planning.deployment import (
    best_for_cost,
    best_for_loss,
    extra_tokens,
    log_cost,
    root,
    slopes,
)

JOINT = ("chinchilla", "chinchilla-outer", "kaplan", "overtraining")
# Hoffmann et al. 2022 with the exponents in three digits, as Sardana et al. 2023 use them.
SARDANA = {"E": 1.69, "A": 406.4, "alpha": 0.336, "B": 410.7, "beta": 0.283}


def test_sardana_s_first_figure() -> None:
    # "a 13B model ... 2 trillion tokens of inference ... reduce total compute by 1.7e22 FLOPs
    # (17 %) by instead training a 7B model on more data"
    law = get("chinchilla")
    theta = law.natural(SARDANA)[None]
    scale, slope = law.optimum(theta)  # type: ignore[misc]
    area = (np.log(13e9) - scale[0]) / slope[0]
    tokens = np.exp(area) / 13e9
    loss = float(law.loss(SARDANA, params=13e9, tokens=tokens))
    least = best_for_loss(law, theta, loss, 0.0)[0]
    assert np.exp(least) == pytest.approx([13e9, tokens], rel=1e-7)
    extra = extra_tokens(2e12)
    best = best_for_loss(law, theta, loss, extra)[0]
    before, after = (6.0 * np.exp(log_cost(one, extra)) for one in (least, best))
    assert np.exp(best[0]) / 1e9 == pytest.approx(7.0, abs=0.05)
    assert 1.0 - after / before == pytest.approx(0.17, abs=0.005)
    assert before - after == pytest.approx(1.7e22, abs=0.05e22)


@pytest.mark.parametrize("name", [*JOINT, "farseer"])
def test_slopes_are_differences(name: str, truths: Any) -> None:
    law = get(name)
    theta = np.repeat(law.natural(truths[name])[None], 3, axis=0)
    x, y = np.log([1e7, 3e9, 1e12]), np.log([1e9, 1e10, 1e13])
    z, by_params, by_tokens = slopes(law, theta, x, y)

    def exact(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.log(law.loss(truths[name], params=np.exp(x), tokens=np.exp(y)))

    assert z == pytest.approx(exact(x, y), rel=1e-12)
    h = 1e-5
    assert by_params == pytest.approx((exact(x - h, y) - exact(x + h, y)) / (2 * h), rel=1e-6)
    assert by_tokens == pytest.approx((exact(x, y - h) - exact(x, y + h)) / (2 * h), rel=1e-6)


@pytest.mark.parametrize("name", JOINT)
def test_nothing_served_is_the_closed_form(name: str, truths: Any) -> None:
    law = get(name)
    rng = np.random.default_rng(0)
    theta = law.natural(truths[name]) * np.exp(0.05 * rng.standard_normal((20, len(law.names))))
    scale, slope = law.optimum(theta)  # type: ignore[misc]
    for flops in (1e18, 1e24):
        area = float(np.log(flops / 6))
        found = best_for_cost(law, theta, area, 0.0)
        assert found[:, 0] == pytest.approx(scale + slope * area, abs=1e-12)
        nearly = best_for_cost(law, theta, area, 1e-3)
        assert nearly[:, 0] == pytest.approx(found[:, 0], abs=1e-9)


@pytest.mark.parametrize("extra", [1e9, 1e11, 1e13])
@pytest.mark.parametrize("name", JOINT)
def test_both_optima_against_a_grid(name: str, extra: float, truths: Any) -> None:
    law, values = get(name), truths[name]
    theta = law.natural(values)[None]
    area = 1e23 / 6
    n = np.exp(np.linspace(np.log(area / extra) - 20, np.log(area / extra) - 1e-9, 400_001))
    d = area / n - extra
    ok = d > 0
    losses = law.loss(values, params=n[ok], tokens=d[ok])
    point = best_for_cost(law, theta, float(np.log(area)), extra)[0]
    found = float(law.loss(values, params=np.exp(point[0]), tokens=np.exp(point[1])))
    assert np.exp(log_cost(point, extra)) == pytest.approx(area, rel=1e-12)
    assert found <= losses.min() * (1 + 1e-14)
    assert point[0] == pytest.approx(np.log(n[ok][losses.argmin()]), abs=2e-3)
    # the other way round: that loss costs that budget, at the same point
    back = best_for_loss(law, theta, found, extra)[0]
    assert back == pytest.approx(point, abs=1e-6)
    assert log_cost(back, extra) == pytest.approx(np.log(area), abs=1e-11)


@pytest.mark.parametrize("extra", [0.0, 1e9, 1e11])
def test_a_law_without_a_closed_form_against_a_grid(extra: float, truths: Any) -> None:
    law, values = get("farseer"), truths["farseer"]
    theta, area = law.natural(values)[None], 1e19 / 6
    d = np.geomspace(1e7, 1e13, 400_001)
    n = area / (d + extra)
    sane = (d / n > 0.1) & (n > 1e3)
    losses = law.loss(values, params=n[sane], tokens=d[sane])
    point = best_for_cost(law, theta, float(np.log(area)), extra)[0]
    found = float(law.loss(values, params=np.exp(point[0]), tokens=np.exp(point[1])))
    assert found <= losses.min() * (1 + 1e-14)
    assert point[1] == pytest.approx(np.log(d[sane][losses.argmin()]), abs=1e-3)
    assert best_for_loss(law, theta, found, extra)[0] == pytest.approx(point, abs=1e-6)


def test_a_law_without_a_sane_optimum_says_so(ladder: Any, truths: Any) -> None:
    law = get("farseer")
    far = best_for_cost(law, law.natural(truths["farseer"])[None], float(np.log(1e23 / 6)), 0.0)
    assert np.isnan(far).all()
    made = fit_points(
        ladder("farseer", side=4, noise=0.001),
        law,
        objective="log",
        starts=1,
        bootstraps=0,
    )
    with pytest.raises(FitError, match="no best split of 1e\\+29 FLOPs") as error:
        allocate(made, 1e29)
    assert "--law chinchilla" in error.value.remedy


def test_a_law_of_three_variables_splits_nothing(ladder: Any) -> None:
    made = fit_points(ladder("repetition", side=5), get("repetition"), bootstraps=0)
    with pytest.raises(UsageError, match="reads unique_tokens too"):
        allocate(made, 1e21)


def test_rows_are_solved_apart(truths: Any) -> None:
    law = get("chinchilla")
    rng = np.random.default_rng(1)
    theta = law.natural(truths["chinchilla"]) + 0.02 * rng.standard_normal((7, 5))
    together = best_for_loss(law, theta, 2.1, 1e11)
    apart = np.concatenate([best_for_loss(law, row[None], 2.1, 1e11) for row in theta])
    assert together == pytest.approx(apart, abs=1e-9)


def test_the_root_finder_against_known_roots() -> None:
    want = np.array([0.3, 1.7, -2.2, 5.0])
    found = root(lambda x: np.expm1(3 * (x - want)) + (x - want) ** 3, want - 9, want + 4)
    assert found == pytest.approx(want, abs=1e-13)
    assert np.isnan(root(lambda x: x + 10.0, np.zeros(2), np.ones(2))).all()


def served(ladder: Any, **more: Any) -> Allocation:
    made = fit_points(ladder(side=5, noise=0.002), get("chinchilla"), bootstraps=60)
    return allocate(made, serve_tokens="1T", **more)


def test_more_to_serve_makes_a_smaller_model_and_one_that_sees_more(ladder: Any) -> None:
    made = fit_points(ladder(side=5, noise=0.002), get("chinchilla"))
    plain = allocate(made, loss=2.1)
    sizes = [allocate(made, loss=2.1, serve_tokens=t) for t in (1e9, 1e11, 1e13)]
    params = [one.params for one in (plain, *sizes)]
    tokens = [one.tokens for one in (plain, *sizes)]
    savings = [one.serving.saving for one in sizes if one.serving]
    assert params == sorted(params, reverse=True) and tokens == sorted(tokens)
    assert savings == sorted(savings) and 0 < savings[0] < savings[-1] < 1
    assert plain.flops == pytest.approx(plain.total_flops)
    # a loss costs what its budget buys
    again = allocate(made, plain.flops)
    assert again.loss == pytest.approx(2.1, rel=1e-9)
    assert again.params == pytest.approx(plain.params, rel=1e-6)


def test_the_bill_adds_up(ladder: Any) -> None:
    rates, slow = prices("h100", 0.4, 2.5, "USD"), prices("h100", 0.1, 2.5, "USD")
    best = served(ladder, money=1e6, prices=rates, serve_prices=slow)
    assert best.cost and best.serving and best.serving.cost
    assert best.cost.money + best.serving.cost.money == pytest.approx(1e6, rel=1e-9)
    assert best.serving.flops == pytest.approx(2 * best.params * 1e12, rel=1e-12)
    assert best.flops == pytest.approx(6 * best.params * best.tokens, rel=1e-12)
    hours = served(ladder, gpu_hours=4e5, prices=rates, serve_prices=slow)
    assert hours.cost and hours.serving and hours.serving.cost
    assert hours.cost.gpu_hours + hours.serving.cost.gpu_hours == pytest.approx(4e5, rel=1e-9)
    # one price a GPU-hour: a million is 400,000 hours
    assert hours.params == pytest.approx(best.params, rel=1e-9)
    # dearer serving wants a smaller model
    assert best.params < served(ladder, money=1e6, prices=rates).params
    said = best.text()
    assert "1T tokens" in said and "10% of the peak" in said and "exponent" not in said
    assert "assumed" not in said
    assert "assumed" in served(ladder, money=1e6).text()
    content = best.to_dict()
    assert content["serving"]["cost"]["prices"]["mfu"] == 0.1
    assert content["total_flops"] == pytest.approx(best.flops + best.serving.flops)


@pytest.mark.parametrize("method", ["delta", "bootstrap", "jackknife"])
@pytest.mark.parametrize("goal", [{"flops": 1e23}, {"loss": 2.1}])
def test_intervals_hold_their_values(goal: dict[str, float], method: str, ladder: Any) -> None:
    best = served(ladder, **goal, method=method)
    names = {"params", "tokens", "tokens_per_param", "loss"}
    assert set(best.intervals) == names | ({"total_flops"} if "loss" in goal else set())
    for key, box in best.intervals.items():
        assert 0 < box.lower < getattr(best, key) < box.upper, key
        assert box.method == method


def test_the_delta_interval_by_hand(ladder: Any) -> None:
    made = fit_points(ladder(side=5, noise=0.002), get("chinchilla"), objective="log")
    best = allocate(made, loss=2.1, serve_tokens=1e12, level=0.8)
    logs = np.log([allocate(made, loss=2.1, serve_tokens=1e12, level=level).intervals[
        "total_flops"].upper for level in (0.8, 0.9)]) - np.log(best.total_flops)  # fmt: skip
    from scipy import stats

    dof = len(made.points) - 5
    ratio = stats.t.ppf(0.95, dof) / stats.t.ppf(0.9, dof)
    assert logs[1] / logs[0] == pytest.approx(ratio, rel=1e-4)


def test_refits_that_never_reach_the_loss_leave_the_cost_open(ladder: Any) -> None:
    made = fit_points(ladder(side=4, noise=0.02, seed=2), get("chinchilla"), bootstraps=200)
    close = made.floor * 1.005
    best = allocate(made, loss=close, method="bootstrap")
    assert np.isinf(best.intervals["total_flops"].upper)
    assert "unknown" in best.text()


@pytest.mark.parametrize("loss", [1.0, 1.79])
def test_a_loss_beneath_the_floor(loss: float, ladder: Any) -> None:
    made = fit_points(ladder(side=5, noise=0.0005), get("chinchilla"))
    with pytest.raises(FitError, match=r"No run reaches a loss of .* floor is 1\.8"):
        allocate(made, loss=loss)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "none was given"),
        ({"flops": 1e21, "loss": 2.0}, r"2 were given \(flops, loss\)"),
        ({"loss": -1.0}, "must be more than 0"),
        ({"loss": float("nan")}, "must be more than 0"),
        ({"flops": 1e21, "serve_tokens": 0}, "tokens to serve are 0"),
        ({"flops": 1e21, "serve_tokens": -1e12}, "tokens to serve are -1e"),
        ({"flops": 1e21, "serve_tokens": float("inf")}, "tokens to serve are inf"),
        ({"flops": 1e21, "serve_prices": prices()}, "no tokens to serve"),
        ({"flops": 1e21, "serve_tokens": 1e9, "serve_prices": prices()}, "counts a FLOP"),
        ({"loss": 60.0}, "no real model"),
        ({"flops": 1e12}, "fewer than its params"),
        ({"money": 1e-6}, "1e-06 currency units buys nothing"),
        ({"flops": 1e18, "serve_tokens": 1e15}, "does not even serve 1e15 tokens"),
    ],
)
def test_goals_that_are_none(asked: dict[str, Any], said: str, ladder: Any) -> None:
    made = fit_points(ladder(), get("chinchilla"))
    with pytest.raises(UsageError, match=said) as error:
        allocate(made, **asked)
    assert error.value.remedy


def test_two_currencies_are_not_added(ladder: Any) -> None:
    rates = {"prices": prices(currency="USD"), "serve_prices": prices(currency="EUR")}
    with pytest.raises(UsageError, match="priced in USD and serving in EUR"):
        served(ladder, money=1e6, **rates)


def test_the_public_names() -> None:
    assert kleiber.Cost(1e20, kleiber.prices("a100")).gpu_hours > 0
