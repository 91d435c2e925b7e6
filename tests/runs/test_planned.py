"""Planned tokens: a run that stands before them has not ended."""

from __future__ import annotations

import pytest

from kleiber.runs import Runs

ROWS = [
    {"run": name, "params": 1e6, "tokens": tokens, "loss": 3.0 - tokens / 1e8, "max_tokens": 2e7}
    for name, last in (("whole", 2e7), ("half", 1e7), ("nearly", 1.97e7))
    for tokens in (5e6, last)
]


def test_a_run_short_of_them_has_no_final_point() -> None:
    runs = Runs.read(ROWS)
    assert runs.frame.filter("final")["run"].to_list() == ["whole", "nearly"]
    shares = dict(zip(runs.frame["run"], runs.frame["fraction"], strict=True))  # each run's last
    assert shares == {"whole": 1.0, "half": 0.5, "nearly": 1.0}
    (said,) = [
        note.message for note in runs.notes if "planned" in note.message and "run" in note.message
    ]
    assert said.startswith("1 run short of the planned tokens, so not ended: half")


def test_a_table_that_says_which_row_ends_a_run_is_believed() -> None:
    rows = [{**row, "final": row["tokens"] > 5e6} for row in ROWS]
    runs = Runs.read(rows)
    assert runs.frame.filter("final")["run"].to_list() == ["whole", "half", "nearly"]
    assert not any("short of" in note.message for note in runs.notes)


def test_a_run_without_them_ends_at_its_last_point() -> None:
    rows = [{**row, "max_tokens": None if row["run"] == "half" else 2e7} for row in ROWS]
    frame = Runs.read(rows).frame
    assert frame.filter("final")["run"].n_unique() == 3
    assert frame.filter(run="half")["fraction"].to_list() == pytest.approx([0.5, 1.0])
