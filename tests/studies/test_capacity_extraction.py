"""The study of extraction: its arms differ in one setting, its verdict, resuming, its table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kleiber.studies import NAMES, capacity_extraction
from kleiber.studies.capacity_extraction import (
    FRESH,
    ONE,
    TUNINGS,
    asked,
    cells,
    claims,
    run,
)


def row(exposures: int, texts: str, tuned: str, seed: int, held: float) -> dict[str, Any]:
    return {"exposures": exposures, "texts": texts, "tuned": tuned, "seed": seed,
            "held out": held, "chance": 0.07, "in their texts": 0.75}  # fmt: skip


def test_arms_differ_in_one_setting() -> None:
    assert "capacity-extraction" in NAMES
    found = cells()
    assert list(found)[2:7] == [
        *("fresh-200-2", "fresh-400-0", "fresh-400-1", "fresh-400-2", "one-text-200-0")
    ]
    for seed in range(3):
        fresh, often, one = (
            found[f"{arm}-{seed}"].to_dict() for arm in ("fresh-200", "fresh-400", "one-text-200")
        )
        assert {name for name in fresh if fresh[name] != one[name]} == {"format"}
        assert {name for name in fresh if fresh[name] != often[name]} == {"exposures"}
        assert (fresh["format"], fresh["exposures"], fresh["seed"]) == ("bioS", 200, seed)


@pytest.mark.parametrize(
    ("fresh", "verdict"),
    [((0.5, 0.52, 0.48), "shown"), ((0.01, 0.6, 0.1), "not shown"), ((0.0, 0.01, 0.0), "opposite")],
)
def test_the_verdict_follows_the_interval(fresh: tuple[float, ...], verdict: str) -> None:
    rows = [
        row(exposures, texts, tuned, seed, held)
        for tuned in TUNINGS
        for texts, exposures in (*FRESH, ONE)
        for shares in [(0.05, 0.07, 0.06) if texts == "one text" else fresh]
        for seed, held in enumerate(shares)
    ]
    said = claims(rows)
    assert len(said) == 5
    assert all(one.endswith(f"the published contrast is {verdict}.") for one in said[:4])
    assert said[1].startswith("Tuned low-rank:") and "anew at 400 exposures" in said[1]
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
    monkeypatch.setattr(capacity_extraction, "FRESH", (("fresh", 1), ("fresh", 2)))
    monkeypatch.setattr(capacity_extraction, "ONE", ("one text", 1))
    few = {tuning: {**settings, "steps": 2} for tuning, settings in TUNINGS.items()}
    monkeypatch.setattr(capacity_extraction, "TUNINGS", few)
    monkeypatch.setattr(capacity_extraction, "SEEDS", 2)

    def trainer(cells_: Any, folders: Any, *, jobs: int | None = None) -> list[dict[str, Any]]:
        last = [list(train([c], [RunFolder(f)]))[-1] for c, f in zip(cells_, folders, strict=True)]
        return [event["result"] for event in last]

    heard: list[str] = []
    said: list[str] = []
    table = run(tmp_path, train=trainer, progress=heard.append, say=said.append)
    assert len(said) == 1 and said[0].startswith("6 runs: 6 to train, ")
    assert said[0].endswith("Then each is tuned on questions, in 2 ways.")
    assert heard[0].startswith("fresh-1-0, tuned low-rank: 50%, loss ")
    assert [(r["texts"], r["exposures"], r["seed"], r["tuned"]) for r in table.rows] == [
        (*arm, seed, tuning)
        for arm in (("fresh", 1), ("fresh", 2), ("one text", 1))
        for seed in range(2)
        for tuning in TUNINGS
    ]
    assert table.rows[0]["chance"] >= 1 / 4  # 4 people held out
    written = json.loads(table.write(tmp_path / "out").with_suffix(".json").read_text())
    assert [one["steps"] for one in written["extractions"]] == [2] * 12
    assert [one["people"] for one in written["runs"]] == [8] * 6

    def tuned_again(*_: Any, **__: Any) -> None:
        raise AssertionError("tuned again")

    monkeypatch.setattr(extraction, "extract_folder", tuned_again)
    assert run(tmp_path, train=trainer).rows == table.rows
    few["low-rank"]["steps"] = 3
    with pytest.raises(AssertionError, match="tuned again"):
        asked(tmp_path / "fresh-1-0", "low-rank", 0)
