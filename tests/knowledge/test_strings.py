"""bioD: sizes, bits and texts as the definition has them."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from kleiber.errors import InputError
from kleiber.knowledge import Strings


def test_the_compact_layout() -> None:
    source = Strings(count=1000)
    assert (source.max_length, source.vocab, source.length_spread) == (20, 73, 0.0)
    assert source.name_bits == 18 and source.value_bits == 48 and source.diversity_bits == 0
    texts = source.texts(np.arange(100), 0)
    rows = texts.tokens.reshape(100, 20)
    assert (rows[:, 0] == source.separator).all() and rows[:, 1:].min() >= 1
    assert (rows[:, 1:4] == source.names(np.arange(100)) + 1).all()
    assert rows.max() < source.vocab
    attributes = rows[:, 4::2] - 65
    assert (np.sort(attributes) == np.arange(8)).all()
    slots = texts.slots.reshape(100, 20)
    assert (slots[:, 5::2] == attributes).all() and (slots[:, 4::2] == -1).all()
    kinds = texts.kinds.reshape(100, 20)
    assert (kinds == [0, 1, 1, 1] + [0, 2] * 8).all()


def test_bits_of_the_definition() -> None:
    source = Strings(count=9, K=5, C=3, D=20, L=2, T=16, name_tokens=2)
    assert source.value_bits == pytest.approx(5 * 3 * log2(20))
    assert source.diversity_bits == pytest.approx(5 * 20 * log2(16**2 / 20))
    assert source.max_length == 1 + 2 + 5 * (1 + 6)
    texts = source.texts([4], 0)
    assert (texts.kinds == [0, 1, 1] + [0, 2, 2, 3, 3, 3, 3] * 5).all()


def test_values_follow_the_person_and_not_the_exposure() -> None:
    source = Strings(count=50, K=4, C=2, D=6, L=3, T=5, name_tokens=4)
    people = np.arange(50)
    one, two = source.texts(people, 0), source.texts(people, np.full(50, 1))
    assert (one.tokens != two.tokens).any()
    for texts in (one, two):
        for k in range(4):
            told = texts.tokens[texts.slots == k].reshape(50, 2, 3) - 1
            assert (told == source.dictionary[k][source.values(people)[:, k]]).all()


@pytest.mark.parametrize(("L", "T"), [(2, 8), (50, 40_000)])
def test_dictionaries_hold_different_strings(L: int, T: int) -> None:
    source = Strings(count=9, K=3, D=60, L=L, T=T, name_pool=100)
    assert source.dictionary.shape == (3, 60, L)
    for strings in source.dictionary:
        assert len(np.unique(strings, axis=0)) == 60
    assert not np.array_equal(source.dictionary[0], source.dictionary[1])


def test_orders_and_values_are_uniform() -> None:
    source = Strings(count=200_000, K=4, D=10, T=64)
    texts = source.texts(np.arange(20_000), 0)
    first = texts.tokens.reshape(20_000, -1)[:, 4] - 65
    assert np.bincount(first, minlength=4) / 20_000 == pytest.approx(0.25, abs=0.015)
    told = source.values(np.arange(20_000))[:, 2, 0]
    assert np.bincount(told, minlength=10) / 20_000 == pytest.approx(0.1, abs=0.01)


def test_names_are_all_different_and_strangers_have_others() -> None:
    source = Strings(count=4000, D=16, T=16)
    assert len(np.unique(source.names(np.arange(4096)), axis=0)) == 4096
    assert list(source.strangers(2)) == [4000, 4001]
    with pytest.raises(InputError, match="97 strangers beside 4000 people need 4097 names"):
        source.strangers(97)


def test_readable_texts_slice_to_their_truth() -> None:
    source = Strings(count=20, K=3, C=2, D=6, L=2, T=100)
    for biography in source.biographies(np.arange(20), 3):
        text = biography.text
        assert text.startswith(" ") and text.endswith(".")
        for part, start, end in biography.spans:
            assert text[start:end] == biography.values[part]
        assert set(biography.values) == {"name", *source.attributes}
    opening = source.biographies([7], 3)[0]
    tokens = source.texts([7], 3).tokens
    assert source.decode(tokens).startswith("| ")
    order = [part for part, _, _ in opening.spans[1:]]
    assert order == [source.attributes[t - 101] for t in tokens if t > 100]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "count is 0"),
        ({"count": 9, "D": 1}, "a pool of one value holds no bits"),
        ({"count": 9, "D": 65}, "65 different strings .* only 64 of length L = 1"),
        ({"count": 9, "T": 4, "D": 4, "name_tokens": 1}, "more people than names: 9 people, 4"),
        ({"count": 9, "name_pool": 64**3 + 1}, "a pool of 262145 names"),
    ],
)
def test_sizes_that_hold_nothing_are_refused(options: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Strings(**options)


def test_no_people_have_no_texts() -> None:
    source = Strings(count=5)
    assert len(source.texts(np.arange(0), 0)) == 0
    assert source.biographies(np.arange(0), 0) == []
