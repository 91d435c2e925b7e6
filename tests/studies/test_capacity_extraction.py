"""The study of extraction: its arms differ in one setting, its verdict, resuming, its table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kleiber.studies import NAMES, capacity_extraction
from kleiber.studies.capacity_extraction import (
    ARMS,
    EXPOSURES,
    TUNINGS,
    asked,
    cells,
    claims,
    run,
)


def row(exposures: int, texts: str, tuned: str, seed: int, held: float) -> dict[str, Any]:
    return {"exposures": exposures, "texts": texts, "tuned": tuned, "seed": seed,
            "held out": held, "chance": 0.07, "in their texts": 0.75}  # fmt: skip


def test_arms_differ_in_the_texts_alone() -> None:
    assert "capacity-extraction" in NAMES
    found = cells()
    assert len(found) == 12
    for exposures in (200, 400):
        for seed in range(3):
            fresh, one = (
                found[f"{arm}-{exposures}-{seed}"].to_dict() for arm in ("fresh", "one-text")
            )
            assert {name for name in fresh if fresh[name] != one[name]} == {"format"}
            assert (fresh["exposures"], fresh["seed"]) == (exposures, seed)


@pytest.mark.parametrize(
    ("fresh", "verdict"),
    [((0.5, 0.52, 0.48), "shown"), ((0.01, 0.6, 0.1), "not shown"), ((0.0, 0.01, 0.0), "opposite")],
)
def test_the_verdict_follows_the_interval(fresh: tuple[float, ...], verdict: str) -> None:
    rows = [
        row(exposures, arm, tuned, seed, held)
        for exposures in EXPOSURES
        for tuned in TUNINGS
        for arm, shares in zip(ARMS, (fresh, (0.05, 0.07, 0.06)), strict=True)
        for seed, held in enumerate(shares)
    ]
    said = claims(rows)
    assert len(said) == 5
    assert all(one.endswith(f"the published contrast is {verdict}.") for one in said[:4])
    assert said[2].startswith("400 exposures, tuned low-rank:")
    share = f"{sum(fresh) / 3:.1%} ({min(fresh):.1%} to {max(fresh):.1%}) of answers"
    assert share in said[0]
    assert "and 6.0% (5.0% to 7.0%) where each person had one text" in said[0]


def test_a_tiny_study_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from kleiber.knowledge import extraction
    from kleiber.knowledge.experiment import run as train
    from kleiber.training import RunFolder

    pools = {**capacity_extraction.POOLS, "first": 4, "middle": 4, "last": 8}
    tiny = {"people": 8, "layers": 1, "width": 8, "heads": 1, "pools": pools}
    monkeypatch.setattr(capacity_extraction, "SETTINGS", {**tiny, "lr": 0.01})
    monkeypatch.setattr(capacity_extraction, "EXPOSURES", (1,))
    few = {tuning: {**settings, "steps": 2} for tuning, settings in TUNINGS.items()}
    monkeypatch.setattr(capacity_extraction, "TUNINGS", few)
    monkeypatch.setattr(capacity_extraction, "SEEDS", 2)

    def trainer(cells_: Any, folders: Any, *, jobs: int | None = None) -> list[dict[str, Any]]:
        last = [list(train([c], [RunFolder(f)]))[-1] for c, f in zip(cells_, folders, strict=True)]
        return [event["result"] for event in last]

    heard: list[str] = []
    table = run(tmp_path, train=trainer, progress=heard.append)
    assert heard[0].startswith("fresh-1-0, tuned low-rank: 50%, loss ")
    assert [(r["texts"], r["seed"], r["tuned"]) for r in table.rows] == [
        (arm, seed, tuning) for arm in ARMS for seed in range(2) for tuning in TUNINGS
    ]
    assert table.rows[0]["chance"] >= 1 / 4  # 4 people held out
    written = json.loads(table.write(tmp_path / "out").with_suffix(".json").read_text())
    assert [one["steps"] for one in written["extractions"]] == [2] * 8
    assert [one["people"] for one in written["runs"]] == [8] * 4

    def tuned_again(*_: Any, **__: Any) -> None:
        raise AssertionError("tuned again")

    monkeypatch.setattr(extraction, "extract_folder", tuned_again)
    assert run(tmp_path, train=trainer).rows == table.rows
    few["low-rank"]["steps"] = 3
    with pytest.raises(AssertionError, match="tuned again"):
        asked(tmp_path / "fresh-1-0", "low-rank", 0)
