"""Studies say in tests what they say in results/: the published digits, coverage, a table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kleiber.cli import run
from kleiber.studies import NAMES, interval_coverage, published_fits
from kleiber.studies.interval_coverage import DEFAULT, LEAST_SQUARES, clopper_pearson, simulate
from kleiber.studies.table import Table, cell


def test_published_fits_say_what_the_table_says(published: Path, root: Path) -> None:
    table = published_fits.run(published)
    print(table.markdown())
    disagree = {(row["fit"], row["what"]) for row in table.rows if not row["agrees"]}
    assert disagree == {
        ("(Mis)Fitting, 261 finals", what) for what in ("ln E", "ln A", "ln B", "alpha")
    }
    first = table.rows[0]
    assert abs(float(first["ours"]) - 0.0010182740178) < 1e-10
    *met, proof = table.claims
    assert len(met) == 3 and all("every published digit is met" in claim for claim in met)
    assert "is not the optimum" in proof and "lower by" in proof
    written = json.loads((root / "results" / "published_fits.json").read_text(encoding="utf-8"))
    assert [(r["fit"], r["what"], r["agrees"]) for r in written["rows"]] == [
        (r["fit"], r["what"], r["agrees"]) for r in table.rows
    ]


@pytest.mark.parametrize("k", [3, 4, 5])
def test_the_default_interval_covers(k: int) -> None:
    repeats = 150
    ladders = simulate(k, repeats, "none", seed=1)
    found = interval_coverage.score(ladders, DEFAULT, 100, 1)
    baseline = interval_coverage.score(ladders, LEAST_SQUARES, 100, 1)
    print(f"{k}x{k}: {100 * found['coverage']:.1f} %, {found['width']:.1f} % wide")
    assert found["coverage_high"] >= 0.9 >= found["coverage_low"] - 0.04
    assert found["coverage"] >= 0.84
    assert found["width"] < 1.15 * baseline["width"]
    assert found["winkler"] > found["width"]


def test_one_diverged_run_costs_least_squares_and_not_the_default() -> None:
    ladders = simulate(5, 60, "one diverged run", seed=1)
    robust = interval_coverage.score(ladders, DEFAULT, 100, 1)
    squares = interval_coverage.score(ladders, LEAST_SQUARES, 100, 1)
    assert robust["width"] < 0.2 * squares["width"]
    assert robust["error"] < 0.3 * squares["error"]
    assert robust["coverage"] >= 0.75


def test_the_same_seed_draws_the_same_ladders() -> None:
    first, again, other = (simulate(4, 5, "heavy tails", seed) for seed in (0, 0, 1))
    assert np.array_equal(first.y, again.y) and np.array_equal(first.new, again.new)
    assert not np.array_equal(first.y, other.y)


@pytest.mark.parametrize(
    ("hits", "repeats", "low", "high"),
    [(90, 100, 0.8238, 0.9510), (0, 20, 0.0, 0.1684), (20, 20, 0.8316, 1.0)],
)
def test_clopper_pearson(hits: int, repeats: int, low: float, high: float) -> None:
    assert clopper_pearson(hits, repeats) == pytest.approx((low, high), abs=1e-4)


def test_the_coverage_table_at_few_repeats() -> None:
    table = interval_coverage.run(repeats=4, replicates=20, seed=2)
    designs = 4 * (len(interval_coverage.CLEAN) + 2 * len(interval_coverage.HARMED))
    assert len(table.rows) == designs
    assert table.command.endswith("--repeats 4 --seed 2")
    assert table.seed == 2


TABLE = Table(
    name="a_table",
    title="A title",
    command="kleiber study a-table",
    columns=("name", "value", "right", "text"),
    rows=[
        {"name": "one", "value": 0.123456, "right": True, "text": "a|b"},
        {"name": "two", "value": float("nan"), "right": False, "text": "plain"},
        {"name": "three", "value": None, "right": True},
    ],
    claims=["It holds."],
    notes=("How to read it.",),
    seed=3,
    extra={"more": {"x": np.float64(1.5), "unknown": float("inf")}},
)


def test_a_table_as_markdown() -> None:
    lines = TABLE.markdown().splitlines()
    assert lines[0] == "# A title"
    assert "- It holds." in lines and "How to read it." in lines
    rows = [line for line in lines if line.startswith("|")]
    assert rows == [
        "| name  | value  | right | text  |",
        "|-------|--------|-------|-------|",
        "| one   | 0.1235 | yes   | a\\|b  |",
        "| two   | -      | no    | plain |",
        "| three | -      | yes   | -     |",
    ]
    assert "Made by `kleiber study a-table`; seed 3, kleiber " in lines[-1]
    assert TABLE.markdown() == TABLE.markdown()


def test_a_table_is_written_and_read_again(tmp_path: Path) -> None:
    written = TABLE.write(tmp_path / "new" / "results")
    assert written.read_text(encoding="utf-8") == TABLE.markdown()
    content = json.loads(written.with_suffix(".json").read_text(encoding="utf-8"))
    assert content["title"] == "A title"
    assert content["rows"][0] == {"name": "one", "value": 0.123456, "right": True, "text": "a|b"}
    assert content["rows"][1]["value"] is None
    assert content["more"] == {"x": 1.5, "unknown": None}
    assert {"command", "seed", "kleiber", "python", "numpy", "scipy", "date"} <= set(content)
    assert sorted(p.name for p in written.parent.iterdir()) == ["a_table.json", "a_table.md"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (float("nan"), "-"), (True, "yes"), (False, "no"), (1234.5678, "1235"), (3, "3")],
)
def test_a_cell(value: object, text: str) -> None:
    assert cell(value) == text


def test_the_command_lists_and_refuses(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["study"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in NAMES)
    assert run(["study", "no-such"]) == 2
    assert "no-such" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KLEIBER_DATA", raising=False)
    assert run(["study", "published-fits"]) == 1
    said = capsys.readouterr().err
    assert "--data DIR" in said and "--from DIR" in said


def test_the_command_writes_what_it_prints(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, published: Path
) -> None:
    assert run(["study", "published-fits", "--data", str(published), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert (tmp_path / "published_fits.md").read_text(encoding="utf-8").strip() == said.out.strip()
    assert said.err == f"wrote {tmp_path / 'published_fits.md'}\n"


def test_json_says_the_command_as_typed(capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["study", "interval-coverage", "--repeats", "2", "--seed", "4", "--json"]
    assert run(typed) == 0
    assert json.loads(capsys.readouterr().out)["command"] == " ".join(["kleiber", *typed])
