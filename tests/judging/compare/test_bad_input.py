"""What is wrong with a pair of tables is one sentence, and what is right still counts."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import kleiber
from kleiber.errors import ColumnError, InputError, UnitError, UsageError, ValuesError
from kleiber.judging.compare.backtest import Card
from kleiber.judging.compare.cautions import Facts, cautions
from kleiber.judging.compare.ladders import ladders_of
from kleiber.judging.compare.rungs import arms_of, lowest
from kleiber.judging.compare.verdict import Range
from kleiber.judging.finding import COMPARE_TITLES
from kleiber.runs import Runs

A, B = (1.7, 2.3, 0.15), (1.7, 2.2, 0.15)
AT = 1e19


compare = partial(kleiber.compare, replicates=200)


def said(found: kleiber.Comparison, code: str) -> list[str]:
    return [one.message for one in found.findings if one.code == code]


def sentences(error: InputError) -> int:
    return error.message.count(". ") + 1


def test_a_loss_that_is_no_number_costs_its_run_alone(recipe) -> None:
    table = recipe(A, seed=1).to_native()
    hurt = table.with_columns(
        loss=pl.when(pl.col("run") == "r3s1").then(float("nan")).otherwise(pl.col("loss"))
    )
    whole, found = (compare(one, recipe(B, seed=2), target_flops=AT) for one in (table, hurt))
    assert (whole.runs, found.runs, found.rungs) == ((21, 21), (20, 21), (7, 7))
    assert found.verdict == whole.verdict == "B"
    (text,) = said(found, "R008")
    assert "1 row with no loss" in text and said(whole, "R008") == []


def test_a_rung_of_one_run_that_diverged_is_a_missing_rung(recipe) -> None:
    table = recipe(A, seeds=1, seed=1).to_native()
    hurt = table.with_columns(
        loss=pl.when(pl.col("run") == "r3s0").then(float("inf")).otherwise(pl.col("loss"))
    )
    found = compare(hurt, recipe(B, seeds=1, seed=2), target_flops=AT)
    assert found.rungs == (6, 7) and found.common == 6
    assert said(found, "R008") and "no counterpart" in said(found, "R005")[0]


def curves(seed: int, size: float = 200.0) -> pl.DataFrame:
    """Return 6 sizes of 2 seeds, ten points a run."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"r{i}s{s}", n, 20 * n * x, 1.7 + size * n**-0.35 + 1200 * (20 * n * x) ** -0.37)
        for i, n in enumerate(np.logspace(6, 7.5, 6))
        for s in range(2)
        for x in np.linspace(0.1, 1.0, 10)
    ]
    table = pl.DataFrame(rows, schema=["run", "params", "tokens", "loss"], orient="row")
    return table.with_columns(loss=pl.col("loss") + 0.002 * rng.standard_normal(len(rows)))


def without(table: pl.DataFrame, runs: list[str], value: float | None) -> pl.DataFrame:
    """Return runs with another value for the loss from 70 % of their tokens on."""
    dead = pl.col("run").is_in(runs) & (pl.col("tokens") / (20 * pl.col("params")) > 0.65)
    return table.with_columns(loss=pl.when(dead).then(value).otherwise(pl.col("loss")))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_run_that_diverged_has_no_final_loss(value: float) -> None:
    table, other = curves(1), curves(2)
    found = compare(without(table, ["r4s1"], value), other, target_flops=1e17)
    never = compare(table.filter(pl.col("run") != "r4s1"), other, target_flops=1e17)
    (problem, _) = [one for one in found.findings if one.code == "R008"]
    assert problem.severity == "issue" and "r4s1" in problem.message
    # all that is said is said as if it had never been trained
    assert (found.runs, found.rungs) == (never.runs, never.rungs) == ((11, 12), (6, 6))
    assert found.difference == never.difference and found.noise == never.noise


def test_a_top_rung_that_diverged_is_named() -> None:
    hurt = without(curves(1), ["r5s0", "r5s1"], float("nan"))
    found = compare(hurt, curves(2), target_flops=1e17)
    assert found.rungs == (5, 6) and "no counterpart" in said(found, "R005")[0]
    assert "r5s0, r5s1" in said(found, "R008")[0]


def test_a_run_cut_short_by_empty_cells_is_named() -> None:
    table, other = curves(1), curves(2)
    whole = compare(table, other, target_flops=1e17)
    found = compare(without(table, ["r4s1"], None), other, target_flops=1e17)
    (text,) = said(found, "R008")
    assert "4 rows with no loss" in text and "Ends early for its size: r4s1 at 60%." in text
    assert said(whole, "R008") == []
    # its last loss stays, as a rung of its own
    assert (found.runs, found.rungs) == ((12, 12), (7, 6))


def test_a_missing_rung_is_said_and_the_others_are_compared(recipe) -> None:
    short = recipe(B, seed=2).to_native().filter(pl.col("run").str.starts_with("r3").not_())
    found = compare(recipe(A, seed=1), short, target_flops=AT)
    (text,) = said(found, "R005")
    assert text.startswith("1 rung of A (3.16e+16 FLOPs) has no counterpart")
    assert found.common == 6 and found.verdict == "B" and len(found.backtest.rows) == 6


def test_other_units_are_refused(recipe) -> None:
    bits = recipe(B, seed=2).to_native().with_columns(loss=pl.col("loss") / np.log(2))
    with pytest.raises(UnitError, match="losses are in nats and B's in bits") as error:
        compare(recipe(A, seed=1), Runs.read(bits, unit="bits"), target_flops=AT)
    assert sentences(error.value) == 1


def test_units_that_nobody_said_are_seen_by_their_ratio(recipe) -> None:
    table = recipe(A, noise=1e-4, seed=1).to_native()
    bits = table.with_columns(loss=pl.col("loss") / np.log(2))
    found = compare(table, bits, target_flops=AT)
    (text,) = said(found, "R014")
    assert "bits against nats" in text


def test_other_validation_sets_are_refused(recipe) -> None:
    a = recipe(A, seed=1, validation_set="c4")
    with pytest.raises(UnitError, match="on c4 and B's on paloma") as error:
        compare(a, recipe(B, seed=2, validation_set="paloma"), target_flops=AT)
    assert sentences(error.value) == 1
    same = compare(a, recipe(B, seed=2, validation_set="c4"), target_flops=AT)
    assert same.verdict == "B"
    both = pl.concat(
        [recipe(B, seed=2, validation_set=name).to_native() for name in ("c4", "pile")]
    )
    with pytest.raises(UnitError, match=r"several validation sets \(c4, pile\)"):
        compare(both, recipe(A, seed=1), target_flops=AT)


def test_computes_that_do_not_overlap_are_refused(recipe) -> None:
    far = recipe(B, seed=2, factor=1e4)
    with pytest.raises(ValuesError, match="computes do not overlap: A has 1e") as error:
        compare(recipe(A, seed=1), far, target_flops=1e23)
    assert "nothing says which is better" in str(error.value)


def test_two_single_runs_and_too_short_a_ladder_are_refused(recipe) -> None:
    one, two = recipe(A, computes=[1.0], seeds=1), recipe(B, computes=[1.0, 9.0], seeds=1)
    with pytest.raises(ValuesError, match="one rung each"):
        compare(one, recipe(B, computes=[1.0], seeds=1), target_flops=1e15)
    with pytest.raises(ValuesError, match="has 2 rungs, and a curve through them needs 3"):
        compare(one, two, target_flops=1e16)


def test_a_table_of_three_recipes_asks_which(recipe) -> None:
    tables = [
        recipe((1.7, 2.3 - 0.05 * i, 0.15), seed=i, recipe=name).to_native()
        for i, name in enumerate(("one", "two", "three"))
    ]
    table = pl.concat(tables).with_columns(run=pl.col("recipe") + pl.col("run"))
    with pytest.raises(UsageError, match=r"holds 3 \(one, three, two\)"):
        compare(table, target_flops=AT)
    found = compare(table, target_flops=AT, recipes=("one", "three"))
    assert (found.a, found.b, found.verdict) == ("one", "three", "B")
    with pytest.raises(UsageError, match="named twice"):
        compare(table, target_flops=AT, recipes=("one", "one"))
    with pytest.raises(InputError, match="four"):
        compare(table, target_flops=AT, recipes=("one", "four"))


def test_runs_that_have_not_ended_are_left_out(recipe) -> None:
    table = recipe(A, seed=1).to_native().with_columns(final=pl.col("run") != "r6s2")
    found = compare(table, recipe(B, seed=2), target_flops=AT)
    assert found.runs == (20, 21) and "r6s2" in said(found, "R008")[0]
    none = table.with_columns(final=pl.lit(False))
    with pytest.raises(ValuesError, match="No run of A has ended"):
        compare(none, recipe(B, seed=2), target_flops=AT)


def test_a_rung_that_failed_in_a_ladders_folder_leaves_the_others(tmp_path: Path) -> None:
    for name, size in (("red", 60.0), ("blue", 57.0)):
        for i, params in enumerate(np.logspace(6, 7.5, 6)):
            folder = tmp_path / name / f"{name}-{i}"
            folder.mkdir(parents=True)
            record = {"params": params, "seed": 0, "recipe": name, "rung": {"eps": 1e-20}}
            record |= {"text": {"validation_set": "held"}, "exact_flops_per_token": 6 * params}
            (folder / "run.json").write_text(json.dumps(record))
            failed = (name, i) == ("blue", 2)
            points = [
                {"step": k, "tokens": 20 * params * k / 10, "loss": 3.0, "lr": 1e-3}
                | {"heldout_loss": 2.0 + size * params**-0.3 + (0.1 / k) * (k < 10)}
                for k in range(1, 6 if failed else 11)
            ]
            (folder / "points.jsonl").write_text("\n".join(map(json.dumps, points)))
            (folder / ("failed.json" if failed else "done")).write_text("{}")
    found = compare(str(tmp_path / "red"), str(tmp_path / "blue"), target_flops=1e18)
    assert found.rungs == (6, 5) and found.verdict == "B"
    assert "blue-2" in said(found, "R008")[0] and "no counterpart" in said(found, "R005")[0]


@pytest.mark.parametrize("apart", [0.0, 1e-8])
def test_copies_of_a_run_count_once(recipe, apart: float) -> None:
    """Seeds that never reached the training: three runs a rung, of one loss."""
    rng = np.random.default_rng(3)

    def tripled(curve, seed: int) -> pl.DataFrame:
        rows = []
        for row in recipe(curve, seeds=1, seed=seed).to_native().iter_rows(named=True):
            for copy in "012":
                loss = row["loss"] + apart * rng.standard_normal()
                rows.append({**row, "run": row["run"] + copy, "seed": copy, "loss": loss})
        return pl.DataFrame(rows)

    for seed in range(4):
        found = compare(tripled(A, seed), tripled(B, 50 + seed), target_flops=AT)
        assert found.runs == (7, 7) and not found.noise_measured and found.noise > 5e-4
        texts = said(found, "R008")
        assert [text.split()[0] for text in texts] == ["14", "14"] and "r0s01, r0s02" in texts[0]
        assert {one.severity for one in found.findings if one.code == "R008"} == {"tip"}
    once = compare(*(recipe(curve, seeds=1) for curve in (A, B)), target_flops=AT)
    assert once.runs == (7, 7) and said(once, "R008") == []


def test_a_copy_among_repeats_costs_itself_alone(recipe) -> None:
    table = recipe(A, seed=1).to_native()
    same = table.filter(pl.col("run") == "r2s0")["loss"][0]
    hurt = table.with_columns(
        loss=pl.when(pl.col("run") == "r2s2").then(same).otherwise(pl.col("loss"))
    )
    found = compare(hurt, recipe(B, seed=2), target_flops=AT)
    assert found.runs == (20, 21) and found.noise_measured
    assert said(found, "R008")[0].startswith("1 run of A has the very loss") and "r2s2" in str(
        said(found, "R008")
    )


def test_flops_that_only_one_table_has_are_of_no_use(recipe) -> None:
    without = recipe(B, seed=2).to_native().drop("flops")
    found = compare(recipe(A, seed=1), without, target_flops=AT)
    assert said(found, "R001") and found.verdict == "B"
    holes = recipe(B, seed=2).to_native()
    holes = holes.with_columns(
        flops=pl.when(pl.col("run") == "r2s0").then(None).otherwise(pl.col("flops"))
    )
    with pytest.raises(ColumnError, match="1 of 21 finals of B have no flops"):
        compare(recipe(A, seed=1), holes, target_flops=AT)


def test_tokens_a_param_that_differ_are_said(recipe) -> None:
    other = (
        recipe(B, seed=2)
        .to_native()
        .with_columns(params=pl.col("params") / 2, tokens=pl.col("tokens") * 2)
    )
    found = compare(recipe(A, seed=1), other, target_flops=AT)
    assert "20 against 80" in said(found, "R007")[0]


def test_sizes_of_one_budget_become_their_lowest() -> None:
    """A parabola's bottom is found, and a lowest at the edge stays what was measured."""
    size = np.log(np.logspace(7, 9, 7))
    loss = 2.0 + 0.03 * (size - np.log(1.3e8)) ** 2
    best, at = lowest(size, loss)
    assert best == pytest.approx(2.0) and np.exp(at) == pytest.approx(1.3e8)
    assert lowest(size[:3], loss[:3]) == (loss[2], size[2])
    table = {"params": np.exp(size), "tokens": 1e18 / 6 / np.exp(size), "loss": loss}
    rows = {key: np.tile(np.asarray(value), 4) for key, value in table.items()}
    budget = np.repeat([1.0, 10.0, 100.0, 1000.0], 7)
    rows["tokens"] = rows["tokens"] * budget
    rows["loss"] = rows["loss"] - 0.1 * np.log10(budget)
    arm = arms_of(rows, {k: v + 0.01 * (k == "loss") for k, v in rows.items()})[0]
    assert [rung.designs for rung in arm.rungs] == [7] * 4
    assert [rung.mean for rung in arm.rungs] == pytest.approx([2.0, 1.9, 1.8, 1.7])


def test_seeds_of_a_size_are_averaged_before_the_lowest_is_sought() -> None:
    """The bottom of 7 sizes with 3 seeds: no bias of a minimum, and less noise than one seed."""
    rng = np.random.default_rng(8)
    size = np.log(np.logspace(7, 8.5, 7))
    true = 2.0 + 0.03 * (size - np.log(6e7)) ** 2
    noise = 0.002 * rng.standard_normal((400, 7, 3))
    once = np.array([lowest(size, true + each[:, 0])[0] for each in noise])
    runs = [(true[:, None] + each).ravel() for each in noise]
    found = np.array([lowest(np.repeat(size, 3), each)[0] for each in runs])
    of_means = [lowest(size, true + each.mean(axis=1))[0] for each in noise]
    assert found == pytest.approx(of_means, abs=1e-12)
    assert abs(found.mean() - 2.0) < 3 * 0.002 / np.sqrt(400)
    assert found.std() < 0.65 * once.std()


def test_a_size_of_more_seeds_weighs_more() -> None:
    size = np.array([0.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    loss = np.array([1.5, 1.3, 0.4, 0.1, 0.5, 1.4])
    rows = np.polyfit(size, loss, 2)  # least squares of all runs, which are of the five sizes
    bottom = -rows[1] / (2 * rows[0])
    assert lowest(size, loss) == pytest.approx((np.polyval(rows, bottom), bottom))


def test_a_row_of_near_computes_is_no_one_rung() -> None:
    """20 rungs 4 % apart span a factor of 2.1; runs of one rung lie within 5 % of each other."""
    flops = 1e15 * 1.04 ** np.arange(20)
    params = np.sqrt(flops / 120)
    table = {
        "params": params,
        "tokens": 20 * params,
        "flops": flops,
        "loss": 3 - 0.01 * np.arange(20),
    }
    rungs = arms_of(table, table)[0].rungs
    assert len(rungs) >= 10 and max(rung.designs for rung in rungs) == 1
    assert sum(len(rung.losses) for rung in rungs) == 20
    assert all(len(rung.losses) <= 2 for rung in rungs)
    assert (np.diff([rung.flops for rung in rungs]) > 0).all()


def test_rungs_are_parted_at_the_widest_gap() -> None:
    """Three computes that wander by 1 % about each of two that lie 6 % apart."""
    flops = 1e15 * np.array([0.99, 1.0, 1.01, 1.05, 1.06, 1.07, 10.0])
    params = np.sqrt(flops / 120)
    table = {"params": params, "tokens": 20 * params, "flops": flops, "loss": np.linspace(3, 2, 7)}
    rungs = arms_of(table, table)[0].rungs
    assert [len(rung.losses) for rung in rungs] == [3, 3, 1]


def test_a_smallest_rung_that_is_off_moves_little(recipe) -> None:
    """A small-scale term is among the candidates, so that the intervals still hold the truth."""
    true = 0.1 * 1e4**-0.15
    for shift in (-0.03, 0.03):
        table = recipe(A, seed=1).to_native()
        smallest = pl.col("run").str.starts_with("r0")
        odd = table.with_columns(loss=pl.col("loss") + pl.when(smallest).then(shift).otherwise(0.0))
        found = compare(odd, recipe(B, seed=2), target_flops=AT)
        assert found.difference.lower < true < found.difference.upper
        assert found.without_smallest is not None
        assert found.without_smallest.lower < true < found.without_smallest.upper


def test_a_smallest_rung_that_decides_is_said(recipe) -> None:
    arms = arms_of(recipe(A, seed=1), recipe(B, seed=2))
    facts = Facts(
        arms=arms,
        data=ladders_of(*arms),
        target=AT,
        difference=Range(0.02, 0.024, 0.028),
        without_smallest=Range(0.004, 0.01, 0.016),
        card=Card(()),
        floors=(1.7, 1.7),
    )
    (found,) = cautions(facts)
    assert found.code == "R017" and "+0.0100 nats, and with it +0.0240" in found.message
    assert cautions(replace(facts, without_smallest=Range(0.01, 0.021, 0.03))) == ()


def test_every_code_has_a_title_and_a_place_in_the_docs(root: Path) -> None:
    raised = {*re.findall(r'"(R0\d\d)"', inspect.getsource(inspect.getmodule(cautions)))}
    assert raised == {*COMPARE_TITLES}
    page = (root / "docs" / "findings.md").read_text(encoding="utf-8")
    assert all(f"| {code} | {title} |" in page for code, title in COMPARE_TITLES.items())


def test_an_arm_of_two_recipes_is_refused_until_one_is_named(recipe) -> None:
    both = pl.concat(
        [
            recipe(curve, seed=3, recipe=name).to_native().with_columns(run=name + pl.col("run"))
            for curve, name in ((A, "one"), (B, "two"))
        ]
    )
    other = recipe(B, seed=2, recipe="two")
    with pytest.raises(UsageError, match=r"2 recipes \(one, two\), and an arm .* is one") as error:
        compare(both, other, target_flops=AT)
    assert sentences(error.value) == 1
    assert compare(both, other, target_flops=AT, recipes=("one", "two")).runs == (21, 21)
    assert (
        "Runs of 2 recipes in one law: one, two"
        in kleiber.fit(both, "params-power-floor").data.notes[-1]
    )


def test_bits_against_nats_are_said_though_the_recipes_differ(recipe) -> None:
    bits = recipe(B, seed=2).to_native().with_columns(loss=pl.col("loss") / np.log(2))
    (text,) = said(compare(recipe(A, seed=1), bits, target_flops=AT), "R014")
    assert "bits against nats" in text
    assert said(compare(recipe(A, seed=1), recipe(B, seed=2), target_flops=AT), "R014") == []


def test_three_rungs_give_no_verdict_above_them(recipe) -> None:
    few = [recipe(curve, seed=i, rungs=3) for i, curve in enumerate((A, (2.5, 2.2, 0.145)))]
    found = compare(*few, target_flops=6e18)
    assert found.backtest.rows == () and found.chances.a > 0.9
    assert found.verdict == "undecided" and "too few for a back-test" in found.why
    assert compare(*few, target_flops=1e18).verdict == "A"


def test_a_validation_set_that_one_table_names_is_said(recipe) -> None:
    known, other = recipe(A, seed=1, validation_set="c4"), recipe(B, seed=2)
    (text,) = said(compare(known, other, target_flops=AT), "R018")
    assert "is measured on c4, and the other table does not say" in text
    for pair in ((known, recipe(B, seed=2, validation_set="c4")), (recipe(A, seed=1), other)):
        assert said(compare(*pair, target_flops=AT), "R018") == []
