"""Run folders of our own trainer, read from disk like anybody's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kleiber.cli import run
from kleiber.errors import InputError
from kleiber.runs import Runs


def leave(path: Path, *, points: int = 3, done: bool = True, **record: Any) -> Path:
    """Write a folder as the trainer leaves it."""
    path.mkdir(parents=True)
    said = {"run": "2x8-0", "params": 30_000, "params_by_group": {"body": 20_000}, "seed": 4}
    (path / "run.json").write_text(json.dumps(said | record))
    lines = [
        {"step": 10 * i, "tokens": 5000 * i, "loss": 3.0 / i, "lr": 1e-3 / i, "seconds": i}
        for i in range(1, points + 1)
    ]
    (path / "points.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if done:
        (path / "done").touch()
    return path


def test_one_run(tmp_path: Path) -> None:
    runs = Runs.read(str(leave(tmp_path / "first")))
    assert runs.frame.select("run", "params", "tokens", "loss", "step", "lr", "seed").row(1) == (
        "first",
        30_000.0,
        10_000.0,
        1.5,
        20.0,
        5e-4,
        "4",
    )
    assert runs.frame["final"].to_list() == [False, False, True]
    assert (runs.params_are, runs.unit.kind, runs.named) == ("total", "nats", True)
    assert runs.frame["params_nonembed"].unique().to_list() == [20_000.0]


def test_a_folder_of_folders_and_one_that_has_not_ended(tmp_path: Path) -> None:
    leave(tmp_path / "grid" / "a")
    leave(tmp_path / "grid" / "b", done=False, params=60_000)
    leave(tmp_path / "grid" / "c", points=0, done=False)
    runs = Runs.read(tmp_path / "grid")
    assert runs.frame["run"].unique(maintain_order=True).to_list() == ["a", "b"]
    assert runs.frame.filter("final")["run"].to_list() == ["a"]
    notes = [note.message for note in runs.notes if note.kind == "warning"]
    assert "2 runs have not ended; what they read so far has no final point: b, c." in notes
    assert "1 run has no points yet; left out: c." in notes


def test_several_grids_by_a_pattern(tmp_path: Path) -> None:
    leave(tmp_path / "one" / "a")
    leave(tmp_path / "two" / "a")
    runs = Runs.read([str(tmp_path / "one"), str(tmp_path / "two" / "a")])
    assert runs.n_runs >= 1
    assert len(Runs.read(str(tmp_path / "o*"))) == 3


def test_kleiber_runs_shows_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    leave(tmp_path / "grid" / "a")
    assert run(["runs", str(tmp_path / "grid"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["finals"], found["params_are"]) == (3, 1, "total")


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("run.json", '{"params": 3', "run.json' cannot be read"),
        ("run.json", "[]", "holds no object"),
        ("run.json", "{}", "says no params, seed"),
        ("points.jsonl", '{"step": 1}\n{"st', "points.jsonl' cannot be read"),
        ("points.jsonl", "\xff\xfe", "points.jsonl' cannot be read"),
    ],
)
def test_a_torn_file_is_named(tmp_path: Path, file: str, content: str, said: str) -> None:
    folder = leave(tmp_path / "a")
    (folder / file).write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=said):
        Runs.read(folder)


def test_no_point_yet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds 1 run and no point yet"):
        Runs.read(leave(tmp_path / "a", points=0, done=False))


def test_what_a_real_training_leaves(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from kleiber.training import ModelConfig, RunFolder, TrainConfig, train
    from kleiber.training.noise import Noise

    shape = ModelConfig(layers=1, width=8, heads=1, vocab=11, context=6)
    noise = Noise(steps=20, batch_size=2, context=6, vocab=11)
    configs = [TrainConfig(lr=1e-3, seed=7)]
    list(train(shape, configs, [noise], [RunFolder(tmp_path / "r")], readings=5))
    runs = Runs.read(tmp_path / "r")
    assert runs.frame["step"].to_list() == [4, 8, 12, 16, 20]
    assert runs.frame["seed"].unique().to_list() == ["7"]
    assert runs.frame["final"].to_list() == [False] * 4 + [True]
