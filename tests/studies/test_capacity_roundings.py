"""The study of roundings: who is read, what is kept of it, and what the table says of nothing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from kleiber.errors import InputError
from kleiber.studies import capacity_roundings
from kleiber.studies.capacity_roundings import readings, run, tabulate

WIDTHS = (None, 8, 6, 5, 4, 3)


def reading(run_: str, bits: int | None, stored: float, **more: Any) -> dict[str, Any]:
    return {
        **{"run": run_, "exposures": 1000, "params": 7760, "people": 420, "steps": 10_000},
        **{"bits_per_param": stored, "max_bits_per_param": 3.1, "accuracy": 0.5},
        **({} if bits is None else {"bits": bits, "method": "gptq"}),
        **more,
    }


def test_shares_kept_are_of_the_same_run_and_of_nothing_there_is_none() -> None:
    full = [reading("a", bits, 2.0 - 0.1 * i) for i, bits in enumerate(WIDTHS)]
    room = [
        reading("b", bits, 1.0, people=140, max_bits_per_param=1.06, bits_per_param=1.0)
        for bits in WIDTHS
    ]
    nothing = [reading("c", bits, -0.02 * (i + 1), exposures=100) for i, bits in enumerate(WIDTHS)]
    table = tabulate([*nothing, *reversed(full), *room])
    rows = table.rows
    assert [row["exposures"] for row in rows] == [1000] * 12 + [100] * 6
    assert [row["bits a weight"] for row in rows[6:12]] == list(WIDTHS)
    assert [row["kept"] for row in rows[6:12]] == pytest.approx([1, 0.95, 0.9, 0.85, 0.8, 0.75])
    assert all(math.isnan(row["kept"]) for row in rows[12:])
    assert len(table.claims) == 5
    assert table.claims[0] == (
        "At 8 bits a weight, 1,000 exposures: full models (asked for over 2.5 bits a parameter, 1 "
        "of them) keep 95.0% of what they store, models with room (asked for less than 1.5, 1) "
        "100.0%."
    )
    assert "nan" not in table.markdown()
    assert len(table.extra["runs"]) == 18


def test_a_trained_run_is_read_once_and_only_finished_first_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from kleiber.knowledge.cell import Cell
    from kleiber.knowledge.experiment import run as train
    from kleiber.training import RunFolder

    strings = {"K": 2, "C": 1, "D": 8, "L": 1, "T": 8, "name_tokens": 3}
    cell = Cell(
        people=12, exposures=3, layers=1, width=8, heads=1, batch=4, lr=0.02,
        strings=strings, compiled=False,
    )  # fmt: skip
    folder, kept = tmp_path / "runs", tmp_path / "kept"
    for name in (cell.name, cell.name.replace("-s0", "-s1")):
        for _ in train([cell], [RunFolder(folder / name)]):
            pass
    (folder / cell.name.replace("N12", "N13")).mkdir()  # began, and has not finished
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    heard: list[str] = []
    table = run(folder, kept, progress=heard.append)
    assert heard == [f"1 of 1: {cell.name}"]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    (path,) = kept.iterdir()
    held = json.loads(path.read_text())
    assert [one.get("bits") for one in held] == list(WIDTHS) and held == table.extra["runs"]
    assert all(len(one["attributes"]) == 2 for one in held)
    most, stored, _ = held[0]["attributes"][0]
    assert most == 3.0 and stored <= most
    trained = json.loads((folder / cell.name / "capacity.json").read_text())
    assert held[0]["bits_per_param"] == pytest.approx(trained["bits_per_param"], rel=1e-6)

    def again(*_: Any) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(capacity_roundings, "readings", again)
    assert run(folder, kept).rows == table.rows
    assert readings(RunFolder(folder / cell.name), (8,))[1] == held[1]


def test_a_folder_without_finished_runs(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(InputError, match="no finished run") as found:
        run(tmp_path, tmp_path / "kept")
    assert found.value.remedy.startswith("Train some with kleiber study capacity-curve")
