"""kleiber know extract: the table, the JSON contract, progress, bad input as a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

SHARES = ("accuracy", "accuracy_tuned", "accuracy_untuned", "accuracy_chance", "accuracy_in_texts")
TINY: dict[str, Any] = {
    **{"people": 20, "exposures": 4, "layers": 1, "width": 8, "heads": 1, "batch": 4, "lr": 0.02},
    "compiled": False,
}
POOLS = {"first": 9, "middle": 9, "last": 9, "years": 30, "employers": 25}
STRINGS = {"K": 2, "C": 1, "D": 8, "L": 1, "T": 8, "name_tokens": 3}


def teach(folder: Path, **settings: Any) -> Path:
    """Train a model for a moment; what it knows does not matter here."""
    pytest.importorskip("torch")
    from kleiber.knowledge.cell import Cell
    from kleiber.knowledge.experiment import run as train
    from kleiber.training import RunFolder

    for _ in train([Cell(**TINY, **settings)], [RunFolder(folder)]):
        pass
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extract") / "run"
    return teach(folder, format="bioS", pools=POOLS, templates=1, context=60)


def test_the_table_and_the_object_say_the_same(call: Any, trained: Path) -> None:
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    options = ("--steps", "20", "--batch", "4", "--seed", "3")
    done = call("know", "extract", trained, *options, "--json")
    assert (done.code, done.err) == (0, "")
    found = done.json
    assert (found["schema"], found["run"]) == ("kleiber.extraction/1", "run")
    assert (found["people"], found["people_tuned"], found["steps"]) == (10, 10, 20)
    assert (found["seed"], found["tuning"]) == (3, "low-rank")
    assert all(0 <= found[share] <= 1 for share in SHARES)
    counted = [part for part in found["held_out"] if part != "work_city"]
    assert found["accuracy"] == pytest.approx(sum(found["held_out"][p] for p in counted) / 5)
    texts = {one["attribute"]: one for one in found["memorised"]}
    assert found["bits_in_texts"] == pytest.approx(sum(texts[part]["bits"] for part in counted))
    done = call("know", "extract", trained, *options)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{found['accuracy']:.1%} of questions answered rightly about 10")
    for part, share in found["held_out"].items():
        (line,) = [line for line in lines if line.startswith(f"{part} ")]
        others = [found["tuned"][part], found["untuned"][part], found["chance"][part]]
        shares = [share, *others, texts[part]["whole"]]
        assert line.split()[1:6] == [f"{one:.1%}" for one in shares]
    (last,) = [line for line in lines if line.startswith("all that count")]
    assert last.split()[3:8] == [f"{found[share]:.1%}" for share in SHARES]
    assert max(map(len, lines)) <= 100
    said = done.err.splitlines()  # no terminal here: a line a tenth
    assert len(said) == 10
    assert said[4].startswith("questions  50%, loss ")
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before


def test_all_weights_and_a_rate(call: Any, trained: Path) -> None:
    one, other = (
        call("know", "extract", trained, "--steps", "3", "--tune", "all", *rate, "--json").json
        for rate in ((), ("--lr", "0.001"))
    )
    assert one == other
    assert one["tuning"] == "all"


def test_interrupted(call: Any, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kleiber.knowledge.questions import Lessons

    def stop(self: Lessons, step: int) -> None:
        raise KeyboardInterrupt

    before = sorted(path.name for path in trained.iterdir())
    monkeypatch.setattr(Lessons, "batch", stop)
    done = call("know", "extract", trained)
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")
    assert sorted(path.name for path in trained.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--steps", "0"), "steps is 0; at least 1 is needed."),
        (("--batch", "0"), "batch is 0; at least 1 is needed."),
        (("--lr", "-1"), "lr is -1.0; more than 0 is needed."),
        (("--seed", "-1"), "The seed is -1."),
        (("--tune", "some"), "some"),
    ],
)
def test_bad_options(call: Any, trained: Path, options: tuple[str, ...], said: str) -> None:
    done = call("know", "extract", trained, *options, "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")
    assert said in done.json["error"]["message"]
    assert done.json["error"]["remedy"].endswith(".")


def test_folders_that_nothing_can_be_asked_of(call: Any, trained: Path, tmp_path: Path) -> None:
    def refused(folder: Path) -> str:
        done = call("know", "extract", folder, "--json")
        assert (done.code, done.json["error"]["code"]) == (1, "input")
        assert done.json["error"]["remedy"].endswith(".")
        return done.json["error"]["message"]

    assert "has no run.json, so it is not a run that kleiber trained" in refused(tmp_path / "none")
    unfinished = tmp_path / "unfinished"
    shutil.copytree(trained, unfinished)
    (unfinished / "done").unlink()
    (unfinished / "weights.safetensors").unlink()
    assert "has no weights.safetensors: the run has not ended." in refused(unfinished)
    mixed = tmp_path / "mixed"
    shutil.copytree(trained, mixed)
    record = json.loads((mixed / "run.json").read_text())
    record["cell"]["width"] = 12
    (mixed / "run.json").write_text(json.dumps(record))
    assert "not of the shape that its run.json says" in refused(mixed)
    del record["cell"]
    (mixed / "run.json").write_text(json.dumps(record))
    assert "is a run that no people were taught in" in refused(mixed)
    marks = teach(tmp_path / "marks", strings=STRINGS, mix={"token": True, "junk": 20})
    assert "with a token or a domain's name in front" in refused(marks)
    strings = teach(tmp_path / "strings", format="random", strings={"length": 4, "symbols": 4})
    assert "of the format random, about which no questions can be made." in refused(strings)
    alone = teach(tmp_path / "alone", strings=STRINGS)
    record = json.loads((alone / "run.json").read_text())
    record["cell"]["people"] = 1
    (alone / "run.json").write_text(json.dumps(record))
    done = call("know", "extract", alone, "--json")
    assert "1 people cannot be halved." in done.json["error"]["message"]
