"""Whatever is wrong with the input: one sentence with its remedy, or a fit that says so."""

from __future__ import annotations

import json
import math
import runpy
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

BAD = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("bad_inputs.py"))))
each_case = pytest.mark.parametrize("case", BAD.CASES, ids=lambda case: case.input)


def fitted(content: str, *options: str) -> dict[str, Any]:
    done = BAD.answer(BAD.Case("", content, (), options=options), "--json")
    assert done.code == 0, done.out
    return json.loads(done.out)


def width(found: dict[str, Any], name: str) -> float:
    box = found["intervals"][name]
    return math.inf if box["lower"] is None else box["upper"] - box["lower"]


@each_case
def test_the_answer_in_text(case: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = BAD.answer(case)
    assert "Traceback" not in done.out + done.err
    assert "Warning" not in done.out + done.err
    if not case.error:
        assert done.code == 0
        assert "nan" not in done.out.lower().replace("nan", "", case.input.count("NaN"))
        return
    assert done.code == (2 if case.error == "usage" else 1)
    assert done.out == ""
    first, *rest = done.err.splitlines()
    assert first.startswith("kleiber: ")
    assert len(rest) == 1 and rest[0].startswith("  ")


@each_case
def test_the_answer_in_json(case: Any) -> None:
    done = BAD.answer(case, "--json")
    assert done.err == ""
    found = json.loads(done.out)
    if case.error:
        assert done.code == (2 if case.error == "usage" else 1)
        assert set(found) == {"error"}
        assert set(found["error"]) == {"code", "message", "remedy"}
        assert found["error"]["code"] == case.error
        assert found["error"]["message"] and found["error"]["remedy"]
    else:
        assert done.code == 0
        assert found["schema"] == "kleiber.fit/1"
    said = BAD.sentences(case)
    for part in case.said:
        assert part in said


@pytest.mark.parametrize("verb", ["runs", "predict", "allocate"])
@each_case
def test_no_verb_breaks(case: Any, verb: str) -> None:
    more = {
        "predict": ("--params", "7e9", "--tokens", "140e9"),
        "allocate": ("--flops", "1e22"),
        "runs": (),
    }[verb]
    if verb == "runs" and "--law" in case.options:
        return
    done = BAD.answer(case, *more, "--json", verb=verb)
    found = json.loads(done.out)
    assert ("error" in found) == (done.code != 0)
    assert done.err == ""


def test_the_page_shows_these_answers(root: Path) -> None:
    assert BAD.page() in (root / "docs" / "failures.md").read_text(encoding="utf-8")


def test_one_diverged_run_moves_a_robust_fit_little() -> None:
    found = fitted(BAD.with_cell("loss", 11.0))
    clean = fitted(BAD.table(BAD.SOUND))
    box = found["intervals"]["E"]
    assert box["lower"] < BAD.TRUTH["E"] < box["upper"]
    assert abs(found["values"]["E"] - clean["values"]["E"]) < 0.1
    assert width(found, "E") < 3 * width(clean, "E")
    squares = fitted(BAD.with_cell("loss", 11.0), "--objective", "log")
    assert width(squares, "E") > 3 * width(found, "E")


def test_named_rows_repeated_five_times_narrow_nothing() -> None:
    once, often = fitted(BAD.table(BAD.SOUND)), fitted(BAD.table(BAD.SOUND * 5))
    assert often["values"] == pytest.approx(once["values"], rel=1e-6)
    assert width(often, "alpha") == pytest.approx(width(once, "alpha"), rel=1e-6)


def test_counts_in_other_units_give_the_same_curve() -> None:
    raw, small = fitted(BAD.table(BAD.SOUND)), fitted(BAD.table(BAD.SMALL))
    for name in ("E", "alpha", "beta"):
        assert small["values"][name] == pytest.approx(raw["values"][name], rel=1e-4)
    asked = BAD.answer(
        BAD.Case("", BAD.table(BAD.SMALL), ()), "--params", "7e9", "--tokens", "140e9", "--json",
        verb="predict",
    )  # fmt: skip
    assert "K004" in [one["code"] for one in json.loads(asked.out)["findings"]]


def test_a_coefficient_outside_every_preset_box() -> None:
    values = fitted(BAD.table(BAD.STEEP))["values"]
    assert values["B"] == pytest.approx(92_697, rel=1e-3)
    assert values["beta"] == pytest.approx(0.54, rel=1e-4)


def test_few_runs_have_no_zero_width_interval() -> None:
    six = [BAD.SOUND[i] for i in (0, 3, 5, 10, 12, 15)]
    found = fitted(BAD.table(six))
    for name in ("E", "alpha", "beta"):
        assert width(found, name) > 0.02 * abs(found["values"][name])
    assert np.isfinite(found["values"]["E"])
