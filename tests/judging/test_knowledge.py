"""The knowledge law fitted: known ones recovered, intervals that cover, and what cannot be told."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from kleiber.errors import FitError, UsageError, ValuesError
from kleiber.judging.knowledge import FLOOR, fit_cells, fit_knowledge
from kleiber.judging.left_cells import Left, left_out, rms
from kleiber.judging.readings import cells_of, readings_of, told_apart
from kleiber.laws import knowledge_law
from kleiber.laws.knowledge import FLOAT, OWN

TRUTH = {
    **{"plateau": 1.8, "size": 0.15, "sharpness": 6.0, "margin": 4.1, "fall": 2.4, "room": 2.0},
    **{"half": 240.0, "steepness": 2.0, "hastening": 0.5, "llama": 1.15},
}
WIDTHS = (FLOAT, 8.0, 6.0, 5.0, 4.0)


def rows(
    *,
    noise: float = 0.0,
    seed: int = 0,
    exposures: tuple[float, ...] = (100.0, 300.0, 1000.0),
    params: tuple[float, ...] = (8e3, 16e3, 28e3),
    demands: tuple[float, ...] = (1.0, 2.0, 3.5),
    widths: tuple[float, ...] = WIDTHS,
    seeds: int = 1,
    kinds: tuple[str, ...] = ("gpt2", "llama"),
) -> list[dict[str, Any]]:
    """Simulated results: a cell errs as a whole, by ``noise`` bits per parameter."""
    rng = np.random.default_rng(seed)
    law = knowledge_law(("llama",))
    found: list[dict[str, Any]] = []
    for kind in kinds:
        for p in params:
            for e in exposures if kind == "gpt2" else (1000.0,):
                for x in demands:
                    off = noise * rng.standard_normal()
                    for b in widths if e == 1000.0 and kind == "gpt2" else (FLOAT,):
                        at = {"exposures": e, "weight_bits": b}
                        own = {"llama": OWN if kind == "llama" else 1.0}
                        bits = float(law.loss(TRUTH, p, x, **at, **own))
                        found += [
                            {
                                **{"run": f"{kind}-{p}-{e}-{x}-{s}", "architecture": kind},
                                **{"people": round(p * x / 57), "params": p, "exposures": e},
                                "bits_per_param": bits + off,
                                "max_bits_per_param": x,
                                **{"weight_bits": b, "seed": s, "steps": 10_000, "lr": 0.01},
                            }
                            for s in range(seeds)
                        ]
    return found


def test_a_known_law_is_recovered() -> None:
    found = fit_knowledge(rows())
    assert found.held == {} and found.status.startswith("converged")
    assert dict(found.values) == pytest.approx(TRUTH, rel=1e-4)
    assert found.off < 1e-6 and found.architectures == ("gpt2", "llama")
    full = found.bits(16e3, exposures=1e9)["value"]
    assert full == pytest.approx(1.8 * 1.6**0.15, rel=1e-4)
    assert found.bits(16e3, exposures=1e9, architecture="llama")["value"] == pytest.approx(
        1.15 * full, rel=1e-4
    )


def test_the_intervals_cover() -> None:
    names = ("plateau", "half", "margin", "llama", "hastening")
    hits = dict.fromkeys(names, 0)
    curve = 0
    law = knowledge_law(("llama",))
    at = {"exposures": 500.0, "weight_bits": 5.0}
    true = float(law.loss(TRUTH, 12e3, 3.0, **at, llama=1.0))
    for seed in range(20):
        found = fit_knowledge(rows(noise=0.03, seed=seed), starts=2)
        for name in names:
            hits[name] += found.lower[name] <= TRUTH[name] <= found.upper[name]
        said = found.bits(12e3, 3.0, **at)
        curve += bool(said["lower"] <= true <= said["upper"])
    print(hits, curve)
    assert all(14 <= count for count in hits.values()) and curve >= 14
    assert sum(hits.values()) < 20 * len(names)  # bounds that always hold would be too wide


def test_what_the_results_cannot_tell_is_said_and_held() -> None:
    one = fit_knowledge(rows(exposures=(1000.0,), widths=(FLOAT,)))
    assert set(one.held) == {"half", "steepness", "hastening", "margin", "fall", "room"}
    assert "1,000 exposures" in one.held["half"] and "rounded" in one.held["margin"]
    assert all(math.isnan(one.lower[name]) for name in one.held)
    data = json.loads(json.dumps(one.to_dict(), allow_nan=False))
    assert data["parameters"]["half"]["lower"] is None
    assert one.values["size"] == pytest.approx(0.15, abs=0.05)
    two = fit_knowledge(rows(exposures=(100.0, 1000.0), widths=(FLOAT, 4.0), params=(8e3,)))
    assert set(two.held) == {"size", "steepness", "hastening", "fall"}
    with pytest.raises(FitError, match="different demand"):
        fit_knowledge(rows(demands=(2.0,)))
    with pytest.raises(UsageError, match="no mamba"):
        one.bits(1e4, architecture="mamba")


def test_a_cell_counts_once_however_many_seeds_and_copies() -> None:
    once, often = (fit_knowledge(rows(noise=0.03, seeds=seeds)) for seeds in (1, 4))
    assert dict(often.values) == pytest.approx(dict(once.values), rel=1e-6)
    assert often.upper["plateau"] == pytest.approx(once.upper["plateau"], rel=1e-6)
    assert often.runs == 4 * once.runs and len(often.cells) == len(once.cells)


def test_cells_take_the_longest_training_at_its_best_rate() -> None:
    (row,) = rows(exposures=(100.0,), params=(8e3,), demands=(2.0,), kinds=("gpt2",))
    more = [
        {**row, "run": "short", "steps": 1000, "bits_per_param": 9.0},
        {**row, "run": "fast", "lr": 0.02, "bits_per_param": 0.9},
        {**row, "run": "fast-2", "lr": 0.02, "bits_per_param": 0.7, "seed": 1},
        {**row, "run": "fast", "lr": 0.02, "bits_per_param": 0.45, "weight_bits": 4},
    ]
    (cell,) = cells_of(readings_of([row, *more]))
    assert cell.runs == 2 and cell.bits[FLOAT] == pytest.approx(0.8)
    # rounded in one seed, which stores .9 of what the mean of .8 is for all
    assert cell.bits[4.0] == pytest.approx(0.4)
    nothing = [{**one, "bits_per_param": 0.01} for one in more[1:2]] + more[3:]
    (none,) = cells_of(readings_of(nothing))
    assert set(none.bits) == {FLOAT}
    with pytest.raises(ValuesError, match=r"0\.5 bits"):
        readings_of([{**row, "weight_bits": 0.5}])


def test_depth_and_low_exposures_have_names_of_their_own() -> None:
    low = {**rows()[0], "exposures": 100.0}
    made = cells_of(
        readings_of(
            [
                {**low, "run": "a", "layers": 3},
                {**low, "run": "b", "layers": 1},
                {**low, "run": "c", "architecture": "llama"},
                {**low, "run": "d"},
            ]
        )
    )
    names = [cell.architecture for cell in told_apart(made)]
    assert names == [
        "gpt2, 3 layers at 100 exposures",
        "gpt2, 1 layer at 100 exposures",
        "llama at 100 exposures",
        "gpt2",
    ]


def test_what_stores_nothing_counts_as_the_floor() -> None:
    table = rows()
    table[0]["bits_per_param"] = -0.5
    found = fit_knowledge(table)
    assert found.floored >= 1 and found.fit.points.loss.min() == FLOOR


def test_no_error_counts_what_stores_nothing() -> None:
    table = rows(noise=0.02, kinds=("gpt2",))
    lost = {**table[1], "weight_bits": 3.0, "bits_per_param": -2.0}
    found = fit_knowledge([*table, lost])
    points, law = found.fit.points, found.law
    columns = dict(zip(law.predictors, points.predictors(law.predictors), strict=True))
    error, kept = law.loss(found.values, **columns) - points.loss, points.loss > FLOOR
    assert found.floored == 1 == np.sum(~kept)
    each = np.array(
        [np.mean(error[kept & (points.run == i)] ** 2) for i in range(len(found.cells))]
    )
    shares = np.array([points.weight[kept & (points.run == i)].sum() for i in range(len(each))])
    assert found.off == pytest.approx(math.sqrt(np.average(each, weights=shares)))
    cell = found.cells[0]
    left = [Left(cell, FLOAT, 1.0, 1.5, 0.9, 1.6), Left(cell, 3.0, FLOOR, 0.02, 0.0, 0.1)]
    assert [one.floored for one in left] == [False, True]
    assert rms(left) == pytest.approx(0.5) and math.isnan(rms(left[1:]))


def test_cells_left_out_are_predicted_and_a_wrong_form_is_worse() -> None:
    cells = cells_of(readings_of(rows(noise=0.02, kinds=("gpt2",))))
    right = left_out(cells, starts=2)
    wrong = left_out(cells, starts=2, growth="power")
    assert len(right) == 9 * 5 + 18
    assert rms(right) < 0.06 and rms(wrong) > 0.15
    inside = sum(one.inside for one in right) / len(right)
    assert 0.75 < inside
    one = right[0]
    assert one.error == pytest.approx(one.said - one.stored)
    assert math.isnan(rms([]))


def test_an_architecture_of_one_cell_is_not_tried() -> None:
    cells = cells_of(readings_of(rows(noise=0.02, params=(8e3, 16e3))))
    lone = [c for c in cells if c.architecture == "gpt2"]
    lone.append(next(c for c in cells if c.architecture == "llama"))
    tried = left_out(lone, starts=1)
    assert {one.cell.architecture for one in tried} == {"gpt2"}
    assert fit_cells(lone).values["llama"] > 0
