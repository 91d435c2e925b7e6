"""Units of the loss, and values that are missing or that no run can have."""

from __future__ import annotations

import math

import pytest

from kleiber.errors import InputError, UnitError, ValuesError
from kleiber.runs import Runs


def losses(values: list[object], name: str = "loss", **options: object) -> Runs:
    n = len(values)
    table = {"params": [1e8] * n, "tokens": [1e9 * (i + 1) for i in range(n)], name: values}
    return Runs.read(table, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unit", "value", "nats"),
    [("nats", 3.0, 3.0), ("bits", 3.0, 3 * math.log(2)), ("ppl", 20.0, math.log(20)),
     ("bpb:4", 1.0, 4 * math.log(2))],
)  # fmt: skip
def test_a_given_unit(unit: str, value: float, nats: float, notes) -> None:
    runs = losses([value], unit=unit)
    assert runs.points().loss[0] == pytest.approx(nats)
    assert str(runs.unit) == unit
    assert (unit in notes(runs, "converted")) == (unit != "nats")
    assert "nats" not in notes(runs, "assumed")


@pytest.mark.parametrize(
    ("name", "unit"),
    [("ppl", "ppl"), ("val_ppl", "ppl"), ("Perplexity", "ppl"), ("bits", "bits"),
     ("bits_per_token", "bits"), ("loss_nats", "nats"), ("loss", "nats")],
)  # fmt: skip
def test_a_unit_by_the_columns_name(name: str, unit: str, notes) -> None:
    runs = losses([5.0], name)
    assert str(runs.unit) == unit
    assert ("by its column's name" in notes(runs, "guessed")) == (unit in ("ppl", "bits"))


def test_bits_per_byte_ask_for_the_ratio() -> None:
    with pytest.raises(UnitError, match=r"'bpb'.*bytes") as caught:
        losses([0.9], "bpb")
    assert "--unit bpb:" in caught.value.remedy
    assert losses([0.9], "bpb", unit="bpb:4").points().loss[0] == pytest.approx(3.6 * math.log(2))


def test_a_unit_column() -> None:
    table = {"params": [1e8] * 3, "tokens": [1e9] * 3, "loss": [20, 30, 3]}
    runs = Runs.read({**table, "loss_unit": ["ppl"] * 3})
    assert str(runs.unit) == "ppl"
    with pytest.raises(UnitError, match=r"mixes units of loss: ppl \(row 1, row 2\); nats \(row 3"):
        Runs.read({**table, "loss_unit": ["ppl", "ppl", "nats"]})
    kept = Runs.read({**table, "loss_unit": ["ppl", "ppl", "nats"]}, where="loss_unit=nats")
    assert kept.points().loss.tolist() == [3]
    insisted = Runs.read({**table, "loss_unit": ["ppl", "ppl", "nats"]}, unit="nats")
    assert insisted.points().loss[0] == 20
    assert any(n.kind == "warning" and "ppl" in n.message for n in insisted.notes)
    with pytest.raises(UnitError, match="accuracy"):
        Runs.read({**table, "loss_unit": ["accuracy"] * 3})


def test_units_of_something_else_are_none() -> None:
    table = {"params": [1e8], "tokens": [1e9], "loss": [3], "units": [512]}
    assert str(Runs.read(table).unit) == "nats"


def test_what_looks_like_perplexity_is_refused() -> None:
    with pytest.raises(UnitError, match=r"looks like perplexity: its median is 30") as caught:
        losses([20.0, 30.0, 40.0])
    assert "--unit ppl" in caught.value.remedy
    assert losses([20.0, 30.0], unit="nats").points().loss[0] == 20
    assert losses([3.0, 3.0, 900.0]).points().loss[2] == 900


def test_perplexity_below_one() -> None:
    with pytest.raises(ValuesError, match=r"perplexity of 1 or less: row 2 \(0.5\)"):
        losses([20.0, 0.5], unit="ppl")


@pytest.mark.parametrize("gap", [None, math.nan, math.inf, -math.inf])
def test_readings_without_a_loss_are_left_out_and_said(gap: float | None, notes) -> None:
    runs = losses([3.0, gap, 2.5])
    assert runs.points().tokens.tolist() == [1e9, 3e9]
    assert "row 2" in notes(runs, "left-out")


@pytest.mark.parametrize("gap", ["", " ", "nan", "NaN", "NA", "null", "None", "inf", "-"])
def test_gaps_in_text_are_left_out_with_their_line(write, gap: str, notes) -> None:
    path = write(f"params,tokens,loss\n1e8,1e9,3\n\n1e8,2e9,{gap}\n1e8,3e9,2\n")
    runs = Runs.read(path)
    assert len(runs) == 2
    assert "1 row" in notes(runs, "left-out")
    assert "line 4" in notes(runs, "left-out")


def test_step_zero_of_a_log_is_left_out(notes) -> None:
    runs = Runs.read({"params": [1e8] * 2, "tokens": [0, 1e9], "loss": [11, 3]})
    assert len(runs) == 1
    assert "1 row with zero tokens: row 1" in notes(runs, "left-out")


BAD = [
    ("loss", "-0.3", r"zero or negative loss: line 3 \('-0.3'\)"),
    ("loss", "0", r"zero or negative loss: line 3 \('0'\)"),
    ("loss", "three", r"text in place of a number for loss: line 3 \('three'\)"),
    ("loss", "3,1", r"text in place of a number for loss: line 3 \('3,1'\)"),
    ("loss", "3.2B", r"text in place of a number for loss"),
    ("params", "0", "zero or negative params: line 3"),
    ("params", "-5", "zero or negative params: line 3"),
    ("params", "big", "text in place of a number for params: line 3"),
    ("params", "inf", "infinite params: line 3"),
    ("tokens", "-1e9", r"negative tokens: line 3 \('-1e9'\)"),
    ("tokens", "3Q", r"text in place of a number for tokens: line 3 \('3Q'\)"),
]


@pytest.mark.parametrize(("field", "value", "said"), BAD)
def test_values_that_no_run_can_have(write, field: str, value: str, said: str, notes) -> None:
    cells = {"params": "1e8", "tokens": "2e9", "loss": "3"} | {field: f'"{value}"'}
    path = write(f"params,tokens,loss\n1e8,1e9,4\n{','.join(cells.values())}\n1e8,3e9,2\n")
    with pytest.raises(ValuesError, match=said) as caught:
        Runs.read(path)
    assert "--drop-bad" in caught.value.remedy
    runs = Runs.read(path, drop_bad=True)
    assert len(runs) == 2
    assert "line 3" in notes(runs, "left-out")


def test_many_bad_rows_are_counted() -> None:
    with pytest.raises(
        ValuesError, match=r"9 rows .*: row 2 \(-1\), row 3 \(-1\), row 4 \(-1\) an"
    ):
        losses([3.0] + [-1.0] * 9)


def test_the_file_is_named_among_several(write) -> None:
    good, bad = "run,params,tokens,loss\na,1e8,1e9,3\n", "run,params,tokens,loss\nb,1e8,1e9,x\n"
    with pytest.raises(ValuesError, match=r"second line 2 \('x'\)"):
        Runs.read([write(good, "first.csv"), write(bad, "second.csv")])


def test_a_table_of_gaps_has_nothing_to_use() -> None:
    with pytest.raises(InputError, match="no row that can be used: 2 rows with no loss"):
        losses([None, None])
    with pytest.raises(ValuesError, match="no row that can be used"):
        losses([-1, -2], drop_bad=True)
