"""The knowledge law against its formula written plainly, finite differences, and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kleiber.errors import UsageError
from kleiber.laws import CAPACITY, KNOWLEDGE, LAWS, knowledge_law
from kleiber.laws.knowledge import FLOAT, OWN

VALUES = {
    **{"plateau": 1.8, "size": 0.2, "sharpness": 6.0, "margin": 4.2, "fall": 2.1, "room": 3.0},
    **{"half": 230.0, "steepness": 2.2, "hastening": 0.5, "rise": 0.4},
}
KINDS = {"llama": 1.2, "gpt2-nomlp": 0.3}
FORMS = [(g, r) for g in ("threshold", "power") for r in ("learnt", "share", "plateau")]


def draws(n: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    kind = rng.integers(0, 3, n)
    return {
        "params": np.exp(rng.uniform(8, 11, n)),
        "tokens": rng.uniform(0.5, 4.5, n),
        "exposures": np.exp(rng.uniform(4, 8, n)),
        "weight_bits": rng.choice([3.0, 4.0, 5.0, 8.0, 16.0, FLOAT], n),
        "llama": np.where(kind == 1, OWN, 1.0),
        "gpt2-nomlp": np.where(kind == 2, OWN, 1.0),
    }


def written(growth: str, rounding: str, at: dict[str, float]) -> float:
    """The formula, one reading at a time, in plain numbers."""
    v = {**VALUES, **KINDS}
    relative = at["params"] / 10_000
    if growth == "threshold":
        half = v["half"] * relative ** -v["hastening"]
        learnt = 1 / (1 + (half / at["exposures"]) ** v["steepness"])
    else:
        learnt = (at["exposures"] / 1000) ** v["rise"]
    kappa = v["plateau"] * relative ** v["size"] * learnt
    for name, factor in KINDS.items():
        kappa *= factor if at[name] == OWN else 1
    loss = 2 ** (v["fall"] * (v["margin"] - at["weight_bits"]))
    if rounding == "plateau":
        kappa *= math.exp(-loss)
    s = v["sharpness"]
    stored = (at["tokens"] ** -s + kappa**-s) ** (-1 / s)
    if rounding == "plateau":
        return stored
    loss *= (stored / kappa) ** v["room"] * (learnt if rounding == "learnt" else 1)
    return stored * math.exp(-loss)


def of(growth: str, rounding: str):
    law = knowledge_law(tuple(KINDS), growth=growth, rounding=rounding)
    return law, {name: {**VALUES, **KINDS}[name] for name in law.names}


@pytest.mark.parametrize(("growth", "rounding"), FORMS)
def test_it_is_its_formula(growth: str, rounding: str) -> None:
    law, values = of(growth, rounding)
    given = draws()
    expected = [written(growth, rounding, {k: v[i] for k, v in given.items()}) for i in range(40)]
    assert law.loss(values, **given) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("growth", "rounding"), FORMS)
def test_the_gradient_is_the_difference_of_values(growth: str, rounding: str) -> None:
    law, values = of(growth, rounding)
    theta, logs = law.natural(values), law.logs(**draws())
    _, gradient = law.gradient(theta, logs)
    for k in range(len(theta)):
        step = np.zeros(len(theta))
        step[k] = 1e-6
        ahead, behind = (law.gradient(theta + s, logs)[0] for s in (step, -step))
        assert gradient[k] == pytest.approx((ahead - behind) / 2e-6, rel=2e-5, abs=1e-8)


@pytest.mark.parametrize("growth", ["threshold", "power"])
def test_recentring_keeps_the_curve_and_can_be_undone(growth: str) -> None:
    law, values = of(growth, "share")
    theta, logs = law.natural(values), law.logs(**draws())
    shift = np.zeros(len(logs))
    shift[[0, 2]] = 0.4, -0.9  # params and exposures
    moved = law.recentre(theta, shift)
    before = law.gradient(theta, logs)[0]
    assert law.gradient(moved, logs - shift[:, None])[0] == pytest.approx(before, abs=1e-12)
    assert law.recentre(moved, -shift) == pytest.approx(theta, abs=1e-12)


def test_in_float_and_after_many_exposures_it_is_the_capacity_law() -> None:
    values = {name: VALUES[name] for name in KNOWLEDGE.names}
    demand = np.geomspace(0.3, 5, 9)
    plain = {"plateau": 1.8, "share": 1.0, "sharpness": 6.0}
    many = KNOWLEDGE.loss(values, 1e4, demand, exposures=1e9, weight_bits=FLOAT)
    assert many == pytest.approx(CAPACITY.loss(plain, tokens=demand), rel=1e-9)
    half = KNOWLEDGE.loss(values, 1e4, 1e9, exposures=230.0, weight_bits=FLOAT)
    assert half == pytest.approx(0.9, rel=1e-9)
    rounded = KNOWLEDGE.loss(values, 1e4, 1e9, exposures=1e9, weight_bits=4.2)
    assert rounded == pytest.approx(1.8 / math.e, rel=1e-9)
    assert KNOWLEDGE not in LAWS


def test_few_bits_leave_nothing_and_the_numbers_stay_finite() -> None:
    values = {name: VALUES[name] for name in KNOWLEDGE.names}
    stored = KNOWLEDGE.loss(values, 1e4, np.array([1e-9, 1e9]), exposures=1e-6, weight_bits=1.0)
    assert np.all(np.isfinite(stored)) and np.all(stored < 1e-6)


def test_names_that_clash_are_refused() -> None:
    for names in (("llama", "llama"), ("half",), ("params",)):
        with pytest.raises(UsageError, match=names[0]):
            knowledge_law(names)
    with pytest.raises(UsageError, match="reads exposures"):
        KNOWLEDGE.loss({name: VALUES[name] for name in KNOWLEDGE.names}, 1e4, 2.0)
