"""The presets gpu and paper: cells, memory, FLOPs by hand, prices, plans that can be trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kleiber.cli import run as kleiber
from kleiber.errors import UsageError
from kleiber.knowledge.cell import Cell
from kleiber.knowledge.equal import of_size, params_of
from kleiber.knowledge.preset import preset
from kleiber.planning.cost import prices
from kleiber.studies import capacity
from kleiber.studies.capacity import NUMBERS, declared, scale_gpu
from kleiber.studies.capacity.estimate import CPU, GPU, Machine, said
from kleiber.studies.capacity.paper import LADDER, params, planned, shapes
from kleiber.studies.capacity.price import plan, plan_all, preset_text, write_presets
from kleiber.studies.capacity.ratios import paired_ratio
from kleiber.studies.capacity.report import report
from kleiber.studies.capacity.result import OPPOSITE, SHOWN, Arm, Compare, Result
from kleiber.studies.capacity.scale import scale
from kleiber.studies.capacity.study import run, tabulate
from kleiber.studies.capacity.trained import Taught
from kleiber.studies.capacity.work import Work, reached, works_of

ROOM = 30e9  # bytes for one run: four at once fit a GPU of 141 GB, of which texts take none
B_50K = 50_000 * (math.log2(400 * 400 * 1000 / 50_000) + 47.5916)  # bits of 50,000 people


@pytest.mark.parametrize("number", NUMBERS)
def test_what_the_gpu_is_to_train_can_be_built(number: int) -> None:
    from kleiber.knowledge.prepare import stack_bytes

    result = declared(number, "gpu")
    assert result.number == number
    for arm in result.arms:
        cell = arm.cell
        if arm.equal is not None:
            cell, found = of_size(cell, params_of(result.arm(arm.equal).cell))
            assert abs(found.off) < 0.06, arm.name
        assert (cell.people, cell.context, cell.precision) == (50_000, 512, "bf16")
        assert cell.exposures in (100, 1000)
        assert works_of([cell])[0].steps > 15_000
        assert stack_bytes([cell]) < ROOM


def test_the_sizes_of_result_1_are_held_against_the_figure() -> None:
    """By hand: 2.85 + .06 (2.345664 - 1.807) / (2.409 - 1.807) Mbit of 2.345664M parameters."""
    result = declared(1, "gpu")
    sizes = [arm.cell for arm in result.arms]
    maxima = [B_50K / params_of(cell) for cell in sizes]
    assert all(0.9 < most < 2.6 for most in maxima)
    under = {one.over: one.under for one in result.compare if (one.least, one.most) == (0.95, 1.05)}
    assert len(under) == 3
    by_hand = (2.85 + 0.06 * (2.345664 - 1.807) / (2.409 - 1.807)) / 2.345664
    assert under["GPT2-4-3"] == pytest.approx(by_hand)
    assert all(float(under[arm.name]) < most for arm, most in zip(result.arms, maxima, strict=True))


def test_the_work_of_a_run_by_hand() -> None:
    """GPT2-2-3 on 2947 rows: 12 d^2 a layer and the head, 6 FLOPs each; 6 L T d for attention."""
    (work,) = works_of([scale_gpu.high()])
    d = 192
    each = 6 * (2 * 12 * d * d + 2947 * d) + 6 * 2 * 512 * d
    assert work.tokens == work.steps * 96 * 512
    assert work.tokens == pytest.approx(50_000 * 1000 * 68.844, rel=0.01)
    assert work.flops == work.tokens * each
    assert work.params == 2 * (12 * d * d + 13 * d) + 2947 * d + 2 * d
    hours = work.flops / (989e12 * 0.4 * 192 / 768) / 3600
    assert work.gpu_hours(prices("h200", 0.4)) == pytest.approx(hours)
    assert (reached(768), reached(1280), reached(384)) == (1, 1, 0.5)


def test_junk_is_work_too() -> None:
    clean, junk = works_of([scale_gpu.low(), scale_gpu.low(mix={"junk": "fresh"})])
    assert junk.steps == pytest.approx(8 * clean.steps, rel=0.001)
    assert junk.params == clean.params


def test_time_by_hand() -> None:
    work = Work(scale_gpu.high(width=768), params=1, steps=100, tokens=1000, flops=1e12)
    machine = Machine("a", 0.01, 1e12, narrow=True, texts=1e9, start=5, shared=True)
    assert machine.alone([work]) == 5 + 1  # a second of steps, one of arithmetic
    assert machine.seconds([[work]] * 4, at_once=2) == 12  # two by two
    assert machine.seconds([[work]] * 4, at_once=4) == 6
    slower = replace(machine, flops=1e11)
    assert slower.alone([work]) == 15
    assert slower.seconds([[work]] * 4, at_once=4) == 40  # one device does the arithmetic of all
    assert replace(machine, texts=100).alone([work]) == 15
    core = replace(machine, shared=False)
    assert core.alone([work, work]) == 5 + 1 + 2  # a stack has its steps in common
    assert machine.seconds([], at_once=2) == 0
    assert [said(s) for s in (0.2, 89, 300, 7200)] == [
        "1 seconds", "89 seconds", "5 minutes", "2.0 hours",
    ]  # fmt: skip


def test_a_gpu_says_that_it_was_not_measured() -> None:
    assert "not measured" in str(GPU)
    assert "below width 768" in str(GPU)
    assert "below" not in str(CPU)


def test_one_seed_has_a_ratio_and_no_interval() -> None:
    found = paired_ratio([1.9], 2.0)
    assert found.value == pytest.approx(0.95)
    assert math.isnan(found.lower)
    assert math.isnan(found.upper)
    assert found.seeds_to_settle(1.0) is None
    assert "one seed, no interval" in str(found)
    verdicts = {
        (0.9, 1.1): SHOWN,
        (0.96, 1.1): OPPOSITE,
        (0.5, 0.94): OPPOSITE,
        (0.9, None): SHOWN,
        (0.97, None): OPPOSITE,
    }
    for (least, most), verdict in verdicts.items():
        assert Compare(over="a", under="b", least=least, most=most).verdict(found) == verdict


def test_a_table_of_one_seed_is_written_and_read(tmp_path: Path) -> None:
    cell = scale_gpu.high()
    row: dict[str, Any] = {
        "params": 1, "people": 2, "exposures": 3, "steps": 4, "max_bits_per_param": 2.0,
        "bits_per_param": 1.9, "controls": {"unseen": 0.0, "random": 0.0},
    }  # fmt: skip
    result = Result(
        number=1, title="a", published="b", seeds=1,
        arms=(Arm(name="one", cell=cell),),
        compare=(Compare(over="one", under=2.0, least=0.9, published="2"),),
    )  # fmt: skip
    table = tabulate(result, [Taught(result.arms[0], cell, 1.0, [row], {1.0: 1.9})], preset="gpu")
    assert table.name == "capacity-result-01-gpu"
    assert "of one seed" in table.claims[0]
    table.write(tmp_path)
    found = report(tmp_path, preset="gpu")
    assert found.name == "capacity-results-gpu"
    assert "0.95 (one seed)" in found.rows[0]["measured"]
    assert "hundred to ten thousand" not in found.notes[0]
    assert report(tmp_path).rows[0]["verdict"] == "not run"  # another preset's


def test_a_cell_of_the_gpu_is_taught_on_a_small_scale(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="cells are trained with torch (the extra train)")
    small = {"people": 50, "exposures": 4, "batch": 4, "compiled": False, "texts": 1}
    cells = [
        replace(cell, layers=1, width=8, heads=2, **small)
        for cell in (scale_gpu.high(), scale_gpu.strings(), scale_gpu.low(architecture="llama"))
    ]
    result = Result(
        number=1, title="a", published="b", seeds=1,
        arms=[Arm(name=f"{i}", cell=cell) for i, cell in enumerate(cells)],
        compare=(Compare(over="0", under=2.0, most=1, published="2"),),
    )  # fmt: skip
    told: list[str] = []
    table = run(result, tmp_path / "runs", preset="gpu", jobs=2, say=told.append)
    assert [row["people"] for row in table.rows] == [50, 50, 50]
    assert "3 runs: 3 to train" in told[0]
    run(result, tmp_path / "runs", preset="gpu", say=told.append)
    assert "3 runs, trained before" in told[1]


def test_the_ladder_has_the_published_sizes() -> None:
    """Dots of the digitised figure, in millions of parameters."""
    seen = (0.816, 1.213, 1.807, 2.409, 3.208, 5.577, 11.91, 15.45, 20.59, 26.9, 33.2, 52.12)
    seen = (*seen, 87.6, 122.3, 175, 255.3)
    ours = [params(*shape) / 1e6 for shape in LADDER]
    for dot in seen:
        assert min(abs(one / dot - 1) for one in ours) < 0.004, dot
    assert ours == sorted(ours)


def test_models_are_those_that_the_people_fill() -> None:
    found = shapes(B_50K, (0.5, 5.0))
    assert found[0] == (2, 2)
    assert all(0.5 <= B_50K / params(*shape) <= 5 for shape in found)
    assert shapes(1.0, (0.5, 5.0)) == [LADDER[0]]  # too few bits for any


def test_the_price_of_everything() -> None:
    """Every run of every plan can be built, and the totals are sums of rows."""
    rates = prices("h100", 0.4, 2.0, "USD")
    table = plan_all(rates)
    rows = {row["result"]: row for row in table.rows}
    assert list(rows) == [*NUMBERS, "all"]
    for name in ("runs", "steps", "tokens", "FLOPs", "GPU-hours", "money"):
        parts = sum(float(rows[number][name]) for number in NUMBERS)
        assert parts == pytest.approx(float(rows["all"][name]))
    assert rows[8]["runs"] == 0
    assert rows["all"]["money"] == pytest.approx(2 * rows["all"]["GPU-hours"])
    assert "USD" in table.claims[0]
    assert "not measured" in table.notes[0]
    least = rows["all"]["FLOPs"] / (989e12 * 0.4 * 3600)
    assert least < rows["all"]["GPU-hours"] < 12 * least  # the narrowest reach a sixth


def test_the_plan_of_result_1() -> None:
    table = plan(1, prices())
    people = {row["people"] for row in table.rows}
    assert people == {10**4, 2 * 10**4, 5 * 10**4, 10**5, 2 * 10**5, 5 * 10**5} | {
        million * 10**6 for million in (1, 2, 5, 10)
    }
    row = next(row for row in table.rows if (row["people"], row["model"]) == (50_000, "2-2"))
    assert (row["lr"], row["batch"], row["exposures"]) == (0.001, 96, 1000)
    assert row["GPU-hours"] == pytest.approx(
        row["tokens"] * (6 * (24 * 128**2 + 2947 * 128) + 12 * 512 * 128)
        / (989e12 * 0.4 / 6) / 3600
    )  # fmt: skip
    assert "(assumed)" in table.notes[0]
    assert table.extra["total"]["runs"] == len(table.rows)


def test_junk_of_the_plan_is_of_a_hundred_million_persons() -> None:
    fresh = [one for one in planned(10) if one.arm == "fresh, 100"]
    assert {one.cell.mix["junk"] for one in fresh} == {100_000_000}
    assert {one.cell.lr for one in fresh if one.cell.people == 50_000} == {3e-4, 5e-4, 1e-3}
    assert {one.cell.mix["token"] for one in planned(12)} == {True}


@pytest.mark.parametrize("number", [3, 9, 12])
def test_a_planned_run_is_a_preset(tmp_path: Path, number: int) -> None:
    for run_, one in enumerate(planned(number)[:3]):
        path = tmp_path / f"{run_}.toml"
        path.write_text(preset_text(one.cell, 'a "quoted" name'))
        assert preset(str(path)).cells() == [one.cell]


def test_plans_are_written_as_presets(tmp_path: Path) -> None:
    place = write_presets(11, tmp_path)
    files = sorted(place.iterdir())
    assert len(files) == len(planned(11))
    assert [preset(str(path)).cells()[0] for path in files] == [one.cell for one in planned(11)]


def test_what_is_not_declared_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="The preset paper declares no arms"):
        declared(1, "paper")
    few = replace(scale("gpu"), omitted=(3,))
    monkeypatch.setattr(capacity, "scale", lambda _: few)
    with pytest.raises(UsageError, match="Result 3 is not declared at the preset gpu"):
        declared(3, "gpu")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--result", "1", "--preset", "big"), "There is no preset 'big' of this study."),
        (("--result", "1", "--preset", "gpu", "--device", "cpu"), "models that take weeks there"),
        (("--result", "1", "--gpu-hour", "2"), "the preset cpu has none: it trains"),
        (("--result", "1", "--preset", "paper", "--jobs", "2"), "the preset paper trains nothing"),
        (("--result", "13", "--preset", "paper"), "There is no result 13."),
        (("--preset", "paper"), "No result is named"),
        (("--result", "1", "--preset", "paper", "--mfu", "2"), "The utilisation is 2"),
        (("--result", "1", "--preset", "gpu", "--device", "tpu"), "There is no device 'tpu'."),
    ],
)
def test_bad_input_is_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: Sequence[str], sentence: str
) -> None:
    assert kleiber(["study", "capacity", "--data", str(tmp_path / "runs"), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_options_of_the_twelve_are_of_no_other_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert kleiber(["study", "guide", "--device", "cuda"]) == 2
    told = capsys.readouterr().err
    assert "are of the study 'capacity'" in told and "and 'guide' was asked for" in told


def test_no_gpu_is_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="devices are torch's")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    asked = ["study", "capacity", "--result", "1", "--preset", "gpu", "--data", str(tmp_path / "x")]
    assert kleiber(asked) == 1
    told = capsys.readouterr().err
    assert "Result 1, preset gpu: 3 runs: 3 to train, 211k steps" in told
    assert "The preset gpu trains on an NVIDIA GPU." in told
    assert "--preset cpu" in told
    asked[asked.index("gpu")] = "cpu"
    assert kleiber([*asked, "--device", "cuda"]) == 1
    told = capsys.readouterr().err
    assert "kleiber: 'cuda' asks for an NVIDIA GPU" in told and "leave --device out" in told
    assert not (tmp_path / "x").exists()


def test_cells_are_of_one_scale() -> None:
    """What is trained at one preset is not looked for at another."""
    both = [{str(arm.cell) for arm in declared(1, name).arms} for name in ("cpu", "gpu")]
    assert not both[0] & both[1]
    assert all(isinstance(arm.cell, Cell) for arm in declared(1, "gpu").arms)
