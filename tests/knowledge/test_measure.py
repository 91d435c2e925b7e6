"""The measure against an independent reference, known answers, bounds, and faults put in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import InputError
from kleiber.knowledge import Biographies, People, Pools, Source, Strings, Texts, bounds, reading
from kleiber.knowledge import measure as measuring
from kleiber.knowledge.measure import (
    FRESH,
    UNCOUNTED,
    city_first,
    max_bits,
    measure,
    oracle,
    score_texts,
    stored_bits,
)
from kleiber.knowledge.reading import nats_of
from kleiber.training import GPT, ModelConfig
from kleiber.training.model import initialise

LN2 = math.log(2)
FEW = {"first": 4, "middle": 3, "last": 5, "months": 2, "days": 3, "years": 4}
FEW |= {"birth_cities": 4, "universities": 5, "majors": 3, "employers": 52}


def biographies(form: str = "bioS", count: int = 12, seed: int = 3) -> Biographies:
    return Biographies(People(Pools.paper(**FEW), count, seed), form, templates=2)


SOURCES: dict[str, Source] = {
    form: biographies(form) for form in ("bioS", "bioS-simple", "bioR")
} | {
    "bioD": Strings(9, K=3, C=2, D=5, L=2, T=4, name_tokens=3, seed=1),
    "bioD-long": Strings(20, K=2, C=3, D=7, L=3, T=6, name_tokens=2, name_pool=33, seed=2),
}
each_source = pytest.mark.parametrize("format_", SOURCES)


def model_of(source: Source, *, width: int = 8, seed: int = 0) -> GPT:
    """Return a model with large random weights: its nats are far from uniform."""
    config = ModelConfig(
        layers=2, width=width, heads=2, vocab=source.vocab, context=source.max_length
    )
    model = GPT(config)
    initialise(model, seed)
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=noise))
    return model


# -- Definitions 4.1 and 4.3, by hand ---------------------------------------------------------


def by_hand(model: GPT, source: Source, draws: int) -> dict[str, float]:
    """Add up nats text by text and token by token, in float64, and put them in the formulas."""
    exact = GPT(model.config).double()
    exact.load_state_dict(model.state_dict())
    fresh = not source.fixed_texts
    names, values, firsts = [], [], []
    for draw in range(min(draws, source.fixed_texts or draws)):
        for person in range(source.count):
            text = source.texts([person], FRESH + draw, employer_first=fresh)
            kinds = [source.kinds[kind] for kind in text.kinds]
            tokens = [int(token) for token in text.tokens]
            told_first = next((k for k in kinds if k in ("employer", "work_city")), "")
            total = dict.fromkeys(("name", "value", "first"), 0.0)
            with torch.no_grad():
                logits = exact(torch.tensor([tokens[:-1]]))[0].numpy()
            for place in range(1, len(tokens)):
                row = logits[place - 1].astype(np.longdouble)
                nat = float(np.log(np.exp(row - row.max()).sum()) + row.max() - row[tokens[place]])
                kind = kinds[place]
                if kind == "name":
                    total["name"] += nat
                elif kind != "other" and (kind != UNCOUNTED or told_first == UNCOUNTED):
                    total["value"] += nat
                if kind == "first":
                    total["first"] += nat
            names.append(total["name"])
            values.append(total["value"])
            firsts.append(total["first"] / max(1, len(source.attributes)))
    p1, p2, p3 = np.mean(names), np.mean(values), np.mean(firsts)
    n = source.count
    if isinstance(source, Strings):
        k, c, d, length, letters = source.K, source.C, source.D, source.L, source.T
        # p2 of the definition is of one attribute: a Kth of a person's
        stored = {
            "name": n * math.log2(source.name_pool / math.exp(p1)),
            "value": n * k * math.log2(d**c / math.exp(p2 / k)),
            "diversity": k * d * math.log2(letters**length / (d * math.exp(p3))),
        }
    else:
        assert isinstance(source, Biographies)
        pools = source.people.pools
        values_there = 2 * 3 * 4 * len(pools.birth_cities) * len(pools.universities)
        values_there *= len(pools.majors) * len(pools.employers) * 2
        stored = {
            "name": n * math.log2(4 * 3 * 5 / math.exp(p1)),
            "value": n * math.log2(values_there / math.exp(p2)),
            "diversity": 0.0,
        }
    return {"p1": float(p1), "p2": float(p2), "p3": float(p3), **stored}


@each_source
def test_the_definitions(format_: str) -> None:
    source = SOURCES[format_]
    model = model_of(source)
    found = measure(model, source, texts=2)
    score = score_texts(nats_of(model), source, np.arange(source.count), texts=2)
    expected = by_hand(model, source, 2)
    assert score.name == pytest.approx(expected["p1"], rel=1e-5)
    assert score.values == pytest.approx(expected["p2"], rel=1e-5)
    if source.entries:
        assert score.first == pytest.approx(expected["p3"], rel=1e-5)
    for term in ("name", "value", "diversity"):
        assert getattr(found, f"{term}_bits") == pytest.approx(expected[term], rel=2e-5)
    total = expected["name"] + expected["value"] + expected["diversity"]
    params = sum(p.numel() for p in model.parameters())
    assert found.params == params
    assert found.bits_per_param == pytest.approx(total / params, rel=2e-5)


@each_source
def test_what_is_counted(format_: str) -> None:
    """Every name token once; the pronoun once; every value token once, but no city's."""
    source = SOURCES[format_]
    texts = source.texts(np.arange(source.count), FRESH, employer_first=True)

    def one_nat_each(read: Texts) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(len(read.tokens)), np.ones(len(read.tokens), dtype=bool)

    score = score_texts(one_nat_each, source, np.arange(source.count), employer_first=True)
    count = len(texts)
    names = (texts.kinds == 1).sum() / count
    assert score.name == pytest.approx(names)
    if isinstance(source, Strings):
        assert names == source.name_tokens
        assert score.values == source.K * source.C * source.L
        assert score.first == source.L
    else:
        city = (texts.kinds == source.kinds.index(UNCOUNTED)).sum() / count
        slots = (texts.slots >= 0).sum() / count
        assert names == 3 and score.values == pytest.approx(slots - city + 1)
        assert math.isnan(score.first)


def test_fp32_scores_as_float64() -> None:
    source = SOURCES["bioS"]
    model = model_of(source, width=24)
    texts = source.texts(np.arange(12), 0)
    single, best = nats_of(model)(texts)
    double, likeliest = nats_of(model.double())(texts)
    assert np.abs(single - double).max() < 2e-5
    assert np.array_equal(best, likeliest)


def test_texts_are_read_the_same_in_any_company(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SOURCES["bioR"]
    model = model_of(source)
    texts = source.texts(np.arange(12), 5)
    together, _ = nats_of(model)(texts)
    assert (together[texts.kinds == 0] == 0).all()
    monkeypatch.setattr(reading, "FLOATS", 5000)  # a text or so a pass, a few rows a head
    alone, _ = nats_of(model)(texts)
    assert np.allclose(together, alone, atol=1e-5)


def test_a_text_longer_than_the_context_is_refused() -> None:
    source = SOURCES["bioD"]
    short = GPT(ModelConfig(layers=1, width=8, heads=1, vocab=source.vocab, context=6))
    with pytest.raises(InputError, match=r"text of 19 tokens .* context is 6"):
        nats_of(short)(source.texts([0], 0))
    right = GPT(ModelConfig(layers=1, width=8, heads=1, vocab=source.vocab, context=18))
    nats_of(right)(source.texts([0], 0))


# -- known answers -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Lookup:
    """Knows every trained text by heart, and guesses evenly among those that go on like this."""

    source: Source
    knows_values: bool = True

    def __call__(self, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        nats, best = np.zeros(len(texts.tokens)), np.ones(len(texts.tokens), dtype=bool)
        known: dict[tuple[int, ...], int] = {}
        everyone = self.source.texts(np.arange(self.source.count), 0)
        for i in range(self.source.count):
            own = slice(everyone.starts[i], everyone.starts[i + 1])
            name = everyone.tokens[own][everyone.kinds[own] == 1].tolist()
            for length in range(len(name) + 1):
                start = tuple(name[:length])
                known[start] = known.get(start, 0) + 1
        for i in range(len(texts)):
            own = slice(texts.starts[i], texts.starts[i + 1])
            place = np.flatnonzero(texts.kinds[own] == 1)
            name = texts.tokens[own][place].tolist()
            for length, token in enumerate(name):
                before, after = known[tuple(name[:length])], known[tuple(name[: length + 1])]
                nats[own.start + place[length]] = math.log(before / after)
                rivals = [known.get((*name[:length], other), 0) for other in range(1, 500)]
                best[own.start + place[length]] = rivals[token - 1] == max(rivals)
            if not self.knows_values:
                nats[own][texts.kinds[own] > 1] = 0.5
                best[own][texts.slots[own] >= 0] = False
        return nats, best


@each_source
def test_the_oracle_has_all_that_there_is(format_: str) -> None:
    source = SOURCES[format_]
    stored = stored_bits(source, oracle(source))
    assert sum(stored.values()) == pytest.approx(max_bits(source), rel=1e-9)
    model = model_of(source)
    found = measure(model, source, texts=1)
    assert found.controls["oracle"] == pytest.approx(found.max_bits_per_param, rel=1e-9)


@each_source
def test_one_who_knows_everybody_is_the_oracle(format_: str) -> None:
    source = SOURCES[format_]
    ids = np.arange(source.count)
    score, perfect = score_texts(Lookup(source), source, ids, texts=2), oracle(source)
    assert score.name == pytest.approx(math.log(source.count), rel=1e-12)
    assert score.values == 0.0
    assert set(score.accuracy.values()) == {1.0}
    assert stored_bits(source, score) == pytest.approx(stored_bits(source, perfect), rel=1e-9)
    # no name's bits are below 0 where it is known, and values are known in full
    assert score.clipped["value"] == pytest.approx(source.value_bits)
    vague = score_texts(Lookup(source, knows_values=False), source, ids)
    assert set(vague.accuracy.values()) == {0.0}
    assert sum(stored_bits(source, vague).values()) < max_bits(source)


@pytest.mark.parametrize(
    ("people", "bits"), [(10_000, 61.6), (50_000, 59.2), (100_000, 58.2), (200_000, 57.2),
                         (500_000, 55.9), (1_000_000, 54.9), (10_000_000, 51.6)],
)  # fmt: skip
def test_published_bits_a_person(people: int, bits: float) -> None:
    source = Biographies(People(Pools.paper(), people))
    assert source.value_bits == pytest.approx(47.5916, abs=1e-4)
    assert max_bits(source) / people == pytest.approx(bits, abs=0.06)


def test_all_that_there_is_of_biod() -> None:
    source = Strings(1000, K=8, C=2, D=20, L=3, T=30, name_pool=5000)
    by_formula = 1000 * math.log2(5) + 1000 * 16 * math.log2(20) + 160 * math.log2(30**3 / 20)
    assert max_bits(source) == pytest.approx(by_formula, rel=1e-12)


def test_a_uniform_model_stores_nothing() -> None:
    """Uniform over the right symbols at every place: each term is 0 in bioD where L = 1."""
    source = Strings(30, K=3, C=2, D=8, L=1, T=8, seed=4)

    def guess(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        return np.where(texts.kinds > 0, math.log(8), 0.0), np.zeros(len(texts.tokens), dtype=bool)

    score = score_texts(guess, source, np.arange(30))
    stored = stored_bits(source, score)
    assert stored["name"] == pytest.approx(0, abs=1e-9)
    assert stored["value"] == pytest.approx(0, abs=1e-9)
    assert stored["diversity"] == pytest.approx(-24 * 3)  # D = T: nothing to know, all to miss
    assert score.clipped["person"] == pytest.approx(0, abs=1e-9)


# -- bounds --------------------------------------------------------------------------------------


def upper(source: Source) -> float:
    names = round(2**source.name_bits)
    if isinstance(source, Strings):
        return bounds.upper_biod(
            people=source.count, names=names, attributes=source.K, chunks=source.C,
            choices=source.D, length=source.L, letters=source.T,
        )  # fmt: skip
    return bounds.upper_bios(people=source.count, names=names, value_bits=source.value_bits)


@settings(max_examples=60, deadline=None)
@given(
    format_=st.sampled_from(sorted(SOURCES)),
    sharpness=st.floats(0.0, 12.0),
    seed=st.integers(0, 2**20),
)
def test_nobody_stores_more_than_there_is(format_: str, sharpness: float, seed: int) -> None:
    """Any distribution over names, and any nats of values, stay at or below the upper bound."""
    source = SOURCES[format_]
    random = np.random.default_rng(seed)
    names = round(2**source.name_bits)
    weights = np.exp(sharpness * random.standard_normal(names))
    weights[: source.count] *= np.exp(sharpness)  # prefers whom it was shown
    share = weights / weights.sum()

    def consistent(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        nats = np.where(texts.kinds > 1, random.exponential(0.1 + 1 / (1 + sharpness)), 0.0)
        first = texts.starts[:-1] + 1
        nats[first] = -np.log(share[: len(texts)])  # all in the name's first token
        return nats, np.ones(len(texts.tokens), dtype=bool)

    score = score_texts(consistent, source, np.arange(source.count))
    stored = sum(stored_bits(source, score).values())
    assert stored <= max_bits(source) + 1e-9 <= upper(source) + 1e-9


@each_source
def test_a_model_stores_no_more_than_the_bounds(format_: str) -> None:
    source = SOURCES[format_]
    for seed in range(5):
        found = measure(model_of(source, seed=seed), source, texts=1, controls=False)
        assert found.bits_per_param * found.params < max_bits(source) < upper(source)


# -- accuracy ------------------------------------------------------------------------------------


def decoded(model: GPT, source: Source, ids: np.ndarray, draw: int) -> dict[str, float]:
    """Decode every value token by token from the true text before it."""
    right = dict.fromkeys(source.attributes, 0)
    texts = source.texts(ids, FRESH + draw, employer_first=not source.fixed_texts)
    for i in range(len(texts)):
        own = slice(texts.starts[i], texts.starts[i + 1])
        tokens, slots = texts.tokens[own], texts.slots[own]
        for slot, attribute in enumerate(source.attributes):
            place = np.flatnonzero(slots == slot)
            said = tokens[: place[0]].tolist()
            for _ in range(len(place)):
                with torch.no_grad():
                    said.append(int(model(torch.tensor([said]))[0, -1].argmax()))
            right[attribute] += said == tokens[: place[-1] + 1].tolist()
    return {attribute: count / len(ids) for attribute, count in right.items()}


def half_taught(source: Source, *, steps: int, context: int | None) -> GPT:
    """Return a model that knows some values and not others."""
    from kleiber.knowledge import Windows
    from kleiber.training import TrainConfig, train

    batches = Windows(source, exposures=steps, batch=source.count, context=context)
    shape = ModelConfig(
        layers=1, width=16, heads=2, vocab=source.vocab,
        context=max(context or 0, source.max_length),
    )  # fmt: skip
    config = TrainConfig(lr=0.01, compiled=False)
    *_, last = train(shape, [config], [batches])
    assert last.model is not None
    return last.model


@pytest.mark.parametrize("format_", ["bioD-long", "bioS-simple"])
def test_accuracy_is_what_greedy_decoding_gets_right(format_: str) -> None:
    source = SOURCES[format_]
    model = half_taught(
        source, steps=200 if format_ == "bioD-long" else 60, context=None if "D" in format_ else 96
    )
    ids = np.arange(source.count)
    expected = decoded(model, source, ids, 0)
    score = score_texts(nats_of(model), source, ids)
    assert score.accuracy == pytest.approx(expected)
    assert 0 < sum(expected.values()) < len(expected)
    counted = [share for name, share in expected.items() if name != UNCOUNTED]
    assert measure(model, source, texts=1).accuracy == pytest.approx(np.mean(counted))


# -- which texts, how many, and whose ------------------------------------------------------------


def tokens_read(source: Source, texts: int) -> list[Texts]:
    seen: list[Texts] = []

    def note(read: Texts) -> tuple[np.ndarray, np.ndarray]:
        seen.append(read)
        return np.ones(len(read.tokens)), np.ones(len(read.tokens), dtype=bool)

    score = score_texts(note, source, np.arange(source.count), texts=texts)
    assert score.texts == len(seen)
    return seen


def test_which_texts_are_read() -> None:
    """Fixed texts are read as they were taught; others are ones that nobody was taught."""
    everyone = np.arange(12)
    (simple,) = tokens_read(SOURCES["bioS-simple"], 4)
    assert np.array_equal(simple.tokens, SOURCES["bioS-simple"].texts(everyone, 17).tokens)
    for turn, rewrite in enumerate(tokens_read(SOURCES["bioR"], 4)):
        assert np.array_equal(rewrite.tokens, SOURCES["bioR"].texts(everyone, turn).tokens)
    assert len(tokens_read(SOURCES["bioR"], 50)) == 40
    for format_ in ("bioS", "bioD"):
        source = SOURCES[format_]
        whom = np.arange(source.count)
        taught = [source.texts(whom, turn).tokens.tolist() for turn in range(50)]
        fresh = tokens_read(source, 4)
        assert all(read.tokens.tolist() not in taught for read in fresh)
    assert not any(
        city_first(SOURCES["bioS"], read).any() for read in tokens_read(biographies(), 4)
    )


def test_a_city_that_comes_first_is_a_part_of_the_employer() -> None:
    """Naive: the city gives the employer away and is not counted; closed: its nats are added."""
    source = biographies(count=40)
    employer, city = source.kinds.index("employer"), source.kinds.index(UNCOUNTED)

    def knows_offices(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """Know no person, but each employer's city: the second of the two costs nothing."""
        nats = np.zeros(len(texts.tokens))
        early = city_first(source, texts)
        for i in range(len(texts)):
            own = np.arange(texts.starts[i], texts.starts[i + 1])
            kind = city if early[i] else employer
            nats[own[texts.kinds[own] == kind][0]] = 3.0 if early[i] else 5.0
            if early[i]:
                nats[own[texts.kinds[own] == employer][0]] = 2.0
        return nats, np.zeros(len(nats), dtype=bool)

    ids = np.arange(40)
    naive = score_texts(knows_offices, source, ids, employer_first=False, add_city=False)
    added = score_texts(knows_offices, source, ids, employer_first=False, add_city=True)
    ahead = score_texts(knows_offices, source, ids)
    assert added.values == ahead.values == pytest.approx(5.0)
    early = city_first(source, source.texts(ids, FRESH))
    assert 0.2 < early.mean() < 0.8
    assert naive.values == pytest.approx(5 - 3 * early.mean())


def test_several_texts_tell_the_standard_error() -> None:
    source = biographies(count=50)
    random = np.random.default_rng(0)

    def noisy(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """One draw of noise a text of all people: 0.5 nats of every value."""
        return np.where(texts.kinds > 1, random.normal(2, 0.5), 0.0), np.ones(
            len(texts.tokens), dtype=bool
        )

    everyone = np.arange(50)
    errors = [score_texts(noisy, source, everyone, texts=8) for _ in range(200)]
    spread = np.std([score.values for score in errors])
    claimed = np.sqrt(np.mean([score.error_bits**2 for score in errors])) * LN2 / 50
    assert claimed == pytest.approx(spread, rel=0.15)
    assert math.isnan(score_texts(noisy, source, everyone).error_bits)
    simple = replace(source, form="bioS-simple")
    assert score_texts(noisy, simple, everyone, texts=8).error_bits == 0.0
    rewritten = replace(source, form="bioR")
    assert score_texts(noisy, rewritten, everyone, texts=40).error_bits == 0.0


def test_a_sample_of_people_is_near_all_of_them() -> None:
    source = Strings(4000, K=2, C=1, D=16, L=1, T=16, seed=6)
    model = model_of(source)
    everyone = measure(model, source, texts=2, controls=False)
    off = [
        (measure(model, replace(source, seed=seed), texts=2, most_people=400, controls=False), seed)
        for seed in range(6)
    ]
    misses = []
    for some, seed in off:
        whole = measure(model, replace(source, seed=seed), texts=2, controls=False)
        misses.append((some.bits_per_param - whole.bits_per_param) / some.standard_error)
        assert some.standard_error > 3 * whole.standard_error
    assert np.sqrt(np.mean(np.square(misses))) < 2
    assert everyone.max_bits_per_param == off[0][0].max_bits_per_param


# -- controls ------------------------------------------------------------------------------------


@each_source
def test_controls_by_term(format_: str) -> None:
    source = SOURCES[format_]
    model, untrained = model_of(source), GPT(model_of(source).config)
    initialise(untrained, 0)
    found = measure(model, source, texts=1, untrained=untrained)
    assert set(found.controls) == {"oracle", "random", "unseen"}
    assert found.controls["random"] < 0.05 and found.controls["unseen"] < 0.05
    assert set(found.controls_clipped) == {"random", "unseen"}
    assert all(value >= 0 for value in found.controls_clipped.values())
    terms = found.control_terms
    for name in ("oracle", "random"):
        assert sum(terms[name].values()) == pytest.approx(found.controls[name])
    strangers = terms["unseen"]["name"] + terms["unseen"]["value"]
    assert found.controls["unseen"] == pytest.approx(strangers)
    for name in ("random", "unseen"):
        for term, value in terms[f"{name}_clipped"].items():
            assert value >= max(0.0, terms[name][term]) - 1e-12
    assert found.to_dict()["share_of_max"] == found.share


def test_no_strangers_where_every_name_is_taken() -> None:
    source = Strings(64, K=2, D=4, T=4)
    found = measure(model_of(source), source, texts=1)
    assert set(found.controls) == {"oracle"}


def test_knowing_the_dictionaries_is_no_leak() -> None:
    """One who knows all strings and no person: strangers' first chunks are cheap, and no leak."""
    source = Strings(50, K=4, C=1, D=2, L=4, T=16, seed=1)

    def knows_strings(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        nats = np.where(texts.kinds == 1, math.log(16), 0.0)
        value = texts.slots >= 0
        opens = value & (np.concatenate([[-1], texts.slots[:-1]]) != texts.slots)
        nats[opens] = math.log(2)
        return nats, np.zeros(len(nats), dtype=bool)

    score = score_texts(knows_strings, source, source.strangers(50))
    stored = stored_bits(source, score)
    assert stored["name"] == pytest.approx(0, abs=1e-9)
    assert stored["value"] == pytest.approx(0, abs=1e-9)
    assert stored["diversity"] == pytest.approx(4 * 2 * (16 - 1 - 1))
    assert measuring._total("unseen", stored) == pytest.approx(0, abs=1e-9)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_measures_the_same() -> None:
    source = SOURCES["bioS"]
    model = model_of(source, width=16)
    here = measure(model, source, texts=2)
    there = measure(model.cuda(), source, texts=2)
    assert there.bits_per_param == pytest.approx(here.bits_per_param, rel=1e-4)
