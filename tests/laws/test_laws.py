"""Laws against their written formulas, finite differences and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kleiber.errors import UsageError
from kleiber.laws import LAWS, PUBLISHED, get, published
from kleiber.laws.base import TINY_LOG, Law

LOGS = np.log(np.array([[1e7, 1e8, 3e9, 7e10], [2e9, 1e11, 5e10, 1.4e12]]))
VALUES = {
    "chinchilla": {"E": 1.8, "A": 430.0, "alpha": 0.345, "B": 1900.0, "beta": 0.362},
    "chinchilla-outer": {
        "E": 1.7, "A": 300.0, "alpha": 0.45, "B": 2500.0, "beta": 0.48, "gamma": 0.7,
    },
    "kaplan": {"Nc": 6.4e13, "alpha_N": 0.076, "Dc": 1.8e13, "alpha_D": 0.103},
    "params-power": {"A": 12.0, "alpha": 0.08},
    "params-power-floor": {"E": 1.9, "A": 300.0, "alpha": 0.33},
    "tokens-power": {"B": 14.0, "beta": 0.09},
    "tokens-power-floor": {"E": 1.9, "B": 2000.0, "beta": 0.37},
}  # fmt: skip


def written(law: str, v: dict[str, float], n: float, d: float) -> float:
    """Return the loss by the formula as it is written, in plain Python floats."""
    match law:
        case "chinchilla":
            return v["E"] + v["A"] / n ** v["alpha"] + v["B"] / d ** v["beta"]
        case "chinchilla-outer":
            return v["E"] + (v["A"] / n ** v["alpha"] + v["B"] / d ** v["beta"]) ** v["gamma"]
        case "kaplan":
            return ((v["Nc"] / n) ** (v["alpha_N"] / v["alpha_D"]) + v["Dc"] / d) ** v["alpha_D"]
        case "params-power" | "params-power-floor":
            return v.get("E", 0.0) + v["A"] / n ** v["alpha"]
        case _:
            return v.get("E", 0.0) + v["B"] / d ** v["beta"]


def rows(law: Law, logs: np.ndarray) -> np.ndarray:
    """Return the rows of (params, tokens) logs that a law reads."""
    return logs[[("params", "tokens").index(name) for name in law.predictors]]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_law_is_its_formula(law: Law) -> None:
    for n, d in np.exp(LOGS).T:
        expected = written(law.name, VALUES[law.name], float(n), float(d))
        assert float(law.loss(VALUES[law.name], params=n, tokens=d)) == pytest.approx(
            expected, rel=1e-13
        )


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_the_gradient_is_the_difference_of_values(law: Law) -> None:
    rng = np.random.default_rng(3)
    logs = rows(law, LOGS)
    theta = law.natural(VALUES[law.name]) + 0.05 * rng.random((6, len(law.names)))
    _, gradient = law.gradient(theta, logs)
    for k in range(len(law.names)):
        step = np.zeros(len(law.names))
        step[k] = 1e-6
        ahead, behind = law.gradient(theta + step, logs)[0], law.gradient(theta - step, logs)[0]
        assert gradient[:, k] == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_recentring_keeps_the_curve_and_can_be_undone(law: Law) -> None:
    theta = law.natural(VALUES[law.name])
    logs = rows(law, LOGS)
    shift = logs.mean(axis=1)
    moved = law.recentre(theta, shift)
    before, after = law.gradient(theta, logs)[0], law.gradient(moved, logs - shift[:, None])[0]
    assert after == pytest.approx(before, abs=1e-12)
    assert law.recentre(moved, -shift) == pytest.approx(theta, abs=1e-12)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_natural_coordinates_can_be_undone(law: Law) -> None:
    values = VALUES[law.name]
    assert law.values(law.natural(values)) == pytest.approx(values, rel=1e-12)
    assert tuple(values) == law.names


def test_a_coefficient_of_zero_comes_back_as_zero() -> None:
    law = get("chinchilla")
    theta = law.natural({**VALUES["chinchilla"], "E": 0.0})
    assert theta[0] == TINY_LOG
    assert law.values(theta)["E"] == 0.0


def test_far_from_the_data_a_law_neither_overflows_nor_vanishes() -> None:
    for law in LAWS:
        loss = law.loss(
            VALUES[law.name], params=np.array([1.0, 1e30]), tokens=np.array([1.0, 1e30])
        )
        assert np.all(np.isfinite(loss) & (loss > 0))


def test_an_unknown_law_gets_the_names_and_a_near_one() -> None:
    with pytest.raises(UsageError, match="Did you mean 'chinchilla'") as error:
        get("chinchila")
    assert error.value.code == "usage"
    assert "kaplan" in error.value.message and "--law" in error.value.remedy
    with pytest.raises(UsageError, match="hoffmann-2022"):
        published("hoffman")


def test_a_missing_or_impossible_count_is_named() -> None:
    law = get("chinchilla")
    with pytest.raises(UsageError, match="reads tokens") as error:
        law.loss(VALUES["chinchilla"], params=1e9)
    assert "--tokens" in error.value.remedy
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="params must be a positive"):
            law.loss(VALUES["chinchilla"], params=bad, tokens=1e9)
    with pytest.raises(UsageError, match="needs a value for beta"):
        law.natural({k: v for k, v in VALUES["chinchilla"].items() if k != "beta"})
    with pytest.raises(UsageError, match="no parameter 'gamma'"):
        law.index("gamma")


@pytest.mark.parametrize(
    ("name", "params", "tokens", "loss"),
    [
        # worked out in 40 decimal digits from the digits that the papers print
        ("hoffmann-2022", 70e9, 1.4e12, 1.9208460265656),
        ("besiroglu-2024", 70e9, 1.4e12, 1.9738818631586),
        ("muennighoff-2023-c4", 2.8e9, 55e9, 2.3544036201412),
        ("kaplan-2020", 1.5e9, 22e9, 2.3125484833715),
        ("kaplan-2020-size", 1.5e9, 1.0, 2.3035505519978),
        ("kaplan-2020-data", 1.0, 22e9, 2.0991682668229),
    ],
)
def test_published_values_at_a_known_run(
    name: str, params: float, tokens: float, loss: float
) -> None:
    entry = published(name)
    law = get(entry.law)
    expected = written(entry.law, entry.values, params, tokens)
    assert float(law.loss(entry.values, params=params, tokens=tokens)) == pytest.approx(
        expected, rel=1e-13
    )
    assert expected == pytest.approx(loss, abs=2e-13)


def test_published_sets_have_their_law_s_parameters_and_a_source() -> None:
    assert len({entry.name for entry in PUBLISHED}) == len(PUBLISHED)
    for entry in PUBLISHED:
        assert tuple(entry.values) == get(entry.law).names
        assert entry.source and entry.unit == "nats"
        assert entry.params_are in ("total", "nonembedding")


@pytest.mark.parametrize("law", [law for law in LAWS if law.optimum], ids=lambda law: law.name)
def test_the_optimum_is_where_the_loss_stops_falling(law: Law) -> None:
    assert law.optimum is not None
    scale, slope = law.optimum(law.natural(VALUES[law.name]))
    for product in (1e18, 1e22):
        best = float(np.exp(scale + slope * np.log(product)))
        near = best * np.exp(np.array([-1e-3, 0.0, 1e-3]))
        losses = law.loss(VALUES[law.name], params=near, tokens=product / near)
        assert losses[1] < losses[0] and losses[1] < losses[2]
