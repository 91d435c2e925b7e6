from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kleiber.errors import InputError, UsageError
from kleiber.recipes.rung import Rung
from kleiber.training.text import open_text
from kleiber.training.text.languages import language_of
from kleiber.training.text.shards import FORMAT

Maker = Callable[..., Rung]


def shown(text: object) -> np.ndarray:
    batches = [text.batch(step) for step in range(text.steps)]  # pyright: ignore
    return np.concatenate([np.concatenate([x, y[:, -1:]], axis=1) for x, y in batches])


def test_a_rung_s_text_is_counted_in_its_record(folder: Path, rung: Maker) -> None:
    text = open_text(rung(text=str(folder), epochs=2.5))
    assert (text.steps, text.width, text.windows, text.tokens, text.vocab) == (10, 16, 40, 640, 257)
    about = text.about
    assert about["unique_tokens"] == 16 * 16
    assert about["epochs"] == 2.5
    assert about["available_tokens"] > 10_000
    assert about["available_tokens"] % 16 == 0
    assert len({tuple(row) for row in shown(text).tolist()}) == 16
    assert about["vocab"] == 257
    assert 0.9 < about["bytes_per_token"] < 1
    for epochs in (1, 3, 2.5, 7):  # what a rung says without reading is what is read
        one = rung(text=str(folder), epochs=epochs)
        assert open_text(one).about["unique_tokens"] == one.unique_tokens
    assert about["validation_tokens"] == sum((y >= 0).sum() for _, y in text.heldout())


def test_the_validation_set_is_the_same_but_for_what_changes_it(
    folder: Path, rung: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def name(**changes: object) -> str:
        return open_text(rung(**{"text": str(folder), **changes})).about["validation_set"]

    first = name()
    assert first.startswith("words bytes ")  # no path of one machine
    assert first == name(seed=3) == name(epochs=4) == name(batch=2, steps=20) == name(context=32)
    monkeypatch.chdir(folder.parent)
    assert name(text="words") == first
    assert name(tokenizer="bpe:300", vocab=300) != first
    for path in folder.iterdir():
        path.write_text(path.read_text().upper())
    assert name() != first


def test_recipes_of_one_seed_see_one_order_of_one_text(folder: Path, rung: Maker) -> None:
    one = open_text(rung(text=str(folder), seed=1))
    other = open_text(rung(text=str(folder), seed=1, batch=8, steps=5, lr=0.5, width=16))
    assert (shown(one) == shown(other)).all()
    assert (shown(one) != shown(open_text(rung(text=str(folder), seed=2)))).any()
    fewer = open_text(rung(text=str(folder), seed=1, epochs=4))
    assert (shown(fewer)[:10] == shown(one)[:10]).all()


def test_a_text_that_is_too_short_is_said(folder: Path, rung: Maker) -> None:
    with pytest.raises(
        InputError, match=r"tokens to train on in windows of 16, and a rung asks fo"
    ):
        open_text(rung(text=str(folder), steps=10_000))


@pytest.mark.parametrize("name", ["zipf:30:1", "markov:16:2:0", "pcfg:20:5:0"])
def test_a_language_is_a_text(name: str, rung: Maker) -> None:
    text = open_text(rung(text=name))
    about = text.about
    assert (text.steps, text.width, text.windows, text.tokens) == (10, 16, 40, 640)
    assert text.vocab == language_of(name).vocab
    assert about["entropy"] == language_of(name).entropy(16)
    assert about["entropy_rate"] == language_of(name).rate
    assert about["heldout_entropy"] == pytest.approx(about["entropy"], abs=0.02)
    held = [np.concatenate([x, y[:, -1:]], axis=1) for x, y in text.heldout()]
    found = np.concatenate(held)
    assert found[:, 1:].size == about["validation_tokens"] == 65_536
    assert language_of(name).nats(found).mean() == pytest.approx(about["heldout_entropy"])
    again = open_text(rung(text=name, seed=4))
    assert all(
        (a == b).all()
        for a, b in zip(
            itertools.chain(*again.heldout()), itertools.chain(*text.heldout()), strict=True
        )
    )
    assert again.about["validation_set"] == about["validation_set"]
    assert (shown(again) != shown(text)).any()


def test_a_language_has_epochs_of_exact_counts(rung: Maker) -> None:
    name = "markov:16:2:0"
    once = open_text(rung(text=name, steps=400, batch=4, context=8))
    thrice = open_text(rung(text=name, steps=400, batch=4, context=8, epochs=2))
    windows = Counter(map(tuple, shown(thrice).tolist()))
    assert set(windows.values()) == {2}
    assert len(windows) == 800 == thrice.about["unique_tokens"] // 8
    assert (shown(thrice)[:800] == shown(once)[:800]).all()
    assert (shown(thrice)[800:] != shown(thrice)[:800]).any()
    wide = open_text(rung(text=name, steps=100, batch=16, context=8))
    assert (shown(wide) == shown(once)).all()
    with pytest.raises(UsageError, match="step 400 of 400"):
        once.batch(400)


def test_a_language_has_no_tokenizer(rung: Maker) -> None:
    assert open_text(rung(text="zipf:9:1", tokenizer="none")).about["tokenizer"] == "none"
    with pytest.raises(UsageError, match="names the tokenizer 'bpe:300'"):
        open_text(rung(text="zipf:9:1", tokenizer="bpe:300"))


def test_the_format_is_part_of_the_name(
    folder: Path, rung: Maker, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_text(rung(text=str(folder)))
    monkeypatch.setattr("kleiber.training.text.shards.FORMAT", FORMAT + 1)
    open_text(rung(text=str(folder)))
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 2
