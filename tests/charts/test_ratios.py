"""The picture of ratios: intervals, what was asked for, and which are bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kleiber.charts import draw_ratios, save_chart
from kleiber.errors import ValuesError

ROWS: list[dict[str, Any]] = [
    {
        "ratio": "clean / junk",
        "value": 89.4,
        "lower": 86.4,
        "upper": 92.6,
        "least": 3,
        "most": None,
        "published": "up to 20",
        "floored": "under",
        "verdict": "shown",
    },
    {
        "ratio": "repeated / clean",
        "value": 0.7,
        "lower": 0.6,
        "upper": 0.8,
        "least": 0.85,
        "most": 1.15,
        "published": None,
        "floored": "",
        "verdict": "opposite",
    },
]


def layers(spec: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [layer for layer in spec["layer"] if layer["mark"]["type"] == kind]


def drawn(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return layers(spec, "point")[0]["data"]["values"]


def test_an_interval_stands_on_what_was_asked_for() -> None:
    junk, repeated = drawn(draw_ratios(ROWS).to_dict())
    assert (junk["value"], junk["lower"], junk["upper"]) == (89.4, 86.4, 92.6)
    assert (repeated["least"], repeated["most"]) == (0.85, 1.15)
    assert junk["least"] == 3 and junk["most"] > 92.6  # no bound above: to the end of the axis


def test_a_bound_is_hollow_and_says_which_side_it_bounds() -> None:
    junk, repeated = drawn(draw_ratios(ROWS).to_dict())
    assert junk["number"] == "at least 89.4; published up to 20"
    assert repeated["number"] == "0.7"
    assert junk["inside"] == "white" != repeated["inside"]


def test_a_ratio_without_an_interval_is_drawn_alone() -> None:
    alone = {**ROWS[1], "lower": None, "upper": None}
    (one,) = drawn(draw_ratios([alone]).to_dict())
    assert one["lower"] == one["upper"] == one["value"] == 0.7


def test_it_can_be_saved(tmp_path: Path) -> None:
    save_chart(draw_ratios(ROWS, title="Two"), tmp_path / "two.svg")
    assert "clean / junk" in (tmp_path / "two.svg").read_text(encoding="utf-8")


def test_rows_without_numbers_are_refused() -> None:
    with pytest.raises(ValuesError, match="ratio, value, lower, upper"):
        draw_ratios([{"ratio": "a / b"}])
