"""Runs whose losses stop being numbers: which diverged, and which were only not evaluated."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest

from kleiber.runs import Runs

NAN, INF = math.nan, math.inf


def table(losses: list[object], **columns: object) -> pl.DataFrame:
    """Return one run of these losses at 1, 2, … times 1e6 tokens, and a whole one beside it."""
    whole = [3.0 - 0.01 * i for i in range(len(losses))]
    rows = {
        "run": ["odd"] * len(losses) + ["whole"] * len(losses),
        "params": [1e6] * 2 * len(losses),
        "tokens": [1e6 * (i + 1) for i in range(len(losses))] * 2,
        "loss": [*losses, *whole],
    }
    return pl.DataFrame(rows, strict=False).with_columns(
        **{name: pl.lit(value) for name, value in columns.items()}
    )


def ended(runs: Runs) -> list[str]:
    return runs.frame.filter("final")["run"].to_list()


def warned(runs: Runs) -> list[str]:
    return [note.message for note in runs.notes if "diverged" in note.message]


def sparse(every: int, rows: int, last: int) -> list[object]:
    """Return losses at each so many rows up to the last, NaN between and after."""
    return [3.0 - 0.01 * i if i % every == 0 and i <= last else NAN for i in range(1, rows + 1)]


@pytest.mark.parametrize(
    "losses",
    [
        [3.0, 2.9, 2.8, NAN, NAN],
        [3.0, 2.9, 2.8, 2.7, INF],
        [3.0, NAN, 2.8, 2.7, NAN],  # one evaluation failed before
        [3.0, 2.9, 2.8, None, NAN],
        [3.0, NAN, NAN, NAN, NAN],
        sparse(10, 100, 60),
        sparse(33, 99, 66),  # one evaluation is missed
    ],
)
def test_a_run_without_a_loss_to_its_end_diverged(losses: list[object]) -> None:
    runs = Runs.read(table(losses))
    assert ended(runs) == ["whole"]
    (text,) = warned(runs)
    odd = runs.frame.filter(run="odd")
    share = max(odd["tokens"].to_list()) / (
        1e6 * len(losses)
    )  # of the tokens that the table has of it
    assert odd["fraction"].max() == pytest.approx(share)
    assert text.startswith("1 run diverged") and f"odd after {share:.0%}" in text


@pytest.mark.parametrize(
    "losses",
    [
        [3.0, 2.9, 2.8, None, None],  # an empty cell: not evaluated
        [3.0, NAN, NAN, 2.7, 2.6],
        [NAN, NAN, 2.8, 2.7, 2.6],
        sparse(10, 100, 100),
        sparse(10, 99, 90),  # stops at 91 %, and no evaluation is missed
        [3.0 - 0.01 * i if i < 99 else NAN for i in range(100)],  # in the last hundredth
    ],
)
def test_a_run_that_was_not_evaluated_there_has_not(losses: list[object]) -> None:
    runs = Runs.read(table(losses))
    assert sorted(ended(runs)) == ["odd", "whole"] and warned(runs) == []
    assert runs.frame.filter(run="odd")["fraction"].max() == 1.0


@pytest.mark.parametrize(("cell", "final"), [("NaN", 1), ("-inf", 1), ("", 2), ("null", 2)])
def test_a_cell_of_text(tmp_path: Path, cell: str, final: int) -> None:
    path = tmp_path / "runs.csv"
    text = table([3.0, 2.9, 2.8, "x", "x"]).write_csv()
    path.write_text(text.replace(",x", f",{cell}"), encoding="utf-8")
    assert len(ended(Runs.read(path))) == final


def test_planned_tokens_are_the_whole_of_a_run() -> None:
    runs = Runs.read(table([3.0, 2.9, 2.8, NAN, None], planned_tokens=5e6))
    assert ended(runs) == ["whole"]
    assert runs.frame.filter(run="odd")["fraction"].max() == pytest.approx(0.6)
    assert "odd after 60%" in warned(runs)[0]
    assert not any("short of" in note.message for note in runs.notes)


def test_a_table_that_says_which_row_ends_a_run_is_believed() -> None:
    told = table([3.0, 2.9, 2.8, NAN, NAN])
    told = told.with_columns(final=pl.col("tokens") == 3e6)
    assert ended(Runs.read(told)) == ["odd", "whole"] and warned(Runs.read(told)) == []


def test_a_name_of_several_sizes_is_of_no_one_run() -> None:
    rows = {
        "run": ["family"] * 4,
        "params": [1e6, 2e6, 3e6, 4e6],
        "tokens": [2e7, 4e7, 6e7, 8e7],
        "loss": [3.0, 2.9, 2.8, NAN],
    }
    runs = Runs.read(rows)
    assert ended(runs) == ["family"] and warned(runs) == []
