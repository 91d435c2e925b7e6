from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.errors import UsageError
from kleiber.training.text.order import Order

counts = st.integers(1, 400)
seeds = st.integers(0, 5)


def all_of(order: Order) -> np.ndarray:
    return order.windows(np.arange(order.shown))


@given(shown=counts, share=st.floats(0, 1), seed=seeds, more=st.integers(0, 300))
def test_every_pass_shows_the_same_windows_once(
    shown: int, share: float, seed: int, more: int
) -> None:
    epochs = 1 + share * (shown - 1)
    order = Order.of(shown, epochs, seed)
    order = Order(order.shown, order.unique, seed, order.unique + more)
    found = all_of(order)
    unique = set(found[: order.unique].tolist())
    assert len(unique) == order.unique  # single-epoch: nothing twice
    for start in range(0, shown, order.unique):
        one = found[start : start + order.unique].tolist()
        assert len(set(one)) == len(one)
        assert set(one) <= unique
    assert found.min() >= 0
    assert found.max() < order.unique + more


@given(shown=counts, epochs=st.floats(1, 12))
def test_no_window_comes_oftener_than_the_epochs_rounded_up(shown: int, epochs: float) -> None:
    if epochs > shown:
        return
    order = Order.of(shown, epochs, 0)
    seen = Counter(all_of(order).tolist())
    assert order.unique == pytest.approx(shown / epochs, abs=1)
    assert max(seen.values()) <= math.ceil(epochs)
    assert sum(seen.values()) == shown
    assert len(seen) == order.unique


@given(epochs=st.integers(1, 9), unique=st.integers(1, 60), seed=seeds)
def test_whole_epochs_show_each_window_so_many_times(epochs: int, unique: int, seed: int) -> None:
    order = Order.of(epochs * unique, epochs, seed, unique)
    assert set(Counter(all_of(order).tolist()).values()) == {epochs}
    assert order.epochs == epochs


@given(longer=counts, shorter=counts, seed=seeds)
def test_fewer_windows_are_the_first_of_more(longer: int, shorter: int, seed: int) -> None:
    shorter = min(shorter, longer)
    more, fewer = (Order.of(n, 1, seed, 500) for n in (longer, shorter))
    assert all_of(fewer).tolist() == all_of(more)[:shorter].tolist()
    repeated = Order.of(longer, longer / shorter, seed, 500)
    assert all_of(repeated)[: repeated.unique].tolist() == all_of(more)[: repeated.unique].tolist()


def test_passes_and_seeds_differ_in_their_order() -> None:
    order = Order.of(3 * 64, 3, 0, 1000)
    one, two, three = all_of(order).reshape(3, 64)
    assert sorted(one) == sorted(two) == sorted(three)
    assert len({tuple(one), tuple(two), tuple(three)}) == 3
    assert set(all_of(Order.of(64, 1, 1, 1000))) != set(one)


def test_a_place_by_itself_is_the_place_among_all() -> None:
    order = Order.of(150, 4, 3, 90)
    assert [int(order.windows(np.array([i]))[0]) for i in range(150)] == all_of(order).tolist()


@pytest.mark.parametrize("epochs", [0.5, 11, math.nan, math.inf])
def test_epochs_that_cannot_be_are_refused(epochs: float) -> None:
    with pytest.raises(UsageError, match="of 10 windows in all; 1 to 10 are possible"):
        Order.of(10, epochs, 0)
