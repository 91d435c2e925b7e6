"""Laws against their written formulas, finite differences and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kleiber.errors import UsageError
from kleiber.laws import PUBLISHED, get, published
from kleiber.laws.base import TINY_LOG, Law

PLACES = {
    "params": np.array([1e7, 1e8, 3e9, 7e10]),
    "tokens": np.array([2e9, 1e11, 5e10, 1.4e12]),
    "unique_tokens": np.array([2e9, 1e9, 4e10, 3e11]),
    "experts": np.array([1.0, 8.0, 512.0, 64.0]),
}
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
    "overtraining": {"E": 1.8, "a": 190.0, "b": 120.0, "eta": 0.17},
    "repetition": {
        "E": 1.87, "A": 521.0, "alpha": 0.35, "B": 1488.0, "beta": 0.37, "R_D": 15.4, "R_N": 5.3,
    },
    "routed": {
        "a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_start": 1.847, "E_max": 314.478,
    },
}  # fmt: skip
KNOWN = [get(name) for name in VALUES]


def written(
    law: str, v: dict[str, float], n: float, d: float, u: float = math.nan, x: float = 1.0
) -> float:
    """Return the loss by the formula as it is written, in plain Python floats."""
    match law:
        case "chinchilla":
            return v["E"] + v["A"] / n ** v["alpha"] + v["B"] / d ** v["beta"]
        case "chinchilla-outer":
            return v["E"] + (v["A"] / n ** v["alpha"] + v["B"] / d ** v["beta"]) ** v["gamma"]
        case "kaplan":
            return ((v["Nc"] / n) ** (v["alpha_N"] / v["alpha_D"]) + v["Dc"] / d) ** v["alpha_D"]
        case "overtraining":
            ratio, compute = d / n, 6.0 * n * d
            rise, fall = v["a"] * ratio ** v["eta"], v["b"] * ratio ** -v["eta"]
            return v["E"] + (rise + fall) * compute ** -v["eta"]
        case "repetition":
            g = (v["alpha"] * v["A"] / (v["beta"] * v["B"])) ** (1.0 / (v["alpha"] + v["beta"]))
            compute = 6.0 * (g * u) ** ((v["alpha"] + v["beta"]) / v["alpha"])
            fit_n = g * (compute / 6.0) ** (v["beta"] / (v["alpha"] + v["beta"]))
            un, rd = min(n, fit_n), d / u - 1.0
            rn = n / un - 1.0
            n_eff = un + un * v["R_N"] * (1.0 - math.exp(-rn / v["R_N"]))
            d_eff = u + u * v["R_D"] * (1.0 - math.exp(-rd / v["R_D"]))
            return v["E"] + v["A"] / n_eff ** v["alpha"] + v["B"] / d_eff ** v["beta"]
        case "routed":
            inverse = 1.0 / (x - 1.0 + 1.0 / (1.0 / v["E_start"] - 1.0 / v["E_max"]))
            hat = math.log10(1.0 / (inverse + 1.0 / v["E_max"]))
            size = math.log10(n)
            return 10.0 ** (v["a"] * size + v["b"] * hat + v["c"] * size * hat + v["d"])
        case "params-power" | "params-power-floor":
            return v.get("E", 0.0) + v["A"] / n ** v["alpha"]
        case _:
            return v.get("E", 0.0) + v["B"] / d ** v["beta"]


def places(law: Law) -> np.ndarray:
    """Return the log-predictors (P, 4) that a law reads at the places above."""
    return law.logs(**PLACES)


@pytest.mark.parametrize("law", KNOWN, ids=lambda law: law.name)
def test_a_law_is_its_formula(law: Law) -> None:
    found = law.loss(VALUES[law.name], **PLACES)
    for i, (n, d, u, x) in enumerate(zip(*PLACES.values(), strict=True)):
        expected = written(law.name, VALUES[law.name], n, d, u, x)
        assert found[i] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("law", KNOWN, ids=lambda law: law.name)
def test_the_gradient_is_the_difference_of_values(law: Law) -> None:
    rng = np.random.default_rng(3)
    logs = places(law)
    theta = law.natural(VALUES[law.name]) + 0.05 * rng.random((6, len(law.names)))
    _, gradient = law.gradient(theta, logs)
    for k in range(len(law.names)):
        step = np.zeros(len(law.names))
        step[k] = 1e-6
        ahead, behind = law.gradient(theta + step, logs)[0], law.gradient(theta - step, logs)[0]
        assert gradient[:, k] == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("law", KNOWN, ids=lambda law: law.name)
def test_recentring_keeps_the_curve_and_can_be_undone(law: Law) -> None:
    theta = law.natural(VALUES[law.name])
    logs = places(law)
    shift = law.shift(logs.mean(axis=1))
    moved = law.recentre(theta, shift)
    before, after = law.gradient(theta, logs)[0], law.gradient(moved, logs - shift[:, None])[0]
    assert after == pytest.approx(before, abs=1e-12)
    assert law.recentre(moved, -shift) == pytest.approx(theta, abs=1e-12)


@pytest.mark.parametrize("law", KNOWN, ids=lambda law: law.name)
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
    ends = np.array([1.0, 1e30])
    for law in KNOWN:
        loss = law.loss(VALUES[law.name], ends, ends, unique_tokens=ends, experts=ends)
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
        assert entry.params_are in ("total", "nonembedding", "active")


@pytest.mark.parametrize("law", [law for law in KNOWN if law.optimum], ids=lambda law: law.name)
def test_the_optimum_is_where_the_loss_stops_falling(law: Law) -> None:
    assert law.optimum is not None
    scale, slope = law.optimum(law.natural(VALUES[law.name]))
    for product in (1e18, 1e22):
        best = float(np.exp(scale + slope * np.log(product)))
        near = best * np.exp(np.array([-1e-3, 0.0, 1e-3]))
        losses = law.loss(VALUES[law.name], params=near, tokens=product / near)
        assert losses[1] < losses[0] and losses[1] < losses[2]
