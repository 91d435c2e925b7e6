"""Biographies say what is true, where they say it; forms differ in what is drawn anew."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from kleiber.errors import UsageError
from kleiber.knowledge import Biographies, People, Pools, Windows, Words
from kleiber.knowledge.biographies import FORMS
from kleiber.knowledge.grammar import DISTRACTORS, expand, templates
from kleiber.knowledge.people import ATTRIBUTES

PEOPLE = People(Pools.paper(), 10_000, seed=11)
SOURCES = {form: Biographies(PEOPLE, form) for form in FORMS}

each_form = pytest.mark.parametrize("form", FORMS)


def sentences_order(source: Biographies, ids: np.ndarray, exposures: int) -> list[tuple[str, ...]]:
    shown = source.biographies(ids, exposures)
    return [tuple(part for part, _, _ in one.spans if part in ATTRIBUTES) for one in shown]


@each_form
def test_spans_slice_to_the_values(form: str) -> None:
    source = SOURCES[form]
    for one in source.biographies(np.arange(500), 7):
        assert one.text.startswith(f" {one.values['name']} ")
        assert {part for part, _, _ in one.spans} == {"name", "pronoun", *ATTRIBUTES}
        for part, start, end in one.spans:
            assert one.text[start:end] == one.values[part]
        pronoun = one.values["pronoun"]
        assert one.text.count(f" {pronoun} ") == (5 if form != "bioR" else 7)


@each_form
def test_tokens_are_the_text(form: str) -> None:
    source = SOURCES[form]
    ids = np.arange(300)
    texts = source.texts(ids, 5)
    for i, one in enumerate(source.biographies(ids, 5)):
        own = slice(texts.starts[i], texts.starts[i + 1])
        tokens, kinds, slots = texts.tokens[own], texts.kinds[own], texts.slots[own]
        assert source.decode(tokens) == one.text
        assert tokens[0] == source.separator and kinds[0] == 0
        assert (tokens[1:] > 0).all() and tokens.max() < source.vocab
        for kind, part in enumerate(source.kinds[1:], start=1):
            assert source.decode(tokens[kinds == kind]) == f" {one.values[part]}"
        for slot, part in enumerate(source.attributes):
            assert source.decode(tokens[slots == slot]) == f" {one.values[part]}"
    assert source.decode(texts.tokens[: texts.starts[2]]).count("\n") == 1


def test_what_is_drawn_anew() -> None:
    def same(form: str, one: int, two: int) -> bool:
        told = [SOURCES[form].texts(np.arange(50), turn).tokens for turn in (one, two)]
        return np.array_equal(*told)

    assert same("bioS", 3, 3) and not same("bioS", 3, 43)
    assert same("bioS-simple", 3, 4)
    assert same("bioR", 3, 43) and not same("bioR", 3, 4)
    again = Biographies(People(Pools.paper(), 10_000, seed=11)).texts([5, 9], [1, 2])
    alone = SOURCES["bioS"].texts([9], 2)
    assert np.array_equal(again.tokens[again.starts[1] :], alone.tokens)


def test_orders_are_uniform() -> None:
    orders = sentences_order(SOURCES["bioS"], np.arange(7200), 0)
    counts = {order: orders.count(order) for order in permutations(ATTRIBUTES)}
    assert sum(counts.values()) == 7200
    assert max(counts.values()) < 30 and min(counts.values()) > 0  # 10 expected


@each_form
def test_the_employer_can_be_put_first(form: str) -> None:
    source = SOURCES[form]
    ids = np.arange(400)
    free, kept = source.choose(ids, 1), source.choose(ids, 1, employer_first=True)
    employer, city = ATTRIBUTES.index("employer"), ATTRIBUTES.index("work_city")
    ranks = np.argsort(kept.order, axis=1)
    assert (ranks[:, employer] < ranks[:, city]).all()
    before = np.argsort(free.order, axis=1)
    fine = before[:, employer] < before[:, city]
    assert 0.4 < fine.mean() < 0.6
    assert np.array_equal(free.order[fine], kept.order[fine])
    assert np.array_equal(np.sort(kept.order, axis=1), np.sort(free.order, axis=1))
    texts = source.texts(ids, 1, employer_first=True)
    shown = source.biographies(ids, 1, employer_first=True)
    assert source.decode(texts.tokens) == "\n".join(one.text for one in shown)


@each_form
def test_lengths_are_exact(form: str) -> None:
    source = SOURCES[form]
    lengths = source.texts(np.arange(10_000), np.arange(10_000)).lengths
    assert lengths.mean() == pytest.approx(source.mean_length, abs=5 * source.length_spread / 100)
    assert lengths.std() == pytest.approx(source.length_spread, rel=0.05)
    assert lengths.max() <= source.max_length


def test_lengths_of_every_text_of_a_tiny_grammar() -> None:
    sizes = dict.fromkeys(("first", "middle", "last", "months", "days", "years"), 2)
    sizes |= dict.fromkeys(("birth_cities", "universities", "majors"), 3) | {"employers": 9}
    pools = Pools.paper(**sizes)
    source = Biographies(People(pools, 8), templates=1)
    dates = (f"{m} {d}, {y}" for m, d, y in product(pools.months, pools.days, pools.years))
    offices = zip(pools.employers, pools.offices, strict=True)
    told = [tuple(dates), pools.birth_cities, pools.universities, pools.majors, offices]
    write = {part: templates(part, limit=1)[0].write for part in ATTRIBUTES}

    def length(text: str) -> int:
        return len(Words().encode([text])[0])

    values = [
        np.array([length(write[part](value)) for value in pool])
        for part, pool in zip(ATTRIBUTES[:4], told[:4], strict=True)
    ]
    values.append(
        np.array([length(write["employer"](a) + write["work_city"](b)) for a, b in offices])
    )
    names = [np.array([length(f" {x}") for x in pool]) for pool in (pools.first, pools.middle)]
    names.append(np.array([length(f" {x}") for x in pools.last]))
    every = np.array([sum(parts) for parts in product(*names, *values)]) + 1 + 5
    assert source.mean_length == pytest.approx(every.mean(), rel=1e-12)
    assert source.length_spread == pytest.approx(every.std(), rel=1e-9)
    assert source.max_length == every.max()


@pytest.mark.parametrize("part", ATTRIBUTES)
def test_about_fifty_templates_an_attribute(part: str) -> None:
    plain, rich = templates(part), templates(part, more=True)
    assert 47 <= len(plain) <= 53 and 95 <= len(rich) <= 105
    assert len(set(rich)) == len(rich) and set(plain) < set(rich)
    for one in rich:
        text = one.write("V")
        assert text.startswith(" ") and text.endswith(".") and "  " not in text
        words = set(text.lower().replace(",", "").replace(".", "").split())
        assert not words & {"he", "she", "his", "her", "him", "himself", "herself"}
    assert any(one.rest for one in plain)


def test_a_possessive_stands_behind_a_city() -> None:
    assert any(one.tail == "'s" for one in templates("work_city"))


def test_distractors_tell_no_value() -> None:
    for part in DISTRACTORS:
        assert all(not one.tail and not one.rest for one in templates(part))


def test_alternatives() -> None:
    assert expand("a (b|c) d (|e).") == ["a b d.", "a b d e.", "a c d.", "a c d e."]


def test_few_templates() -> None:
    source = Biographies(PEOPLE, templates=5)
    assert [len(part) for part in source.grammar] == [5] * 6
    assert source.vocab < SOURCES["bioS"].vocab
    for many in (0, 48):
        with pytest.raises(UsageError, match=f"{many} templates for birth_date; there are 47"):
            Biographies(PEOPLE, templates=many)
    with pytest.raises(UsageError, match="no form 'bioX'"):
        Biographies(PEOPLE, "bioX")


def test_every_row_occurs() -> None:
    sizes = dict.fromkeys(("first", "middle", "last", "months", "days", "years"), 2)
    sizes |= dict.fromkeys(("birth_cities", "universities", "majors", "employers"), 2)
    source = Biographies(People(Pools.paper(**sizes), 8), templates=2)
    seen = np.concatenate([source.texts(np.arange(8), turn).tokens for turn in range(300)])
    names = Biographies(People(Pools.paper(**sizes), 1, seed=1), templates=2)
    assert names.vocab == source.vocab
    missing = set(range(source.vocab)) - set(seen.tolist())
    values = {source.decode([row]) for row in missing}
    held = " ".join(one.text for one in source.biographies(np.arange(8), 0))
    assert all(value not in held for value in values)  # only values that none of the 8 has
    assert len(missing) < 8


def test_biographies_pack_into_windows() -> None:
    source = Biographies(People(Pools.paper(), 9000, seed=1), templates=5)
    windows = Windows(source, exposures=2, batch=8, context=256, seed=0)
    targets = np.concatenate([windows.batch(step)[1].ravel() for step in range(windows.steps)])
    told = targets[targets >= 0]
    assert (told == source.separator).sum() == 2 * 9000  # each text's end
    shown = sum(len(source.texts(np.arange(9000), turn).tokens) for turn in range(2))
    assert len(told) == shown
    assert windows.tokens == pytest.approx(shown, rel=0.01)


@each_form
def test_no_people_have_no_texts(form: str) -> None:
    texts = SOURCES[form].texts(np.arange(0), 0)
    assert len(texts) == len(texts.tokens) == 0
    assert SOURCES[form].biographies(np.arange(0), 0) == []
