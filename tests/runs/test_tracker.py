"""The exports of experiment trackers, and what they leave unsaid."""

from __future__ import annotations

import pytest

from kleiber.errors import ColumnError
from kleiber.runs import Runs

CHART = """"Step","10M-a - eval/loss","10M-a - eval/loss__MIN","10M-a - eval/loss__MAX",\
"x - y - eval/loss","x - y - eval/loss__MIN","x - y - eval/loss__MAX"
"10","5","5","5","","",""
"20","4","4","4","4.5","4.5","4.5"
"""
META = {"10M-a": "10M", "x - y": "20M"}


def test_a_chart_becomes_rows(write) -> None:
    runs = Runs.read(write(CHART), meta=META, columns="tokens=Step")
    assert runs.frame.select("run", "tokens", "loss").rows() == [
        ("10M-a", 10, 5.0),
        ("10M-a", 20, 4.0),
        ("x - y", 20, 4.5),
    ]


def test_steps_become_tokens_by_meta(write, notes) -> None:
    meta = {run: {"params": size, "tokens_per_step": 1000} for run, size in META.items()}
    runs = Runs.read(write(CHART), meta=meta)
    assert runs.frame["tokens"].to_list() == [10_000, 20_000, 20_000]
    assert "tokens = Step x tokens_per_step" in notes(runs, "assumed")


def test_sizes_in_all_names_are_enough(write, notes) -> None:
    text = CHART.replace("x - y", "gpt-20M")
    runs = Runs.read(write(text), columns="tokens=Step")
    assert runs.sizes == (1e7, 2e7)
    assert "10M-a: 10M, gpt-20M: 20M" in notes(runs, "guessed")


def test_a_chart_of_two_metrics_asks_which(write) -> None:
    text = "Step,a-1M - c4/loss,a-1M - pile/loss\n1,5,6\n2,4,5\n"
    with pytest.raises(ColumnError, match="any of 2 columns: c4/loss, pile/loss"):
        Runs.read(write(text), columns="tokens=Step")
    runs = Runs.read(write(text), columns="tokens=Step,loss=pile/loss")
    assert runs.points().loss.tolist() == [6, 5]


def test_a_tokens_axis_is_tokens(write) -> None:
    text = "train/tokens,a-1M - loss,b-2M - loss\n1e6,5,6\n2e6,4,5\n"
    assert Runs.read(write(text)).points().tokens.tolist() == [1e6, 2e6, 1e6, 2e6]


def test_bad_cells_of_a_chart_are_named_by_line(write) -> None:
    text = CHART.replace('"4.5","4.5"', '"oops","4.5"', 1)
    with pytest.raises(Exception, match=r"line 3 \('oops'\)"):
        Runs.read(write(text), meta=META, columns="tokens=Step")


def test_a_logs_rows_without_that_metric_are_left_out(write, notes) -> None:
    text = "_step,throughput/total_tokens,eval/loss\n1,1e6,9\n2,2e6,\n3,3e6,7\n"
    runs = Runs.read(write(text, "10M.csv"))
    assert len(runs) == 2
    assert "line 3" in notes(runs, "left-out")


@pytest.mark.parametrize("name", ["final", "v2-10M-20M", "1234", "bsz1Mx"])
def test_names_without_one_size_are_no_guess(write, name: str) -> None:
    with pytest.raises(ColumnError, match="no column for params"):
        Runs.read(write("_step,tokens,loss\n1,1e6,9\n2,2e6,8\n", f"{name}.csv"))
