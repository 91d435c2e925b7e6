"""Back-tests: batched cells equal single fits, hidden runs stay hidden, published errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kleiber.errors import UsageError, ValuesError
from kleiber.fitting import fit
from kleiber.judging import Cut, backtest
from kleiber.judging.cells import Cell, by_size, grouped, thin, weights
from kleiber.judging.report import text
from kleiber.runs import Runs
from kleiber.studies import opt_units
from tests.known.ladder import LADDER


@pytest.fixture
def curves() -> Runs:
    """Five sizes, ten checkpoints each, of a law known."""
    rng = np.random.default_rng(0)
    params = np.repeat(np.geomspace(1e8, 1e10, 5), 10)
    tokens = np.tile(np.geomspace(1e9, 1e11, 10), 5)
    loss = 1.8 + 430 / params**0.345 + 1900 / tokens**0.362
    runs = np.repeat([f"r{i}" for i in range(5)], 10)
    noisy = loss * np.exp(0.003 * rng.standard_normal(50))
    return Runs.read({"run": runs, "params": params, "tokens": tokens, "loss": noisy})


@pytest.mark.parametrize("objective", ["huber", "log", "raw"])
def test_a_cell_equals_the_fit_of_its_runs_alone(objective: str) -> None:
    runs = Runs.read(LADDER)
    found = backtest(runs, objective=objective).outcomes
    assert [o.k for o in found] == [2, 3, 4, 5]
    for outcome in found[1:]:
        alone = fit(runs.select(sizes=outcome.sizes), objective=objective)
        hidden = runs.hide_largest()[1].points()
        main = int(np.argmax(hidden.tokens))
        one = alone.predict(float(hidden.params[main]), float(hidden.tokens[main]))
        assert outcome.predicted == pytest.approx(one.value, rel=1e-6)
        assert outcome.lower == pytest.approx(one.lower, rel=1e-5)
        assert outcome.upper == pytest.approx(one.upper, rel=1e-5)
        assert outcome.actual == hidden.loss[main]


def test_the_hidden_size_never_enters() -> None:
    runs = Runs.read(LADDER)
    frame = runs.frame
    largest = frame["params"].max()
    wild = frame.with_columns(
        loss=frame["loss"] * (1 + 4 * (frame["params"] == largest).cast(float))
    )
    before = backtest(runs).outcomes
    columns = ["run", "params", "tokens", "loss"]
    after = backtest(Runs.read(wild.select(columns), unit="nats")).outcomes
    assert [o.predicted for o in after] == pytest.approx([o.predicted for o in before], rel=1e-12)


def test_weights_count_each_run_once(curves: Runs) -> None:
    points = curves.points()
    cells = by_size(grouped(points, 1.0)[:-1], shares=(0.5, 1.0))
    w = weights(points, cells, Cut(fraction=0.1))
    assert w.shape == (len(cells), 50)
    assert w.sum(axis=1) == pytest.approx([cell.k for cell in cells])
    assert not w[:, points.params == points.params.max()].any()
    early = points.tokens < 0.1 * 1e11
    assert not w[:, early & ~points.final].any()


def test_sizes_group_by_a_factor(curves: Runs) -> None:
    groups = grouped(curves.points(), 4.0)
    assert [len(group) for group in groups] == [2, 2, 1]
    assert {o.k for o in backtest(curves, group=4.0).outcomes} == {2}


@pytest.mark.parametrize("factor", [-1.0, 0.0, 0.99, float("nan"), float("inf")])
def test_a_factor_that_groups_nothing_is_refused(curves: Runs, factor: float) -> None:
    with pytest.raises(UsageError, match="1 or more") as caught:
        backtest(curves, group=factor)
    assert "--group" in caught.value.remedy


def test_a_table_of_families_is_refused_by_their_names(curves: Runs) -> None:
    table = curves.frame.select("run", "params", "tokens", "loss").to_dict(as_series=False)
    mixed = Runs.read({**table, "family": ["x"] * 20 + ["y"] * 30}, unit="nats")
    with pytest.raises(UsageError, match=r"2 families \(x, y\)"):
        backtest(mixed)


def test_a_row_says_which_of_the_hidden_points_it_shows() -> None:
    runs = Runs.read(LADDER)
    hidden = runs.hide_largest()[1].points()
    for outcome in backtest(runs).outcomes:
        assert outcome.judged == len(hidden)
        assert outcome.tokens == hidden.tokens.max()
        shown = outcome.predicted - outcome.actual
        assert (outcome.judged == 1) == (shown == pytest.approx(outcome.error, abs=1e-12))


def test_order_hide_sizes_and_finals(curves: Runs) -> None:
    sizes = curves.sizes
    down = backtest(curves, order="largest", which=("all", "finals")).outcomes
    assert [o.sizes for o in down][:2] == [sizes[2:4], sizes[1:4]]
    middle = backtest(curves, hide=sizes[3]).outcomes
    assert {o.hidden for o in middle} == {sizes[3]} and max(o.k for o in middle) == 3
    with pytest.raises(ValuesError, match="fewer than two sizes"):
        backtest(curves, hide=sizes[0])
    chosen = backtest(curves, sizes=[[sizes[0], sizes[2], sizes[3]]]).outcomes
    assert [o.sizes for o in chosen] == [(sizes[0], sizes[2], sizes[3])]
    with pytest.raises(ValuesError, match="No run has"):
        backtest(curves, sizes=[["7T"]])


def test_evidence_cuts_a_warm_up_that_misses_the_law() -> None:
    rng = np.random.default_rng(0)
    params = np.repeat(np.geomspace(1e8, 1e10, 5), 60)
    tokens = np.tile(np.linspace(1e9, 1e11, 60), 5)
    loss = 1.8 + 430 / params**0.345 + 1900 / tokens**0.362
    loss = loss * np.exp(0.001 * rng.standard_normal(300))
    columns = {"run": np.repeat([f"r{i}" for i in range(5)], 60), "params": params}
    clean = Runs.read({**columns, "tokens": tokens, "loss": loss})
    assert backtest(clean, cut="evidence").cut == Cut()
    warm = np.where(tokens < 0.05 * 1e11, 1.3, 1.0)
    harmed = Runs.read({**columns, "tokens": tokens, "loss": loss * warm})
    assert backtest(harmed, cut="evidence").cut == Cut(fraction=0.05)


def test_thinning_keeps_finals_and_bounds_points(curves: Runs) -> None:
    few = thin(curves.points(), 4)
    assert len(few) <= 5 * 5 and few.final.sum() == 5


def test_cuts_are_read() -> None:
    assert Cut.parse("10B") == Cut(tokens=1e10)
    assert Cut.parse("10%") == Cut(fraction=0.1)
    assert Cut.parse(None) == Cut()


def test_refusals() -> None:
    one = {"params": [1e8] * 3, "tokens": [1e9, 2e9, 3e9], "loss": [3.0, 2.9, 2.8]}
    with pytest.raises(ValuesError, match="fewer than two sizes"):
        backtest(one)
    with pytest.raises(UsageError, match="order"):
        by_size([(1.0,), (2.0,)], order="sideways")  # type: ignore[arg-type]
    assert Cell((1.0, 2.0)).k == 2


def test_opt_in_both_units_is_as_published(published: Path) -> None:
    for row in opt_units.run(published).rows:
        assert float(row["as perplexity %"]) == pytest.approx(float(row["published %"]), abs=0.006)
        assert float(row["in nats %"]) == pytest.approx(float(row["repaired %"]), abs=0.05)


def test_the_text_says_whose_losses_it_shows() -> None:
    """Two hidden finals: the row shows one of them, and the errors are means over both."""
    hidden = {"run": ["a", "b"], "params": [1e9, 1e9], "tokens": [2e10, 8e10]}
    small = {
        "run": [f"r{i}" for i in range(8)],
        "params": np.repeat([1e8, 2e8, 3e8, 5e8], 2),
        "tokens": np.tile([2e9, 8e9], 4) * np.repeat([1, 2, 3, 5], 2),
    }
    table = {key: [*small[key], *hidden[key]] for key in small}
    n, d = np.asarray(table["params"]), np.asarray(table["tokens"])
    table["loss"] = list(1.8 + 430 / n**0.345 + 1900 / d**0.362)
    table["loss"][-2] += 0.05
    several = backtest(Runs.read(table))
    last = several.outcomes[-1]
    assert abs(last.error - (last.predicted - last.actual)) > 0.02
    assert "of the hidden size's most-trained run" in text(several)
    alone = backtest(Runs.read({key: values[:-1] for key, values in table.items()}))
    assert "of the one hidden final" in text(alone) and "averaged" not in text(alone)
