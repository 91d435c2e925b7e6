"""The bounds against exact integers, against every data set of a tiny kind, and each other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import ValuesError
from kleiber.knowledge.bounds import (
    LN2,
    log2_choices,
    lower_biod,
    lower_bios,
    upper_biod,
    upper_bios,
)

PAPER_NAMES = 400 * 400 * 1000
PAPER_VALUE_BITS = math.log2(2 * 12 * 28 * 200 * 200 * 300 * 100 * 263)


@given(n=st.integers(1, 6000), share=st.floats(0.0, 1.0))
def test_a_log_binomial_is_that_of_the_exact_integer(n: int, share: float) -> None:
    k = round(share * n)
    assert log2_choices(n, k) == pytest.approx(math.log2(math.comb(n, k)), rel=1e-13, abs=0.0)


@pytest.mark.parametrize(
    ("n", "k"), [(160_000_000, 501), (160_000_000, 20_000), (50_000, 25_000), (10**30, 4000)]
)
def test_larger_ones_too(n: int, k: int) -> None:
    exact = math.comb(n, k)
    assert log2_choices(n, k) == pytest.approx(math.log2(exact), rel=1e-13)
    assert log2_choices(n, n - k) == log2_choices(n, k)


@pytest.mark.parametrize(
    ("n", "k"),
    [
        (PAPER_NAMES, 10_000),
        (PAPER_NAMES, 10_000_000),
        (PAPER_NAMES, 80_000_000),
        (40_000**60, 700),
    ],
)
def test_the_papers_sizes_against_many_digits(n: int, k: int) -> None:
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(50 + len(str(n))):
        digits = mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1)
        exact = float(digits / mpmath.log(2))
    assert log2_choices(n, k) == pytest.approx(exact, rel=1e-14)


def test_a_pool_that_no_float_holds() -> None:
    n, k = 40_000**300, 600
    assert log2_choices(n, k) == pytest.approx(math.log2(math.comb(n, k)), rel=1e-13)


FIELDS = ("people", "names", "attributes", "chunks", "choices", "length", "letters")
TINY = [
    dict(zip(FIELDS, sizes, strict=True))
    for sizes in (
        (2, 4, 1, 1, 2, 1, 3),
        (2, 3, 2, 1, 2, 2, 2),
        (1, 5, 2, 2, 3, 1, 3),
        (3, 3, 1, 2, 2, 1, 2),
    )
]


def every_biod(kind: dict[str, int]) -> set[tuple[object, ...]]:
    """Return every data set: names, each attribute's strings, every chunk of every value."""
    strings = list(itertools.product(range(kind["letters"]), repeat=kind["length"]))
    found: set[tuple[object, ...]] = set()
    slots = kind["people"] * kind["attributes"] * kind["chunks"]
    pools = list(itertools.combinations(strings, kind["choices"]))
    for names in itertools.combinations(range(kind["names"]), kind["people"]):
        for drawn in itertools.product(pools, repeat=kind["attributes"]):
            for picks in itertools.product(range(kind["choices"]), repeat=slots):
                said = tuple(
                    drawn[(i // kind["chunks"]) % kind["attributes"]][pick]
                    for i, pick in enumerate(picks)
                )
                found.add((names, drawn, said))
    return found


@pytest.mark.parametrize("kind", TINY)
def test_the_upper_bound_counts_every_data_set(kind: dict[str, int]) -> None:
    count = len(every_biod(kind))
    assert upper_biod(**kind) == pytest.approx(math.log2(count), rel=1e-14)


def test_the_upper_bound_of_bios_counts_every_data_set() -> None:
    sets = {
        (names, values)
        for names in itertools.combinations(range(6), 3)
        for values in itertools.product(range(5), repeat=3)
    }
    assert upper_bios(people=3, names=6, value_bits=math.log2(5)) == pytest.approx(
        math.log2(len(sets)), rel=1e-14
    )


kinds = st.fixed_dictionaries(
    {
        "people": st.integers(1, 10**7),
        "names": st.just(PAPER_NAMES),
        "attributes": st.integers(1, 50),
        "chunks": st.integers(1, 50),
        "choices": st.integers(1, 10_000),
        "length": st.integers(1, 50),
        "letters": st.integers(1, 40_000),
    }
).filter(lambda kind: kind["letters"] ** kind["length"] >= kind["choices"])
losses = st.floats(0.0, 50.0)


@given(kind=kinds)
def test_a_perfect_learner_stores_no_more_than_there_is(kind: dict[str, int]) -> None:
    strings, d = kind["letters"] ** kind["length"], kind["choices"]
    stored = (
        kind["people"] * math.log2(kind["names"] / kind["people"])
        + kind["people"] * kind["attributes"] * kind["chunks"] * math.log2(d)
        + kind["attributes"] * d * (math.log2(strings) - math.log2(d))
    )
    assert stored <= upper_biod(**kind) * (1 + 1e-12)


@given(kind=kinds, worse=losses, value_loss=losses, diversity_loss=losses)
def test_the_lower_bound_is_the_lower(
    kind: dict[str, int], worse: float, value_loss: float, diversity_loss: float
) -> None:
    # no model is surer than 1/N of each of N names
    name_loss = math.log(kind["people"]) + worse
    low = lower_biod(
        **kind, name_loss=name_loss, value_loss=value_loss, diversity_loss=diversity_loss
    )
    assert low <= upper_biod(**kind) * (1 + 1e-12)
    simple = {"people": kind["people"], "names": kind["names"], "value_bits": PAPER_VALUE_BITS}
    assert lower_bios(**simple, name_loss=name_loss, value_loss=value_loss) <= upper_bios(**simple)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), models=st.integers(1, 40), sure=st.floats(0.0, 8.0))
def test_no_set_of_models_beats_the_lower_bound(seed: int, models: int, sure: float) -> None:
    """Give every data set the model that suits it best; their number bounds what they know."""
    names, people, values = 5, 2, 3
    rng = np.random.default_rng(seed)
    name_logits = sure * rng.standard_normal((models, names))
    value_logits = sure * rng.standard_normal((models, names, values))
    of_name = -name_logits + np.log(np.exp(name_logits).sum(axis=1, keepdims=True))
    of_value = -value_logits + np.log(np.exp(value_logits).sum(axis=2, keepdims=True))
    p1, p2 = [], []
    for chosen in itertools.combinations(range(names), people):
        for said in itertools.product(range(values), repeat=people):
            name_loss = of_name[:, list(chosen)].mean(axis=1)
            value_loss = of_value[:, list(chosen), list(said)].mean(axis=1)
            best = int(np.argmin(name_loss + value_loss))
            p1.append(name_loss[best])
            p2.append(value_loss[best])
    bound = lower_bios(
        people=people,
        names=names,
        value_bits=math.log2(values),
        name_loss=float(np.mean(p1)),
        value_loss=float(np.mean(p2)),
    )
    assert bound <= math.log2(models) + 1e-9


def test_the_published_numbers() -> None:
    assert PAPER_VALUE_BITS == pytest.approx(47.5916, abs=1e-4)
    kind = {"people": 100_000, "names": PAPER_NAMES, "value_bits": PAPER_VALUE_BITS}
    perfect = lower_bios(**kind, name_loss=math.log(100_000), value_loss=0.0)
    assert perfect / 1e5 == pytest.approx(58.2, abs=0.1)  # bits a person
    # the exact count is N log2 e larger than N log2(N0/N), less a few bits
    assert upper_bios(**kind) - perfect == pytest.approx(1e5 / LN2, rel=1e-3)
    guessing = lower_bios(**kind, name_loss=math.log(PAPER_NAMES), value_loss=47.5916 * LN2)
    assert guessing == pytest.approx(0.0, abs=200.0)


def test_where_nothing_is_to_be_chosen_nothing_is_stored() -> None:
    kind = {
        "people": 8, "names": 8, "attributes": 2, "chunks": 1, "choices": 64, "length": 1,
        "letters": 64,
    }  # fmt: skip
    assert upper_biod(**kind) == 8 * 2 * 6
    low = lower_biod(**kind, name_loss=math.log(8), value_loss=0.0, diversity_loss=0.0)
    assert low == upper_biod(**kind)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValuesError, match="9 cannot be chosen without replacement from 8"):
        upper_bios(people=9, names=8, value_bits=1.0)
    with pytest.raises(ValuesError, match="9 cannot"):
        lower_bios(people=9, names=8, value_bits=1.0, name_loss=1.0, value_loss=0.0)
    with pytest.raises(ValuesError, match="people is 0"):
        upper_bios(people=0, names=8, value_bits=1.0)
    with pytest.raises(ValuesError, match="value_loss is nan"):
        lower_bios(people=2, names=8, value_bits=1.0, name_loss=1.0, value_loss=math.nan)
    kind = {**TINY[0], "choices": 9}
    with pytest.raises(ValuesError, match="9 cannot be chosen"):
        lower_biod(**kind, name_loss=1.0, value_loss=0.0, diversity_loss=0.0)
