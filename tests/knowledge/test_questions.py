"""Questions say what they ask and who answers; tuning reaches people it was not tuned on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import UsageError
from kleiber.knowledge import Biographies, BytePairs, People, Pools, Strings
from kleiber.knowledge.packing import IGNORED
from kleiber.knowledge.people import ATTRIBUTES
from kleiber.knowledge.questions import Lessons, Questions, halves

torch = pytest.importorskip("torch")

from kleiber.knowledge.accuracy import all_or_none, bounds, known, tally  # noqa: E402
from kleiber.knowledge.extraction import answers, extract, grown, tune  # noqa: E402
from kleiber.knowledge.measure import score_texts  # noqa: E402
from kleiber.knowledge.reading import nats_of  # noqa: E402
from kleiber.training import GPT, ModelConfig  # noqa: E402
from kleiber.training.model import initialise  # noqa: E402

SMALL = {"first": 9, "middle": 9, "last": 9, "years": 30, "employers": 25}


def people(count: int = 40) -> Biographies:
    return Biographies(People(Pools.paper(**SMALL), count, 5), templates=3)


def model_for(source: Strings | Biographies, seed: int = 0, width: int = 16) -> GPT:
    shape = ModelConfig(
        layers=1, width=width, heads=2, vocab=source.vocab, context=source.max_length
    )
    model = GPT(shape)
    initialise(model, seed)
    return model


@pytest.mark.parametrize("tokens", ["words", "bytes"])
def test_a_question_of_a_person_and_its_answer(tokens: str) -> None:
    source = people()
    if tokens == "bytes":
        pytest.importorskip("tokenizers")
        texts = [one.text for one in source.biographies(range(40), 0)]
        source = Biographies(source.people, tokenizer=BytePairs.train(texts, 600), templates=3)
    questions = Questions(source)
    keys = questions._plan.table.keys
    assert keys[: source.vocab - 1] == source.plan.table.keys  # old rows stay what they were
    assert questions.vocab > source.vocab
    for asked, part in enumerate(ATTRIBUTES):
        texts = questions.texts([3, 30], asked)
        for place, person in enumerate((3, 30)):
            truth = source.biographies([person], [0])[0].values
            tokens_ = texts.tokens[texts.starts[place] : texts.starts[place + 1]]
            said = source.tokenizer.text([keys[row - 1] for row in tokens_ if row])
            asks = f" What is the {part.replace('_', ' ')} of {truth['name']}?"
            assert said == f"{asks} {truth[part]}"
            told = texts.slots[texts.starts[place] : texts.starts[place + 1]]
            answer = source.tokenizer.text([keys[row - 1] for row in tokens_[told == asked]])
            assert answer == f" {truth[part]}"
            assert set(told) == {-1, asked}
            assert len(tokens_) <= questions.max_length


def test_a_question_of_strings_is_their_text_the_other_way_round() -> None:
    source = Strings(20, K=3, C=2, D=8, L=2, T=8)
    texts = Questions(source).texts([7], 2)
    plain = source.texts([7], 0)
    value = plain.tokens[plain.slots == 2]
    names = source.names([7])[0] + 1
    assert texts.tokens.tolist() == [0, source.vocab, 8 + 3, *names, *value]
    assert (texts.slots[-4:] == 2).all()
    assert len(texts.tokens) == Questions(source).max_length


def test_lessons_ask_every_question_once_a_pass_and_only_for_answers() -> None:
    source = Strings(11, K=3, D=8, T=8)
    taught, held = halves(11, seed=2)
    assert len(taught) == 5
    assert set(taught) | set(held) == set(range(11))
    assert not set(taught) & set(held)
    lessons = Lessons(Questions(source), tuple(taught.tolist()), 10, 3, seed=1)
    seen: list[tuple[int, ...]] = []
    for step in range(10):
        inputs, targets = lessons.batch(step)
        assert inputs.shape == targets.shape == (3, Questions(source).max_length - 1)
        assert ((targets != IGNORED).sum(axis=1) == 1).all()
        seen += [tuple(row[2:]) for row in inputs.tolist()]
    assert len(set(seen[:15])) == 15
    assert set(seen[:15]) == set(seen[15:])
    assert seen[:15] != seen[15:]
    again = Lessons(Questions(source), tuple(taught.tolist()), 10, 3, seed=1)
    assert np.array_equal(again.batch(9)[0], lessons.batch(9)[0])


def test_rows_for_words_of_questions_change_nothing_that_was_known() -> None:
    source = people()
    model = model_for(source)
    questions = Questions(source)
    bigger = grown(model, questions, seed=0)
    assert bigger.config.vocab == questions.vocab
    tokens = torch.from_numpy(source.texts([0], 0).tokens.astype(np.int64))[None]
    ours, theirs = model(tokens), bigger(tokens)
    torch.testing.assert_close(theirs[..., : source.vocab], ours)
    assert bigger.embed.weight[source.vocab :].std() > 0.05


def test_tuning_learns_the_questions_and_leaves_the_model_alone() -> None:
    source = Strings(12, K=2, D=4, T=8, name_tokens=2)
    model = model_for(source)
    before = [p.clone() for p in model.parameters()]
    questions = Questions(source)
    taught, _ = halves(12)
    lessons = Lessons(questions, tuple(taught.tolist()), 300, 12)
    tuned = tune(model, lessons, lr=0.02)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert min(answers(tuned, questions, taught).values()) == 1.0
    again = tune(model, lessons, lr=0.02)
    assert all(
        torch.equal(a, b) for a, b in zip(tuned.parameters(), again.parameters(), strict=True)
    )


def test_what_was_never_taught_cannot_be_asked_for() -> None:
    """A model that knows nobody learns the half it is tuned on, and guesses at the other."""
    source = Strings(60, K=2, D=16, T=16, name_tokens=2)
    questions = Questions(source)
    found = extract(model_for(source), questions, steps=600, batch=30, lr=0.02, tuning="all")
    assert min(found.tuned.values()) > 0.9
    assert found.accuracy < 0.35  # chance is 1/16
    assert found.people == 30
    assert {one.attribute for one in found.memorised} == set(source.attributes)
    assert all(one.bits < 0.2 for one in found.memorised)
    assert found.to_dict()["accuracy"] == found.accuracy


@pytest.mark.parametrize("source", [Strings(30, K=3, D=8, T=8), people(30)], ids=["bioD", "bioS"])
def test_accuracy_and_bits_are_those_of_the_measure(source: Strings | Biographies) -> None:
    nats = nats_of(model_for(source, seed=3))
    ids = np.arange(30)
    score = score_texts(nats, source, ids, texts=2)
    rows = known(nats, source, ids, texts=2)
    assert {one.attribute: one.whole for one in rows} == pytest.approx(score.accuracy)
    counted = [one for one in rows if one.attribute != "work_city"]
    spent = sum(one.most_bits - one.bits for one in counted)
    pronoun = 0.0
    if not isinstance(source, Strings):
        read = [source.texts(ids, 10**6 + turn, employer_first=True) for turn in (0, 1)]
        sums = [nats(one)[0][one.kinds == 2].sum() for one in read]
        pronoun = float(np.sum(sums)) / 60 / math.log(2)
    assert spent + pronoun == pytest.approx(score.values / math.log(2))
    assert all(one.first >= one.whole for one in rows)


def test_first_tokens_and_whole_values_counted_by_hand() -> None:
    source = Strings(2, K=2, C=1, D=8, L=2, T=8)
    texts = source.texts([0, 1], 0)
    best = np.ones(len(texts.tokens), dtype=bool)
    nats = np.where(texts.slots >= 0, 0.5, 9.0)
    values = np.flatnonzero(texts.slots == 1)  # two tokens of each person
    best[values[1]] = best[values[2]] = False
    sums = tally(texts, nats, best, 2)
    assert sums.tolist() == [[2.0, 2.0], [2, 1], [2, 0]]


@given(st.integers(2, 40), st.integers(1, 200), st.floats(0.05, 20), st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_bits_lie_within_the_bounds_of_their_accuracy(
    values: int, people_: int, spread: float, seed: int
) -> None:
    """For any probabilities that hold: what is expected of their own draws."""
    chance = np.random.default_rng(seed).dirichlet(np.full(values, 1 / spread), people_)
    accuracy = chance.max(axis=1).mean()
    logs = np.log2(np.where(chance > 0, chance, 1))
    bits = math.log2(values) + (chance * logs).sum(axis=1).mean()
    low, high = bounds(float(accuracy), math.log2(values))
    assert low - 1e-9 <= bits <= high + 1e-9
    between = all_or_none(float(accuracy), math.log2(values))
    assert low - 1e-9 <= between <= high + 1e-9


def test_the_ends_of_the_relation() -> None:
    assert all_or_none(1.0, 6.0) == 6.0
    assert all_or_none(2.0**-6, 6.0) == pytest.approx(0)
    assert bounds(1.0, 6.0) == pytest.approx((6.0, 6.0))
    assert bounds(2.0**-6, 6.0) == pytest.approx((0, 0), abs=1e-12)


def test_nobody_to_ask_about() -> None:
    with pytest.raises(UsageError, match="1 people cannot be halved"):
        halves(1)
    with pytest.raises(UsageError, match="people to ask about: 0"):
        Lessons(Questions(Strings(4)), (), 1, 1)
