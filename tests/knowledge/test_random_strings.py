"""Random strings: known answers of the second probe, and a model that has some by heart."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from kleiber.errors import InputError
from kleiber.knowledge import Texts, Windows
from kleiber.knowledge.cell import Cell
from kleiber.knowledge.experiment import measure_folder, run
from kleiber.knowledge.preset import preset
from kleiber.knowledge.random_strings import RandomStrings, memorised, saved_bits
from kleiber.training import GPT, RunFolder
from kleiber.training.model import initialise


def every_nat(nats: float):
    def read(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        told = texts.kinds > 0
        return np.where(told, nats, 0.0), ~told

    return read


def test_texts_are_the_strings() -> None:
    source = RandomStrings(50, length=5, symbols=9, seed=2)
    texts = source.texts(np.arange(50), 3)
    rows = texts.tokens.reshape(50, 6)
    assert (rows[:, 0] == 0).all() and (rows[:, 1:] == source.strings(np.arange(50)) + 1).all()
    assert (texts.kinds.reshape(50, 6) == [0, 2, 2, 2, 2, 2]).all()
    assert rows.max() < source.vocab == 10
    assert source.value_bits == pytest.approx(5 * math.log2(9))
    (one,) = source.biographies([7], 0)
    assert one.text == f" {one.values['string']}"
    assert source.decode(texts.tokens[42:48]) == f"|{one.text}"
    assert np.array_equal(source.texts([7], 99).tokens, texts.tokens[42:48])


def test_strings_are_uniform_and_a_seeds_own() -> None:
    strings = RandomStrings(20_000, length=4, symbols=8).strings(np.arange(20_000))
    for place in range(4):
        assert np.bincount(strings[:, place], minlength=8) / 20_000 == pytest.approx(
            1 / 8, abs=0.01
        )
    pairs = np.bincount(strings[:, 0] * 8 + strings[:, 1], minlength=64) / 20_000
    assert pairs == pytest.approx(1 / 64, abs=0.005)
    other = RandomStrings(20_000, length=4, symbols=8, seed=1).strings(np.arange(20_000))
    assert (strings != other).mean() == pytest.approx(7 / 8, abs=0.01)


def test_known_answers() -> None:
    source = RandomStrings(30, length=6, symbols=16)
    ids = np.arange(30)
    for nats, bits in ((0.0, 24.0), (math.log(16), 0.0), (math.log(4), 12.0), (9.0, 0.0)):
        saved, whole = saved_bits(every_nat(nats), source, ids)
        assert saved == pytest.approx(np.full(30, bits), abs=1e-9)
        assert not whole.any()

    def half(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """Half of the strings by heart, the others worse than guessed."""
        known = np.repeat(np.arange(len(texts)) % 2 == 0, texts.lengths)
        return np.where((texts.kinds > 0) & ~known, 5.0, 0.0), known | (texts.kinds == 0)

    saved, whole = saved_bits(half, source, ids)
    assert saved.sum() == pytest.approx(15 * 24) and whole.sum() == 15


def test_an_untrained_model_and_one_sample() -> None:
    source = RandomStrings(500, length=8, symbols=32)
    shape = Cell(
        people=500, exposures=1, layers=1, width=8, heads=1, batch=8, lr=1e-3, format="random",
        strings={"length": 8, "symbols": 32},
    ).model(source)  # fmt: skip
    model = GPT(shape)
    initialise(model, 0)
    found = memorised(model, source, untrained=model)
    assert found.controls["oracle"] == pytest.approx(found.max_memorised_bits_per_param, rel=1e-9)
    assert found.memorised_bits_per_param == found.controls["random"]
    assert found.share < 0.01 and found.controls["unseen"] < 0.01 * found.controls["oracle"]
    some = memorised(model, source, most_strings=200)
    off = some.memorised_bits_per_param - found.memorised_bits_per_param
    assert found.standard_error == 0 < some.standard_error and abs(off) < 3 * some.standard_error


def test_an_overfilled_model_memorises_and_knows_no_other_string(tmp_path: Path) -> None:
    """More than a bit a parameter of its own strings, none of held-out ones."""
    (cell,) = preset("random-strings").cells(people=150, exposures=120, width=8)
    folder = RunFolder(tmp_path / "run")
    *said, last = run([cell], [folder], glances=2)
    row = last["result"]
    assert row["format"] == "random" and "bits_per_param" not in row
    assert row["memorised_bits_per_param"] > 1
    assert row["max_memorised_bits_per_param"] > 1.5 * row["memorised_bits_per_param"]
    assert abs(row["controls"]["unseen"]) < 0.02 and row["controls"]["random"] < 0.05
    assert any("memorised_bits_per_param" in event for event in said)
    again = measure_folder(folder)
    assert again["memorised_bits_per_param"] == row["memorised_bits_per_param"]


def test_windows_hold_a_string_each() -> None:
    windows = Windows(RandomStrings(7, length=3, symbols=4), exposures=2, batch=5)
    assert windows.steps == 3 and windows.batch(0)[1].shape == (5, 3)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [({"length": 0}, "length is 0"), ({"symbols": 1}, "symbols is 1; at least 2")],
)
def test_strings_of_nothing_are_refused(sizes: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        RandomStrings(5, **sizes)
