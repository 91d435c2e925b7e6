"""The claims of the study of paradigms, held against settings whose answer is known."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kleiber.studies.paradigms.claims import Edge, judge
from kleiber.studies.paradigms.grids import GRIDS, OFTEN, ONCE
from kleiber.studies.paradigms.settings import Setting, difference, settings
from kleiber.studies.paradigms.study import run, tabulate

JITTER = (-0.001, 0.0, 0.001) * 2  # seeds, the same for every setting: paired differences are exact


def losses(rung: Any) -> tuple[float, float]:
    """Return (test, seen) of a world that is as the paper says."""
    x = math.log(rung.lr * rung.width / 0.4)
    seen = 2.0 + 4.0 / rung.width + 0.02 * (x - 0.5 * math.log(rung.batch / 16)) ** 2
    seen += 0.01 * math.log(rung.batch / 16) ** 2
    gap = 0.0
    if rung.epochs > 1:
        seen -= 0.02 * rung.epochs * rung.width / 64 * 1.3
        gap = 0.03 * rung.epochs * rung.width / 64 + 0.02 * math.log(rung.batch)
        gap -= 0.1 * bool(rung.weight_decay)
    return seen + gap, seen


def world(change: Any = losses) -> dict[str, list[Setting]]:
    found: dict[str, list[Setting]] = {}
    for grid in GRIDS:
        rows = {}
        for rung in grid.rungs():
            test, seen = change(rung)
            at = JITTER[rung.seed]
            rows[rung.name] = {"unseen_loss": test + at, "seen_loss": seen + at}
        found[grid.name] = settings(grid, rows)
    return found


def verdicts(found: dict[str, list[Setting]]) -> dict[str, str]:
    return {one.claim: one.verdict for one in judge(found)}


def test_a_world_as_published_is_shown_so() -> None:
    said = verdicts(world())
    for start in (
        "At one epoch the gap is negligible",
        "At one epoch a larger model is better",
        "Of a model far larger than its data",
        "Between the two, test loss is U-shaped",
        "Loss is U-shaped in the learning rate",
        "The best rate is clearly below",
        "At one compute, loss is U-shaped in the batch",
        "The old rule, a smaller batch has the smaller gap",
        "L2 in the gradient brings nothing at one epoch",
        "L2 in the gradient lowers the test loss at 64",
        "Weight decay at one epoch does not act",
        "Weight decay at 64 epochs lowers",
    ):
        (found,) = [verdict for claim, verdict in said.items() if claim.startswith(start)]
        assert found == "shown", start


def test_a_world_the_other_way_round_is_not() -> None:
    def other(rung: Any) -> tuple[float, float]:
        test, seen = losses(rung)
        gap = test - seen
        if rung.weight_decay:  # helps where it should not, and not where it should
            gap += 0.2 if rung.epochs > 1 else -0.2
        if rung.epochs == 1:
            gap += 0.3
        return seen + gap - 0.04 * math.log(rung.batch) * (rung.epochs > 1), seen

    said = verdicts(world(other))
    starts = {
        "At one epoch the gap is negligible": "opposite",
        "The old rule, a smaller batch": "opposite",
        "L2 in the gradient brings nothing": "opposite",
        "L2 in the gradient lowers": "opposite",
        "Weight decay at one epoch": "opposite",
    }
    for start, wanted in starts.items():
        (found,) = [verdict for claim, verdict in said.items() if claim.startswith(start)]
        assert found == wanted, start


def test_the_edge_is_below_the_first_rate_that_fails() -> None:
    grid = next(grid for grid in GRIDS if grid.name == "rate")
    rows = {
        rung.name: {"unseen_loss": 2 + abs(math.log(rung.lr / 0.02)) / 100, "seen_loss": 2.0}
        for rung in grid.rungs()
        if not (rung.lr > 0.1 and rung.seed == 1)  # one seed of three was no number
    }
    edge = Edge.of(settings(grid, rows), ONCE)
    assert edge.best.rung.lr == pytest.approx(0.02)
    assert edge.edge.rung.lr == pytest.approx(0.05)
    assert edge.distance == pytest.approx(2.5)


def test_the_interval_of_the_best_of_several_is_wider() -> None:
    one, best = (
        difference({0: 1.0, 1: 1.2, 2: 1.1}, {2: 1.0, 1: 1.0, 0: 1.0, 7: 9.0}, tries=tries)
        for tries in (1, 5)
    )
    # t of 2 degrees at .95 is 2.91999, at .99 it is 6.96456 (published tables)
    assert (one.upper - one.value) / (0.1 / math.sqrt(3)) == pytest.approx(2.91999, rel=1e-5)
    assert (best.upper - best.value) / (0.1 / math.sqrt(3)) == pytest.approx(6.96456, rel=1e-5)


def test_every_grid_turns_its_dial_on_much_text_and_on_little() -> None:
    for grid in GRIDS:
        rungs = grid.rungs()
        assert {ONCE, OFTEN} <= {rung.epochs for rung in rungs}
        assert len({getattr(rung, grid.dial) for rung in rungs}) >= 4
        assert len({rung.shown_tokens for rung in rungs}) == 1
    assert len({rung.fingerprint for grid in GRIDS for rung in grid.rungs()}) >= 60


def test_a_run_that_diverged_is_a_result_and_another_error_is_raised(tmp_path: Any) -> None:
    from kleiber.errors import InputError

    def train(rungs: Any, out: Any, *, jobs: int | None = None) -> Any:
        done, failed = [], {}
        for rung in rungs:
            test, seen = losses(rung)
            row = {"run": rung.name, "unseen_loss": test + JITTER[rung.seed], "seen_loss": seen}
            if rung.lr > 0.3:
                failed[rung.name] = {"message": "...: its training diverged.", "remedy": ""}
            else:
                done.append({**row, "loss": test})
        return done, failed

    book = run(tmp_path, train=train)
    rates = next(table for table in book.tables if table.name == "paradigms-rate")
    assert sum(row["failed"] for row in rates.rows) == 6
    assert "240 runs" in book.tables[0].claims[0] and len(book.tables) == 5

    def broken(rungs: Any, out: Any, *, jobs: int | None = None) -> Any:
        return [], {"one": {"message": "There is no memory.", "remedy": "Buy some."}}

    with pytest.raises(InputError, match="There is no memory"):
        run(tmp_path, train=broken)


def test_tables_hold_test_loss_as_a_sum() -> None:
    for table in tabulate(world()).tables[1:]:
        for row in table.rows:
            assert row["test"] == pytest.approx(row["seen"] + row["gap"])
