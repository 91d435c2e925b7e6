"""The next run and when to stop, against every candidate tried; and plans on top of runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kleiber.errors import InputError, UsageError
from kleiber.fitting.evidence import gather, weights
from kleiber.fitting.posterior import solve
from kleiber.fitting.prior import WEAK
from kleiber.fitting.shares import Design, log_loss
from kleiber.planning.design import Belief, Criterion, ModelError, Target
from kleiber.planning.next_run import next_run
from kleiber.planning.plan import plan
from kleiber.planning.rules import Rules
from kleiber.planning.search import grid
from kleiber.runs import Runs
from kleiber.runs.points import Points

TARGET = Target(7e9, 140e9)


def ladder(params: list[float], ratio: float = 20.0, noise: float = 0.005) -> Points:
    """Return finished runs of the weak prior's own mean law, with noise."""
    n = np.array(params)
    z = log_loss(WEAK.mean[None], Design.finals(n, ratio * n))[0]
    z = z + noise * np.random.default_rng(0).standard_normal(len(n))
    count = len(n)
    return Points(
        np.arange(count),
        tuple(f"r{i}" for i in range(count)),
        n,
        ratio * n,
        np.exp(z),
        np.ones(count),
        np.ones(count, dtype=np.bool_),
    )


def criterion_of(points: Points) -> Criterion:
    evidence = gather([(points, weights(points, np.ones(len(points), dtype=np.bool_)))])
    belief = Belief.of_runs(WEAK, solve(evidence, WEAK), evidence, 40, 0)
    return Criterion(belief, TARGET, ModelError())


def test_the_next_run_is_the_best_of_all_by_its_own_rule() -> None:
    criterion, rules = criterion_of(ladder([3e7, 6e7, 1.2e8])), Rules().at(TARGET)
    found = next_run(criterion, TARGET, rules, budget=2e19, worth=0.1)
    assert not found.stop and found.params and found.tokens
    menu = grid(rules, TARGET, 2e19)
    now = criterion.promise(np.empty(0), np.empty(0)).error
    best, gain = -1, -np.inf
    for i in range(len(menu.params)):
        after = criterion.promise(menu.params[i : i + 1], menu.tokens[i : i + 1]).error
        rate = np.log(now / after) / (6.0 * menu.params[i] * menu.tokens[i])
        if after <= 0.9 * now and rate > gain:
            best, gain = i, rate
    assert (found.params, found.tokens) == (menu.params[best], menu.tokens[best])
    assert found.error == pytest.approx(now) and found.error_after < 0.9 * now
    assert found.flops <= 2e19


def test_it_stops_where_no_run_is_worth_it_or_the_error_is_small_enough() -> None:
    criterion, rules = criterion_of(ladder([3e7, 6e7, 1.2e8, 2.4e8, 5e8])), Rules().at(TARGET)
    greedy = next_run(criterion, TARGET, rules, budget=1e18, worth=0.5)
    assert greedy.stop and "takes away 50%" in greedy.reason and greedy.params is None
    assert greedy.error_after > 0.5 * greedy.error
    enough = next_run(criterion, TARGET, rules, budget=1e20, error=greedy.error * 1.01)
    assert enough.stop and "within the" in enough.reason and enough.flops == 0.0
    more = next_run(criterion, TARGET, rules, budget=1e20, error=greedy.error * 0.99)
    assert not more.stop
    poor = next_run(criterion, TARGET, rules, budget=1e12)
    assert poor.stop and "buy no run" in poor.reason


def test_runs_at_hand_lower_the_error_and_are_not_paid_for_again() -> None:
    given = ladder([3e7, 6e7, 1.2e8, 2.4e8, 5e8])
    on_top = plan("7B", "140B", budget=2e19, given=given, prior=WEAK)
    alone = plan("7B", "140B", budget=2e19, prior=WEAK)
    assert on_top.before.error < 0.2 * alone.before.error
    assert on_top.after.error < min(on_top.before.error, alone.after.error)
    assert on_top.flops <= 2e19 and on_top.next is not None and not on_top.next.stop
    assert on_top.made["runs_at_hand"] == 5
    assert on_top.before.scale_up == pytest.approx(14.0)
    assert on_top.next.to_dict() == on_top.to_dict()["next"]


def test_one_run_after_the_other_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    params, tokens = [3e7, 6e7, 1.2e8], [6e8, 1.2e9, 2.4e9]
    errors = list[float]()
    for _ in range(30):
        n, d = np.array(params), np.array(tokens)
        z = log_loss(WEAK.mean[None], Design.finals(n, d))[0]
        count = len(n)
        points = Points(
            np.arange(count),
            tuple(map(str, range(count))),
            n,
            d,
            np.exp(z),
            np.ones(count),
            np.ones(count, dtype=np.bool_),
        )
        found = next_run(criterion_of(points), TARGET, Rules().at(TARGET), budget=3e19)
        errors.append(found.error)
        if found.stop:
            break
        assert found.params and found.tokens
        params.append(found.params)
        tokens.append(found.tokens)
    else:
        pytest.fail("it never stops")
    assert 3 < len(params) and errors[-1] < 0.7 * errors[0]


def test_an_error_that_the_runs_at_hand_reach_needs_no_more() -> None:
    given = ladder([3e7, 6e7, 1.2e8, 2.4e8, 5e8])
    done = plan("7B", "140B", error=0.2, given=given, prior=WEAK)
    assert done.runs == () and done.flops == 0.0 and done.after == done.before
    assert done.next is not None and done.next.stop
    assert "no run" in done.text()


def test_the_cheapest_addition_that_reaches_an_error() -> None:
    given = ladder([3e7, 6e7, 1.2e8, 2.4e8, 5e8])
    found = plan("7B", "140B", error=0.016, given=given, prior=WEAK)
    assert found.before.error > 0.016 >= found.after.error and found.runs
    assert found.flops < plan("7B", "140B", error=0.016, prior=WEAK).flops


def test_a_target_within_the_ladder_and_runs_that_say_nothing() -> None:
    with pytest.raises(UsageError, match="no larger than a run at hand"):
        plan("400M", "8B", budget=1e18, given=ladder([3e7, 1e8, 5e8]), prior=WEAK)
    with pytest.raises(InputError, match="None of the 2 runs at hand"):
        plan("7B", "140B", budget=1e20, given=ladder([1e6, 2e6]), prior=WEAK)


def test_a_source_of_the_bundled_prior_does_not_teach_its_own_plan(published: Path) -> None:
    from kleiber.runs.collections import load

    runs = load("gadre_overtraining", "c4_original/c4_val", published)
    small = runs.select(max_params=5e8)
    found = plan("6.9B", "138B", budget=1e20, given=small)
    assert "gadre" not in found.made["sources"] and found.made["sources"]
    assert "gadre" in plan("6.9B", "138B", budget=1e20).made["sources"]


def test_copied_rows_promise_no_more_than_the_runs_themselves() -> None:
    given = ladder([3e7, 6e7, 1.2e8, 2.4e8, 5e8])
    n = len(given)
    twice = Points(
        np.arange(2 * n),
        tuple(f"r{i}" for i in range(2 * n)),
        *(np.tile(one, 2) for one in (given.params, given.tokens, given.loss, given.weight)),
        np.repeat([False, True], n),  # the first of each pair is no end
    )
    once = plan("7B", "140B", budget=2e19, given=given, prior=WEAK)
    copied = plan("7B", "140B", budget=2e19, given=twice, prior=WEAK)
    assert (once.made["copies"], copied.made["copies"]) == (0, n)
    assert copied.made["runs_at_hand"] == n
    assert (copied.runs, copied.next) == (once.runs, once.next)
    assert copied.before.error == pytest.approx(once.before.error, rel=1e-9)
    assert "5 rows at hand repeat another's params, tokens and loss" in copied.text()
    assert "repeat" not in once.text()


def test_a_plan_is_for_one_family() -> None:
    given = ladder([3e7, 6e7, 1.2e8, 2.4e8])
    table = {
        "run": given.names,
        "params": given.params,
        "tokens": given.tokens,
        "loss": given.loss,
        "family": ["a", "b", "a", "b"],
    }
    mixed = Runs.read(table, unit="nats")
    with pytest.raises(UsageError, match=r"2 families \(a, b\); a plan is for one") as caught:
        plan("7B", "140B", budget=2e19, given=mixed, prior=WEAK)
    assert "--family" in caught.value.remedy
    alone = plan("7B", "140B", budget=2e19, given=mixed.select(family="a"), prior=WEAK)
    assert alone.made["runs_at_hand"] == 2


def test_what_to_do_next_is_said_before_the_ladder() -> None:
    given = ladder([3e7, 6e7, 1.2e8, 2.4e8, 5e8])
    more = plan("7B", "140B", budget=2e19, given=given, prior=WEAK).text().splitlines()
    assert more[1].startswith("  next      train ")
    assert more[2].startswith("  the least expected error for 2e+19")
    enough = plan("7B", "140B", budget=2e19, given=given, prior=WEAK, worth=0.9)
    lines = enough.text().splitlines()
    assert enough.runs and lines[1].startswith("  next      stop: no run")
    assert lines[2].startswith("  were the budget spent all the same, the least expected error")
