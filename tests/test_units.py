from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.errors import UnitError, ValuesError
from kleiber.units import LossUnit, flops_6nd, format_count, from_nats, parse_count, to_nats


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1.5B", 1.5e9),
        ("125M", 125e6),
        ("2k", 2000.0),
        ("2K", 2000.0),
        ("1T", 1e12),
        ("1.1B", 1.1e9),
        (" 7 b ", 7e9),
        ("70 billion", 70e9),
        ("1.5e9", 1.5e9),
        ("1E+3", 1000.0),
        ("1_000_000", 1e6),
        ("1,000,000", 1e6),
        ("1,234.5k", 1_234_500.0),
        (".5B", 5e8),
        (0, 0.0),
        (125_000_000, 125e6),
        (1.5e9, 1.5e9),
        (np.int64(7), 7.0),
        (np.float32(0.5), 0.5),
    ],
)
def test_a_count_is_read(text: object, count: float) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "B", "1,5B", "1.2.3", "one", "-3", "nan", "1__0", True, -1])
def test_no_count_is_refused_with_its_value(text: object) -> None:
    with pytest.raises(ValuesError, match="no count"):
        parse_count(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, "1e999"])
def test_a_count_is_finite(value: object) -> None:
    with pytest.raises(ValuesError):
        parse_count(value)


def test_an_unknown_suffix_is_named() -> None:
    with pytest.raises(UnitError, match=r"'3Q' ends in the unknown suffix 'Q'.*Use k, M, B or T"):
        parse_count("3Q")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1.5e9, "1.5B"),
        (999.6e6, "1B"),
        (1_730_543_416, "1.73B"),
        (125e6, "125M"),
        (2000, "2k"),
        (950, "950"),
        (999.9, "1k"),
        (0, "0"),
        (0.25, "0.25"),
        (3e14, "300T"),
        (1e21, "1e21"),
        (math.nan, "nan"),
    ],
)
def test_a_count_is_written_in_three_digits(count: float, text: str) -> None:
    assert format_count(count) == text


@given(st.floats(min_value=1e-3, max_value=1e30))
def test_a_written_count_reads_back(count: float) -> None:
    assert parse_count(format_count(count)) == pytest.approx(count, rel=5.1e-3)


@given(st.integers(0, 999), st.sampled_from(["k", "M", "B", "T"]))
def test_short_counts_survive_writing(number: int, suffix: str) -> None:
    count = parse_count(f"{number}{suffix}")
    assert parse_count(format_count(count)) == count


@pytest.mark.parametrize(
    ("unit", "value", "nats"),
    [
        ("nats", 2.0, 2.0),
        ("bits", 1.0, math.log(2)),
        ("ppl", math.e, 1.0),
        ("Perplexity", 1.0, 0.0),
        ("bpb:4", 1.0, 4 * math.log(2)),
        ("bits-per-byte:4.5", 2.0, 9 * math.log(2)),
    ],
)
def test_losses_become_nats(unit: str, value: float, nats: float) -> None:
    assert to_nats([value], unit)[0] == pytest.approx(nats, rel=1e-15)


@given(
    st.sampled_from(["nats", "bits", "ppl", "bpb:3.7"]),
    st.lists(st.floats(min_value=1e-3, max_value=30), min_size=1),
)
def test_conversions_invert(unit: str, nats: list[float]) -> None:
    assert to_nats(from_nats(nats, unit), unit) == pytest.approx(nats, rel=1e-9, abs=1e-12)


def test_perplexity_at_or_below_zero_is_unknown() -> None:
    assert np.isnan(to_nats([0.0, -2.0], "ppl")).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accuracy", "'accuracy' is no unit of loss"),
        ("", "is no unit"),
        ("bpb", "bytes a token"),
        ("bpb:0", "bytes a token"),
        ("bpb:x", "bytes a token"),
        ("nats:3", "takes no ratio"),
    ],
)
def test_other_units_are_refused(text: str, said: str) -> None:
    with pytest.raises(UnitError, match=said) as caught:
        LossUnit.parse(text)
    assert "--unit" in caught.value.remedy


@pytest.mark.parametrize("text", ["nats", "bits", "ppl", "bpb:4.25"])
def test_a_unit_writes_its_own_name(text: str) -> None:
    assert str(LossUnit.parse(text)) == text
    assert LossUnit.parse(LossUnit.parse(text)) == LossUnit.parse(text)


def test_flops_are_six_params_tokens() -> None:
    assert flops_6nd(1e9, 20e9) == 1.2e20
    assert flops_6nd(np.array([1.0, 2.0]), np.array([3.0, 4.0])).tolist() == [18.0, 48.0]
