"""Bits stored against bits asked for: every model a dot, everything known a line."""

from __future__ import annotations

import pytest

from kleiber.charts import draw_filling
from kleiber.charts.filling import filling_rows
from kleiber.errors import ValuesError
from kleiber.judging.capacity import fit_plateaus
from kleiber.judging.stored import stored_rows

ROWS = [
    {
        "people": people,
        "params": params,
        "exposures": exposures,
        "seed": seed,
        "bits_per_param": min(people * 56 / params, 2.0 if exposures == 1000 else 0.5) + seed / 100,
        "max_bits_per_param": people * 56 / params,
    }
    for params in (8000, 16000)
    for people in (150, 300, 600, 1100)
    for exposures in (1000, 100)
    for seed in (0, 1)
]


def test_a_dot_is_the_mean_of_its_seeds() -> None:
    dots = filling_rows(stored_rows(ROWS))
    assert len(dots) == 16
    one = next(d for d in dots if d["params"] == 8000 and d["crowd"] == "600" and d["most"])
    assert one["bits"] == pytest.approx(2.005)
    assert (one["lower"], one["upper"]) == pytest.approx((2.0, 2.01))
    assert one["demand"] == pytest.approx(4.2)


def test_the_picture_holds_both_laws_and_the_line() -> None:
    spec = draw_filling(ROWS, fit_plateaus(ROWS)).to_dict()
    text = str(spec)
    assert "knows all" in text
    assert "strokeDash" in text
    assert "1,000 exposures" in text and "100 exposures" in text


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(ValuesError, match="no capacity result"):
        draw_filling([])
