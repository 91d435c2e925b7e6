"""Rungs that leave the collapse, attention logits and gradients: what flags them, what does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import kleiber
from kleiber.judging.compare.collapse import left
from kleiber.judging.compare.health import hot_logits, small_gradients
from kleiber.judging.compare.rungs import Arm, arms_of
from kleiber.runs import Runs

FLOOR = 1.7
SHARES = np.linspace(0.05, 1.0, 20)


def curves(seed: int, *, odd: int | None = None, sizes: int = 7, **signs: object) -> Runs:
    """Return whole loss curves at constant tokens a param; one rung's may have a hump."""
    rng = np.random.default_rng(seed)
    rows: list[pl.DataFrame] = []
    for i, params in enumerate(np.logspace(6, 7.5, sizes)):
        for s in range(2):
            tokens = 20 * params * SHARES
            loss = FLOOR + 2e2 * params**-0.35 + 1.2e3 * tokens**-0.37
            loss = loss + 0.002 * rng.standard_normal(len(loss))
            if i == odd:
                loss = loss + 0.25 * (loss[-1] - FLOOR) * np.exp(-(((SHARES - 0.5) / 0.15) ** 2))
            rows.append(
                pl.DataFrame(
                    {
                        "run": [f"r{i}s{s}"] * len(loss),
                        "params": [params] * len(loss),
                        "tokens": tokens,
                        "loss": loss,
                        "seed": [str(s)] * len(loss),
                        **{k: np.asarray(v(params, SHARES)) for k, v in signs.items()},
                    }
                )
            )
    return Runs.read(pl.concat(rows))


def arm(runs: Runs) -> Arm:
    return arms_of(runs, curves(99))[0]


def test_healthy_rungs_collapse() -> None:
    assert [left(arm(curves(seed)), FLOOR) for seed in range(10)] == [[]] * 10
    for floor in (1.5, 1.85):  # a floor that is not quite known
        assert left(arm(curves(3)), floor) == []


@pytest.mark.parametrize("odd", [0, 3, 6])
def test_a_rung_that_leaves_is_named_with_its_place(odd: int) -> None:
    one = arm(curves(1, odd=odd))
    (found,) = left(one, FLOOR)
    assert found.flops == pytest.approx(one.rungs[odd].flops)
    assert found.since in (0.3, 0.4) and 0.15 < found.excess < 0.3


@pytest.mark.parametrize("share", [0.55, 0.8])
def test_a_run_is_known_as_odd_before_it_ends(share: float) -> None:
    """The last rung's hump is at half of its training; its planned tokens say how far it is."""
    for odd in (None, 6):
        whole = curves(1, odd=odd).frame
        planned = pl.col("tokens").max().over("run").alias("planned_tokens")
        cut = (pl.col("run") != "r6s1") | (pl.col("tokens") <= share * pl.col("planned_tokens"))
        runs = Runs.read(whole.drop("final", "fraction").with_columns(planned).filter(cut))
        one = arm(runs)
        assert one.unfinished == ("r6s1",)
        assert any("1 run short of the planned tokens" in note.message for note in runs.notes)
        early = [found for found in left(one, FLOOR) if found.run]
        if odd is None:
            assert early == []
            continue
        (found,) = early
        assert (found.run, found.arm) == ("r6s1", one.name)
        assert found.since <= 0.4 and 0.1 < found.excess < 0.3
        end = whole.filter(pl.col("run") == "r6s1")["loss"][-1]
        assert found.heading == pytest.approx(end, abs=0.25 * (end - FLOOR))


def test_a_comparison_says_it() -> None:
    found = kleiber.compare(curves(1, odd=6), curves(2), target_flops=1e17)
    (said,) = [one for one in found.findings if one.code == "R010"]
    assert said.severity == "issue" and "leaves the other rungs' curve" in said.message


def test_few_rungs_say_nothing() -> None:
    assert left(arm(curves(1, odd=2, sizes=4)), FLOOR) == []


def test_logits_that_grow_are_foretold() -> None:
    """A power law that passes 10^4 between the largest rung and the target."""

    def logits(params: float, shares: np.ndarray) -> np.ndarray:
        return 20.0 * (params / 1e6) ** 1.5 * shares**0.1

    one = arm(curves(1, attention_logit_max=logits))
    compute = 120.0 * 1e6**2 * (1e4 / 20) ** (2 / 1.5)  # 6 N 20 N where they are 10^4
    assert hot_logits(one, 0.8 * compute) is None
    sign = hot_logits(one, 1.2 * compute)
    assert sign is not None and sign.target == pytest.approx(1e4 * 1.2**0.75, rel=0.02)
    assert sign.worst == pytest.approx(20.0 * 10**2.25)


def test_logits_that_passed_it_are_said_wherever_they_did() -> None:
    def logits(params: float, shares: np.ndarray) -> np.ndarray:
        return np.full(len(shares), 2e4 if 1e6 < params < 2e6 else 5.0)

    sign = hot_logits(arm(curves(1, attention_logit_max=logits)), 1e17)
    assert sign is not None and sign.worst == 2e4


def test_gradients_near_eps() -> None:
    def rms(params: float, shares: np.ndarray) -> np.ndarray:
        return 1e-6 * (params / 1e6) ** -1.0 * (2.0 - shares)

    one = arm(curves(1, grad_rms=rms))
    found = small_gradients(one, 1e17)
    assert found is not None and not found.said and found.eps == 1e-8
    assert found.rms.worst == pytest.approx(1e-6 * 10**-1.5)
    small = arm(curves(1, grad_rms=rms, eps=lambda p, s: np.full(len(s), 1e-20)))
    assert small_gradients(small, 1e17) is None
    large = arm(curves(1, grad_rms=lambda p, s: 1e4 * rms(p, s)))
    assert small_gradients(large, 1e15) is None  # 4e-4 at the largest rung
    assert small_gradients(large, 1e25) is not None  # by their trend


def test_tables_without_them_say_nothing() -> None:
    assert hot_logits(arm(curves(1)), 1e17) is None
    assert small_gradients(arm(curves(1)), 1e17) is None


def test_a_ladders_folders_say_them(tmp_path: Path) -> None:
    """The keys that the trainer's watch writes into points.jsonl are the columns that are read."""
    for name, hot in (("calm", 3.0), ("hot", 4e4)):
        for i, params in enumerate((1e6, 3e6, 1e7)):
            folder = tmp_path / name / f"{name}-{i}"
            folder.mkdir(parents=True)
            (folder / "run.json").write_text(
                json.dumps(
                    {
                        "params": params,
                        "seed": 0,
                        "recipe": name,
                        "rung": {"eps": 1e-8},
                        "text": {"validation_set": "held"},
                        "exact_flops_per_token": 6 * params,
                    }
                )
            )
            points = [
                {
                    "step": k,
                    "tokens": 20 * params * k / 10,
                    "loss": 3.0,
                    "heldout_loss": 2.0 + 60.0 * params**-0.3 + 0.1 / k,
                    "lr": 1e-3,
                    "attention_max": hot,
                    "grad_rms": 2e-8 if name == "hot" else 1e-3,
                }
                for k in range(1, 11)
            ]
            (folder / "points.jsonl").write_text("\n".join(map(json.dumps, points)))
            (folder / "done").write_text("")
    found = kleiber.compare(str(tmp_path / "calm"), str(tmp_path / "hot"), target_flops=1.2e16)
    said = {one.code: one.message for one in found.findings}
    assert "Attention logits of hot reach 4e+04" in said["R011"]
    assert "Gradients of hot have an RMS of 2e-08" in said["R012"]
    assert "an eps of 1e-08:" in said["R012"]
    assert "calm" not in said["R011"] + said["R012"]
