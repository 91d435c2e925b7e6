"""The detector's simulation: its truths, the rules it is compared to, its scores, its result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq, curve_fit

from kleiber.judging.compare.ladders import ladders_of
from kleiber.studies import compare_marin, crossover_detector
from kleiber.studies.crossover_detector import Trial, row_of
from kleiber.studies.detector.rules import Said, rank, separate, straight
from kleiber.studies.detector.truths import (
    NOISE,
    TARGET,
    TERM,
    UNIT,
    Curve,
    Truth,
    computes,
    draw_truth,
    ladder,
    truth_of,
)

PLACES = np.logspace(0.0, np.log10(TARGET), 20_001)


@pytest.mark.parametrize("term", ["none", "one", "other"])
def test_truths_cross_where_they_say(term) -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        truth = draw_truth(rng, crossing=True, term=term)

        def apart(log: float, truth: Truth = truth) -> float:
            at = np.array([np.exp(log)])
            return float((truth.a.loss(at) - truth.b.loss(at))[0])

        near = np.log(truth.crossing)
        root = np.exp(brentq(apart, near - 0.02, near + 0.02))
        assert truth.crossing == pytest.approx(root, rel=0.01)
        assert truth.difference == pytest.approx(apart(np.log(TARGET)))
        small = sorted((truth.a.term, truth.b.term))
        assert small[0] == 0.0 and (small[1] == TERM if term == "one" else small[1] >= 0)


def test_truths_that_do_not_cross_do_not() -> None:
    rng = np.random.default_rng(1)
    ways = []
    for _ in range(60):
        truth = draw_truth(rng, crossing=False, term="one")
        sign = np.sign(truth.a.loss(PLACES) - truth.b.loss(PLACES))
        assert (sign == sign[0]).all() and np.isnan(truth.crossing)
        ways.append(truth.way)
    assert {*ways} == {"multiplier", "exponents", "floors"}


def test_a_ladder_is_its_truth_with_the_noise() -> None:
    truth = truth_of(Curve(1.7, 2.3, 0.15), Curve(1.7, 2.2, 0.15, TERM), "multiplier")
    assert truth is not None and truth.harmful
    arms = [ladder(truth, np.random.default_rng(seed))[1] for seed in range(60)]
    losses = np.array([[rung.losses for rung in arm.rungs] for arm in arms])
    true = 1.7 + 2.2 * computes() ** -0.15 + TERM * computes() ** -0.6
    rest = losses - true[None, :, None]
    assert rest.shape == (60, 7, 3)
    assert abs(rest.mean()) < 4 * NOISE / np.sqrt(rest.size)
    assert rest.std() == pytest.approx(NOISE, rel=0.06)


def test_the_plain_fits_are_scipys() -> None:
    truth = truth_of(Curve(1.6, 2.4, 0.17), Curve(1.8, 2.1, 0.16), "floors")
    assert truth is not None
    data = ladders_of(*ladder(truth, np.random.default_rng(2)))
    quiet = ladders_of(*ladder(truth, np.random.default_rng(2)))
    object.__setattr__(quiet, "sd", 1e-9)
    said = separate(quiet, TARGET * UNIT, np.random.default_rng(0))
    at_target = []
    for side in (0.5, -0.5):
        rows = data.arm == side
        x = data.flops[rows] / UNIT
        fit, _ = curve_fit(
            lambda c, e, a, q: e + a * c**-q,
            x,
            data.mean[rows],
            p0=(1.5, 2.0, 0.15),
            bounds=([0.0, 0.0, 0.01], [5.0, 9.0, 1.0]),
            xtol=1e-14,
            ftol=1e-14,
            gtol=1e-14,
        )
        at_target.append(fit[0] + fit[1] * TARGET ** -fit[2])
    assert said.median == pytest.approx(at_target[0] - at_target[1], abs=2e-5)


def test_the_straight_line_is_the_regression() -> None:
    truth = truth_of(Curve(1.7, 2.3, 0.15), Curve(1.7, 2.2, 0.145), "exponents")
    assert truth is not None
    data = ladders_of(*ladder(truth, np.random.default_rng(3)))
    said = straight(data, TARGET * UNIT, np.random.default_rng(0))
    flops, apart, _ = data.differences()
    x = np.log10(flops) - np.log10(TARGET * UNIT)  # so that the intercept is at the target
    line = stats.linregress(x, apart)
    half = stats.t.ppf(0.95, len(x) - 2) * line.intercept_stderr
    assert said.median == pytest.approx(line.intercept)
    assert (said.lower, said.upper) == pytest.approx((line.intercept - half, line.intercept + half))
    zero = np.log10(TARGET * UNIT) - line.intercept / line.slope
    assert said.called and said.where[1] == pytest.approx(zero)


def test_rank_holds_what_the_top_says() -> None:
    truth = truth_of(Curve(1.7, 2.3, 0.15), Curve(1.75, 2.2, 0.15), "floors")
    assert truth is not None
    data = ladders_of(*ladder(truth, np.random.default_rng(4)))
    _, apart, error = data.differences()
    said = rank(data, TARGET * UNIT, np.random.default_rng(0))
    assert said.median == apart[-1] and said.called == bool(apart[0] * apart[-1] < 0)
    assert said.upper - said.lower == pytest.approx(2 * stats.norm.ppf(0.95) * error[-1], rel=1e-4)


def test_scores_are_those_of_a_hand() -> None:
    truth = Truth(Curve(1, 1, 1), Curve(1, 1, 1), "same", 0.010, 100.0, harmful=False)
    none = Truth(Curve(1, 1, 1), Curve(1, 1, 1), "same", -0.004, np.nan, harmful=False)
    right = Said(True, 0.008, 0.011, 0.013, (16.5, 17.0, 17.5), np.full(100, 0.011))
    missed = Said(False, 0.001, 0.002, 0.007, (np.nan,) * 3, np.full(100, 0.002))
    wrong = Said(True, 0.004, 0.006, 0.007, (17.2, 17.3, 17.4), np.full(100, 0.006))
    row = row_of("x", "y", [Trial(truth, right), Trial(truth, missed), Trial(none, wrong)])
    assert row["calls %"] == pytest.approx(200 / 3)
    assert row["sign right %"] == pytest.approx(200 / 3)
    assert row["difference covered %"] == pytest.approx(100 / 3)
    scores = (0.005, 0.006 + 20 * 0.003, 0.003 + 20 * 0.008)
    assert row["interval score"] == pytest.approx(np.mean(scores))
    assert row["C* covered %"] == 50.0  # an interval that is not there holds nothing
    assert row["C* width (decades)"] == pytest.approx(1.0)
    assert row["of it, 95 % bounds"] == "1.3 to 98.7"  # Clopper and Pearson of 1 in 2
    assert row["decided %"] == 100.0  # B, tie and B are said
    assert row["wrong %"] == pytest.approx(200 / 3)  # of B, B and A


def test_a_small_run_has_every_row() -> None:
    table = crossover_detector.run(repeats=2)
    names = [cell.name for cell in crossover_detector.cells()]
    assert len(names) == 11 and {row["truth"] for row in table.rows} >= {*names, "crossing, both"}
    assert len(table.claims) == 3
    again = crossover_detector.run(repeats=2)
    assert json.dumps(table.rows) == json.dumps(again.rows)


def test_the_result_meets_what_was_asked(root: Path) -> None:
    """The published table: what issue and docs claim of it is there."""
    written = json.loads((root / "results" / "crossover-detector.json").read_text())
    rows = {(row["truth"], row["rule"]): row for row in written["rows"]}
    ours = {truth: row for (truth, rule), row in rows.items() if rule == "kleiber compare"}
    drawn = ("crossing, clean", "crossing, one arm has the term")
    drawn += ("none, clean", "none, one arm has the term")
    assert [ours[name]["ladders"] for name in drawn] == [250] * 4
    assert ours["none, clean"]["calls %"] <= 5.0
    assert ours["none, one arm has the term"]["calls %"] <= 15.0
    assert 85.0 <= ours["crossing, both"]["C* covered %"] <= 95.0
    assert ours["the same recipe twice"]["calls %"] <= 5.0
    for name in drawn:
        score = {
            rule: row["interval score"] for (truth, rule), row in rows.items() if truth == name
        }
        assert min(score, key=lambda rule: score[rule]) == "kleiber compare"


def test_marin_is_as_written(published: Path, root: Path) -> None:
    table = compare_marin.run(published)
    written = json.loads((root / "results" / "compare-marin.json").read_text())
    assert table.claims == written["claims"]
    assert len(table.rows) == len(written["rows"]) == 18
    for row, before in zip(table.rows, written["rows"], strict=True):
        assert row["actual"] == pytest.approx(before["actual"], abs=1e-6)
        assert row["predicted"] == pytest.approx(before["predicted"], abs=1e-4)


def test_a_budgets_loss_is_the_bottom_of_a_parabola(published: Path) -> None:
    from kleiber.judging.compare.rungs import arms_of
    from kleiber.runs.collections import load

    runs = [
        load("open_athena_isoflop", f"marin_202603/{name}", published)
        for name in ("dclm", "nemotron")
    ]
    arm = arms_of(*runs)[0]
    frame = runs[0].frame.filter(runs[0].frame["flops"] == 3e20)
    size, loss = np.log(frame["params"].to_numpy()), frame["loss"].to_numpy()
    near = np.argsort(np.abs(size - size[np.argmin(loss)]))[:5]
    best = np.poly1d(np.polyfit(size[near], loss[near], 2))
    assert arm.rungs[-1].flops == pytest.approx(3e20)
    assert arm.rungs[-1].mean == pytest.approx(float(best(-best[1] / (2 * best[2]))), abs=1e-6)
