from __future__ import annotations

import math
import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kleiber.errors import InputError, MissingExtraError, UsageError
from kleiber.training.text.corpus import Corpus
from kleiber.training.text.shards import HELDOUT, hash_of, shards_of
from kleiber.training.text.tokenizer import Bytes, tokenizer_of

library = pytest.importorskip("tokenizers", reason="byte pairs need tokenizers (extra tokens)")


def words(count: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    known = ["".join(chance.choices("abcdeäß", k=6)) for _ in range(40)]
    return [" ".join(chance.choices(known, k=30)) for _ in range(count)]


def split(tokens: Any, end: int) -> list[list[int]]:
    edges = np.flatnonzero(np.asarray(tokens) == end)
    return [part[:-1].tolist() for part in np.split(np.asarray(tokens), edges + 1)[:-1]]


def test_bytes_are_utf_8() -> None:
    [tokens] = Bytes().encode(["aß"])
    assert tokens.tolist() == [0x61, 0xC3, 0x9F]
    assert Bytes().vocab == 257


def test_byte_pairs_have_the_rows_asked_for_and_give_the_text_back(cache: Path) -> None:
    texts = words(300)
    shards = shards_of(Corpus("words", "1", lambda: iter(texts)), tokenizer_of("bpe:300"))
    assert shards.index["vocab"] == 300
    assert shards.index["end"] == 299
    [made] = [path for path in cache.iterdir() if path.is_dir()]
    model = library.Tokenizer.from_file(str(made / "tokenizer.json"))
    assert model.get_vocab_size() == 299
    found = [model.decode(part) for part in split(shards.training, 299)]
    assert found == [text for text in texts if text in set(found)]
    taught = shards.index["training"]
    assert taught["tokens"] - taught["documents"] < 0.8 * taught["bytes"]  # pairs are used


def test_byte_pairs_are_learned_from_the_training_part_alone(cache: Path) -> None:
    secret = [f"{'xyzzy ' * 400}{number}" for number in range(400)]
    secret = [text for text in secret if hash_of(text) < HELDOUT * 2**64]
    assert secret
    texts = words(400) + secret
    shards_of(Corpus("words", "2", lambda: iter(texts)), tokenizer_of("bpe:400"))
    [made] = [path for path in cache.iterdir() if path.is_dir()]
    model = library.Tokenizer.from_file(str(made / "tokenizer.json"))
    assert not [token for token in model.get_vocab() if "zz" in token]
    tokenizer_of("bpe:400").learn(iter(texts)).save(cache)  # what it would have learned
    model = library.Tokenizer.from_file(str(cache / "tokenizer.json"))
    assert [token for token in model.get_vocab() if "zz" in token]


def test_learning_twice_gives_the_same() -> None:
    one, two = (tokenizer_of("bpe:350").learn(iter(words(200))) for _ in range(2))
    assert one.checksum == two.checksum
    assert one.checksum != tokenizer_of("bpe:340").learn(iter(words(200))).checksum


def test_short_texts_have_fewer_pairs() -> None:
    model = tokenizer_of("bpe:5000").learn(iter(["ab ab ab"]))
    assert 257 < model.vocab < 300
    assert [each.max() < model.vocab - 1 for each in model.encode(["ab ba"])] == [True]


def test_bits_per_byte_of_byte_pairs_and_bytes_meet() -> None:
    """A model that knows only how long the text is says the same in both: the total is one."""
    texts = words(300)
    for name in ("bytes", "bpe:300"):
        held = shards_of(Corpus("words", "3", lambda: iter(texts)), tokenizer_of(name)).index[
            "heldout"
        ]
        total = 1000.0  # nats of the held-out text, whoever cuts it
        each = total / held["tokens"]
        per_byte = each / math.log(2) / (held["bytes"] / held["tokens"])
        assert per_byte == pytest.approx(total / math.log(2) / held["bytes"])


def test_a_file_of_tokenizers_is_read(tmp_path: Path) -> None:
    model = tokenizer_of("bpe:280").learn(iter(words(100)))
    model.save(tmp_path)
    named = tokenizer_of(str(tmp_path / "tokenizer.json"))
    assert named.name == "tokenizer.json"
    assert named.learn(iter(())).checksum == model.checksum
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match=r"other.json' is no tokenizer: .*"):
        tokenizer_of(str(tmp_path / "other.json")).learn(iter(()))
    with pytest.raises(InputError, match="cannot be read: No such file"):
        tokenizer_of(str(tmp_path / "none.json"))


def test_two_files_of_one_name_are_two_tokenizers(tmp_path: Path) -> None:
    texts = words(100)
    corpus = Corpus("words", "4", lambda: iter(texts))
    vocabs = []
    for rows in (280, 290):
        tokenizer_of(f"bpe:{rows}").learn(iter(texts)).save(tmp_path)
        vocabs.append(
            shards_of(corpus, tokenizer_of(str(tmp_path / "tokenizer.json"))).index["vocab"]
        )
    assert vocabs == [280, 290]


def test_the_hub_is_asked_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    whole = tokenizer_of("bpe:300").learn(iter(words(100))).model  # pyright: ignore

    def from_pretrained(name: str) -> Any:
        asked.append(name)
        if "none" in name:
            raise OSError("404: no such repository\nand a long story")
        return whole

    fake = SimpleNamespace(Tokenizer=SimpleNamespace(from_pretrained=from_pretrained))
    monkeypatch.setitem(sys.modules, "tokenizers", fake)
    assert tokenizer_of("t5").learn(iter(())).vocab == 300
    assert tokenizer_of("hf:someone/some").learn(iter(())).vocab == 300
    assert asked == ["google-t5/t5-base", "someone/some"]
    with pytest.raises(InputError, match=r"as 'none/none' from .* hub: 404: no such repository\. "):
        tokenizer_of("hf:none/none").learn(iter(()))


@pytest.mark.parametrize("name", ["bpe", "bpe:", "bpe:many", "bpe:257", "bpe:-3", "bpe:1e4"])
def test_byte_pairs_without_a_number_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' says no number of rows above 257"):
        tokenizer_of(name)


def test_an_unknown_tokenizer_is_refused() -> None:
    with pytest.raises(UsageError, match=r"There is no tokenizer 'wordpiece'. Use bytes, bpe:N"):
        tokenizer_of("wordpiece")


def test_tokenizers_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(
        MissingExtraError, match=r'pip install tokenizers\), or take tokenizer = "b'
    ):
        tokenizer_of("bpe:300").learn(iter(()))
