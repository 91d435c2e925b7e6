"""Cells of one stack that stand at different steps: each goes on from where it is."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from kleiber.errors import InputError
from kleiber.knowledge.cell import Cell, stacks
from kleiber.knowledge.experiment import run
from kleiber.training import RunFolder

CELL = Cell(
    people=30, exposures=4.5, layers=1, width=8, heads=1, batch=9, lr=0.01, compiled=False,
    strings={"K": 2, "D": 8, "T": 16, "name_tokens": 4},
)  # fmt: skip


def test_a_stack_grown_by_two_and_stopped_between_its_ends(tmp_path: Path) -> None:
    cells = [replace(CELL, seed=seed) for seed in range(3)]
    assert stacks(cells) == [[0, 1, 2]]
    places = [RunFolder(tmp_path / f"{seed}") for seed in range(3)]
    begun = run(cells[:1], places[:1], save_every=5)
    while next(begun).get("step", 0) < 8:
        pass
    assert isinstance(begun, Generator)
    begun.close()
    assert places[0].read_tensors("state.safetensors")["now"][0] == 5
    list(run(cells[1:2], places[1:2]))
    ended = (places[1].path / "weights.safetensors").stat().st_mtime_ns
    events = list(run(cells, places))
    assert [e["number"] for e in events if "result" in e] == [0, 1, 2]
    assert next(e["step"] for e in events if e.get("number") == 0 and "step" in e) == 6
    assert (places[1].path / "weights.safetensors").stat().st_mtime_ns == ended
    for cell, place in zip(cells[::2], places[::2], strict=True):
        alone = RunFolder(tmp_path / f"alone{cell.seed}")
        list(run([cell], [alone]))
        names = [f.path / "weights.safetensors" for f in (place, alone)]
        assert names[0].read_bytes() == names[1].read_bytes()


def test_a_folder_is_trained_by_one_process_at_a_time(tmp_path: Path) -> None:
    begun = run([CELL], [RunFolder(tmp_path / "a")], save_every=5)
    next(begun)
    with pytest.raises(InputError, match=r"is being trained in .* by process"):
        next(run([CELL], [RunFolder(tmp_path / "a")]))
    assert isinstance(begun, Generator)
    begun.close()
    events = list(run([CELL], [RunFolder(tmp_path / "a")]))
    assert "result" in events[-1]
    assert not (tmp_path / "a" / "process.json").exists()
