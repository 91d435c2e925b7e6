"""A rung is trained on the text that its recipe names, by the worker's own opener."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from kleiber.errors import InputError
from kleiber.launching.rungs import run
from kleiber.launching.text import open_text
from kleiber.recipes import recipe
from kleiber.recipes.rung import Rung
from kleiber.runs import Runs
from kleiber.training.folder import RunFolder

LANGUAGE = "markov:8:1:0"


def rung(**changes: object) -> Rung:
    small = {"vocab": 8, "context": 16, "head_size": 8, "batch": 16, "steps": 150, "lr": 0.03}
    mine = recipe("nanodo-paper").changed(
        {"text": LANGUAGE, "tokenizer": "none", "warmup": 0.1, **small, **changes}, source="a test"
    )
    return mine.rung({"width": 16, "layers": 1})


def test_a_rung_learns_a_language_and_its_record_tells_the_floor(tmp_path: Path) -> None:
    one = rung()
    folder = RunFolder(tmp_path / one.name)
    [*_, last] = run([one], [folder], open_text)
    loss, text = last["result"]["loss"], folder.record()["text"]
    floor, knowing_nothing = text["heldout_entropy"], math.log(8)
    assert floor < loss < floor + 0.3 * (knowing_nothing - floor)
    table = Runs.read(tmp_path)
    assert table.frame["validation_set"].unique().to_list() == [text["validation_set"]]
    assert table.frame["unique_tokens"].unique().to_list() == [150 * 16 * 16]


def test_more_tokens_than_the_recipe_s_rows_are_refused(tmp_path: Path) -> None:
    one = rung(vocab=6)
    with pytest.raises(InputError, match="has 8 different tokens, and the recipe's vocab is 6"):
        list(run([one], [RunFolder(tmp_path / one.name)], open_text))
