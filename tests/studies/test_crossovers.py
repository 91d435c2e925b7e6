"""The study of crossovers on ladders whose truth is known, and its cases as they are declared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kleiber.errors import UsageError
from kleiber.launching.rungs import groups
from kleiber.studies.crossovers.cases import FRESH, POOL, cases
from kleiber.studies.crossovers.measured import rungs as rows_of
from kleiber.studies.crossovers.resampled import resample
from kleiber.studies.crossovers.study import tabulate
from kleiber.training.count import exact_flops
from kleiber.training.rung import model_of

NOISE, SHARED = 0.004, 0.8
CPU = cases("cpu")


def trained(wanted: list[Any], apart: dict[str, float], seed: int = 0) -> list[dict[str, Any]]:
    """Return runs of power laws of other exponents, which swap order at C2's own crossing."""
    rng = np.random.default_rng(seed)
    common = {(r.width, r.seed): rng.normal() for r in wanted}
    rows = []
    for rung in wanted:
        flops = exact_flops(model_of(rung)) * rung.shown_tokens
        loss = 1.2 + 1.3 * (flops / CPU.crossing_flops) ** -(0.18 - apart.get(rung.recipe, 0.0))
        noise = SHARED**0.5 * common[rung.width, rung.seed] + (1 - SHARED) ** 0.5 * rng.normal()
        rows.append(
            {
                "run": rung.name, "recipe": rung.recipe, "seed": rung.seed, "width": rung.width,
                "params": rung.width**2 * 24, "tokens": rung.shown_tokens, "flops": flops,
                "loss": loss + NOISE * noise, "attention_max": 3.0, "grad_rms": 1e-3,
            }
        )  # fmt: skip
    return rows


def test_c2_is_one_recipe_at_the_width_it_is_pinned_to() -> None:
    fixed, falling = (
        made.rung({"D": CPU.pinned, "heads": CPU.pinned_heads}) for made in CPU.c2.recipes()
    )
    assert fixed.lr == pytest.approx(falling.lr)
    assert fixed.fingerprint == falling.fingerprint
    flops = [exact_flops(model_of(one)) * one.shown_tokens for one in CPU.c2.rungs(1)[:5]]
    assert flops[2] < CPU.crossing_flops < flops[3]  # between the widths 24 and 32


def test_cases_differ_where_they_say() -> None:
    for case, fields in (
        (CPU.c1, {"qk_norm"}),
        (CPU.c2, {"lr"}),
        (CPU.c3, {"gradient", "mlp", "mlp_ratio", "weight_decay"}),
    ):
        first, second = (made.rung({"D": 16}).to_dict() for made in case.recipes())
        named = {"name", "recipe"}
        assert {name for name in first if first[name] != second[name]} - named == fields
    names = [rung.name for case in CPU for rung in case.rungs()]
    assert len(names) == len(set(names))
    assert len(CPU.pool()) == 2 * (len(CPU.c2.sizes) * POOL + FRESH)
    assert all(len(group) in (1, 3, 6) for group in groups(CPU.pool()))


def test_resamples_find_the_crossing_and_null_pairs_do_not_win() -> None:
    found = resample(trained(CPU.pool(), {"fixed-rate": 0.02}), CPU, resamples=4)
    assert found.held >= 0.75 and 0 < found.width < 1
    assert found.fresh > 0.02 and found.expected == "B"
    assert found.agreed == 1
    assert found.won <= 0.25


def test_recipes_that_are_one_have_no_verdict_to_agree_with() -> None:
    found = resample(trained(CPU.pool(), {}), CPU, resamples=2)
    assert abs(found.fresh) < 0.01
    assert all(row["verdict"] in ("tie", "undecided") for row in found.rows)


def test_the_book_says_each_case_before_and_after() -> None:
    wanted = [rung for case in (CPU.c1, CPU.c3) for rung in case.rungs()] + CPU.pool()
    rows = trained(wanted, {"fixed-rate": 0.02, "qk-off": 0.03, "proposal": -0.01})
    book = tabulate(rows, ["qk-off-D64-L4-s0"], resample(rows, CPU, resamples=1), CPU)
    first, c1, c2, c3 = book.tables
    assert [row["case"] for row in first.rows] == ["C1", "C2", "C3"]
    assert "qk-off-D64-L4-s0" in first.claims[-1]
    assert c2.rows[0]["A - B"] < 0 < c2.rows[-1]["A - B"]
    assert first.rows[1]["inside"] and first.rows[1]["kind"] == "observed"
    assert c1.rows[-1]["seeds"] == 3 and np.isfinite(c1.rows[-1]["lower"])
    for row in c1.rows:  # arms of the same FLOPs
        assert row["A - B at equal FLOPs"] == pytest.approx(row["A - B"], abs=1e-12)
    assert np.isnan(c3.rows[0]["A - B at equal FLOPs"])  # B's smallest rung costs more
    for row in c3.rows[1:]:
        truth = 1.3 * (row["FLOPs A"] / CPU.crossing_flops) ** -0.18
        truth -= 1.3 * (row["FLOPs A"] / CPU.crossing_flops) ** -0.19
        assert row["A - B at equal FLOPs"] == pytest.approx(truth, abs=0.008)
        assert row["A - B at equal FLOPs"] < row["A - B"] - 0.02
    assert c3.rows[0]["lower"] < c3.rows[0]["A - B"] < c3.rows[0]["upper"]
    assert book.content()["drawn"]["C2"]["known"] == CPU.crossing_flops


def test_a_rung_without_one_arm_has_no_difference() -> None:
    rows = [
        row
        for row in trained(CPU.c1.rungs(), {})
        if not (row["recipe"] == "qk-off" and row["width"] == 64)
    ]
    last = rows_of(CPU.c1, rows)[-1]
    assert last["seeds"] == 0 and np.isnan(last["A - B"]) and np.isnan(last["FLOPs A"])
    assert last["FLOPs B"] > 0


def test_the_gpu_has_the_same_cases_on_wider_models() -> None:
    gpu = cases("gpu")
    for case, small in zip(gpu, CPU, strict=True):
        assert [one.name for one in case.recipes()] == [one.name for one in small.recipes()]
        assert min(case.sizes) >= max(small.sizes)
    assert [(r.width, r.seed) for r in gpu.c1.rungs() if r.width >= 256][:4] == [
        *((256, 0), (256, 1), (256, 2)),
        (320, 0),
    ]
    assert all(rung.head_size == 64 for rung in gpu.rungs())
    seconds = [
        exact_flops(model_of(rung)) * rung.shown_tokens / 2e14 for rung in gpu.rungs()
    ]  # at 200 TFLOP/s, a fifth of the peak of the GPUs it is for
    assert max(seconds) < 480
    fixed, falling = (
        made.rung({"D": gpu.pinned, "heads": gpu.pinned_heads}) for made in gpu.c2.recipes()
    )
    assert fixed.fingerprint == falling.fingerprint


def test_a_preset_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no preset 'tpu' of the study crossovers"):
        cases("tpu")
