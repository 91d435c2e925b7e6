"""Entropies against what was not computed by them: enumeration, another method, long samples."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from kleiber.errors import UsageError
from kleiber.training.text.languages import is_language, language_of
from kleiber.training.text.languages.markov import Markov
from kleiber.training.text.languages.pcfg import Grammar

NAMES = (
    "zipf:40:1.2",
    "markov:12:1:3",
    "markov:10:2:0",
    "markov:5:3:1",
    "pairs:30:1.5:2",
    "pcfg:20:6:2",
    "pcfg:9:1:0",
)

each_language = pytest.mark.parametrize("name", NAMES)


@each_language
@pytest.mark.parametrize("context", [1, 3, 24])
def test_entropy_is_what_a_long_sample_costs(name: str, context: int) -> None:
    language = language_of(name)
    nats = language.nats(language.rows(11, np.arange(60_000 // context), context)).mean(axis=1)
    error = nats.std() / math.sqrt(len(nats))
    assert abs(nats.mean() - language.entropy(context)) < 4 * error
    assert error < 0.012


@each_language
def test_long_windows_come_to_the_rate(name: str) -> None:
    language = language_of(name)
    near, far = (language.entropy(context) - language.rate for context in (150, 300))
    assert abs(near) < 0.05
    assert far == pytest.approx(near / 2, rel=0.05, abs=1e-12)  # the start's cost, spread


@each_language
def test_a_window_is_the_same_alone_and_among_others(name: str) -> None:
    language = language_of(name)
    rows = language.rows(5, np.arange(50), 20)
    assert rows.shape == (50, 21)
    assert rows.min() >= 0
    assert rows.max() < language.vocab
    for number in (0, 17, 49):
        assert language.rows(5, np.array([number]), 20)[0].tolist() == rows[number].tolist()
    assert (language.rows(6, np.arange(50), 20) != rows).any()


def test_zipf_is_its_frequencies() -> None:
    language = language_of("zipf:50:1.5")
    weights = [rank**-1.5 for rank in range(1, 51)]
    p = [weight / sum(weights) for weight in weights]
    assert language.rate == pytest.approx(-sum(each * math.log(each) for each in p), rel=1e-12)
    rows = language.rows(0, np.arange(4000), 24)
    counts = np.bincount(rows.ravel(), minlength=50)
    expected = np.array(p) * rows.size
    chi = ((counts - expected) ** 2 / expected).sum()
    assert 15 < chi < 100  # 49 degrees of freedom: 1e-5 on either side
    assert language_of("zipf:8:0").entropy(3) == pytest.approx(math.log(8))


def test_pairs_are_keys_by_rank_and_a_value_of_the_keys_own() -> None:
    language = language_of("pairs:50:2:3")
    rows = language.rows(0, np.arange(8000), 24)
    for first in (0, 1):  # windows begin with a key or with a value, then they take turns
        turned = rows[(rows[:, 0] >= 50) == bool(first)]
        keys, values = turned[:, first::2], turned[:, 1 - first :: 2]
        assert keys.max() < 50 <= values.min() and 0.47 < len(turned) / len(rows) < 0.53
    counts = np.bincount(rows[rows < 50], minlength=50)
    weights = np.arange(1, 51.0) ** -2
    assert counts / counts.sum() == pytest.approx(weights / weights.sum(), abs=0.004)
    pairs = rows[rows[:, 0] < 50][:, :2]
    values_of = [set(pairs[pairs[:, 0] == key][:, 1].tolist()) for key in (0, 1, 2)]
    assert [len(values) for values in values_of] == [4, 4, 4]
    assert len(set(map(frozenset, values_of))) == 3


def test_a_chain_is_stationary() -> None:
    language = language_of("markov:9:2:4")
    assert isinstance(language, Markov)
    dense = np.zeros((81, 81))  # from context (a, b) to context (b, c)
    for a, b, c in itertools.product(range(9), repeat=3):
        dense[a * 9 + b, b * 9 + c] = language.table[a * 9 + b, c]
    values, vectors = np.linalg.eig(dense.T)
    vector = np.real(vectors[:, np.argmax(values.real)])
    assert language.stationary == pytest.approx(vector / vector.sum(), abs=1e-12)
    assert language.table.sum(axis=1) == pytest.approx(np.ones(81))
    rate = sum(
        -p * share * math.log(p)
        for share, row in zip(vector / vector.sum(), language.table, strict=True)
        for p in row
        if p > 0
    )
    assert (language.table > 0).sum(axis=1).tolist() == [8] * 81
    assert language.rate == pytest.approx(rate, rel=1e-10)


@pytest.mark.parametrize(
    ("name", "context"), [("markov:4:2:0", 1), ("markov:9:2:0", 3), ("markov:3:3:1", 5)]
)
def test_a_chain_s_entropy_is_that_of_all_windows(name: str, context: int) -> None:
    language = language_of(name)
    assert isinstance(language, Markov)
    order, vocab = language.order, language.vocab
    whole: Counter[tuple[int, ...]] = Counter()
    past: Counter[int] = Counter()
    for row in itertools.product(range(vocab), repeat=max(context + 1, order)):
        p = language.stationary[int("".join(map(str, row[:order])), vocab)]
        for place in range(order, len(row)):
            before = int("".join(map(str, row[place - order : place])), vocab)
            p *= language.table[before, row[place]]
        if p > 0:
            whole[row[: context + 1]] += p
            past[row[0]] += p

    def entropy(chances: Counter) -> float:
        return -sum(p * math.log(p) for p in chances.values())

    assert sum(whole.values()) == pytest.approx(1)
    targets = entropy(whole) - entropy(past)  # the first token is not asked for
    assert language.entropy(context) == pytest.approx(targets / context, rel=1e-10)
    rows = np.array(list(whole))
    total = -np.log(list(whole.values())) + np.log([past[row[0]] for row in rows.tolist()])
    assert language.nats(rows).sum(axis=1) == pytest.approx(total, rel=1e-9)


def test_what_no_chain_says_costs_without_end() -> None:
    language = language_of("markov:20:1:0")
    assert isinstance(language, Markov)
    never = int(np.flatnonzero(language.table[3] == 0)[0])
    assert language.nats(np.array([[3, never]])).tolist() == [[math.inf]]


def test_contexts_are_used_unevenly() -> None:
    language = language_of("markov:64:2:0")
    assert isinstance(language, Markov)
    used = np.sort(language.stationary)[::-1]
    assert used[:41].sum() > 0.2  # a hundredth of the contexts
    assert used[2048:].sum() < 0.1  # half of them


SMALL = Grammar(  # S -> a | b T | c T T,  T -> d | e U,  U -> f | g: no sentence is endless
    8,
    p=np.array([[0.5, 0.3, 0.2], [0.6, 0.4, 0.0], [0.25, 0.75, 0.0]]),
    terminals=np.array([[1, 2, 3], [4, 5, 0], [6, 7, 0]]),
    behind=np.array(
        [
            [[-1, -1], [1, -1], [1, 1]],
            [[-1, -1], [2, -1], [-1, -1]],
            [[-1, -1], [-1, -1], [-1, -1]],
        ]
    ),
)


def sentences(due: tuple[int, ...], p: float) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield every sentence that is still due with its probability; straight from the rules."""
    if not due:
        yield (), p
        return
    for rule, chance in enumerate(SMALL.p[due[0]]):
        if chance:
            behind = tuple(int(b) for b in SMALL.behind[due[0], rule] if b >= 0)
            for rest, whole in sentences((*behind, *due[1:]), p * chance):
                yield (int(SMALL.terminals[due[0], rule]), *rest), whole


ALL = dict(sentences((0,), 1.0))


def test_a_small_grammar_s_rate_is_that_of_all_sentences() -> None:
    assert len(ALL) == 1 + 3 + 9  # T yields d, e f or e g
    assert sum(ALL.values()) == pytest.approx(1)
    entropy = -sum(p * math.log(p) for p in ALL.values())
    length = sum(p * (len(sentence) + 1) for sentence, p in ALL.items())
    assert SMALL.rate == pytest.approx(entropy / length, rel=1e-12)


@pytest.mark.parametrize("context", [1, 2, 3, 4, 7])
def test_a_small_grammar_s_entropy_is_that_of_all_windows(context: int) -> None:
    windows: Counter[tuple[int, ...]] = Counter()

    def go_on(window: tuple[int, ...], p: float) -> None:
        if len(window) >= context:
            windows[window[:context]] += p
            return
        for sentence, chance in ALL.items():
            go_on((*window, *sentence, 0), p * chance)

    go_on((), 1.0)
    entropy = -sum(p * math.log(p) for p in windows.values())
    assert SMALL.entropy(context) == pytest.approx(entropy / context, rel=1e-12)
    rows = np.array([(0, *window) for window in windows])
    nats = SMALL.nats(rows).sum(axis=1)
    assert nats == pytest.approx(-np.log(list(windows.values())), rel=1e-9)
    drawn = SMALL.rows(3, np.arange(20_000), context)
    seen = Counter(map(tuple, drawn[:, 1:].tolist()))
    assert set(seen) <= set(windows)
    for window, p in windows.items():
        error = math.sqrt(20_000 * p * (1 - p)) + 1e-9
        assert abs(seen[window] - 20_000 * p) < 5.5 * error


def test_what_no_grammar_says_costs_without_end() -> None:
    assert SMALL.nats(np.array([[0, 1, 0, 2, 4, 0]])).sum() < 4
    for wrong in ([0, 4], [0, 1, 1], [0, 2, 0], [0, 0]):
        assert SMALL.nats(np.array([wrong])).sum() == math.inf


def test_a_random_grammar_is_as_it_is_said_to_be() -> None:
    language = language_of("pcfg:30:12:5")
    assert isinstance(language, Grammar)
    assert language.p.sum(axis=1) == pytest.approx(np.ones(12))
    for row in language.terminals:
        assert len(set(row)) == len(row)  # one rule for a token
        assert 0 < min(row) <= max(row) < 30
    kinds = (language.behind >= 0).sum(axis=2)
    assert (language.p * kinds).sum(axis=1) == pytest.approx(np.full(12, 0.9))
    assert language.expansions.sum() == pytest.approx(10)  # tokens of a sentence
    drawn = language.rows(1, np.arange(3000), 400)
    ends = (drawn[:, 200:] == 0).mean()  # far from the start, where more are
    assert ends == pytest.approx(1 / 11, rel=0.03)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("zipf:40", "is not written as zipf:V:EXPONENT"),
        ("zipf:1:1", "has 1 tokens. Give it 2 to"),
        ("zipf:40:-1", "has an exponent of -1.0"),
        ("zipf:40:nan", "has an exponent of nan"),
        ("markov:64:2", "is not written as markov:V:ORDER:SEED"),
        ("markov:64:two:0", "is not written as markov:V:ORDER:SEED"),
        ("markov:64:0:0", "has 64 tokens, order 0 and seed 0"),
        ("markov:64:4:0", r"has a table of 64\^5 probabilities. Give it at most 4,194,304"),
        ("pairs:40:1", "is not written as pairs:KEYS:EXPONENT:SEED"),
        ("pairs:0:1:0", "has 0 keys and seed 0. Give it 1 to 2,024 keys"),
        ("pairs:40:-1:0", "has an exponent of -1.0"),
        ("pcfg:8:4:0", "has 8 tokens. Give it 9 to 65,536"),
        ("pcfg:64:0:0", "has 0 nonterminals and seed 0"),
        ("pcfg:64:9999:0", "has 9999 nonterminals"),
    ],
)
def test_languages_that_cannot_be_are_refused(name: str, said: str) -> None:
    assert is_language(name)
    with pytest.raises(UsageError, match=f"^The language '{name}' {said}"):
        language_of(name)
