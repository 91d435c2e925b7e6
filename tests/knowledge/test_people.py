"""People of the paper's pools: known bits, names without replacement, no memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from kleiber.errors import InputError
from kleiber.knowledge import Biographies, People, Pools

PAPER = Pools.paper()
MINI = {"first": 20, "middle": 20, "last": 50, "years": 40, "birth_cities": 40}
MINI |= {"universities": 60, "majors": 20, "employers": 52}


def test_the_papers_bits() -> None:
    assert PAPER.name_count == 160_000_000
    assert PAPER.value_bits == pytest.approx(47.59, abs=0.005)
    assert PAPER.dates == 12 * 28 * 200
    assert Pools.paper(**MINI).value_bits == pytest.approx(36.0, abs=0.05)
    assert Pools.paper(**MINI).name_count == 20_000


def test_head_offices_have_a_heavy_head() -> None:
    cities, counts = np.unique(PAPER.offices, return_counts=True)
    assert 120 <= len(cities) <= 140
    assert counts.max() == 36


def test_hard_values_are_in_the_pools() -> None:
    assert "Acme Tools Inc." in PAPER.employers[:52]
    assert "Washington D.C." in PAPER.birth_cities[:40]
    assert "Washington D.C." in PAPER.offices
    assert any("'" in value for value in PAPER.universities[:60])
    assert any("-" in value for value in PAPER.birth_cities[:40])


def test_names_are_without_replacement() -> None:
    people = People(PAPER, 100_000, seed=3)
    assert len(np.unique(people.names(np.arange(100_000)), axis=0)) == 100_000
    small = People(Pools.paper(first=5, middle=6, last=7), 200, seed=1)
    ids = np.concatenate([np.arange(200), small.strangers(10)])
    assert len(np.unique(small.names(ids), axis=0)) == 210
    with pytest.raises(InputError, match="11 strangers beside 200 people need 211 names"):
        small.strangers(11)


def test_values_are_uniform_and_the_city_is_the_employers() -> None:
    people = People(PAPER, 50_000, seed=2)
    values = people.values(np.arange(50_000))
    for column, size in ((0, PAPER.dates), (1, 200), (2, 300), (3, 100), (4, 263)):
        assert values[:, column].min() >= 0 and values[:, column].max() < size
        tenths = np.bincount(values[:, column] * 10 // size, minlength=10) / 50_000
        if size % 10 == 0:
            assert tenths == pytest.approx(0.1, abs=0.007)
    assert np.bincount(people.pronouns(np.arange(50_000))) / 50_000 == pytest.approx(0.5, abs=0.01)
    assert abs(np.corrcoef(values[:, :5].T)[np.triu_indices(5, 1)]).max() < 0.02
    words = people.words(values[17])
    assert words["work_city"] == PAPER.offices[PAPER.employers.index(words["employer"])]
    month, rest = words["birth_date"].split(" ", 1)
    day, year = rest.split(", ")
    assert month in PAPER.months and 1 <= int(day) <= 28 and 1900 <= int(year) <= 2099


def test_a_person_is_the_same_however_many_there_are() -> None:
    few, many = People(PAPER, 10, seed=4), People(PAPER, 10_000_000, seed=4)
    assert np.array_equal(few.values(np.arange(10)), many.values(np.arange(10)))
    assert np.array_equal(few.names(np.arange(10)), many.names(np.arange(10)))
    assert not np.array_equal(few.values([3]), People(PAPER, 10, seed=5).values([3]))


def test_ten_million_people_take_no_memory() -> None:
    source = Biographies(People(PAPER, 1))
    source.texts([0], 0)
    tracemalloc.start()
    many = replace(source, people=People(PAPER, 10_000_000))
    texts = many.texts(np.arange(9_999_000, 10_000_000), 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(texts) == 1000
    assert peak < 20e6  # the tables of pieces and one batch


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"majors": 1}, "a pool of 1 majors: at least 2 values .* the list has 100"),
        ({"majors": 0}, "a pool of 0 majors"),
        ({"years": 201}, "a pool of 201 years"),
        ({"hats": 5}, "there is no pool 'hats'"),
    ],
)
def test_pools_that_cannot_be_are_refused(sizes: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Pools.paper(**sizes)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("one",), "a pool of 1 majors"),
        (("one", "two", "one"), "holds 'one' more than once"),
        (("one", "two  words"), "holds 'two  words'"),
    ],
)
def test_own_pools_are_checked(values: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(PAPER, majors=values)


def test_more_people_than_names_are_refused() -> None:
    small = Pools.paper(first=2, middle=2, last=2)
    with pytest.raises(InputError, match="more people than names: 9 people, 8 names"):
        People(small, 9)
    with pytest.raises(InputError, match="0 people"):
        People(small, 0)
    with pytest.raises(InputError, match="5 employers with 263 head offices"):
        replace(PAPER, employers=PAPER.employers[:5])
