"""Laws that read more than params and tokens: from the table to the saved fit and the command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares

from kleiber.cli import run
from kleiber.errors import ColumnError, FitError, UsageError, ValuesError
from kleiber.fitting import Constraints, fit, fit_points, load
from kleiber.judging import backtest, check, hide_largest
from kleiber.laws import REPETITION, ROUTED, get
from kleiber.runs import Runs

SEVEN = {
    "E": 1.87, "A": 521.0, "alpha": 0.35, "B": 1488.0, "beta": 0.37, "R_D": 15.4, "R_N": 5.3,
}  # fmt: skip


def table(points: Any) -> dict[str, Any]:
    """Return points as a table that Runs reads."""
    named = {"params": points.params, "tokens": points.tokens, "loss": points.loss}
    return {**named, **points.more, "run": list(points.names)}


# -- the laws themselves ---------------------------------------------------------------------


def test_one_epoch_of_few_enough_params_is_chinchilla() -> None:
    n, d = np.geomspace(1e6, 1e8, 9), 1e11
    plain = {k: v for k, v in SEVEN.items() if not k.startswith("R")}
    expected = get("chinchilla").loss(plain, n, d)
    for unique in (d, 10.0 * d):
        found = REPETITION.loss(SEVEN, n, d, unique_tokens=unique)
        assert found == pytest.approx(expected, rel=1e-14)


def test_repeating_for_ever_is_worth_so_many_epochs() -> None:
    plain = {k: v for k, v in SEVEN.items() if not k.startswith("R")}
    fresh = get("chinchilla").loss(plain, 1e7, 1e10 * (1.0 + SEVEN["R_D"]))
    found = REPETITION.loss(SEVEN, 1e7, 1e16, unique_tokens=1e10)
    assert float(found) == pytest.approx(float(fresh), rel=1e-12)
    more = REPETITION.loss(SEVEN, 1e7, 1e10 * np.array([1.0, 2, 4, 40, 400]), unique_tokens=1e10)
    assert np.all(np.diff(more) < 0)


def test_the_joints_of_repetition_have_one_slope() -> None:
    """Where R_D or R_N begins, both sides' differences agree: a Newton step may cross."""
    logs = np.log(np.array([[3e9], [2e10], [2e10]]))
    theta = REPETITION.natural(SEVEN)
    ratio = SEVEN["alpha"] * SEVEN["A"] / (SEVEN["beta"] * SEVEN["B"])
    logs[0] = (np.log(ratio) + SEVEN["beta"] * logs[2]) / SEVEN["alpha"]  # N = U_N
    for row in (0, 1, 2):
        step = np.zeros((3, 1))
        step[row] = 1e-6
        here, ahead, behind = (
            float(REPETITION.gradient(theta, logs + s * step)[0][0]) for s in (0, 1, -1)
        )
        assert (ahead - here) / 1e-6 == pytest.approx((here - behind) / 1e-6, abs=2e-6)


def test_over_training_is_chinchilla_with_one_exponent() -> None:
    values = {"E": 1.8, "a": 190.0, "b": 120.0, "eta": 0.17}
    n, d = np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e13, 5)
    same = {
        "E": 1.8, "A": 190.0 * 6.0**-0.17, "alpha": 0.34, "B": 120.0 * 6.0**-0.17, "beta": 0.34,
    }  # fmt: skip
    expected = get("chinchilla").loss(same, n, d)
    assert get("overtraining").loss(values, n, d) == pytest.approx(expected, rel=1e-13)


def test_the_expert_count_saturates_at_both_ends() -> None:
    values = {"a": -0.08, "b": -0.1, "c": 0.0, "d": 1.0, "E_start": 2.0, "E_max": 300.0}
    ends = ROUTED.loss(values, 1e9, experts=np.array([1.0, 1e12]))
    expected = 10.0 ** (-0.08 * 9.0 - 0.1 * np.log10([2.0, 300.0]) + 1.0)
    assert ends == pytest.approx(expected, rel=1e-9)


# -- fits ------------------------------------------------------------------------------------


def by_scipy(law: Any, points: Any, near: Mapping[str, float]) -> float:
    """Return the sum of squares of scipy's optimum of the written law, from the truth."""

    def residual(x: np.ndarray) -> np.ndarray:
        values = {
            p.name: float(np.exp(v)) if p.linear else float(v)
            for p, v in zip(law.parameters, x, strict=True)
        }
        return np.log(law.loss(values, points.params, points.tokens, **points.more) / points.loss)

    start = law.natural(near)
    found = least_squares(residual, start, x_scale=np.abs(start) + 0.1, xtol=1e-15, ftol=1e-15)
    return float(found.cost)


@pytest.mark.parametrize("name", ["repetition", "routed"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_other_optimiser_gets_lower(name: str, seed: int, ladder: Any, truths: Any) -> None:
    points = ladder(name, side=6, noise=0.004, seed=seed)
    made = fit_points(points, get(name), objective="log")
    other = by_scipy(get(name), points, truths[name])
    assert made.status.ok, made.status
    assert made.objective <= other * (1.0 + 1e-9)
    for key, exact in truths[name].items():  # a 99.9 % interval, of thirteen parameters thrice
        box = made.interval(key, level=0.999)
        assert box.lower <= exact <= box.upper, key


def test_a_bound_on_what_centring_moves_holds_as_written(ladder: Any) -> None:
    points = ladder("routed", side=6, noise=0.004)
    free = fit_points(points, ROUTED, objective="log")
    for name in ("b", "d"):
        value, width = free.values[name], 0.002 * abs(free.values[name])
        loose = Constraints(bounds={name: (value - width, value + width)})
        again = fit_points(points, ROUTED, objective="log", constraints=loose)
        assert again.objective == pytest.approx(free.objective, rel=1e-9)
        tight = Constraints(bounds={name: (value + width, value + 2.0 * width)})
        held = fit_points(points, ROUTED, objective="log", constraints=tight)
        assert held.at_bound == (name,)
        assert held.values[name] == pytest.approx(value + width, rel=1e-9)
        fixed = Constraints(fix={name: value + width})
        same = fit_points(points, ROUTED, objective="log", constraints=fixed)
        assert held.objective == pytest.approx(same.objective, rel=1e-9)


def test_everything_that_is_done_with_a_fit_can_be_done(ladder: Any, tmp_path: Path) -> None:
    for name in ("repetition", "routed"):
        runs = Runs.read(table(ladder(name, side=6, noise=0.003)), unit="nats")
        made = fit(runs, name)
        assert check(made) is not None
        (more,) = set(made.law.predictors) - {"params", "tokens"}
        assert more.replace("_", " ") in made.summary().replace("_", " ")
        assert "± -" not in made.summary()
        asked = made.predict("10B", "200B", unique_tokens="20B", experts=64)
        assert asked.to_dict()[more] == asked.more[more] and set(asked.more) == {more}
        assert more.replace("_", " ") in asked.sentence()
        again = load(made.save(tmp_path / "fit.json"))
        assert np.array_equal(again.points.more[more], made.points.more[more])
        assert again.predict("10B", "200B", unique_tokens="20B", experts=64) == asked
        low, high = made.to_dict()["data"][more]
        assert low == made.points.more[more].min() and high == made.points.more[more].max()
        assert again.frame()[more].to_list() == made.points.more[more].tolist()
        hidden = hide_largest(runs, name, points="finals")
        assert abs(hidden.relative) < 0.1
        for cell in backtest(runs, name, shares=(1.0,)).outcomes:
            assert cell.k < 4 or abs(cell.relative) < 0.1


def test_a_page_and_its_own_table_make_the_fit_again(ladder: Any, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="the report's extras are not installed")
    from kleiber.reporting import hide_again, write
    from kleiber.reporting.again import table_csv

    for name in ("repetition", "routed"):
        made = fit(Runs.read(table(ladder(name, side=6, noise=0.003)), unit="nats"), name)
        hidden = hide_again(made)
        assert not isinstance(hidden, str), hidden
        page = write(made, tmp_path / f"{name}.html", hidden=hidden, findings=check(made))
        assert "the law at each size" not in page.read_text(encoding="utf-8")
        (tmp_path / "table.csv").write_text(table_csv(made))
        again = fit(Runs.read(str(tmp_path / "table.csv"), unit="nats"), name, points="all")
        assert dict(again.values) == pytest.approx(dict(made.values), rel=1e-9)


def test_points_keep_their_columns(ladder: Any) -> None:
    points = ladder("repetition")
    some = points.take(np.array([3, 1, 8]))
    assert some.more["unique_tokens"].tolist() == points.more["unique_tokens"][[3, 1, 8]].tolist()
    read = Runs.read(table(points), unit="nats").points()
    assert np.array_equal(read.more["unique_tokens"], points.more["unique_tokens"])
    assert "experts" not in read.more
    assert read.predictors(("tokens", "unique_tokens")).shape == (2, 16)


# -- what is missing is named ----------------------------------------------------------------


def test_a_table_without_the_column(ladder: Any) -> None:
    points = ladder("chinchilla")
    for name, column in (("repetition", "unique_tokens"), ("routed", "experts")):
        with pytest.raises(ColumnError, match=f"reads {column}, and the runs have no") as error:
            fit(table(points), name)
        assert f"--columns {column}=" in error.value.remedy


def test_a_column_that_is_known_for_some_runs(ladder: Any) -> None:
    points = ladder("repetition")
    unique = [None, *points.more["unique_tokens"].tolist()[1:]]
    with pytest.raises(ValuesError, match="unknown or no positive number for 1 of 16 points"):
        fit({**table(points), "unique_tokens": unique}, "repetition")
    fit({**table(points), "unique_tokens": unique}, "chinchilla")  # which does not read it


def test_a_column_that_never_changes(ladder: Any) -> None:
    points = ladder("routed")
    with pytest.raises(FitError, match="All 16 points have experts = 8") as error:
        fit({**table(points), "experts": [8] * 16}, "routed")
    assert "--law chinchilla" in error.value.remedy


def test_a_prediction_without_the_value(ladder: Any) -> None:
    made = fit_points(ladder("repetition", side=5), REPETITION)
    with pytest.raises(UsageError, match="reads unique_tokens, and none was given") as error:
        made.predict(1e10, 1e12)
    assert "--unique-tokens" in error.value.remedy
    with pytest.raises(UsageError, match="unique_tokens must be a positive"):
        made.predict(1e10, 1e12, unique_tokens=0.0)


def test_the_command_predicts_with_its_options(
    ladder: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.json"
    columns = table(ladder("routed", side=6, noise=0.003))
    names = list(columns)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    path.write_text(
        json.dumps([{k: float(v) if k != "run" else v for k, v in r.items()} for r in rows])
    )
    base = ["predict", str(path), "--law", "routed", "--unit", "nats", "--params", "2B"]
    base += ["--tokens", "100B", "--json"]
    assert run([*base, "--experts", "128"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["experts"] == 128.0
    expected = fit(Runs.read(str(path), unit="nats"), "routed").predict(2e9, 1e11, experts=128)
    assert found["prediction"] == pytest.approx(expected.value, rel=1e-12)
    assert run(base) == 2
    said = capsys.readouterr()
    assert "--experts" in said.out + said.err
