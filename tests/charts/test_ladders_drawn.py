"""Pictures of the two studies of ladders: every setting and rung is on them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kleiber.charts import draw_difference, draw_paradigm
from kleiber.errors import ValuesError

ROWS = [
    {"lr": lr, "epochs": epochs, "seen": 2.0 - 0.01 * epochs, "gap": 0.02 * epochs,
     "test": 2.0 + 0.01 * epochs}
    for epochs in (1, 64) for lr in (0.01, 0.1)
]  # fmt: skip
RUNGS = [
    {"FLOPs A": 1e10, "A - B": -0.03, "lower": -0.04, "upper": -0.02, "width": 16, "seeds": 3},
    {"FLOPs A": 1e11, "A - B": 0.01, "lower": None, "upper": None, "width": 32, "seeds": 1},
    {"FLOPs A": 1e12, "A - B": None, "lower": None, "upper": None, "width": 64, "seeds": 0},
]


def data_of(chart: Any) -> str:
    return json.dumps(chart.to_dict())


def test_three_panels_share_their_settings() -> None:
    drawn = draw_paradigm(ROWS, dial="lr", said="peak learning rate").to_dict()
    assert len(drawn["hconcat"]) == 3
    fields = [panel["layer"][0]["encoding"]["y"]["field"] for panel in drawn["hconcat"]]
    assert fields == ["seen", "gap", "test"]
    text = json.dumps(drawn)
    assert text.count('"dial": 0.1') >= 2 and "peak learning rate" in text
    assert drawn["title"]["text"] == "Test loss, split in two"


def test_a_setting_without_a_loss_is_left_out_and_none_at_all_is_refused() -> None:
    lacking = [*ROWS, {"lr": 7.0, "epochs": 1, "seen": float("nan"), "gap": 0.0, "test": 1.0}]
    assert '"dial": 7.0' not in data_of(draw_paradigm(lacking, dial="lr", said="rate"))
    with pytest.raises(ValuesError, match="no run to draw"):
        draw_paradigm(lacking[-1:], dial="lr", said="rate")


def test_a_difference_shows_rungs_intervals_and_the_crossing() -> None:
    drawn = draw_difference(
        RUNGS, a="fixed", b="falling", crossing=[2e10, 5e10, 9e10], known=4e10
    ).to_dict()
    marks = [layer["mark"]["type"] for layer in drawn["layer"]]
    assert marks.count("rect") == 1 and marks.count("rule") == 3 and "point" in marks
    text = json.dumps(drawn)
    assert '"apart": 0.01' in text and '"flops": 1000000000000.0' not in text
    assert "loss of fixed less that of falling" in text


def test_a_crossing_that_nobody_knows_is_not_drawn() -> None:
    for crossing in ([], [None, None, None], [1e20, 2e20, 3e20]):
        drawn = draw_difference(RUNGS, a="A", b="B", crossing=crossing).to_dict()
        assert "rect" not in [layer["mark"]["type"] for layer in drawn["layer"]]


def test_rungs_without_their_numbers_are_refused() -> None:
    with pytest.raises(ValuesError, match="Each rung needs FLOPs A"):
        draw_difference([{"width": 3}], a="A", b="B")
