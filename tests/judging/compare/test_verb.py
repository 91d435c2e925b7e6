"""The verb: its verdicts on known truths, its contract, its symmetry and its bounds."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

import kleiber
from kleiber.errors import UsageError

compare = partial(kleiber.compare, replicates=600)
WORSE, BETTER = (1.7, 2.3, 0.15), (1.7, 2.2, 0.15)


def test_it_is_public() -> None:
    from kleiber.judging import compare as verb

    assert kleiber.compare is verb
    assert kleiber.Comparison is type(
        compare(
            {"params": [1e6] * 3, "tokens": [1e7, 1e8, 1e9], "loss": [3.0, 2.9, 2.8]},
            {"params": [1e6] * 3, "tokens": [1e7, 1e8, 1e9], "loss": [3.1, 3.0, 2.9]},
            target_flops=1e16,
        )
    )


def test_the_contract(recipe) -> None:
    found = compare(
        recipe(WORSE, seed=1), recipe(BETTER, seed=2), target_flops="1e19", margin=0.005
    ).to_dict()
    json.dumps(found)
    assert found["schema"] == "kleiber.compare/1"
    shares = [found[key] for key in ("p_a", "p_tie", "p_b")]
    assert all(0 <= one <= 1 and round(one * 600) == pytest.approx(one * 600) for one in shares)
    assert sum(shares) == pytest.approx(1.0)
    assert (found["verdict"], found["why"], found["margin"]) == ("B", "", 0.005)
    assert set(found["difference"]) == {"lower", "median", "upper"}
    assert {"probability", "lower", "median", "upper", "kind"} <= set(found["crossover"])
    gain = found["gain"]
    assert len({len(gain[key]) for key in ("flops", "lower", "median", "upper")}) == 1
    assert gain["flops"][-1] == pytest.approx(1e19)
    assert found["backtest"]["rows"] and not found["backtest"]["failed"]


def test_the_contract_of_findings(recipe) -> None:
    a, b = (recipe(curve, seeds=1, named=False) for curve in (WORSE, BETTER))
    found = compare(a, b, target_flops=2e19).to_dict()["findings"]
    assert [one["code"] for one in found] == ["R002", "R004"]
    assert [one["severity"] for one in found] == ["issue", "tip"]
    for one in found:
        assert set(one) == {"code", "severity", "message", "remedy", "title"}
        assert all(isinstance(text, str) and text for text in one.values())


@pytest.mark.parametrize("seed", range(4))
def test_a_pure_multiplier(recipe, seed: int) -> None:
    found = compare(recipe(WORSE, seed=seed), recipe(BETTER, seed=50 + seed), target_flops=1e19)
    true = 0.1 * 1e4**-0.15
    assert found.verdict == "B" and found.p_b > 0.99
    assert found.difference.lower < true < found.difference.upper
    # B reaches with C what A needs (2.3 / 2.2)^(1/.15) C for, at every compute
    gain = (2.3 / 2.2) ** (1 / 0.15)
    inside = [
        low < gain < high for low, high in zip(found.gain.lower, found.gain.upper, strict=True)
    ]
    assert np.mean(inside) > 0.8
    assert found.gain.median[4] == pytest.approx(gain, rel=0.05)


def test_the_two_may_change_places(recipe) -> None:
    a, b = recipe(WORSE, seed=1), recipe((1.7, 2.25, 0.148), seed=2)
    one = compare(a, b, target_flops=1e19)
    other = compare(b, a, target_flops=1e19)
    assert one.p_a == pytest.approx(other.p_b, abs=0.04)
    assert one.difference.median == pytest.approx(-other.difference.median, abs=5e-4)
    assert one.difference.lower == pytest.approx(-other.difference.upper, abs=1.5e-3)
    assert one.crossover.probability == pytest.approx(other.crossover.probability, abs=0.04)


def test_the_same_seed_says_the_same(recipe) -> None:
    a, b = recipe(WORSE, seed=1), recipe(BETTER, seed=2)
    said = [compare(a, b, target_flops=1e19, seed=seed).to_dict() for seed in (0, 0, 1)]
    assert said[0] == said[1] != said[2]


def test_beyond_ten_tops_it_is_undecided(recipe) -> None:
    a, b = recipe((1.9, 2.3, 0.15), seed=1), recipe(BETTER, seed=2)
    near, far = (compare(a, b, target_flops=at) for at in (1e19, 1.1e19))
    assert near.verdict == "B" and far.verdict == "undecided" and far.p_b > 0.99
    assert "beyond 10 times" in far.why
    assert "R002" in {one.code for one in far.findings}
    assert "R002" not in {one.code for one in near.findings}


def test_recipes_of_other_flops_a_token(recipe) -> None:
    """B costs 1.3 times as much at every rung, so that no rung is at the compute of another."""
    a, b = recipe(WORSE, seed=1), recipe((1.7, 2.15, 0.15), seed=2, factor=1.3)
    found = compare(a, b, target_flops=1e19)
    assert found.common == 6 and found.paired == 21
    true = (2.3 - 2.15) * 1e4**-0.15
    assert found.verdict == "B" and found.difference.lower < true < found.difference.upper
    assert len(found.backtest.rows) == 6 and not found.backtest.failed
    assert found.backtest.signs() == (6, 6, 6)
    assert {one.code for one in found.findings} == {"R005"}
    assert "read between" in found.findings[0].message


def test_a_single_run_of_the_rival_at_scale(recipe) -> None:
    ladder = recipe(WORSE, seed=1)
    inside = 0
    for curve, word in ((BETTER, "B"), ((1.75, 2.3, 0.15), "A")):
        true = WORSE[0] - curve[0] + (WORSE[1] - curve[1]) * 1e4**-0.15
        for seed in range(6):
            single = recipe(curve, computes=[1e4], seeds=1, seed=seed)
            found = compare(ladder, single, target_flops=1e19, replicates=300)
            assert found.verdict == word
            inside += found.difference.lower < true < found.difference.upper
        assert found.backtest.rows[0].of == "A"  # its own loss is what can be hidden
        assert "R013" in {one.code for one in found.findings}
    assert inside >= 8  # of 12 at 90 %: fewer has a chance of .004
    beyond = compare(ladder, recipe(BETTER, computes=[2e4], seeds=1, seed=3), target_flops=2e19)
    assert beyond.verdict == "undecided"


def test_a_small_single_run_says_nothing_of_a_large_target(recipe) -> None:
    single = recipe(BETTER, computes=[1.0], seeds=1, seed=3)
    found = compare(recipe(WORSE, seed=1), single, target_flops=1e18)
    assert found.scale_up == pytest.approx(1000) and found.verdict == "undecided"


def test_noise_that_no_seed_measures_is_taken_from_the_rungs(recipe) -> None:
    a, b = (
        recipe(curve, seeds=1, named=False, seed=seed) for curve, seed in ((WORSE, 5), (BETTER, 6))
    )
    found = compare(a, b, target_flops=1e19)
    assert not found.noise_measured and 0.0005 < found.noise < 0.004
    assert found.paired == 0
    assert "measured by no repeated runs" in found.text()
    assert "R004" in {one.code for one in found.findings}


def test_noise_that_fades(recipe) -> None:
    """Seeds differ by .02 at the smallest rung and .001 at the largest."""
    rng = np.random.default_rng(7)
    tables = []
    for curve in (WORSE, BETTER):
        table = recipe(curve, noise=0.0).to_native()
        scale = 0.001 * (table["flops"] / 1e18) ** (-np.log(20) / np.log(1e3))
        tables.append(
            table.with_columns(loss=table["loss"] + scale * rng.standard_normal(len(scale)))
        )
    found = compare(*tables, target_flops=1e19)
    assert 0.0005 < found.noise < 0.0015 and 0.012 < found.noise_at_smallest < 0.03
    assert found.verdict == "B"
    assert "at the smallest" in found.text()


def test_what_makes_no_sense_is_refused(recipe) -> None:
    a, b = recipe(WORSE, seed=1), recipe(BETTER, seed=2)
    for asked, said in (
        ({"target_flops": 1e14}, "below every rung"),
        ({"target_flops": 1e19, "margin": -1.0}, "no margin"),
        ({"target_flops": 1e19, "margin": float("nan")}, "no margin"),
        ({"target_flops": 1e19, "replicates": 10}, "too few"),
        ({"target_flops": 1e19, "level": 90.0}, "level"),
    ):
        with pytest.raises(UsageError, match=said):
            compare(a, b, **asked)
