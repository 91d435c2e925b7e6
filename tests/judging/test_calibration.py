"""Calibrated intervals: quantiles by brute force, sources that count once, coverage that holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from kleiber.errors import UsageError
from kleiber.fitting.bundle import bundle
from kleiber.judging.calibration import (
    ATOMS,
    MOST_LEVEL,
    Calibration,
    balanced,
    by_source,
    calibrate,
    typical,
    weighted_quantile,
)
from kleiber.judging.coverage import coverage, half_widths, prove, report, rows_of
from kleiber.judging.leave_out import Case, Cell, Trials
from kleiber.judging.teach import Taught


def trials_of(rows: Sequence[tuple[str, str, int, int]], seed: int = 0, **arrays: Any) -> Trials:
    """Return trials of (source, family, k, hidden finals) rows, errors drawn unless given."""
    from kleiber.runs.points import Points, run_weights

    cells: list[Cell] = []
    index: list[int] = []
    for i, (source, family, k, finals) in enumerate(rows):
        n = 5 + finals
        code = np.arange(n)
        points = Points(
            run=code,
            names=tuple(f"r{j}" for j in range(n)),
            params=np.append(np.geomspace(1e8, 8e8, 5), np.full(finals, 4e9)),
            tokens=np.full(n, 1e10),
            loss=np.full(n, 3.0),
            weight=run_weights(code),
            final=np.ones(n, dtype=bool),
        )
        sizes = tuple(points.params[:k].tolist())
        hidden = code >= 5
        cells.append(Cell(Case(family, source, points), k, k == 5, sizes, hidden))
        index += [i] * finals
    m = len(index)
    rng = np.random.default_rng(seed)
    found = {
        name: rng.standard_normal(m) * 0.02
        for name in ("error", "learnt", "weak", "best", "most", "gap")
    }
    found |= {"sd": np.full(m, 0.02), "scale": np.full(m, 0.02)}
    return Trials(tuple(cells), np.array(index), **(found | arrays), priors={})


SMALL = [
    ("a", "a1", 1, 2),
    ("a", "a1", 2, 1),
    ("a", "a2", 1, 3),
    ("b", "b1", 1, 1),
    ("c", "c", 5, 4),
]


def everything(trials: Trials) -> Any:
    return np.ones(len(trials.cell), dtype=bool)


# Quantiles and weights.


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.integers(1, 7)), min_size=1, max_size=12),
    st.integers(1, 19),
)
def test_the_weighted_quantile_is_that_of_values_repeated(
    rows: list[tuple[float, int]], twentieths: int
) -> None:
    values, counts = (np.array(x) for x in zip(*rows, strict=True))
    repeated = np.sort(np.repeat(values, counts))
    # The least value at which a share of at least the level is reached, in whole numbers.
    place = -(-twentieths * len(repeated) // 20) - 1
    found = weighted_quantile(values.astype(float), counts.astype(float), twentieths / 20)
    assert found == repeated[place]


def test_weights_are_shared_by_families_cells_and_finals() -> None:
    trials = trials_of(SMALL)
    w = balanced(trials, everything(trials))
    # a has two families, a1 two cells, its first of two finals.
    by_hand = [1 / 8, 1 / 8, 1 / 4, *[1 / 6] * 3, 1.0, *[1 / 4] * 4]
    assert w == pytest.approx(by_hand, rel=1e-12)
    single = np.array([cell.k for cell in trials.cells])[trials.cell] == 1
    w = balanced(trials, single)
    assert w == pytest.approx([1 / 4, 1 / 4, 0, *[1 / 6] * 3, 1.0, *[0] * 4], rel=1e-12)


def test_by_source_is_the_mean_of_the_chosen_cells() -> None:
    trials = trials_of(SMALL)
    found = by_source(np.arange(5.0), np.array([True, True, True, True, False]), trials.clusters)
    assert found == {"a": 1.0, "b": 3.0}


def test_a_family_ten_times_over_changes_nothing() -> None:
    once = trials_of([("a", "a", 2, 2), ("b", "b", 2, 3), ("c", "c", 2, 1), ("d", "d", 2, 1)])
    copies = [("b", f"copy {i}", 2, 3) for i in range(10)]
    of_b = once.cell == 1
    many = trials_of(
        [("a", "a", 2, 2), ("b", "b", 2, 3), ("c", "c", 2, 1), ("d", "d", 2, 1), *copies],
        **{
            name: np.append(getattr(once, name), np.tile(getattr(once, name)[of_b], 10))
            for name in ("error", "learnt", "weak", "best", "most", "gap", "sd", "scale")
        },
    )
    n = len(once.cell)
    assert half_widths(many, 0.9)[:n] == pytest.approx(half_widths(once, 0.9), rel=1e-12)
    for ours, theirs in zip(prove(once), prove(many), strict=True):
        for name in ("calibrated", "model", "constant"):
            first, second = vars(getattr(ours, name)), vars(getattr(theirs, name))
            assert first == pytest.approx(second, rel=1e-9)
    assert str(calibrate(many).to_dict()) == str(calibrate(once).to_dict())


def test_atoms_are_quantiles_of_each_sources_scores() -> None:
    rng = np.random.default_rng(3)
    trials = trials_of([("a", "a", 1, 399), ("b", "b", 2, 40)], error=rng.standard_normal(439))
    table = calibrate(trials)
    assert {k: len(v) for k, v in table.scores.items()} == {"a": ATOMS, "b": ATOMS}
    assert set(table.one_size) == {"a"}
    score = np.abs(trials.error[:399]) / 0.02
    levels = (np.arange(ATOMS) + 0.5) / ATOMS
    assert table.scores["a"] == pytest.approx(
        np.quantile(score, levels, method="inverted_cdf"), rel=1e-12
    )


# The factor.


def test_the_factor_is_a_quantile_in_which_each_source_counts_once() -> None:
    scores = {"many": (1.0,) * 60, "few": (5.0,), "other": (2.0, 3.0)}
    table = Calibration({**scores, **{f"s{i}": (1.0,) for i in range(7)}}, {"few": (9.0,)}, ())
    assert table.clusters == 10
    assert table.factor(0.8, 3) == 1.0  # eight of ten sources at 1
    assert table.factor(0.84, 3) == 2.0
    assert table.factor(0.9, 3) == 3.0
    assert table.factor(0.95, 3) == 5.0
    assert table.factor(0.9, 1) == 9.0  # one size: what single sizes needed, where that is more
    modest = replace(table, one_size={"few": (0.1,)})
    assert modest.factor(0.9, 1) == 3.0


@pytest.mark.parametrize("level", [0.0, -0.1, 0.951, 1.0, 2.0])
def test_levels_that_a_dozen_sources_cannot_support_are_refused(level: float) -> None:
    table = Calibration.from_dict(bundle().calibration)
    assert table.most_level == MOST_LEVEL
    with pytest.raises(UsageError, match=r"14 sources support levels above 0 and up to 0\.95"):
        table.factor(level, 3)


def test_two_sources_support_no_more_than_three_quarters() -> None:
    table = Calibration({"a": (1.0,), "b": (2.0,)}, {}, ())
    assert table.factor(0.75, 2) == 2.0
    with pytest.raises(UsageError, match=r"2 sources support levels above 0 and up to 0\.75"):
        table.factor(0.9, 2)


def test_the_table_comes_back_from_plain_data_and_joins_another() -> None:
    table = Calibration.from_dict(bundle().calibration)
    assert Calibration.from_dict(table.to_dict()) == table
    own = calibrate(trials_of([("mine", "f", 1, 3)]))
    both = table.joined(own)
    assert both.clusters == 15 and both.scores["mine"] == own.scores["mine"]
    assert both.typical == table.typical == own.joined(table).typical


def test_ladders_like_this_are_of_as_many_sizes_and_as_near() -> None:
    table = Calibration.from_dict(bundle().calibration)
    near, far = table.like(2, 5.0), table.like(2, 50.0)
    assert (near.sizes, near.reach, far.reach) == ("2", "near", "far")
    assert far.mean > near.mean
    assert {table.like(k, 2.0).sizes for k in range(5, 40)} == {"5+"}
    few = replace(
        table,
        typical=tuple(
            replace(one, clusters=3) if one.reach == "far" else one for one in table.typical
        ),
    )
    assert few.like(2, 50.0).reach == "any"


def test_typical_errors_are_over_sources_and_capped() -> None:
    trials = trials_of(SMALL, error=np.log1p(np.array([0.1] * 3 + [0.3] * 3 + [9.0] + [0.2] * 4)))
    found = typical(trials, "1")  # cells of a1, a2 and b
    assert (found.clusters, found.worst) == (2, 3.0)
    assert found.mean == pytest.approx((0.2 + 3.0) / 2)
    assert typical(trials, "5+").clusters == typical(trials, "all").clusters == 1
    assert typical(trials, "4").clusters == 0 and np.isnan(typical(trials, "4").mean)


# Half widths and what they cover.


def test_a_sources_own_errors_do_not_widen_its_own_interval() -> None:
    trials = trials_of([(f"s{i}", f"f{i}", 2, 3) for i in range(12)])
    before = half_widths(trials, 0.9)
    own = np.array(trials.clusters)[trials.cell] == "s3"
    after = half_widths(replace(trials, error=np.where(own, 20.0, 1.0) * trials.error), 0.9)
    assert np.array_equal(after[own], before[own])
    assert (after[~own] >= before[~own]).all() and (after[~own] > before[~own]).any()
    wider = half_widths(replace(trials, scale=np.where(own, 3.0, 1.0) * trials.scale), 0.9)
    assert wider[own] == pytest.approx(3.0 * before[own])


def test_a_half_width_is_the_quantile_of_the_other_sources_by_brute_force() -> None:
    rng = np.random.default_rng(5)
    trials = trials_of(
        [(s, f"{s}{i}", 2, 1 + i) for s in "abcde" for i in range(2)],
        scale=rng.uniform(0.01, 0.03, 15),
    )
    found = half_widths(trials, 0.8)
    names = np.array(trials.clusters)[trials.cell]
    scores = np.abs(trials.error) / trials.scale
    for one in "abcde":
        pool: list[tuple[float, float]] = []
        for other in set("abcde") - {one}:
            rows = np.flatnonzero(names == other)
            # Two families, of one and of two finals: a half, and a quarter each.
            pool += [(scores[i], w) for i, w in zip(rows, (0.5, 0.25, 0.25), strict=True)]
        factor = min(v for v, _ in pool if sum(w for x, w in pool if x <= v) >= 0.8 * 4 - 1e-9)
        own = names == one
        assert found[own] == pytest.approx(factor * trials.scale[own], rel=1e-12)


def test_exchangeable_sources_are_covered_as_often_as_was_said() -> None:
    """Sources differ in how far they miss; the next one is covered at the nominal rate."""
    rng = np.random.default_rng(7)
    covered: list[float] = []
    rows = [(f"s{i}", f"f{i}", 2, 2) for i in range(14)]
    base = trials_of(rows)
    for _ in range(400):
        own = np.repeat(np.exp(0.5 * rng.standard_normal(14)), 2)
        scale = rng.uniform(0.005, 0.05, 28)
        drawn = replace(base, error=scale * own * rng.standard_t(4, 28), scale=scale)
        covered.append(coverage(drawn, half_widths(drawn, 0.8), everything(drawn), 0.8).covered)
    # The finite-sample bound of a quantile among 13 others is within 1/14 of the level.
    error = np.std(covered) / np.sqrt(400)
    assert 0.8 - 1 / 14 - 3 * error < np.mean(covered) < 0.8 + 1 / 14 + 3 * error
    assert error < 0.01


@pytest.mark.parametrize("hits", range(7))
def test_the_bounds_are_clopper_and_pearsons(hits: int) -> None:
    trials = trials_of([(f"s{i}", f"f{i}", 2, 2) for i in range(6)], error=np.full(12, 0.01))
    wide = np.repeat([0.02] * hits + [0.005] * (6 - hits), 2)
    found = coverage(trials, wide, everything(trials), 0.9)
    exact = binomtest(hits, 6).proportion_ci(0.95, method="exact")
    assert found.covered == pytest.approx(hits / 6)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert found.clusters == 6


def test_the_interval_score_by_hand() -> None:
    trials = trials_of([("a", "a", 2, 2), ("b", "b", 2, 1)], error=np.array([0.03, -0.01, 0.1]))
    half = np.array([0.02, 0.02, 0.05])
    found = coverage(trials, half, everything(trials), 0.9)

    def score(error: float, wide: float) -> float:
        """(u - l) + 2/alpha (l - x)+ + 2/alpha (x - u)+ of Gneiting and Raftery 2007, eq. 43."""
        low, high, x = error - wide, error + wide, 0.0
        return (high - low) + 20.0 * max(low - x, 0.0) + 20.0 * max(x - high, 0.0)

    first, second, third = (score(e, w) for e, w in zip(trials.error, half, strict=True))
    assert found.score == pytest.approx((0.5 * (first + second) + third) / 2, rel=1e-12)
    assert found.covered == pytest.approx((0.5 * (0 + 1) + 0) / 2)
    assert found.median_width == pytest.approx((0.04 + 0.1) / 2)


def test_the_models_own_interval_is_the_normals() -> None:
    trials = trials_of([(f"s{i}", f"f{i}", 2, 1) for i in range(5)], sd=np.full(5, 0.01))
    found = prove(trials, 0.8)[0]
    assert found.model.median_width == pytest.approx(2 * norm.ppf(0.9) * 0.01)
    assert found.constant.median_width == pytest.approx(
        np.median(2 * half_widths(trials, 0.8, np.ones(5)))
    )


def test_scores_of_before_stand_in_for_sources_that_are_not_tried_again() -> None:
    own = trials_of([("mine", "f", 2, 2)])
    assert np.isnan(half_widths(own, 0.9)).all()
    others = {f"s{i}": (1.0, 2.0) for i in range(4)} | {"wide": (4.0,)}
    found = half_widths(own, 0.9, others=others)
    assert found == pytest.approx(4.0 * own.scale)
    assert half_widths(own, 0.8, others=others) == pytest.approx(2.0 * own.scale)
    proof = prove(own, 0.9, others)[0]
    assert not np.isnan(proof.calibrated.covered) and np.isnan(proof.constant.covered)


# On the public sets.


def test_the_calibrated_interval_beats_its_rivals(taught: Taught) -> None:
    everywhere, whole = prove(taught.trials)[:2]
    assert (everywhere.cells, whole.cells) == ("all", "all smaller sizes")
    for one in (everywhere, whole):
        assert one.calibrated.score < one.model.score < 1.0
        assert one.calibrated.score < one.constant.score
        assert one.calibrated.low < 0.9 < one.calibrated.high
    assert 0.85 <= everywhere.calibrated.covered <= 0.95
    assert everywhere.model.covered < everywhere.calibrated.covered
    assert whole.calibrated.median_width <= 0.07
    assert everywhere.calibrated.median_width <= 0.12


def test_the_report_says_the_numbers_of_its_plain_data(taught: Taught) -> None:
    text, found = report(taught), rows_of(taught)
    assert f"learnt from {len(found['sources'])} sources" in text
    for one in found["errors"]:
        assert f"{one['sizes']:<12}{100 * one['median']:8.2f}{100 * one['mean']:8.2f}" in text
    assert list(found["factors"]) == ["0.5", "0.8", "0.9", "0.95"]
    for level, factor in found["factors"].items():
        assert f"{level} {factor:.2f}" in text
        assert found["factors_one_size"][level] >= factor
    assert len(found["proof"]) == 11
