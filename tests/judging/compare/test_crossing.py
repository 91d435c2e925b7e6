"""Where curves cross, against curves whose crossing is known."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl
import pytest

from kleiber.judging import compare as verb
from kleiber.judging.compare.crossing import holm, last_swap

compare = partial(verb, replicates=600)


def test_holm_stops_at_the_first_that_fails() -> None:
    # Thresholds .0125, .0167, .025, .05: .03 is above .025, so that it and .04 stay.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == [True, False, False, True]
    assert holm(np.array([0.01, 0.02, 0.03])).tolist() == [True, True, True]
    assert holm(np.array([0.5, 0.9])).tolist() == [False, False]


def test_the_last_change_of_sign_is_found() -> None:
    places = np.linspace(0.0, 4.0, 161)
    rows = np.stack([places - 1.234, (places - 1) * (places - 3.1), np.ones(161), -places - 1])
    found = last_swap(places, rows)
    assert found[:2] == pytest.approx([1.234, 3.1], abs=1e-3)
    assert np.isnan(found[2:]).all()


@pytest.mark.parametrize("where", [0.03, 0.3])
def test_a_crossing_between_rungs_is_observed(recipe, where: float) -> None:
    at = 1e3 * where  # in units of the smallest rung
    slope = 0.15 - np.log(2.4 / 2.2) / np.log(at)
    found = compare(
        recipe((1.7, 2.4, 0.15), seed=1), recipe((1.7, 2.2, slope), seed=2), target_flops=1e19
    )
    one = found.crossover
    assert one.kind == "observed" and one.said == "they cross" and one.probability > 0.95
    assert one.bracket is not None and one.bracket[0] < at * 1e15 < one.bracket[1]
    assert one.lower < at * 1e15 < one.upper
    assert found.verdict == "A"  # the worse at small scale
    assert "observed between" in found.text()


def test_one_beyond_the_rungs_is_extrapolated(recipe) -> None:
    at = 2e3  # two tops
    slope = 0.15 - np.log(2.4 / 2.2) / np.log(at)
    found = compare(
        recipe((1.7, 2.4, 0.15), seed=1), recipe((1.7, 2.2, slope), seed=2), target_flops=1e19
    )
    one = found.crossover
    assert one.kind == "extrapolated" and one.bracket is None
    assert one.lower < at * 1e15 < one.upper
    assert "not observed" in found.text()


def test_none_is_told_from_not_known(recipe) -> None:
    apart = compare(
        recipe((1.7, 2.3, 0.15), seed=1), recipe((1.7, 2.1, 0.15), seed=2), target_flops=1e19
    ).crossover
    assert (apart.kind, apart.said) == ("none", "they do not cross")
    noisy = compare(
        recipe((1.7, 2.3, 0.15), noise=0.03, seed=1),
        recipe((1.7, 2.28, 0.149), noise=0.03, seed=3),
        target_flops=1e19,
    ).crossover
    assert (noisy.kind, noisy.said) == ("none", "cannot tell")


def test_one_recipe_twice_has_no_winner_and_hardly_a_crossing(recipe) -> None:
    found = [
        compare(
            recipe((1.7, 2.3, 0.15), seed=10 + seed),
            recipe((1.7, 2.3, 0.15), seed=100 + seed),
            target_flops=1e19,
        )
        for seed in range(8)
    ]
    assert all(one.verdict in ("tie", "undecided") for one in found)
    assert sum(one.crossover.kind != "none" for one in found) <= 1  # by a test at .05
    assert sum("R016" in {each.code for each in one.findings} for one in found) >= 4


def test_a_swap_that_rungs_show_is_observed_though_no_curve_follows_it(recipe) -> None:
    """One recipe turns unstable at its largest rung: seeds say so, smooth curves do not."""
    table, other = (
        recipe((1.7, 2.3, 0.15), seed=1, noise=0.01),
        recipe((1.7, 2.35, 0.15), seed=2, noise=0.01),
    )
    top = pl.col("flops") > 0.9 * pl.col("flops").max()
    hurt = table.to_native().with_columns(
        loss=pl.col("loss") + pl.when(top).then(0.3).otherwise(0.0)
    )
    found = compare(hurt, other, target_flops=1e18).crossover
    assert (found.kind, found.said) == ("observed", "they cross")
    low, high = found.bracket or (0.0, 0.0)
    assert low < high == pytest.approx(1e18)
    whole = compare(table, other, target_flops=1e18).crossover
    assert whole.kind == "none" and whole.bracket is None
