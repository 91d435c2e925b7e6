"""The twelve results: ratios against scipy, verdicts by hand, declarations, one really trained."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from kleiber.errors import InputError
from kleiber.knowledge.cell import Cell
from kleiber.knowledge.equal import params_of
from kleiber.launching import train_cells
from kleiber.studies.capacity import NUMBERS, declared
from kleiber.studies.capacity.ratios import FLOOR, Ratio, paired_ratio
from kleiber.studies.capacity.report import report
from kleiber.studies.capacity.result import (
    NOT_SHOWN,
    OPPOSITE,
    SHOWN,
    Arm,
    Compare,
    Low,
    Result,
)
from kleiber.studies.capacity.study import judged, run, tabulate
from kleiber.studies.capacity.trained import Runs, Taught

ONE, OTHER = [1.8, 1.9, 2.05], [1.1, 1.3, 1.15]
CELL = Cell(
    people=30, exposures=40, layers=1, width=8, heads=2, batch=10, lr=0.02, compiled=False,
    strings={"K": 2, "C": 1, "D": 8, "L": 1, "T": 8, "name_tokens": 3},
)  # fmt: skip


def ratio(lower: float, upper: float) -> Ratio:
    return Ratio(math.sqrt(lower * upper), lower, upper, seeds=3, spread=0.1)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_the_interval_is_the_paired_t_tests(level: float) -> None:
    theirs = stats.ttest_rel(np.log(ONE), np.log(OTHER)).confidence_interval(level)
    found = paired_ratio(ONE, OTHER, level=level)
    assert (found.lower, found.upper) == pytest.approx(
        (math.exp(theirs.low), math.exp(theirs.high))
    )
    assert found.value == pytest.approx(stats.gmean(ONE) / stats.gmean(OTHER))
    assert not found.floored


def test_a_ratio_to_a_number_by_hand() -> None:
    """Logarithms -.1, 0, .1: s = .1, t(.95, 2) = 2.919986."""
    found = paired_ratio([2 * math.exp(e) for e in (-0.1, 0.0, 0.1)], 2.0)
    half = 2.919986 * 0.1 / math.sqrt(3)
    assert found.value == pytest.approx(1)
    assert math.log(found.upper) == pytest.approx(half) == pytest.approx(-math.log(found.lower))


def test_what_stores_nothing_counts_as_the_floor() -> None:
    found = paired_ratio([1.0, 1.0], [-0.3, 0.0])
    assert found.floored == "under"
    assert found.value == pytest.approx(1 / FLOOR)
    assert paired_ratio([0.0, 1.0], [1.0, 1.0]).floored == "over"
    both = paired_ratio([0.0, 0.1], [-0.1, 0.0])
    assert both.floored == "both"
    assert Compare(over="a", under="b", most=1000).verdict(both) == NOT_SHOWN


def test_unpaired_values_have_no_ratio() -> None:
    with pytest.raises(InputError, match="needs pairs"):
        paired_ratio([1.0, 2.0], [1.0])
    alone = paired_ratio([2.0], [1.0])  # of one seed there is a ratio, and no interval
    assert alone.value == pytest.approx(2) and math.isnan(alone.lower) and math.isnan(alone.upper)


def test_so_many_seeds_settle_it() -> None:
    found = Ratio(1.2, 0.9, 1.6, seeds=3, spread=0.2)
    needed = found.seeds_to_settle(1.0)
    assert needed is not None
    for seeds, settled in ((needed, True), (needed - 1, False)):
        half = stats.t.ppf(0.95, seeds - 1) * 0.2 / math.sqrt(seeds)
        assert (half < math.log(1.2)) == settled
    assert Ratio(1.0, 0.9, 1.1, seeds=3, spread=0.2).seeds_to_settle(1.0) is None


@pytest.mark.parametrize(
    ("least", "most", "interval", "verdict"),
    [
        (3, None, (3.1, 9), SHOWN),
        (3, None, (1.5, 2.5), NOT_SHOWN),  # the right way, not far enough
        (3, None, (0.5, 0.9), OPPOSITE),
        (None, 1, (0.5, 0.9), SHOWN),
        (None, 1, (0.9, 1.2), NOT_SHOWN),
        (None, 1, (1.1, 1.2), OPPOSITE),
        (0.9, None, (0.95, 1.2), SHOWN),
        (0.9, None, (0.5, 0.8), OPPOSITE),
        (0.85, 1.15, (0.9, 1.1), SHOWN),
        (0.85, 1.15, (0.9, 1.3), NOT_SHOWN),
        (0.85, 1.15, (1.2, 1.3), OPPOSITE),
        (0.85, 1.15, (0.5, 0.8), OPPOSITE),
    ],
)
def test_verdicts(least: Any, most: Any, interval: tuple[float, float], verdict: str) -> None:
    one = Compare(over="a", under="b", least=least, most=most)
    assert one.verdict(ratio(*interval)) == verdict


def test_the_worst_published_comparison_decides() -> None:
    plain = {"ratio": "a / b", "value": 1.0, "lower": 0.5, "upper": 2.0, "wanted": "above 3"}
    rows = [{**plain, "verdict": verdict, "published": "3"} for verdict in (SHOWN, NOT_SHOWN)]
    assert judged(rows[:1])[0] == SHOWN
    assert judged(rows)[0] == NOT_SHOWN
    assert "1 of 2 comparisons are shown; a / b is 1 (0.5 to 2), above 3" in judged(rows)[1]
    assert judged([*rows, {**rows[0], "verdict": OPPOSITE}])[0] == OPPOSITE
    ours = {**plain, "verdict": OPPOSITE, "published": None}
    assert judged([rows[0], ours])[0] == SHOWN


@pytest.mark.parametrize("preset", ["cpu", "gpu"])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_declaration_is_whole(number: int, preset: str) -> None:
    result = declared(number, preset)
    names = [arm.name for arm in result.arms]
    assert (result.number, len(set(names))) == (number, len(names))
    assert result.published
    assert result.title
    used = {side for one in result.compare for side in (one.over, one.under)}
    assert any(one.published for one in result.compare)
    assert {side for side in used if isinstance(side, str)} <= set(names)
    assert all(one.bounds for one in result.compare)
    assert all(arm.equal is None or arm.equal in names for arm in result.arms)
    assert (result.low is not None) == any(arm.low for arm in result.arms)
    if result.low is not None:
        assert result.low.exposures[0] == 100
        assert tuple(result.low.exposures) == tuple(sorted(result.low.exposures))


def _study() -> Result:
    low = replace(CELL, exposures=3)
    return Result(
        number=6,
        title="a test",
        published="1.5",
        arms=(
            Arm(name="gpt2", cell=CELL),
            Arm(name="no mlp", cell=replace(CELL, architecture="gpt2-nomlp"), equal="gpt2"),
            Arm(name="few", cell=low, low=True, rates=(0.5, 1.0)),
            Arm(name="int3", cell=CELL, rounding={"method": "rtn", "bits": 3}),
        ),
        compare=(
            Compare(over="gpt2", under="few", least=1, published="1.5"),
            Compare(over="gpt2", under="no mlp", least=1, published="1.5"),
            Compare(over="gpt2", under="int3", least=1),
        ),
        low=Low(control=low, exposures=(1, 3, 40), enough=-9.0),
    )


def test_a_trained_result_resumes_and_repeats_nothing(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="cells are trained with torch (the extra train)")
    asked: list[list[str]] = []

    def train(cells: Sequence[Cell], folders: Sequence[Path], **rest: Any) -> list[dict[str, Any]]:
        asked.append([str(folder) for folder in folders])
        return train_cells(cells, folders, **rest)

    result = _study()
    table = run(result, tmp_path / "runs", seeds=2, jobs=2, train=train)
    rows = {row["arm"]: row for row in table.rows}
    found = table.extra
    assert found["exposures_low"] == 1  # the first of the list is enough
    assert rows["few"]["exposures"] == 1
    assert rows["no mlp"]["params"] == pytest.approx(params_of(CELL), rel=0.25)
    assert asked == [asked[0], asked[1]]
    assert len(asked[1]) == len(set(asked[1])) == 2 + 2 + 4  # int3 is of gpt2's runs
    assert set(asked[0]) < set(asked[1])  # the search's runs are the arm's
    runs = {
        name: [each["bits_per_param"] for each in each_arm]
        for name, each_arm in found["runs"].items()
    }
    theirs = stats.ttest_rel(
        np.log(np.maximum(runs["gpt2"], FLOOR)), np.log(np.maximum(runs["int3"], FLOOR))
    )
    third = found["compared"][2]
    assert math.log(third["lower"]) == pytest.approx(theirs.confidence_interval(0.9).low)
    assert runs["int3"] != runs["gpt2"]
    before = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*") if path.is_file()
    }
    again = run(result, tmp_path / "runs", seeds=2, train=train)
    after = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*") if path.is_file()
    }
    assert after == before
    assert again.content() == table.content()

    table.write(tmp_path / "out")
    rows = report(tmp_path / "out").rows
    assert [row["verdict"] == "not run" for row in rows] == [number != 6 for number in NUMBERS]
    assert rows[5]["verdict"] == found["verdict"]
    assert f"{found['compared'][0]['value']:.3g}" in rows[5]["measured"]


def test_runs_that_another_study_left_are_used(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="cells are trained with torch (the extra train)")
    earlier = tmp_path / "kleiber-curve" / CELL.name
    runs = Runs(tmp_path / "runs", train_cells)
    assert runs.place(CELL).parent == tmp_path / "runs"
    train_cells([CELL], [earlier], jobs=1)
    assert runs.place(CELL) == earlier
    assert runs.place(replace(CELL, lr=0.03)).parent == tmp_path / "runs"  # of the same name


def test_the_search_ends_where_none_is_enough(tmp_path: Path) -> None:
    def train(cells: Sequence[Cell], folders: Sequence[Path], **_: Any) -> list[dict[str, Any]]:
        return [{"bits_per_param": cell.exposures / 1000} for cell in cells]

    runs = Runs(tmp_path, train)
    low = Low(control=CELL, exposures=(100, 300, 500))
    assert runs.lowest(low, seeds=3).exposures == 500
    assert runs.lowest(low, seeds=3).enough
    assert runs.lowest(replace(low, enough=0.25), seeds=3).exposures == 300
    none = runs.lowest(replace(low, enough=0.9), seeds=3)
    assert (none.exposures, none.enough) == (500, False)
    assert none.tried == pytest.approx({100: 0.1, 300: 0.3, 500: 0.5})


def test_a_best_rate_at_the_edge_of_those_tried_is_said() -> None:
    run_ = {
        **{"bits_per_param": 1.0, "max_bits_per_param": 2.0, "params": 500, "people": 30},
        **{"exposures": 40, "steps": 9, "controls": {"unseen": -1.0, "random": -0.5}},
    }
    names, tried = ("least", "middle", "largest", "one of two"), (0.5, 1.0, 2.0)
    result = replace(_study(), arms=[Arm(name=name, cell=CELL) for name in names], compare=())
    taught = [
        Taught(arm, CELL, rate, [run_], dict.fromkeys(rates, 1.0))
        for arm, rate, rates in zip(
            result.arms, (*tried, 1.0), (tried, tried, tried, (1.0, 2.0)), strict=True
        )
    ]
    notes = tabulate(result, taught).notes
    assert notes[-1].endswith(": least (0.5), largest (2).")
    assert len(tabulate(result, taught[1:2]).notes) == len(notes) - 1


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "capacity-result-03.json").write_text(json.dumps({"rows": []}))
    with pytest.raises(InputError, match=r"capacity-result-03\.json' is no table of a result"):
        report(tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "No result is named"),
        (("--result", "13"), "There is no result 13."),
        (("--result", "0"), "There is no result 0."),
        (("--result", "8", "--all"), "--result and --all are both given"),
    ],
)
def test_bad_input_is_a_sentence(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    from kleiber.cli import run as kleiber

    assert kleiber(["study", "capacity", *options]) == 2
    assert said in capsys.readouterr().err
