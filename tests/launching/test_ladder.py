"""Ladders trained in processes: resumed, skipped, failed one by one, read back as a table."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kleiber.errors import InputError, UsageError
from kleiber.launching import ladder as launching
from kleiber.launching.ladder import stack_bytes, standing, train_ladder
from kleiber.launching.rungs import groups, run
from kleiber.recipes.ladder import Ladder
from kleiber.recipes.rung import Rung
from kleiber.runs import Runs
from kleiber.training.count import count_params, exact_flops
from kleiber.training.folder import RunFolder
from kleiber.training.memory import PROCESS
from kleiber.training.rung import model_of

pytest.importorskip("torch")
from tiny_text import Counting

WORKER = "tiny_text"
RECIPE: dict[str, Any] = {
    "head_size": 4,
    "vocab": 8,
    "context": 16,
    "batch": 8,
    "steps": 30,
    "lr": "0.1/D**.5",
    "eps": 1e-8,
    "precision": "fp32",
}


def rungs(*scales: dict[str, Any], seeds: int = 1, **changes: Any) -> tuple[Rung, ...]:
    content = {"recipe": {**RECIPE, "name": "tiny", **changes}, "seeds": seeds}
    listed = [{"L": 1, **scale} for scale in scales]
    return Ladder.of({**content, "rung": listed}, name="t", source="'t.toml'").rungs


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


def weights(folder: Path) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


def test_seeds_of_narrow_rungs_are_stacked() -> None:
    made = rungs({"D": 8}, {"D": 40}, {"D": 8, "lr": 1}, seeds=2)
    names = [[made[i].name for i in group] for group in groups(made)]
    assert names == [
        ["tiny-D8-L1-s0", "tiny-D8-L1-s1"],
        ["tiny-D8-L1-lr1-s0", "tiny-D8-L1-lr1-s1"],
        ["tiny-D40-L1-s0"],
        ["tiny-D40-L1-s1"],
    ]


def test_a_ladder_is_trained_then_read_as_a_table(tmp_path: Path) -> None:
    made = rungs({"D": 8}, {"D": 16}, seeds=2)
    results, errors = train_ladder(made, tmp_path, jobs=2, worker=WORKER)
    assert errors == {}
    assert [row["run"] for row in results] == [rung.name for rung in made]
    floor = math.log(2)  # each next token is one of two, equally likely
    assert all(floor - 0.05 < row["loss"] < math.log(8) for row in results)
    last = json.loads((tmp_path / made[0].name / "points.jsonl").read_text().splitlines()[-1])
    assert last["heldout_loss"] == results[0]["loss"] != last["loss"] == results[0]["train_loss"]

    again, errors = train_ladder(made, tmp_path, worker="no.such.module")  # nothing is started
    assert (again, errors) == (results, {})
    assert {standing(rung, tmp_path).state for rung in made} == {"done"}

    runs = Runs.read(tmp_path).frame.filter("final")
    assert runs["run"].to_list() == sorted(rung.name for rung in made)
    assert set(runs["recipe"]) == {"tiny"}
    assert set(runs["seed"]) == {"0", "1"}
    shape = model_of(made[0])
    first = runs.filter(runs["run"] == made[0].name)
    assert first["params"].item() == count_params(shape)["total"]
    assert first["tokens"].item() == made[0].shown_tokens == 30 * 8 * 16
    assert first["flops"].item() == exact_flops(shape) * made[0].shown_tokens
    assert first["loss"].item() == results[0]["loss"]


def test_a_stack_is_its_runs_one_by_one(tmp_path: Path) -> None:
    made = rungs({"D": 8}, seeds=2)
    folders = [RunFolder(tmp_path / "both" / rung.name) for rung in made]
    list(run(made, folders, Counting))
    for rung, folder in zip(made, folders, strict=True):
        (alone,) = (
            event
            for event in run([rung], [RunFolder(tmp_path / rung.name)], Counting)
            if "result" in event
        )
        stacked = json.loads((folder.path / "points.jsonl").read_text().splitlines()[-1])
        assert stacked["heldout_loss"] == pytest.approx(alone["result"]["loss"], abs=1e-4)


def test_a_stopped_rung_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    made = rungs({"D": 8}, seeds=2)
    whole = [RunFolder(tmp_path / "whole" / rung.name) for rung in made]
    parts = [RunFolder(tmp_path / "parts" / rung.name) for rung in made]
    list(run(made, whole, Counting, save_every=5))
    events = run(made, parts, Counting, save_every=5)
    for event in events:
        if event["step"] == 17:
            break
    assert isinstance(events, Iterator)
    assert standing(made[0], tmp_path / "parts").state == "running"
    events.close()  # pyright: ignore[reportAttributeAccessIssue]
    now = standing(made[1], tmp_path / "parts")
    assert (now.state, now.step) == ("stopped", 15)
    _, errors = train_ladder(made, tmp_path / "parts", worker=WORKER)
    assert errors == {}
    for one, other in zip(whole, parts, strict=True):
        assert weights(one.path) == weights(other.path)


def test_a_loss_that_is_no_number_leaves_the_others(tmp_path: Path) -> None:
    made = rungs({"D": 8}, {"D": 8, "lr": 1e30, "norm": "layer"}, {"D": 16})
    results, errors = train_ladder(made, tmp_path, jobs=1, worker=WORKER)
    assert [row["run"] for row in results] == ["tiny-D8-L1-s0", "tiny-D16-L1-s0"]
    (name,) = errors
    assert name == "tiny-D8-L1-lr1e+30-normlayer-s0"
    assert errors[name]["message"].startswith(f"The loss of {name} is nan at step ")
    assert "at a peak rate of 1e+30: its training diverged." in errors[name]["message"]
    held = standing(made[1], tmp_path)
    assert (held.state, held.why) == ("failed", errors[name]["message"])
    again, errors = train_ladder(made, tmp_path, worker="no.such.module")
    assert again == results
    assert errors[name]["remedy"] == "Add --retry to train it from its start."
    runs = Runs.read(tmp_path)
    assert sorted(runs.frame.filter("final")["run"]) == ["tiny-D16-L1-s0", "tiny-D8-L1-s0"]
    assert any(name in note.message and "failed" in note.message for note in runs.notes)
    _, errors = train_ladder(made, tmp_path, retry=True, worker=WORKER)
    assert "diverged" in errors[name]["message"]


def test_one_seed_of_a_stack_that_diverges(tmp_path: Path) -> None:
    made = rungs({"D": 8}, seeds=2)
    folders = [RunFolder(tmp_path / rung.name) for rung in made]
    import kleiber.training.step as step_module

    fresh = step_module.Stepper._fresh

    def spoiled(self: Any, seed: int) -> Any:
        found = fresh(self, seed)
        return found * float("nan") if seed == 1 else found

    step_module.Stepper._fresh = spoiled  # type: ignore[method-assign]
    try:
        events = list(run(made, folders, Counting))
    finally:
        step_module.Stepper._fresh = fresh  # type: ignore[method-assign]
    assert [e["result"]["run"] for e in events if "result" in e] == [made[0].name]
    assert [e["number"] for e in events if "error" in e] == [1]
    assert [standing(rung, tmp_path).state for rung in made] == ["done", "failed"]


def stopped(made: tuple[Rung, ...], out: Path, after: int = 12) -> list[RunFolder]:
    """Train rungs as one stack until a step; they are saved every fifth."""
    folders = [RunFolder(out / rung.name) for rung in made]
    for event in run(made, folders, Counting, save_every=5):
        if event["step"] == after:
            return folders
    raise AssertionError


def test_a_stack_killed_between_two_that_finish(tmp_path: Path) -> None:
    made = rungs({"D": 8}, seeds=3)
    whole, parts = (stopped(made, tmp_path / name) for name in ("whole", "parts"))
    list(run(made, whole, Counting, save_every=5))
    finish, ended = RunFolder.finish, list[RunFolder]()

    def killed(folder: RunFolder) -> None:
        if ended:
            raise KeyboardInterrupt
        ended.append(folder)
        finish(folder)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RunFolder, "finish", killed)
        list(run(made, parts, Counting, save_every=5))
    states = [standing(rung, tmp_path / "parts").state for rung in made]
    assert sorted(states) == ["done", "stopped", "stopped"]
    results, errors = train_ladder(made, tmp_path / "parts", worker=WORKER)
    assert (len(results), errors) == (3, {})
    for one, other in zip(whole, parts, strict=True):
        assert weights(one.path) == weights(other.path)


def test_seeds_that_are_added_to_one_that_was_stopped(tmp_path: Path) -> None:
    made = rungs({"D": 8}, seeds=3)
    stopped(made[:1], tmp_path / "parts")
    results, errors = train_ladder(made, tmp_path / "parts", worker=WORKER)
    assert ([row["run"] for row in results], errors) == ([rung.name for rung in made], {})
    for some in (made[:1], made[1:]):  # as they stood: the one went on, the others are a stack
        folders = [RunFolder(tmp_path / "whole" / rung.name) for rung in some]
        list(run(some, folders, Counting))
        for folder in folders:
            assert weights(folder.path) == weights(tmp_path / "parts" / folder.path.name)


def test_a_failed_seed_of_a_stopped_stack_is_retried_from_its_start(tmp_path: Path) -> None:
    made = rungs({"D": 8}, seeds=2)
    folders = stopped(made, tmp_path)
    state = folders[1].read_tensors("state.safetensors")
    state["params"] *= math.nan
    folders[1].write_tensors("state.safetensors", state)
    folders[1].stage_tensors("state.safetensors", state)  # which a killed process may leave too
    events = run(made, folders, Counting, save_every=5)
    assert "error" in next(events)
    events.close()  # type: ignore[attr-defined]
    assert [standing(rung, tmp_path).state for rung in made] == ["stopped", "failed"]
    _, errors = train_ladder(made, tmp_path, retry=True, worker=WORKER)
    assert errors == {}
    alone = RunFolder(tmp_path / "alone")
    list(run(made[1:], [alone], Counting))
    assert weights(alone.path) == weights(folders[1].path)


def test_a_folder_is_trained_by_one_process(tmp_path: Path) -> None:
    made = rungs({"D": 8}, seeds=2)
    folders = [RunFolder(tmp_path / rung.name) for rung in made]
    first = run(made, folders, Counting)
    next(first)
    said = rf"^{made[0].name} is being trained in '.*' by process {os.getpid()} on "
    with pytest.raises(InputError, match=said):
        list(run(made, folders, Counting))
    for retry in (False, True):
        results, errors = train_ladder(made, tmp_path, retry=retry, worker="no.such.module")
        assert results == []
        assert all("is being trained in" in error["message"] for error in errors.values())
    assert [e["result"]["run"] for e in first if "result" in e] == [rung.name for rung in made]
    assert not list(tmp_path.glob("*/process.json"))


def test_a_run_killed_on_another_machine_goes_on(tmp_path: Path) -> None:
    made = rungs({"D": 8})
    (folder,) = stopped(made, tmp_path)
    folder.write_json("process.json", {"pid": 1, "host": "another-node", "locked": True})
    assert standing(made[0], tmp_path).state == "stopped"
    _, errors = train_ladder(made, tmp_path, worker=WORKER)
    assert errors == {}


def test_a_stack_and_what_its_process_is_told_are_small(tmp_path: Path) -> None:
    made = rungs({"D": 8}, seeds=200)
    some = groups(made)
    assert [i for group in some for i in group] == list(range(200))
    assert max(map(len, some)) == 16
    commands = [launching._command(made, group, tmp_path, {}, WORKER) for group in some]  # pyright: ignore[reportPrivateUsage]
    assert max(len(command[-1]) for command in commands) < 32_768  # Linux takes 131,072


def test_a_rung_too_large_for_the_memory_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rungs({"D": 8}, {"D": 8192, "L": 40})
    monkeypatch.setattr(launching, "available_bytes", lambda device="cpu": 2e9)
    monkeypatch.setattr("kleiber.training.memory.available_bytes", lambda device="cpu": 2e9)
    results, errors = train_ladder(made, tmp_path, worker=WORKER)
    assert [row["run"] for row in results] == ["tiny-D8-L1-s0"]
    said = errors["tiny-D8192-L40-s0"]["message"]
    assert said.startswith("Training tiny-D8192-L40-s0 needs about ")
    assert "and 2.0 GB are free" in said
    assert errors["tiny-D8192-L40-s0"]["remedy"].startswith("Add --micro-batches 2 or more")
    assert standing(made[1], tmp_path).state == "missing"


def test_parts_of_a_batch_come_to_the_same_run_in_less_memory(tmp_path: Path) -> None:
    made = rungs({"D": 8})
    (whole,), _ = train_ladder(made, tmp_path / "whole", worker=WORKER)
    stopped(made, tmp_path / "parts")
    (parts,), _ = train_ladder(made, tmp_path / "parts", micro_batches=4, worker=WORKER)
    assert parts["loss"] == pytest.approx(whole["loss"], abs=1e-4)
    (large,) = rungs({"D": 64, "batch": 512})
    assert stack_bytes([large], 4) - PROCESS < 0.35 * (stack_bytes([large]) - PROCESS)
    _, errors = train_ladder(made, tmp_path / "third", micro_batches=3, worker=WORKER)
    assert "has 8 windows a step, and 3 equal parts" in errors[made[0].name]["message"]
    with pytest.raises(UsageError, match="--micro-batches is 0"):
        train_ladder(made, tmp_path, micro_batches=0)


def test_a_missing_rung_is_said_and_trained_alone(tmp_path: Path) -> None:
    made = rungs({"D": 8}, {"D": 16})
    train_ladder(made[:1], tmp_path, worker=WORKER)
    before = weights(tmp_path / made[0].name)
    assert [standing(rung, tmp_path).state for rung in made] == ["done", "missing"]
    train_ladder(made, tmp_path, worker=WORKER)
    assert standing(made[1], tmp_path).state == "done"
    assert weights(tmp_path / made[0].name) == before


def test_another_runs_folder_is_left_alone(tmp_path: Path) -> None:
    made = rungs({"D": 8}, {"D": 16})
    train_ladder(made[:1], tmp_path, worker=WORKER)
    other = rungs({"D": 8}, {"D": 16}, weight_decay=0.3)
    results, errors = train_ladder(other, tmp_path, worker=WORKER)
    assert [row["run"] for row in results] == ["tiny-D16-L1-s0"]
    assert (
        "holds another run than the ladder's tiny-D8-L1-s0 (weight_decay 0.1, not 0.3)"
        in (errors["tiny-D8-L1-s0"]["message"])
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vocab": 4}, "has 8 different tokens, and the recipe's vocab is 4."),
        ({"schedule": "wsd", "warmup": 0.9}, "A schedule of wsd"),
        ({"norm": "nrom"}, "There is no norm 'nrom'"),
    ],
)
def test_what_no_training_can_be_is_that_rungs_own(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    made = rungs({"D": 8}, {"D": 16, **changes})
    results, errors = train_ladder(made, tmp_path, jobs=1, worker=WORKER)
    assert [row["run"] for row in results] == ["tiny-D8-L1-s0"]
    assert said in errors[made[1].name]["message"]


def test_a_process_that_dies_is_said(tmp_path: Path) -> None:
    _, errors = train_ladder(rungs({"D": 8}), tmp_path, worker="no.such.module")
    assert "A training process ended with code 1" in errors["tiny-D8-L1-s0"]["message"]


def test_jobs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--jobs is 0"):
        train_ladder(rungs({"D": 8}), tmp_path, jobs=0)


def test_a_text_of_another_length_is_refused(tmp_path: Path) -> None:
    class Short(Counting):
        @property
        def steps(self) -> int:
            return 29

    (rung,) = rungs({"D": 8})
    with pytest.raises(InputError, match="gives tiny-D8-L1-s0 29 steps, and the rung has 30"):
        list(run([rung], [RunFolder(tmp_path / rung.name)], Short))


def test_a_device_that_is_not_there_is_said_before_anything(tmp_path: Path) -> None:
    if pytest.importorskip("torch").cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(InputError, match="asks for an NVIDIA GPU"):
        train_ladder(rungs({"D": 8}), tmp_path / "out", device="cuda", worker=WORKER)
    with pytest.raises(UsageError, match="There is no device 'gpu'"):
        train_ladder(rungs({"D": 8}), tmp_path / "out", device="gpu", worker=WORKER)
    assert not (tmp_path / "out").exists()
