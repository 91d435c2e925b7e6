"""kleiber ladder: what it prints before, while and after rungs are trained."""

from __future__ import annotations

import functools
import json
import math
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from kleiber.launching.index import read_index, save_index
from kleiber.recipes.ladder import Ladder, ladder

LADDER = """
about = "two sizes"
name = "tiny"
seeds = "2 if D <= 8 else 1"
[recipe]
head_size = 4
vocab = 8
context = 16
batch = 8
steps = 20
lr = "0.1/sqrt(D)"
eps = 1e-8
text = "markov:8:1:0"
[[rung]]
D = 8
L = 1
[[rung]]
D = 16
L = 1
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Work in a folder of its own that holds a ladder's file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(LADDER, encoding="utf-8")
    return "tiny.toml"


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train on the text of tests/launching, in processes all the same."""
    pytest.importorskip("torch")
    from kleiber.launching import ladder as launching

    beside = str(Path(__file__).parents[1] / "launching")
    monkeypatch.setenv("PYTHONPATH", beside, prepend=os.pathsep)
    told = functools.partial(launching.train_ladder, worker="tiny_text")
    monkeypatch.setattr(launching, "train_ladder", told)


def test_show_counts_by_hand(call, file: str) -> None:
    done = call("ladder", "show", file, "--throughput", "1", "--json", "-o", "rungs.jsonl")
    said = done.json
    assert (done.code, said["schema"]) == (0, "kleiber.ladder/1")
    first = said["rungs"][0]
    # D 8, L 1, V 8: attention 4*64, MLP 8*64, embedding and head 2*64, norms 3*8
    assert first["params"] == 256 + 512 + 128 + 24
    assert first["params_body"] == 12 * 64
    assert first["shown_tokens"] == 20 * 8 * 16
    # a token: 6 (12 D^2 + V D) for the matrices, 12 S D for scores and mixing
    assert first["flops"] == (6 * (768 + 64) + 12 * 16 * 8) * 2560
    assert first["flops_6nd"] == 6 * 768 * 2560
    assert first["seconds"] == pytest.approx(first["flops"] / 1e9)
    assert said["flops"] == sum(rung["flops"] for rung in said["rungs"])
    assert said["cost"]["money"] == pytest.approx(said["flops"] / (989e12 * 0.4 * 3600) * 2)
    lines = [json.loads(line) for line in Path("rungs.jsonl").read_text().splitlines()]
    assert lines == said["rungs"]
    assert [line["name"] for line in lines] == ["tiny-D8-L1-s0", "tiny-D8-L1-s1", "tiny-D16-L1-s0"]


def test_the_text_of_show(call, file: str, monkeypatch: pytest.MonkeyPatch, snapshot) -> None:
    monkeypatch.setattr("kleiber.launching.expect.available_bytes", lambda: 450.5e6)
    assert call("ladder", "show", file).out == snapshot


def test_a_rung_is_timed_here(call, file: str) -> None:
    pytest.importorskip("torch")
    said = call("ladder", "show", file, "--throughput", "here", "--json").json
    assert said["throughput"].endswith("measured here on 2 of 2 shapes")
    assert all(rung["seconds"] > 0 for rung in said["rungs"])


@pytest.mark.usefixtures("worker")
def test_run_then_status_then_runs(call, file: str) -> None:
    assert call("ladder", "status", file, "-o", "out").out.endswith(
        "3 missing; unknown time left, one after the other\n"
    )
    done = call("ladder", "run", file, "--out", "out", "--json")
    assert (done.code, done.json["failed"]) == (0, [])
    rows = done.json["runs"]
    assert [row["run"] for row in rows] == ["tiny-D8-L1-s0", "tiny-D8-L1-s1", "tiny-D16-L1-s0"]
    again = call("ladder", "run", file, "--out", "out", "--json")
    assert again.json == done.json
    text = call("ladder", "run", file, "--out", "out").out
    assert f"{rows[0]['loss']:.4f}" in text and "nats" in text
    status = call("ladder", "status", "out", "--json").json
    assert (status["done"], status["missing"], status["seconds_left"]) == (3, 0, 0)
    table = call("runs", "out", "--json").json
    assert table["runs"] == 3


@pytest.mark.usefixtures("worker")
def test_a_changed_ladder_and_another_leave_what_status_says(call, file: str) -> None:
    call("ladder", "run", file, "--out", "out")
    before = call("ladder", "status", "out", "--json").json
    assert before["done"] == 3
    changed = LADDER.replace("steps = 20", "steps = 30") + "[[rung]]\nD = 12\nL = 1\n"
    Path(file).write_text(changed, encoding="utf-8")
    done = call("ladder", "run", file, "--out", "out")
    assert done.code == 1
    assert (
        "another run than the ladder's tiny-D8-L1-s0 (tokens 2560, not 3840; steps 20, not 30)"
        in done.out
    )
    Path("other.toml").write_text(LADDER.replace('"tiny"', '"other"'), encoding="utf-8")
    assert call("ladder", "run", "other.toml", "--out", "out").code == 0
    after = call("ladder", "status", "out", "--json").json
    assert (after["done"], after["failed"]) == (7, 0)
    assert before["rungs"] == [one for one in after["rungs"] if one in before["rungs"]]


def test_a_ladder_that_has_not_begun_may_be_changed(tmp_path: Path, file: str) -> None:
    made = ladder(file)
    save_index("tiny", made.rungs, tmp_path)
    Path(file).write_text(LADDER.replace("steps = 20", "steps = 30"), encoding="utf-8")
    save_index("tiny", ladder(file).rungs, tmp_path)
    assert read_index(tmp_path) == list(ladder(file).rungs)


@pytest.mark.usefixtures("worker")
def test_a_failed_rung_is_said_and_the_exit_code_is_1(call, file: str) -> None:
    text = LADDER.replace("D = 16", 'D = 16\nlr = 1e30\nnorm = "layer"')
    Path(file).write_text(text, encoding="utf-8")
    done = call("ladder", "run", file, "--out", "out")
    name = "tiny-D16-L1-lr1e+30-normlayer-s0"
    assert done.code == 1
    assert f"failed    {name}: The loss of {name} is nan at step" in done.out
    status = call("ladder", "status", "out")
    assert status.code == 0
    assert "2 done, 1 failed\n" in status.out


def test_status_of_a_torn_folder_is_that_rungs_own(call, file: str) -> None:
    torn = Path("out/tiny-D8-L1-s0")
    torn.mkdir(parents=True)
    (torn / "run.json").write_text("{", encoding="utf-8")
    said = call("ladder", "status", file, "--out", "out", "--json").json
    assert (said["failed"], said["missing"]) == (1, 2)
    assert "cannot be read" in said["rungs"][0]["why"]


def test_from_plan(call, file: str) -> None:
    made = call("plan", "--target-params", "1B", "--target-tokens", "20B", "--budget", "1e18",
                "--rule", "sizes=3,smallest=1M,seeds=2", "--out", "plan.toml")  # fmt: skip
    assert made.code == 0
    done = call("ladder", "from-plan", "plan.toml", "--recipe", "nanodo-paper",
                "-o", "ladder.toml", "--json")  # fmt: skip
    assert done.code == 1  # 32,101 rows of an untied head are more than a small run may have
    assert "No width of the recipe nanodo-paper has about" in done.json["error"]["message"]
    Path("mine.toml").write_text(
        'layers="max(2, round(D/32))"\nhead_size=16\nvocab=512\ncontext=128\nbatch=64\n'
        'lr="2/D"\ntokens="20*N"\n',
        encoding="utf-8",
    )
    done = call("ladder", "from-plan", "plan.toml", "--recipe", "mine.toml", "-o", "ladder.toml")
    assert done.code == 0
    planned = tomllib.loads(Path("plan.toml").read_text())["runs"]
    rungs = ladder("ladder.toml").rungs
    assert sorted((rung.tokens, rung.seed) for rung in rungs) == sorted(
        (round(run["tokens"]), run["seed"]) for run in planned
    )
    shown = call("ladder", "show", "ladder.toml", "--json").json["rungs"]
    asked = {(round(run["tokens"]), run["seed"]): run["params"] for run in planned}

    def params(width: int) -> int:
        layers = max(2, math.floor(width / 32 + 0.5))
        return 2 * 512 * width + layers * 12 * width**2 + (2 * layers + 1) * width

    for rung in shown:
        wanted = asked[rung["tokens"], rung["seed"]]
        nearest = min(range(16, 4096, 16), key=lambda width: abs(params(width) - wanted))
        assert (rung["width"], rung["params"]) == (nearest, params(nearest))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('lr = "2/Q"', '"2/Q", has an unknown name, Q.'),
        ('lr = "D.real"', "has an attribute access, D.real."),
        ("lr = 0", "has lr 0.0; more than 0 is expected."),
        ("lrr = 1", "There is no setting lrr in [recipe] of 'tiny.toml'; is lr meant?"),
        ('lr = "T"\ntokens = "lr"', "gives both tokens and steps"),
        ('lr = 1\nnorm = "nrom"', "There is no norm 'nrom'"),
        ('lr = "warmup"\nwarmup = "lr"', "go in a circle: lr -> warmup -> lr."),
    ],
)
def test_a_wrong_recipe_is_one_sentence(call, file: str, change: str, said: str) -> None:
    text = LADDER.replace('lr = "0.1/sqrt(D)"', change)
    Path(file).write_text(text, encoding="utf-8")
    for verb in (("show", file), ("show", file, "--json")):
        done = call("ladder", *verb)
        assert done.code == 1
        assert said.replace('"', '\\"' if "--json" in verb else '"') in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "none.toml"), "There is no file 'none.toml'."),
        (("show", "tiny.toml", "--throughput", "fast"), "--throughput is 'fast'"),
        (("show", "tiny.toml", "-o", "no/where.jsonl"), "lies in a folder that does not exist"),
        (("status", "tiny.toml"), "Name the folder with --out."),
        (("status", "."), "has no ladder.json, so no ladder was trained there."),
        (("run", "tiny.toml", "--out", "tiny.toml"), "is a file, and a ladder needs a folder."),
        (("run", "tiny.toml", "--out", "out", "--jobs", "0"), "--jobs is 0"),
    ],
)
def test_wrong_arguments(call, file: str, arguments: tuple[str, ...], said: Any) -> None:
    done = call("ladder", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_showing_needs_no_torch(file: str) -> None:
    import subprocess

    code = (
        "import sys; from kleiber.cli import run; code = run(['ladder', 'show', 'tiny.toml']); "
        "sys.exit(code or 'torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode
        == 0
    )


def test_status_says_which_rung_leaves_the_others_before_it_ends(call, tmp_path: Path) -> None:
    """Six rungs whose curves are one, and a seventh at 60 % whose loss has a hump."""
    content = {"recipe": {**tomllib.loads(LADDER)["recipe"], "name": "six"}, "seeds": 1}
    listed = [{"D": width, "L": 1} for width in (8, 12, 16, 24, 32, 48, 64)]
    made = Ladder.of({**content, "rung": listed}, name="six", source="'six.toml'")
    save_index(made.name, made.rungs, tmp_path)
    for i, rung in enumerate(made.rungs):
        folder = tmp_path / rung.name
        folder.mkdir()
        record = {
            **{"rung": rung.to_dict(), "recipe": rung.recipe, "seed": 0},
            **{"params": 12 * rung.width**2, "exact_flops_per_token": 72 * rung.width**2},
            "text": {"validation_set": "held"},
        }
        (folder / "run.json").write_text(json.dumps(record))
        points: list[dict[str, Any]] = []
        for k in range(1, 21 if i < 6 else 13):
            share = k / 20
            above = (3.0 / rung.width**0.5) * (1 + 0.4 * (1 - share) ** 2)
            if i == 6 and k > 8:
                above *= 1.3
            tokens = int(share * rung.shown_tokens)
            points.append(
                {"step": k, "tokens": tokens, "loss": 1.7 + above, "heldout_loss": 1.7 + above}
                | {"seconds": 1.0, "lr": 0.1}
            )
        (folder / "points.jsonl").write_text("\n".join(map(json.dumps, points)))
        if i < 6:
            (folder / "done").write_text("")
    said = call("ladder", "status", str(tmp_path))
    assert said.code == 0
    assert "6 done, 1 stopped" in said.out
    (odd,) = [line for line in said.out.splitlines() if line.startswith("  odd")]
    assert "six-D64-L1-s0 of six has not ended and leaves the other rungs' curve from 50%" in odd
    (told,) = call("ladder", "status", str(tmp_path), "--json").json["leaving"]
    assert told["run"] == "six-D64-L1-s0" and told["heading"] > 1.7


def test_a_text_that_cannot_be_opened_is_said_before_anything_starts(call, file: str) -> None:
    whole = Path(file).read_text()
    for line, said in (
        ('text = "no/such.txt"', "There is no text 'no/such.txt'"),
        ('text = "stdlib"\ntokenizer = "bytse"', "There is no tokenizer 'bytse'"),
        ('text = "stdlib"', "has 257 different tokens, and the recipe's vocab is 8"),
    ):
        Path(file).write_text(whole.replace('text = "markov:8:1:0"', line))
        shown = call("ladder", "show", file)
        assert shown.code == 0
        (told,) = [row for row in shown.out.splitlines() if row.startswith("  refused")]
        assert said in told  # once, and not for every rung
        done = call("ladder", "run", file, "-o", "out", "--json")
        assert done.code == 1 and done.json["runs"] == []
        assert len(done.json["failed"]) == 3
        assert all(said in one["message"] for one in done.json["failed"])


def test_show_says_what_parts_of_a_batch_save(call, file: str) -> None:
    large = Path(file).read_text().replace("batch = 8", "batch = 8192")
    Path(file).write_text(large)
    whole, parts = (
        [row["memory_bytes"] for row in call("ladder", "show", file, *more, "--json").json["rungs"]]
        for more in ((), ("--micro-batches", "8"))
    )
    assert all(part < 0.9 * one for part, one in zip(parts, whole, strict=True))
    assert call("ladder", "show", file, "--micro-batches", "0").code == 1
