"""Sizing: published arithmetic re-derived, the unknown said to be unknown, shapes that reach."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.errors import UsageError, ValuesError
from kleiber.knowledge.shape import gpt2_params, nearest_shape
from kleiber.knowledge.size import (
    NAMES,
    SOURCE,
    biod_bits,
    bios_bits,
    held_bits,
    published_density,
    smallest_model,
    value_bits,
)


def test_seven_billion_hold_fourteen() -> None:
    there, back = held_bits(7e9), smallest_model(14e9)
    assert there.bits == 14e9 and back.params == 7e9
    assert there.text().startswith("7B parameters hold 14B bits.")
    assert back.text().startswith("To hold 14B bits: at least 7B parameters.")
    assert SOURCE in there.text() and "2 bits a parameter" in there.text()
    assert math.isnan(there.bits_lower)  # the published plateau has no interval


@pytest.mark.parametrize(
    ("people", "each"),
    [(10_000, 61.6), (50_000, 59.2), (100_000, 58.2), (1_000_000, 54.9), (10_000_000, 51.6)],
)
def test_the_demand_of_the_published_data(people: int, each: float) -> None:
    assert bios_bits(people) / people == pytest.approx(each, abs=0.051)
    assert value_bits() == pytest.approx(47.5916, abs=1e-4)


def test_the_demand_of_biod() -> None:
    found = biod_bits(1000, names=64**3, attributes=8, chunks=1, choices=64, length=1, letters=64)
    assert found == pytest.approx(1000 * math.log2(64**3 / 1000) + 1000 * 8 * 6)
    longer = biod_bits(1000, names=64**3, attributes=8, chunks=2, choices=64, length=2, letters=64)
    assert longer == pytest.approx(found + 1000 * 8 * 6 + 8 * 64 * 6)
    with pytest.raises(ValuesError, match=r"65 values cannot be drawn from the 64\^1"):
        biod_bits(1000, attributes=8, chunks=1, choices=65, length=1, letters=64)


def test_people_are_their_bits() -> None:
    size = smallest_model(people=1_000_000, values=value_bits((200, 300, 100)))
    assert size.bits == pytest.approx(1e6 * (math.log2(160) + math.log2(6e6)))
    assert size.params == size.bits / 2
    assert "1,000,000 people" in size.text()


@pytest.mark.parametrize(
    ("exposures", "value"), [(1000, 2.0), (100, 1.0), (10**2.5, 1.5), (300, 1.477)]
)
def test_exposures_between_the_published_are_interpolated_and_say_so(
    exposures: float, value: float
) -> None:
    found = published_density(exposures)
    assert found.value == pytest.approx(value, abs=1e-3)
    between = 100 < exposures < 1000
    assert any("interpolation" in note for note in found.notes) == between


@pytest.mark.parametrize("exposures", [1, 99.9, 1001, 1e6])
def test_exposures_beyond_the_published_are_unknown(exposures: float) -> None:
    size = smallest_model(1e9, exposures=exposures)
    assert math.isnan(size.params) and size.shape is None
    assert "unknown" in size.text() and "measure your own" in size.text()
    assert size.to_dict()["params"] is None
    assert "unknown number of bits" in held_bits(1e9, exposures=exposures).text()


@pytest.mark.parametrize(
    ("weight", "exposures", "value", "said"),
    [
        (32, 1000, 2.0, ""),
        (16, 100, 1.0, ""),
        (8, 1000, 2.0, "int8"),
        (8, 100, 1.0, "int8"),
        (4, 1000, 0.7, "int4"),
        (4, 100, math.nan, "measure your own"),
        (3, 1000, math.nan, "weights of 3 bits"),
        (1.58, 1000, math.nan, "weights of 1.58 bits"),
    ],
)
def test_narrow_weights(weight: float, exposures: float, value: float, said: str) -> None:
    found = published_density(exposures, weight)
    assert found.value == pytest.approx(value, nan_ok=True)
    assert said in " ".join(found.notes) and bool(said) == bool(found.notes)


def test_a_plateau_of_ones_own_carries_its_interval() -> None:
    size = smallest_model(1e6, measured=(1.6, 1.5, 1.8), exposures=40)
    assert size.params == pytest.approx(625_000)
    assert (size.params_lower, size.params_upper) == pytest.approx((1e6 / 1.8, 1e6 / 1.5))
    assert "(556k to 667k parameters)" in size.text() and "your measurement" in size.text()
    bits = held_bits(1e6, measured=(1.6, 1.5, 1.8), bits_per_weight=8)
    assert (bits.bits_lower, bits.bits_upper) == (1.5e6, 1.8e6)
    with pytest.raises(ValuesError, match="more than the 1 bits"):
        held_bits(1e6, measured=(1.6, 1.5, 1.8), bits_per_weight=1)


@pytest.mark.parametrize(
    ("layers", "heads", "params"),
    [(2, 2, 816_000), (6, 4, 5_577_472), (6, 6, 11_905_152), (12, 12, 87_571_200)],
)
def test_the_published_counts(layers: int, heads: int, params: int) -> None:
    assert gpt2_params(layers, 64 * heads) == params


@given(params=st.floats(1.0, 1e12), vocabulary=st.sampled_from([64, 3275, 50_257]))
def test_a_shape_reaches_the_count_and_none_is_nearer(params: float, vocabulary: int) -> None:
    found = nearest_shape(params, vocabulary)
    assert found.params >= params
    assert found.width % 64 == 0 and found.layers >= 2
    assert found.params == gpt2_params(found.layers, found.width, vocabulary)
    one_less = gpt2_params(found.layers - 1, found.width, vocabulary)
    heads = found.width // 64
    least = max(2, math.ceil(heads / 3))
    assert found.layers == least or one_less < params
    if params > 1e7:
        assert found.params < 1.25 * params


@pytest.mark.parametrize("params", [1e6, 5.5e6, 9e7, 7e9])
def test_the_nearest_shape_is_the_least_of_all(params: float) -> None:
    every = (
        gpt2_params(layers, 64 * heads)
        for heads in range(1, 200)
        for layers in range(max(2, math.ceil(heads / 3)), max(2, 4 * heads) + 1)
    )
    assert nearest_shape(params).params == min(count for count in every if count >= params)


def test_plain_data_is_json() -> None:
    size = smallest_model(people=20_000)
    data = json.loads(json.dumps(size.to_dict(), allow_nan=False))
    assert data["asked"] == "bits" and data["people"] == 20_000
    assert data["density"]["value"] == 2.0 and data["density"]["lower"] is None
    assert data["shape"]["width"] % 64 == 0
    assert 0.2 < data["shape"]["embedding_share"] < 1
    assert "vocabulary rows" in size.text()


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="one of the two"):
        smallest_model()
    with pytest.raises(UsageError, match="one of the two"):
        smallest_model(1e6, people=5)
    with pytest.raises(ValuesError, match="160,000,001 people"):
        smallest_model(people=NAMES + 1)
    with pytest.raises(ValuesError, match="exposures is 0"):
        held_bits(1e9, exposures=0)
    with pytest.raises(ValuesError, match="bits is -1"):
        smallest_model(-1.0)
    with pytest.raises(ValuesError, match="each has at least"):
        value_bits((200, 0))
    with pytest.raises(ValuesError, match=r"No model has 5e\+299 parameters"):
        smallest_model(1e300)
