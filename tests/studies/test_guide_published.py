"""The guide's printed cells, made again: against its own printed digits, scipy and its text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import curve_fit

from kleiber.errors import InputError
from kleiber.studies.guide.cells import LACKING, TICKS, Cell, Group, plan, read_groups
from kleiber.studies.guide.findings import defects
from kleiber.studies.guide.procedure import (
    START,
    Model,
    Points,
    fit,
    is_skipped,
    model_counts,
    most_trained,
    number_of_models,
    score,
    target_rows,
    train_rows,
)
from kleiber.studies.guide.published import OTHER, Published, align, as_published, run
from kleiber.studies.guide.published_sets import read_sets
from kleiber.studies.guide.published_tables import Value

DATA = Path(__file__).parents[3] / "shared" / "data"
HAS_DATA = (DATA / "colpret" / "published_heatmap_cells.csv").is_file()
needs_data = pytest.mark.skipif(not HAS_DATA, reason="ColPret's files are not beside the project")

ONE_MODEL = ("olmo", "OPT", "redPajama", "GPT2-c4-1.0", "t5-pile", "pythia")
BY_NUMBER = {"gpt3": 3, "OPT": 3, "t5-pile": 3}  # from this number of models on


@pytest.fixture(scope="module")
def found() -> Published:
    if not HAS_DATA:
        pytest.skip("ColPret's files are not beside the project")
    return as_published(DATA)


def run_of(name: str, params: float, tokens: list[float]) -> Model:
    """Return a run whose values are of no interest."""
    return Model(name, params, np.array(tokens), np.linspace(4.0, 3.0, len(tokens)))


def test_a_fit_sees_rows_strictly_between_the_cut_and_the_share_of_the_longest() -> None:
    short = run_of("short", 1e8, [1e10, 2e10, 5e10])
    long = run_of("long", 2e8, [1e10, 2e10, 5e10, 9e10, 1e11])
    half = train_rows([short, long], 0.5)
    assert half.tokens.tolist() == [2e10, 2e10]
    # The bound is of the longest selected run: the short one is whole from 50 % on ...
    assert sorted(train_rows([short, long], 0.6).tokens) == [2e10, 2e10, 5e10, 5e10]
    # ... alone it loses its last checkpoint, as the longest always does, even at 100 %.
    assert train_rows([short], 1.0).tokens.tolist() == [2e10]
    assert 1e11 not in train_rows([short, long], 1.0).tokens
    assert 1e10 in train_rows([short, long], 1.0, cut=0.0).tokens


def test_targets_are_cut_in_the_one_model_experiment_only() -> None:
    run = run_of("run", 1e9, [1e9, 7e9, 1e10, 1.01e10])
    assert target_rows(run, 0.5).tokens.tolist() == [7e9, 1e10, 1.01e10]
    assert target_rows(run, 0.5, cut=1e10).tokens.tolist() == [1.01e10]
    assert target_rows(run, 1.0).tokens.tolist() == [1.01e10]


def test_numbers_of_models_as_the_figures_count_them() -> None:
    near = Points(np.repeat([1.0001e9, 1.0002e9, 2e9], 6), np.ones(18), np.ones(18))
    assert number_of_models(near) == 2  # rounded to a million
    few = Points(np.array([1.0001e9, 1.0002e9, 2e9]), np.ones(3), np.ones(3))
    assert number_of_models(few) == 3
    assert list(model_counts(41)) == [2, 10, 18, 26, 34]
    assert list(model_counts(5)) == [2, 3, 4, 5]


def test_a_set_that_never_comes_below_ten_is_skipped_and_the_last_five_are_a_baseline() -> None:
    high = Model("high", 1e9, np.array([1e10, 2e10]), np.array([12.0, 10.5]))
    assert is_skipped(high)
    assert not is_skipped(Model("low", 1e9, high.tokens, np.array([12.0, 10.0])))
    rows = Points(np.ones(7), np.arange(7.0), np.array([9.0, 8, 7, 6, 5, 4, 3]))
    assert most_trained(rows) == 5.0


@pytest.mark.parametrize("borrowed", [False, True])
def test_a_fit_is_scipys_from_the_same_start(borrowed: bool) -> None:
    rng = np.random.default_rng(0)
    params = np.repeat([1e8, 3e8, 1e9, 3e9], 12)
    tokens = np.tile(np.geomspace(1.2e10, 3e11, 12), 4)
    clean = 1.7 + np.exp(6.0) / params**0.34 + np.exp(7.0) / tokens**0.33
    rows = Points(params, tokens, clean * np.exp(0.002 * rng.standard_normal(len(clean))))

    def theirs(_: object, *theta: float) -> np.ndarray:
        a, b, e, alpha, beta = theta if not borrowed else (START[0], *theta[:2], START[3], theta[2])
        return np.exp(e) + np.exp(a) / params**alpha + np.exp(b) / tokens**beta

    start = np.array(START)[[1, 2, 4]] if borrowed else np.array(START)
    lower = [-np.inf, -np.inf, 0.0] if borrowed else [-np.inf] * 3 + [0.0, 0.0]
    upstream = curve_fit(theirs, tokens, rows.values, p0=start, bounds=(lower, np.inf))[0]
    ours = fit(rows, borrowed=borrowed)
    assert ours is not None
    free = [1, 2, 4] if borrowed else [0, 1, 2, 3, 4]
    if borrowed:
        assert (ours[0], ours[3]) == (START[0], START[3])
    predicted = theirs(tokens, *np.array(ours)[free])
    assert np.allclose(predicted, theirs(tokens, *upstream), rtol=2e-5)


def test_a_fit_of_two_sizes_is_scipys_bit_for_bit_since_the_path_decides() -> None:
    rng = np.random.default_rng(1)
    params, tokens = np.repeat([1e8, 1e9], 8), np.tile(np.geomspace(1.2e10, 3e11, 8), 2)
    clean = 1.7 + np.exp(6.0) / params**0.34 + np.exp(7.0) / tokens**0.33
    rows = Points(params, tokens, clean * np.exp(0.002 * rng.standard_normal(len(clean))))

    def theirs(_: object, a: float, b: float, e: float, alpha: float, beta: float) -> np.ndarray:
        return np.exp(e) + np.exp(a) / params**alpha + np.exp(b) / tokens**beta

    bounds = ([-np.inf] * 3 + [0.0, 0.0], np.inf)
    upstream = curve_fit(theirs, tokens, rows.values, p0=START, bounds=bounds)[0]
    assert fit(rows) == tuple(upstream)


def test_scores_are_the_mean_relative_error_and_scipys_huber() -> None:
    rows = Points(np.ones(2), np.ones(2), np.array([2.0, 4.0]))
    scored = score(np.array([2.2, 4.005]), rows)
    assert scored.are == pytest.approx((0.1 + 0.00125) / 2)
    assert scored.huber == pytest.approx((0.01 * (0.2 - 0.005) + 0.005**2 / 2) / 2)


def test_cells_find_their_place_by_order_and_not_by_label() -> None:
    def value(number: float) -> Value:
        return Value(number, 0.0, 100, 3)

    table = {2.0: {0.1: value(1), 0.2: value(2)}, 3.0: {0.2: value(3)}}
    cells = (Cell(0, 4, "9", 0.0), Cell(0, 7, "x", 0.0), Cell(5, 7, "0.1", 0.0))
    assert [one.are for one in align(cells, table) if one is not None] == [1, 2, 3]
    # A figure that lost a column: a row with as many cells as ours is read in order.
    lost = (Cell(0, 0, "", 0.0), Cell(5, 0, "", 0.0))
    assert align(lost, table)[0] is None
    assert align(lost, table)[1] == value(3)
    assert align((Cell(0, 0, "", 0.0),), table) == [None]


def test_every_scope_without_data_has_its_reason() -> None:
    cell = (Cell(0, 0, "0.1", 1.0),)
    for scope, reason in LACKING.items():
        found = plan(Group("hist", scope, "are", "figs/hist/one.pdf", cell, ()))
        assert (found.table, found.reason) == (None, reason)
    assert plan(Group("hist_1m", "OPT", "are", "one.pdf", (), cell)).reason == TICKS


@needs_data
def test_every_group_has_a_computation_or_a_reason() -> None:
    groups = read_groups(DATA)
    assert (len(groups), sum(one.size for one in groups)) == (154, 6045)
    for group in groups:
        planned = plan(group)
        assert (planned.table is None) == bool(planned.reason), group.figure


@needs_data
def test_the_set_pythia_deduped_has_eleven_models_as_in_its_figure() -> None:
    sets, absent = read_sets(DATA)
    assert not absent
    sizes = [model.params for model in sets["pythia-deduped"].models]
    printed = [19e6, 70e6, 160e6, 350e6, 410e6, 1e9, 1.3e9, 1.4e9, 2.8e9, 6.9e9, 12e9]
    assert sizes == printed


def test_rows_of_one_model_are_equal_to_a_hundredth(found: Published) -> None:
    rows = [row for row in found.rows if row.experiment == "hist_1m" and row.scope in ONE_MODEL]
    cells = [row for row in rows if row.why != TICKS]
    assert {row.scope for row in cells} == set(ONE_MODEL)
    assert len(cells) == 20 + 59 + 19 + 28 + 40 + 70
    unequal = [row for row in cells if row.gap is None or abs(row.gap) > 0.0101]
    assert not unequal


def test_rows_by_number_of_models_are_equal_to_a_hundredth(found: Published) -> None:
    checked: Counter[str] = Counter()
    for row in found.rows:
        if row.experiment != "hist" or row.scope not in BY_NUMBER or row.metric != "are":
            continue
        if row.row + 2 >= BY_NUMBER[row.scope]:  # the first row is of two models
            assert row.gap is not None
            assert abs(row.gap) <= 0.0101, row
            checked[row.scope] += 1
    assert checked == {"gpt3": 50, "OPT": 29, "t5-pile": 10}


def test_nothing_stays_unexplained(found: Published) -> None:
    counts = found.counts()
    assert counts["cells"] == 6045
    assert counts["compared"] >= 3700
    assert counts["within_0.01"] >= 2800
    assert counts["within_0.01"] <= counts["within_0.1"] <= counts["within_1"]
    equal = [row for row in found.rows if not row.why]
    assert len(equal) == counts["within_0.01"]
    assert found.reasons().get(OTHER, 0) == 0
    assert all(row.why for row in found.rows if row.ours is None)


def test_the_defects_have_the_numbers_of_the_facts(found: Published) -> None:
    by_name = {one.name: one for one in defects(DATA, found)}
    opt = by_name["OPT's unit"].numbers
    for size, perplexity, nats in (("6.7B", 32.46, 7.2), ("13B", 24.87, 6.2), ("30B", 15.02, 4.2)):
        assert opt[f"perplexity, from {size}"] == pytest.approx(perplexity, abs=0.01)
        assert opt[f"nats, from {size}"] == pytest.approx(nats, abs=0.05)
    assert opt["nats, 5 models"] == pytest.approx(3.0, abs=0.05)
    assert by_name["T5's unit"].numbers["borrowed A/N^alpha at 11B"] == pytest.approx(
        0.149, abs=1e-3
    )
    # -22 as a rule; where a floor ends that has none hangs on the last bit of the data's means
    assert by_name["unbounded floor"].numbers["ln E of t5-pile"] < -10
    assert by_name["seed noise"].numbers["their CV in %"] == pytest.approx(0.025, abs=1e-3)
    other = by_name["other families at other numbers"].numbers
    assert other["families at 2"] > other["families at 5"] >= other["common families"] > 0


@needs_data
def test_absent_files_are_a_reason_and_no_crash(tmp_path: Path) -> None:
    folder = tmp_path / "colpret"
    folder.mkdir()
    name = "published_heatmap_cells.csv"
    (folder / name).symlink_to(DATA / "colpret" / name)
    place = folder / "original" / "aggregated_eval"
    place.mkdir(parents=True)
    opt = "opt_trajectories.csv"
    (place / opt).symlink_to(DATA / "colpret" / "original" / "aggregated_eval" / opt)
    alone = as_published(tmp_path)
    assert alone.sets == ("OPT",)
    assert {row.scope.removeprefix("scale_") for row in alone.rows if row.ours is not None} == {
        "OPT"
    }
    assert any(row.why.startswith("file absent") for row in alone.rows)
    missing = [one for one in defects(tmp_path, alone) if not one.numbers]
    assert all(one.found.startswith("not made") for one in missing)
    assert len(missing) >= 4
    table = run(tmp_path)
    assert len(table.rows) == 154


def test_without_the_printed_cells_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="published_heatmap_cells"):
        as_published(tmp_path)
