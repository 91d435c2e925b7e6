"""The sample that ships is the ladder that its ladder file describes, as it was trained."""

from __future__ import annotations

import csv
import json
import math
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kleiber.errors import InputError
from kleiber.recipes import ladder
from kleiber.runs import Runs
from kleiber.samples import LADDER, LADDER_FILE, make_ladder

CONTEXT, BATCH, VOCAB, PEAK = 128, 8, 257, 0.4  # of recipes/nanodo-mini.toml, read below
TOKENS = "*(12*D**2*L + D*V)"


@dataclass(frozen=True)
class Expected:
    """What a run must come to, from its line of the ladder file, by arithmetic of its own."""

    width: int
    ratio: int  # tokens asked for, a parameter that multiplies
    seed: int

    @property
    def layers(self) -> int:
        return 2 if self.width <= 32 else 3 if self.width <= 48 else 4

    @property
    def multiplied(self) -> int:
        return 12 * self.width**2 * self.layers + VOCAB * self.width

    @property
    def params(self) -> int:  # an untied head, and a weight of every RMSNorm
        return self.multiplied + VOCAB * self.width + (2 * self.layers + 1) * self.width

    @property
    def tokens(self) -> int:  # of whole steps
        step = BATCH * CONTEXT
        return math.ceil(self.ratio * self.multiplied / step) * step

    @property
    def flops_a_token(self) -> int:  # every product of matrices; backward costs two forwards
        forward = 2 * self.multiplied + self.layers * 2 * (2 * CONTEXT * self.width)
        return 3 * forward


def expected() -> list[Expected]:
    found: list[Expected] = []
    for rung in tomllib.loads(LADDER_FILE.read_text(encoding="utf-8"))["rung"]:
        assert rung.keys() <= {"D", "tokens", "seeds"}
        ratio, _, rest = rung.get("tokens", f"20{TOKENS}").partition("*")
        assert f"*{rest}" == TOKENS
        found += [Expected(rung["D"], int(ratio), seed) for seed in range(rung.get("seeds", 1))]
    return found


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, str]]]:
    """The table's rows by run, as text."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with LADDER.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames or ()) == make_ladder.COLUMNS
        for row in reader:
            found[row["run"]].append(row)
    return found


def test_the_recipe_is_the_one_computed_with_here(root: Path) -> None:
    recipe = tomllib.loads((root / "src/kleiber/recipes/nanodo-mini.toml").read_text())
    assert (recipe["context"], recipe["batch"], recipe["vocab"]) == (CONTEXT, BATCH, VOCAB)
    assert (recipe["lr"], recipe["constants"]["c"]) == ("c/D", PEAK)
    assert recipe["tokens"] == f"20{TOKENS}"
    assert recipe["layers"] == "2 if D <= 32 else 3 if D <= 48 else 4"
    assert (recipe["mlp"], recipe["mlp_ratio"], recipe["norm"]) == ("standard", 4, "rms")
    assert recipe["tied"] is recipe["qk_norm"] is False


def test_every_rung_is_there_with_its_counts(rows: dict[str, list[dict[str, str]]]) -> None:
    found = Counter(
        tuple(int(run[-1][key]) for key in ("params", "tokens", "flops", "seed"))
        for run in rows.values()
    )
    assert found == Counter(
        (one.params, one.tokens, one.tokens * one.flops_a_token, one.seed) for one in expected()
    )


def test_every_checkpoint_says_its_flops_its_step_and_its_rate(
    rows: dict[str, list[dict[str, str]]],
) -> None:
    of_size = {one.params: one for one in expected()}
    for run in rows.values():
        one = of_size[int(run[0]["params"])]
        assert len(run) >= 2, "a run without a checkpoint"
        for row in run:
            assert int(row["tokens"]) == int(row["step"]) * BATCH * CONTEXT
            assert int(row["flops"]) == int(row["tokens"]) * one.flops_a_token
            assert 0.1 * PEAK / one.width <= float(row["lr"]) * 1.001 <= 1.002 * PEAK / one.width
            assert 0 < float(row["loss"]) < math.log(VOCAB)
            assert len(row["loss"].partition(".")[2]) == 4
        assert all(int(a["step"]) < int(b["step"]) for a, b in pairwise(run))
        assert float(run[-1]["loss"]) < float(run[0]["loss"])


def test_it_is_wide_enough(rows: dict[str, list[dict[str, str]]]) -> None:
    finals = [run[-1] for run in rows.values()]
    assert len({row["params"] for row in finals}) >= 8
    flops = [int(row["flops"]) for row in finals]
    assert max(flops) / min(flops) >= 1e3
    by_rung: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in finals:
        by_rung[row["params"], row["tokens"]].append(float(row["loss"]))
    seeds = [len(set(losses)) for losses in by_rung.values()]  # each seed has a loss of its own
    assert seeds.count(3) >= 4 and set(seeds) == {1, 3}
    small = sorted({int(row["params"]) for row in finals})[:4]
    assert all((str(n), 3) in {(n, len(x)) for (n, _), x in by_rung.items()} for n in small)
    assert LADDER.stat().st_size < 60_000


@pytest.mark.parametrize("ratio", [5, 20, 60])
def test_losses_fall_with_size(rows: dict[str, list[dict[str, str]]], ratio: int) -> None:
    finals = [run[-1] for run in rows.values()]
    means: list[float] = []
    for one in sorted(
        {e for e in expected() if e.ratio == ratio and e.seed == 0}, key=lambda e: e.width
    ):
        mine = (str(one.params), str(one.tokens))
        losses = [float(r["loss"]) for r in finals if (r["params"], r["tokens"]) == mine]
        means.append(sum(losses) / len(losses))
    assert len(means) >= 5
    assert all(larger < smaller for smaller, larger in pairwise(means))


def test_nothing_in_it_is_synthetic() -> None:
    assert "synthetic" not in LADDER.read_text(encoding="utf-8").lower()
    assert not Runs.read(LADDER).synthetic


def test_the_script_makes_the_same_bytes(root: Path) -> None:
    folder = root / "kleiber-ladder"
    if not folder.is_dir():
        pytest.skip(
            "the sample's ladder is not trained here (python -m kleiber.samples.make_ladder)"
        )
    assert make_ladder.ladder_csv(folder) == LADDER.read_text(encoding="utf-8")


TINY = """name = "tiny"
recipe = "nanodo-mini"
seeds = 2
[scales]
D = [8]
"""


def trained(folder: Path, *, but: int = 0) -> list[Path]:
    """Leave behind what the trainer leaves of the tiny ladder, all but so many runs."""
    rungs = ladder(make_ladder.LADDER_FILE).rungs
    places: list[Path] = []
    for rung in rungs[: len(rungs) - but]:
        place = folder / rung.name
        place.mkdir(parents=True)
        record: dict[str, Any] = {
            "rung": rung.to_dict(), "recipe": rung.recipe, "seed": rung.seed,
            "params": 5688, "exact_flops_per_token": 46128.0,
        }  # fmt: skip
        points = [
            {"step": 2, "tokens": 2048, "loss": 5.5, "lr": 0.05, "seconds": 1.0},
            {"step": 4, "tokens": 4096, "loss": 5.0, "lr": 1 / 30, "seconds": 2.0,
             "heldout_loss": 4.98765 + rung.seed},
        ]  # fmt: skip
        (place / "run.json").write_text(json.dumps(record), encoding="utf-8")
        (place / "points.jsonl").write_text("".join(json.dumps(p) + "\n" for p in points))
        (place / "done").touch()
        places.append(place)
    return places


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a ladder of one rung of two seeds, and a table to write, in the sample's place."""
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    monkeypatch.setattr(make_ladder, "LADDER_FILE", tmp_path / "tiny.toml")
    monkeypatch.setattr(make_ladder, "LADDER", tmp_path / "tiny.csv")
    return tmp_path


def test_what_is_done_is_read_and_written(tiny: Path) -> None:
    trained(tiny / "runs")
    assert make_ladder.main(tiny / "runs") == 0
    assert (tiny / "tiny.csv").read_text(encoding="utf-8") == (
        "run,recipe,seed,params,tokens,flops,step,loss,lr\n"
        f"tiny-D8-L2-s0,tiny,0,5688,4096,{4096 * 46128},4,4.9877,0.03333\n"
        f"tiny-D8-L2-s1,tiny,1,5688,4096,{4096 * 46128},4,5.9877,0.03333\n"
    )


def test_what_is_not_done_or_of_another_recipe_is_refused(tiny: Path) -> None:
    trained(tiny / "runs", but=1)
    with pytest.raises(InputError, match=r"tiny-D8-L2-s1 is missing in .*runs"):
        make_ladder.ladder_csv(tiny / "runs")
    (tiny / "tiny.toml").write_text(TINY + "[changes]\nlr = 0.1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"holds another run .*lr 0.05, not 0.1"):
        make_ladder.ladder_csv(tiny / "runs")


def test_a_run_that_failed_leaves_the_table_as_it_was(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, _ = trained(tiny / "runs")
    (one / "done").unlink()
    (one / "failed.json").write_text('{"step": 2, "error": {"message": "its loss is no number"}}')
    assert make_ladder.main(tiny / "runs") == 1
    assert "tiny-D8-L2-s0: its loss is no number" in capsys.readouterr().err
    assert not (tiny / "tiny.csv").exists()
