"""The study of one law: whatever tables there are, what is left out, bounds, tables, pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kleiber.charts.knowledge import drawings
from kleiber.errors import InputError
from kleiber.studies.capacity_accuracy import claims, inside, pairs_of, table
from kleiber.studies.capacity_law import run
from kleiber.studies.capacity_rows import OTHER_DEPTH, gather

RESULTS = Path(__file__).parents[2] / "results"


def row(run: str = "N420-E1000-2x16-b42-s0", **more: Any) -> dict[str, Any]:
    return {
        **{"run": run, "format": "bioD", "people": 420, "params": 7760, "exposures": 1000},
        **{"bits_per_param": 1.6, "max_bits_per_param": 3.1005, "seed": 0, "layers": 2},
        **{"vocab": 73, "steps": 10_000, "lr": 0.01},
        **more,
    }


def write(folder: Path, name: str, runs: Any, **more: Any) -> None:
    (folder / f"capacity-{name}.json").write_text(json.dumps({"runs": runs, **more}))


def test_runs_are_gathered_once_and_others_left_out_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path, "curve", [row(), row("N420-E1000-2x16-b42-s1", seed=1)])
    arms = {
        "same": [row()],
        "llama": [row("N420-E1000-llama-2x16-b42-s0-abc")],
        "int4": [row(method="gptq", bits=4)],
        "nearest": [row(method="rtn", bits=4)],
        "junk": [row("N420-E1000-2x16-b42-1useful-7fresh-s0", mix="1useful-7fresh")],
        "deep": [row("N420-E1000-6x16-b42-s0", layers=6)],
        "other form": [row("N420-E1000-1x16-b42-s0", layers=1, vocab=69)],
        "chunks": [row("N420-E1000-2x16-b42-s0-def", vocab=69)],
        "spoken": [row("N420-E1000-2x16-b42-s0-fed", format="bioS")],
    }
    write(tmp_path, "result-05", arms, preset="cpu")
    write(tmp_path, "result-01", {"big": [row("N50000-E1000-2x128-b9-s0")]}, preset="gpu")
    write(tmp_path, "readings", [{k: v for k, v in row().items() if k != "vocab"}])
    write(tmp_path, "controls", [row("bioD")])
    (tmp_path / "capacity-other.json").write_text("[1, 2]")
    found = gather(tmp_path)
    kinds = [(one["architecture"], one["weight_bits"]) for one in found.rows]
    assert sorted(kinds, key=str) == [("llama", 32), (None, 32), (None, 32), (None, 4)]
    assert found.rows[0]["vocab"] == 73
    assert sorted(found.left.values()) == [1] * 5 + [2]
    assert found.left[OTHER_DEPTH] == 2
    assert [one["layers"] for one in found.other_depths] == [6]
    assert "capacity-result-01" not in found.tables


def test_no_table_and_a_broken_one_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No capacity table"):
        gather(tmp_path)
    (tmp_path / "capacity-curve.json").write_text("{")
    with pytest.raises(InputError, match="no JSON"):
        gather(tmp_path)


def test_pairs_lie_between_the_bounds_or_are_counted() -> None:
    rows = [
        {"attributes": [[6.0, 6.0, 1.0], [6.0, 5.8, 1.0], [6.0, 3.0, 0.5]], "weight_bits": 32},
        {"attributes": [[6.0, -2.0, 0.2]], "weight_bits": 3},
        {"weight_bits": 4},
    ]
    pairs = pairs_of([{**one, "exposures": 1000} for one in rows])
    assert [inside(pair) for pair in pairs] == [True, False, True, False]
    # Fano at 1 right of 2 and 64 values: 6 - 1 - log2(63) / 2; Jensen: 6 - 1
    assert pairs[2]["fano"] == pytest.approx(5 - 5.977280 / 2, abs=1e-5)
    assert pairs[2]["jensen"] == pytest.approx(5.0)
    plain, rounded = claims(pairs)
    assert "2 of 3 pairs" in plain and "by 0.20 bits at most" in plain
    assert "0 of 1 at 3" in rounded
    assert sum(one["pairs"] for one in table(pairs).rows) == 4
    assert claims([]) == []


@pytest.mark.skipif(not (RESULTS / "capacity-roundings.json").exists(), reason="no results here")
def test_the_committed_tables_give_one_law_and_its_pictures(tmp_path: Path) -> None:
    for name in ("curve", "exposures", "roundings", "result-05"):
        found = RESULTS / f"capacity-{name}.json"
        (tmp_path / found.name).write_bytes(found.read_bytes())
    book = run(tmp_path)
    text = book.markdown()
    assert book.name == "capacity-law" and "Forms compared" in text and "Every cell" in text
    parameters = {one["parameter"]: one for one in book.tables[0].rows}
    plateau = parameters["plateau"]
    assert 1.6 < plateau["lower"] < plateau["value"] < plateau["upper"] < 2.1
    assert parameters["gpt2-nomlp"]["upper"] < 0.5
    forms = {one["form"]: one["gpt2"] for one in book.tables[1].rows}
    assert forms["as fitted"] == min(forms.values()) < 0.13
    charts = drawings(json.loads(json.dumps(book.extra["drawn"])))
    assert set(charts) == {"", "-rounding", "-accuracy"}
    specs = {name: str(chart.to_dict()) for name, chart in charts.items()}
    assert "exposures of each fact" in specs[""] and "bits a weight" in specs["-rounding"]
    assert "at least (Fano)" in specs["-accuracy"]
