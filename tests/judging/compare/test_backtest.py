"""The back-test card: hidden top rungs of ladders whose truth is known, and of odd ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kleiber.judging.compare.backtest import Card, Held, backtest
from kleiber.judging.compare.ladders import Ladders, ladders_of
from kleiber.judging.compare.rungs import arms_of


def ladders(recipe, one=(1.7, 2.3, 0.15), other=(1.7, 2.2, 0.15), **more) -> Ladders:
    return ladders_of(*arms_of(recipe(one, seed=1, **more), recipe(other, seed=2, **more)))


def test_every_hidden_rung_is_a_row(recipe) -> None:
    data = ladders(recipe)
    card = backtest(data, np.random.default_rng(0))
    flops, apart, _ = data.differences()
    assert [row.flops for row in card.rows] == pytest.approx(
        [flops[-1], flops[-2], flops[-1], *flops[-3:]]
    )
    assert card.rows[0].actual == pytest.approx(apart[-1])
    assert card.rows[0].held_error == pytest.approx(apart[-2] - apart[-1])
    assert card.rows[-1].scale_up == pytest.approx(10**1.5)


def test_what_is_hidden_is_not_seen(recipe) -> None:
    data = ladders(recipe)
    other = replace(data, mean=data.mean + np.where(data.flops > 5e17, 0.1 * data.arm, 0.0))
    said, again = (backtest(one, np.random.default_rng(0)).rows for one in (data, other))
    assert [row.predicted for row in said] == [row.predicted for row in again]
    assert said[0].actual != again[0].actual


def test_intervals_hold_about_nine_in_ten(recipe) -> None:
    rows = [
        row
        for seed in range(8)
        for row in backtest(
            ladders_of(
                *arms_of(
                    recipe((1.7, 2.3, 0.15), seed=2 * seed),
                    recipe((1.7, 2.2, 0.147), seed=2 * seed + 1),
                )
            ),
            np.random.default_rng(seed),
        ).rows
    ]
    inside = np.mean([row.inside for row in rows])
    assert len(rows) == 48 and 0.8 <= inside <= 1.0


def test_a_top_rung_that_leaves_the_curve_fails_it(recipe) -> None:
    data = ladders(recipe)
    jump = np.where((data.arm > 0) & (data.flops > 1e17), 0.08, 0.0)
    card = backtest(replace(data, mean=data.mean + jump), np.random.default_rng(0))
    assert card.failed and card.covered < 1.0


def test_rank_is_wrong_where_a_crossing_was_hidden(recipe) -> None:
    at = 10**2.25  # between the rungs at 100 and 316
    slope = 0.15 - np.log(2.5 / 2.2) / np.log(at)
    data = ladders(recipe, (1.7, 2.5, 0.15), (1.7, 2.2, slope))
    ours, rank, known = backtest(data, np.random.default_rng(0)).signs()
    assert known == 6 and ours > rank


def test_the_verdict_of_a_card() -> None:
    row = Held(1e18, 3.0, "difference", 0.0, -0.01, 0.01, 0.005, True, True, True, 0.0)
    out, far = replace(row, inside=False, actual=0.015), replace(row, inside=False, actual=0.03)
    assert not Card(()).failed and np.isnan(Card(()).covered)
    assert not Card((row, out)).failed
    assert Card((row, out, out)).failed  # more missed than held
    assert Card((row, row, row, far)).failed  # one by 4.9 standard deviations


def test_short_ladders_have_no_card(recipe) -> None:
    data = ladders(recipe, rungs=3)
    assert backtest(data, np.random.default_rng(0)).rows == ()
