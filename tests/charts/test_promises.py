"""Promises of plans against what came: every tenth a mark, on one scale both ways."""

from __future__ import annotations

import pytest

from kleiber.charts import draw_promises
from kleiber.errors import ValuesError

ROWS = [
    {
        "ladder": ladder,
        "case": case,
        "promised": 0.01 * (1 + i / 10),
        "realised": 0.011 * (1 + i / 10),
        "standard_error": 0.001,
    }
    for ladder in ("planned", "by hand")
    for case in ("law exact", "law departs")
    for i in range(10)
]


def test_every_tenth_is_a_mark_in_percent() -> None:
    spec = draw_promises(ROWS).to_dict()
    sets = [layer["data"]["values"] for layer in spec["layer"]]
    marks = sets[-1]
    assert len(marks) == 40
    assert marks[0]["promised"] == pytest.approx(1.0) and marks[0]["realised"] == pytest.approx(1.1)
    assert (marks[0]["lower"], marks[0]["upper"]) == pytest.approx((1.0, 1.2))
    line = sets[0]
    assert all(end["promised"] == end["realised"] for end in line)
    assert line[0]["promised"] < 1.0 and line[1]["promised"] > 2.19


def test_rows_without_what_is_needed_are_refused() -> None:
    with pytest.raises(ValuesError, match="ladder, case, promised"):
        draw_promises([{"promised": 0.1}])
    with pytest.raises(ValuesError):
        draw_promises([])
