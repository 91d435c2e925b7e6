"""The study of fitted floors: its arithmetic on losses of a known floor, its way to the runs."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

from kleiber.errors import InputError
from kleiber.launching.ladder import LadderTrainer, train_ladder
from kleiber.recipes import Rung
from kleiber.studies import text_floor
from kleiber.studies.crossovers import study as crossovers_study
from kleiber.studies.paradigms import study as paradigms_study
from kleiber.studies.text_floor import LANGUAGES, TOKENS, rungs_of, tabulate
from kleiber.training.folder import RunFolder

TRUTH = 1.8


def made(floor: float, noise: float = 0.002, seed: int = 0) -> list[dict[str, Any]]:
    chance = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for rung in rungs_of(LANGUAGES[0]):
        loss = floor + 2e2 / rung.tokens**0.6 * float(np.exp(chance.normal(0, noise)))
        plain = {"run": rung.name, "params": 77_920, "tokens": rung.tokens}
        rows.append(
            {**plain, "seed": rung.seed, "loss": loss, "entropy": TRUTH, "cpu seconds": 60.0}
        )
    return rows


def test_a_floor_that_is_there_is_found_and_another_is_not() -> None:
    table, rungs = tabulate({"one": made(TRUTH), "two": made(TRUTH + 0.05)}).tables
    one, two = table.rows
    assert one["inside"] is True
    assert one["E"] == pytest.approx(TRUTH, abs=0.005)
    assert one["beta"] == pytest.approx(0.6, abs=0.02)
    assert two["inside"] is False
    assert "of 1 of 2 languages" in table.claims[0]
    assert "12 minutes of training" in table.notes[0]  # six stacks of three seeds a language
    assert len(rungs.rows) == 12
    fewest = rungs.rows[0]
    assert fewest["above"] == pytest.approx(one["above, fewest"])
    assert fewest["above"] == pytest.approx(2e2 / TOKENS[0] ** 0.6, rel=0.01)


def test_the_runs_are_of_ever_more_tokens_and_of_seeds() -> None:
    rungs = rungs_of("markov:64:1:2")
    assert {rung.text for rung in rungs} == {"markov:64:1:2"}
    assert {rung.vocab for rung in rungs} == {64}
    expected = [(tokens, seed) for tokens in TOKENS for seed in range(3)]
    assert sorted((rung.tokens, rung.seed) for rung in rungs) == expected
    assert TOKENS[-1] / TOKENS[0] == 32
    names = [rung.name for language in LANGUAGES for rung in rungs_of(language)]
    assert len(set(names)) == len(names) == 18 * len(LANGUAGES)


def test_losses_are_read_from_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_floor, "LANGUAGES", LANGUAGES[:1])

    def train(
        rungs: Sequence[Rung], out: Path, *, jobs: int | None = None
    ) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
        for rung, row in zip(rungs, made(TRUTH), strict=True):
            folder = RunFolder(out / rung.name)
            text = {"entropy": TRUTH, "heldout_entropy": TRUTH + 0.01}
            folder.path.mkdir()
            folder.write_json("run.json", {"params": row["params"], "text": text})
            point = {"tokens": row["tokens"], "heldout_loss": row["loss"] + 0.01, "seconds": 6.0}
            folder.write_points([{**point, "heldout_loss": 9.0}, point])
        return [], {}

    table = text_floor.run(tmp_path, train=train).tables[0]
    expected = tabulate({LANGUAGES[0]: made(TRUTH)}).tables[0].rows[0]
    assert table.rows[0]["E"] == pytest.approx(expected["E"], abs=1e-6)
    assert table.rows[0]["above, most"] == pytest.approx(expected["above, most"], abs=1e-9)

    def fail(*_: object, **__: object) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
        return [], {"a-rung": {"message": "It diverged.", "remedy": "Lower lr."}}

    with pytest.raises(InputError, match=r"a-rung: It diverged. Lower lr."):
        text_floor.run(tmp_path, train=fail)


def test_all_ladder_studies_take_one_kind_of_trainer() -> None:
    """What the command hands to one of them must do for every other."""
    for study in (text_floor, paradigms_study, crossovers_study):
        wanted = get_type_hints(study.run)["train"]
        assert wanted is LadderTrainer
    # the one that trains takes what the protocol passes on
    asked = inspect.signature(LadderTrainer.__call__).parameters
    assert {*asked} - {"self"} <= {*inspect.signature(train_ladder).parameters}
