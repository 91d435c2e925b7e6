"""Draws are pure functions of integers; the permutation is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.training.chance import below, draw, mix, order, permute


def test_splitmix_known_answers() -> None:
    # the reference generator's first outputs for the seed 1234567
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        told = mix(np.uint64(1234567) + golden * np.arange(1, 4, dtype=np.uint64))
    assert told.tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.integers(0, 2**64 - 1), st.integers(1, 3000))
def test_the_permutation_is_a_bijection(seed: int, count: int) -> None:
    assert np.array_equal(np.sort(permute(seed, np.arange(count), count)), np.arange(count))


def test_the_permutation_looks_random() -> None:
    count = 1_000_003
    told = permute(9, np.arange(10_000), count)
    assert abs(np.corrcoef(told, np.arange(10_000))[0, 1]) < 0.05
    quarter = np.bincount(told * 4 // count, minlength=4) / 10_000
    assert quarter == pytest.approx(0.25, abs=0.02)
    assert int(permute(9, 17, count)) == told[17]


def test_indexes_outside_are_refused() -> None:
    with pytest.raises(ValueError, match=r"outside range\(5\)"):
        permute(0, [5], 5)
    with pytest.raises(ValueError, match="a permutation of 0 values"):
        permute(0, [], 0)


def test_draws_depend_on_every_key_and_on_nothing_else() -> None:
    one = draw(3, np.arange(100)[:, None], 5, np.arange(7))
    assert one.shape == (100, 7)
    assert len(np.unique(one)) == 700
    assert one[42, 6] == draw(3, 42, 5, 6)
    assert draw(3, 1, 2) != draw(3, 2, 1)


def test_below_is_uniform_and_order_permutes() -> None:
    told = below(draw(0, np.arange(30_000)), 3)
    assert np.bincount(told) / 30_000 == pytest.approx(1 / 3, abs=0.01)
    orders = order(draw(1, np.arange(6000)[:, None], np.arange(3)))
    ways, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(ways) == 6
    assert counts / 6000 == pytest.approx(1 / 6, abs=0.02)
