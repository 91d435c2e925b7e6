"""A run: a stack is its single runs, a killed run ends in the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.training import ModelConfig, RunFolder, TrainConfig, train
from kleiber.training.loop import level
from kleiber.training.machine import can_compile
from kleiber.training.noise import Noise
from kleiber.training.record import record_of
from kleiber.training.step import Stepper

SHAPE = ModelConfig(layers=2, width=16, heads=2, vocab=31, context=12)


def noise(seed: int = 0, steps: int = 20) -> Noise:
    return Noise(steps=steps, batch_size=8, context=12, vocab=31, seed=seed)


SETTINGS = [TrainConfig(lr=lr, seed=seed) for seed, lr in enumerate((1e-3, 4e-3, 1e-2, 2e-3))]


def after(
    configs: list[TrainConfig], noises: list[Noise], *, compiled: bool = False, layers: int = 2
) -> Stepper:
    stepper = Stepper(replace(SHAPE, layers=layers), configs, compiled=compiled)
    for step in range(20):
        pairs = [noise.batch(step) for noise in noises]
        inputs, targets = (torch.stack([torch.from_numpy(p[i]) for p in pairs]) for i in (0, 1))
        stepper.step(inputs, targets, 1.0, step + 1)
    return stepper


def test_a_stack_of_four_is_four_single_runs() -> None:
    noises = [noise(i) for i in range(4)]
    stack = after(SETTINGS, noises)
    for i in range(4):
        single = after(SETTINGS[i : i + 1], noises[i : i + 1])
        ours, theirs = stack.state.params[i], single.state.params[0]
        assert (ours - theirs).norm() / theirs.norm() < 1e-6


@pytest.mark.skipif(not can_compile(), reason="needs a C++ compiler and Python's headers")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on import
def test_compiling_changes_nothing() -> None:
    eager, compiled = (
        after(SETTINGS[:2], [noise(0), noise(1)], compiled=kind, layers=1).state.params
        for kind in (False, True)
    )
    assert (eager - compiled).norm() / eager.norm() < 1e-5


def test_a_run_learns(tmp_path: Path) -> None:
    class Same(Noise):
        def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            return super().batch(0)

    same = Same(steps=100, batch_size=8, context=12, vocab=31)
    readings = list(train(SHAPE, SETTINGS[2:3], [same], readings=6))
    assert readings[0].losses[0] > 2.5
    assert readings[-1].losses[0] < 0.5


def test_a_run_leaves_a_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    readings = list(train(SHAPE, SETTINGS[:1], [noise()], [folder], readings=5))
    assert folder.done
    assert [point["step"] for point in folder.points()] == [r.step for r in readings]
    assert folder.record()["params"] == sum(
        t.numel() for t in folder.read_tensors("weights.safetensors").values()
    )
    assert sorted(p.name for p in folder.path.iterdir()) == [
        "done",
        "points.jsonl",
        "run.json",
        "weights.safetensors",
    ]
    assert list(train(SHAPE, SETTINGS[:1], [noise()], [folder])) == []  # nothing left to do


def test_a_folder_of_another_run_is_left_alone(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    list(train(SHAPE, SETTINGS[:1], [noise()], [folder]))
    before = {p.name: p.read_bytes() for p in folder.path.iterdir()}
    with pytest.raises(
        InputError, match=r"another configuration .*seed 0, not 1; train.lr 0.001, not 0.004"
    ):
        list(train(SHAPE, SETTINGS[1:2], [noise()], [folder]))
    assert {p.name: p.read_bytes() for p in folder.path.iterdir()} == before
    stray = tmp_path / "stray"
    stray.mkdir()
    (stray / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"holds files and no run\.json"):
        list(train(SHAPE, SETTINGS[:1], [noise()], [RunFolder(stray)]))


def test_how_a_batch_is_read_is_no_part_of_what_a_run_is(tmp_path: Path) -> None:
    folder, parts = RunFolder(tmp_path / "run"), replace(SETTINGS[0], micro_batches=4)
    folder.claim(record_of(SHAPE, SETTINGS[0], noise(), {}))
    before = (folder.path / "run.json").read_bytes()
    folder.claim(record_of(SHAPE, parts, noise(), {}))
    assert (folder.path / "run.json").read_bytes() == before
    other = RunFolder(tmp_path / "other")
    other.claim(record_of(SHAPE, parts, noise(), {}))
    assert other.is_of(record_of(SHAPE, SETTINGS[0], noise(), {}))
    with pytest.raises(InputError, match=r"\(seed 0, not 1; train.lr 0.001, not 0.004; train.mic"):
        folder.claim(record_of(SHAPE, replace(SETTINGS[1], micro_batches=4), noise(), {}))
    experts = replace(SHAPE, mlp="experts")  # places are shared out within a part
    folder = RunFolder(tmp_path / "experts")
    folder.claim(record_of(experts, SETTINGS[0], noise(), {}))
    with pytest.raises(InputError, match="micro_batches None, not 4"):
        folder.claim(record_of(experts, parts, noise(), {}))


def test_a_torn_checkpoint_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    run = train(SHAPE, SETTINGS[:1], [noise()], [folder], save_every=5, readings=20)
    for reading in run:
        if reading.step == 12:
            break
    state = folder.path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read"):
        list(train(SHAPE, SETTINGS[:1], [noise()], [folder]))


def test_an_interrupted_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    list(train(SHAPE, SETTINGS[:2], [noise(), noise(1)], [whole, RunFolder(tmp_path / "w2")]))
    folders = [broken, RunFolder(tmp_path / "b2")]
    stack = [noise(), noise(1)]
    for stop in (7, 13):
        for reading in train(SHAPE, SETTINGS[:2], stack, folders, save_every=3, readings=20):
            if reading.step >= stop:
                break
    list(train(SHAPE, SETTINGS[:2], stack, folders))
    for one, other in ((whole, broken), (RunFolder(tmp_path / "w2"), folders[1])):
        a, b = ((f.path / "weights.safetensors").read_bytes() for f in (one, other))
        assert a == b


def stopped(folders: list[RunFolder], after: int) -> None:
    """Train a stack until it was saved at a step, the last but one save at three less."""
    stack = [noise(i) for i in range(len(folders))]
    for reading in train(
        SHAPE, SETTINGS[: len(folders)], stack, folders, save_every=3, readings=20
    ):
        if reading.step == after + 1:
            break


def test_each_run_of_a_stack_has_its_own_checkpoint(tmp_path: Path) -> None:
    folders = [RunFolder(tmp_path / name) for name in "abc"]
    stopped(folders, 9)
    for folder in folders:
        held = folder.read_tensors("state.safetensors")
        assert held["params"].shape == held["second"].shape == (1, folder.record()["params"])
        assert held["now"][0] == 9
    assert level(folders) == [[0, 1, 2]]
    (folders[0].path / "state.safetensors").unlink()
    (folders[1].path / "done").touch()
    assert level(folders) == [[0], [1], [2]]
    with pytest.raises(InputError, match="The runs of one stack stand at different steps"):
        list(train(SHAPE, SETTINGS[:3], [noise(i) for i in range(3)], folders))
    (alone,) = train(SHAPE, SETTINGS[2:3], [noise(2)], folders[2:], readings=1)
    assert alone.step == 20


def test_a_process_killed_as_it_puts_checkpoints_in_place(tmp_path: Path) -> None:
    """All are on the disk by then, so that the stack goes on as one and to the same bytes."""
    whole, parts = ([RunFolder(tmp_path / f"{n}{i}") for i in range(2)] for n in ("w", "p"))
    for folders in (whole, parts):
        stopped(folders, 9)
    later = (parts[1].path / "state.safetensors").read_bytes()
    stopped(whole, 12)
    torn = parts[0].path / "state.safetensors.partial"
    torn.write_bytes(later[:100])
    assert level(parts) == [[0, 1]]  # both at 9, and what was cut off counts for nothing
    torn.unlink()
    before = (parts[1].path / "state.safetensors").read_bytes()
    stopped(parts, 12)
    os.replace(parts[1].path / "state.safetensors", parts[1].path / "state.safetensors.partial")
    (parts[1].path / "state.safetensors").write_bytes(before)
    assert level(parts) == [[0, 1]]
    for folders in (whole, parts):
        list(train(SHAPE, SETTINGS[:2], [noise(0), noise(1)], folders))
    for one, other in zip(whole, parts, strict=True):
        a, b = ((f.path / "weights.safetensors").read_bytes() for f in (one, other))
        assert a == b
    assert not list(tmp_path.glob("*/*.partial"))


def test_the_checkpoint_of_an_earlier_version_s_stack_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    stopped([folder], 9)
    held = folder.read_tensors("state.safetensors")
    both = {k: v if k == "now" else v.repeat(2, 1) for k, v in held.items()}
    folder.write_tensors("state.safetensors", both)
    with pytest.raises(InputError, match="holds 2 runs at once, as an earlier version wrote"):
        list(train(SHAPE, SETTINGS[:1], [noise()], [folder]))


SCRIPT = """
import sys
from pathlib import Path
from kleiber.training import ModelConfig, RunFolder, TrainConfig, train
from kleiber.training.noise import Noise
import torch
torch.set_num_threads(1)
shape = ModelConfig(layers=2, width=16, heads=2, vocab=31, context=12)
noise = Noise(steps=400, batch_size=8, context=12, vocab=31)
folder = RunFolder(Path(sys.argv[1]))
for reading in train(shape, [TrainConfig(lr=1e-3)], [noise], [folder], save_every=7, readings=100):
    print(reading.step, flush=True)
"""


@pytest.mark.parametrize("moment", [60, 211])
def test_kill_minus_nine_and_resume(tmp_path: Path, moment: int) -> None:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}

    def start(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / name)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)

    with start("whole") as whole:
        whole.communicate()
    doomed = start("broken")
    assert doomed.stdout is not None
    for line in doomed.stdout:
        if int(line) >= moment:
            doomed.send_signal(signal.SIGKILL)
            break
    doomed.wait()
    doomed.stdout.close()
    assert not (tmp_path / "broken" / "done").exists()
    again = start("broken")
    assert again.stdout is not None
    steps = [int(line) for line in again.stdout]
    assert again.wait() == 0
    again.stdout.close()
    assert steps[0] > moment // 2  # it went on, it did not start over
    weights = [(tmp_path / n / "weights.safetensors").read_bytes() for n in ("whole", "broken")]
    assert weights[0] == weights[1]
    points = RunFolder(tmp_path / "broken").points()
    assert [p["step"] for p in points] == sorted({p["step"] for p in points})
    assert points[-1]["step"] == 400
