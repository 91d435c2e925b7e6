"""Choosing rows, and the arrays that a fit takes."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import ColumnError, UsageError, ValuesError
from kleiber.runs import Points, Runs


def test_what_is_there(ladder: Runs) -> None:
    assert (len(ladder), ladder.n_runs) == (22, 6)
    assert ladder.families == ("a", "b")
    assert ladder.recipes == ()
    assert ladder.sizes == (1e8, 3e8, 1e9)
    assert not ladder.synthetic
    assert "22 rows of 6 runs, 3 sizes" in repr(ladder)


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        ({}, 22),
        ({"family": "a"}, 10),
        ({"family": ["a", "b"]}, 22),
        ({"min_params": "300M"}, 16),
        ({"max_params": 3e8}, 14),
        ({"min_params": 2e8, "max_params": 5e8}, 8),
        ({"sizes": ["100M", 1e9]}, 14),
        ({"sizes": ["101M"]}, 6),
        ({"min_tokens": "5B"}, 10),
        ({"min_fraction": 0.25}, 12),
        ({"max_fraction": 0.1}, 10),
        ({"points": "finals"}, 6),
        ({"points": "checkpoints"}, 16),
        ({"family": "b", "points": "finals", "sizes": [1e9]}, 1),
    ],
)
def test_selection(ladder: Runs, conditions: dict, rows: int) -> None:
    assert len(ladder.select(**conditions)) == rows


@pytest.mark.parametrize(
    ("conditions", "error", "said"),
    [
        ({"family": "c"}, ValuesError, "no family 'c'.*a, b"),
        ({"recipe": "c4"}, ColumnError, "have no recipe.*--columns recipe=NAME"),
        ({"sizes": ["7B"]}, ValuesError, "No run has 7B params.*100M, 300M, 1B"),
        ({"min_params": "2B"}, ValuesError, "at least 2B.*100M to 1B"),
        ({"min_tokens": "1T"}, ValuesError, "No rows are left"),
        ({"min_fraction": 30}, UsageError, "between 0 and 1, not at 30.*0.3"),
        ({"points": "best"}, UsageError, "finals or checkpoints"),
    ],
)
def test_a_selection_of_nothing_says_what_there_is(ladder: Runs, conditions, error, said) -> None:
    with pytest.raises(error, match=said):
        ladder.select(**conditions)


def test_the_largest_is_hidden(ladder: Runs) -> None:
    train, target = ladder.hide_largest()
    assert train.sizes == (1e8, 3e8)
    assert target.sizes == (1e9,)
    assert len(train) + len(target) == len(ladder)
    with pytest.raises(ValuesError, match="1B is the only one"):
        target.hide_largest()


def test_the_table_is_immutable(ladder: Runs) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ladder.unit = None  # type: ignore[misc, assignment]
    points = ladder.points()
    for name in ("params", "tokens", "loss", "weight", "run", "final"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(points, name)[0] = 1


def test_each_run_counts_once(ladder: Runs) -> None:
    points = ladder.points()
    assert isinstance(points, Points)
    assert len(points) == 22
    assert points.n_runs == 6
    assert points.names == tuple(ladder.frame["run"].unique(maintain_order=True))
    assert [points.names[code] for code in points.run] == ladder.frame["run"].to_list()
    assert points.weight[0] == 0.5
    assert points.weight[-1] == 0.25
    assert points.weight.sum() == pytest.approx(6)


def test_one_point_a_run_has_weight_one(ladder: Runs) -> None:
    assert (ladder.select(points="finals").points().weight == 1.0).all()


def test_taking_points_makes_weights_anew(ladder: Runs) -> None:
    points = ladder.points()
    taken = points.take(points.tokens < 3e9)
    assert taken.n_runs == 6
    assert (taken.weight == 0.5).all()
    only = points.take(np.array([3, 4, 21]))
    assert only.names == tuple(dict.fromkeys(points.names[c] for c in points.run[[3, 4, 21]]))
    assert points.take(points.final).weight.tolist() == [1.0] * 6


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[object]]:
    n = draw(st.integers(2, 30))
    column = lambda values: draw(st.lists(values, min_size=n, max_size=n))  # noqa: E731
    return {
        "run": column(st.sampled_from("abcdef")),
        "params": column(st.sampled_from([1e8, 2e8, 1e9])),
        "tokens": column(st.floats(1e6, 1e12)),
        "loss": column(st.floats(0.5, 12)),
    }


@settings(deadline=None)
@given(tables())
def test_weights_sum_to_the_number_of_runs(table) -> None:
    points = Runs.read(table).points()
    assert points.weight.sum() == pytest.approx(points.n_runs, rel=1e-12)
    assert points.final.sum() == points.n_runs


@settings(deadline=None)
@given(
    tables(),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["all", "finals", "checkpoints"]),
    st.sampled_from([None, 1.5e8, "1B"]),
)
def test_selecting_twice_is_selecting_once(table, low, high, points, least) -> None:
    conditions = {
        "min_fraction": low, "max_fraction": high, "points": points, "min_params": least
    }  # fmt: skip
    runs = Runs.read(table)
    try:
        once = runs.select(**conditions)
    except ValuesError:
        return
    assert once.select(**conditions).frame.equals(once.frame)


@settings(deadline=None)
@given(tables(), st.randoms())
def test_the_order_of_rows_does_not_matter(table, random) -> None:
    order = list(range(len(table["run"])))
    random.shuffle(order)
    shuffled = {name: [column[i] for i in order] for name, column in table.items()}
    columns = ["run", "params", "tokens", "loss", "final", "fraction"]
    first, second = (
        Runs.read(one).frame.select(columns).sort(columns) for one in (table, shuffled)
    )
    assert first.equals(second)
    summaries = [Runs.read(one).describe().to_dict() for one in (table, shuffled)]
    for summary in summaries:
        summary.pop("notes")
    assert summaries[0] == summaries[1]


def test_synthetic_rows_are_remembered(ladder: Runs) -> None:
    rows = ladder.frame.with_columns(pl.lit(True).alias("synthetic"))
    runs = Runs.read(rows)
    assert runs.synthetic
    assert runs.select(points="finals").synthetic
    assert "SYNTHETIC" in runs.describe().text()
