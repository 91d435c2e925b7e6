"""kleiber know: bad input is one sentence, nothing is overwritten, a stopped grid goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kleiber.cli.know.capacity import _leave
from kleiber.cli.know.screen import Bits
from kleiber.cli.screen import Shown, duration
from kleiber.judging.capacity import fit_plateaus

RUN_KEYS = {
    *("people", "params", "exposures", "seed", "bits_per_param", "max_bits_per_param"),
    *("name_bits", "value_bits", "diversity_bits", "accuracy", "controls"),
}
TINY = """
about = "a test"
strings = { K = 2, C = 1, D = 8, L = 1, T = 8, name_tokens = 3 }
people = 20
exposures = 400
layers = 1
width = [8, 12]
heads = 1
batch = 20
lr = 0.01
compiled = false
"""


def left(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own that holds a preset of two sizes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the grid once, as a stranger would, and keep what was printed beside it."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("know")
    (folder / "tiny.toml").write_text(TINY)
    done = kleiber(folder, "capacity", "--preset", "tiny.toml", "--out", "grid", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (folder / "said.json").write_text(done.stdout)
    return folder


@pytest.fixture
def grid(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a copy of the trained grid, to do harm to."""
    shutil.copytree(trained, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy" / "grid"


def kleiber(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kleiber", "know", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


CELL = "N20-E400-1x8-b20-s0"


# What is said before anything starts.


@pytest.mark.parametrize(
    ("options", "code", "kind", "said"),
    [
        (("--people", "0"), 2, "usage", "people is 0; at least 1 is needed."),
        (("--people", "many"), 2, "usage", "--people: 'many' is no count."),
        (("--people", "1.5"), 2, "usage", "--people is 1.5; whole numbers are expected."),
        (("--people", "10K"), 1, "input", "more people than names: 10000 people, 512 names."),
        (("--exposures", "0"), 2, "usage", "exposures is 0; at least 1 is needed."),
        (("--heads", "5"), 1, "input", "5 heads cannot share a width of 8"),
        (("--lr", "-1"), 2, "usage", "lr is -1.0; more than 0 is needed."),
        (("--lr", "nan"), 1, "input", "lr is nan; a number is expected."),
        (("--architecture", "gpt5"), 1, "input", "There is no architecture 'gpt5'."),
        (("--params", "5"), 1, "input", "No gpt2 of 1 layer and 11 rows has about 5"),
        (("--params", "900", "--width", "8"), 2, "usage", "--params is 900 and --width 8;"),
        (("--seeds", "0"), 2, "usage", "0 seeds were asked for."),
        (("--jobs", "0"), 2, "usage", "--jobs is 0; at least 1 is needed."),
        (("--glances", "-1"), 2, "usage", "--glances is -1."),
        (("--width", "200000"), 1, "input", "TB, and"),
        (("--batch", "99999999"), 1, "input", "nothing was started."),
        (("--device", "tpu"), 2, "usage", "There is no device 'tpu'."),
        (("--preset", "nope"), 2, "usage", "There is no preset 'nope'."),
        (("--preset", "nope.toml"), 2, "usage", "There is no file 'nope.toml'."),
        (("--format", "bioX"), 2, "usage", "bioX"),
        (("--tokens", "letters"), 2, "usage", "There are no tokens 'letters'."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_trained_is_said_at_once(
    call: Any, tiny: Path, options: tuple[str, ...], code: int, kind: str, said: str
) -> None:
    named = () if "--preset" in options else ("--preset", "tiny.toml")
    if "--tokens" in options:
        named = ("--preset", "paper")
    done = call("know", "capacity", *named, *options, "--out", "grid", "--json")
    assert (done.code, done.err) == (code, "")
    assert set(done.json) == {"error"}
    error = done.json["error"]
    assert error["code"] == kind
    assert said in error["message"] and error["remedy"].endswith(".")
    assert not (tiny / "grid").exists()


def test_no_gpu_is_a_sentence(call: Any, tiny: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    arguments = ("--preset", "tiny.toml", "--device", "cuda", "--out", "grid", "--json")
    done = call("know", "capacity", *arguments)
    assert done.code == 1
    assert "'cuda' asks for an NVIDIA GPU" in done.json["error"]["message"]
    assert not (tiny / "grid").exists()


@pytest.mark.parametrize(
    "verb",
    [("capacity", "--out", "grid"), ("train", "--width", "8", "--out", "grid"), ("measure",)],
)
def test_without_torch_the_extra_is_named(
    call: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    preset = ("grid",) if verb == ("measure",) else ("--preset", "tiny.toml")
    done = call("know", *verb, *preset, "--json")
    assert done.code == 1
    assert done.json["error"]["code"] == "extra"
    assert "kleiber[train]" in done.json["error"]["remedy"]
    assert not (tiny / "grid").exists()


def test_two_runs_that_would_share_a_folder(call: Any, tiny: Path) -> None:
    blocks = "[[grid]]\nwidth = 8\n[[grid]]\nwidth = 8\nweight_decay = 0.5\n"
    (tiny / "two.toml").write_text(TINY.replace("width = [8, 12]\n", "") + blocks)
    done = call("know", "capacity", "--preset", "two.toml", "--out", "grid", "--json")
    assert done.code == 2
    assert "differ only in weight_decay" in done.json["error"]["message"]


def test_memory_counts_the_trainings_at_once(
    call: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kleiber.training.memory.available_bytes", lambda device="cpu": 0.7e9)
    arguments = ("know", "capacity", "--preset", "tiny.toml", "--out", "grid", "--json")
    done = call(*arguments, "--jobs", "2")
    assert "Training 2 at once" in done.json["error"]["message"]
    assert "0.9 GB" in done.json["error"]["message"]
    assert not (tiny / "grid").exists()


def test_help_is_quick() -> None:
    code = "from kleiber.cli import run; run(['know', 'capacity', '--help']); import sys; "
    code += "assert not {'torch', 'polars', 'scipy'} & sys.modules.keys(), 'heavy'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--preset" in done.stdout


# What a trained grid says, and what becomes of a damaged one.


def test_the_contract_of_capacity(trained: Path) -> None:
    found = json.loads((trained / "said.json").read_text())
    assert [row["params"] for row in found["runs"]] == sorted(
        row["params"] for row in found["runs"]
    )
    for row in found["runs"]:
        assert row.keys() >= RUN_KEYS
        assert set(row["controls"]) == {"oracle", "random", "unseen"}
        assert row["controls"]["oracle"] == pytest.approx(row["max_bits_per_param"], abs=1e-9)
    assert found["plateau"].keys() >= {"exposures", "value", "lower", "upper"}
    names = {path.name for path in (trained / "grid").iterdir() if path.is_file()}
    assert {"capacity.jsonl", "capacity.html", "capacity.svg"} >= names >= {"capacity.jsonl"}


def test_the_contract_of_measure(call: Any, trained: Path) -> None:
    done = call("know", "measure", trained / "grid" / CELL, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json.keys() >= RUN_KEYS
    runs = json.loads((trained / "said.json").read_text())["runs"]
    assert done.json["bits_per_param"] == pytest.approx(runs[0]["bits_per_param"], rel=1e-6)
    text = call("know", "measure", trained / "grid" / CELL).out
    assert "oracle" in text and "strangers" in text and "bits per parameter" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_finished_grid_is_read_without_training(call: Any, grid: Path) -> None:
    before = left(grid)
    done = call("know", "capacity", "--preset", "tiny.toml", "--out", "grid", "--json")
    assert done.code == 0
    said = json.loads((grid.parent / "said.json").read_text())
    assert done.json["runs"] == said["runs"]
    after = left(grid)
    assert {k: v for k, v in after.items() if "/" in k} == {
        k: v for k, v in before.items() if "/" in k
    }


def test_a_grid_that_stored_nothing_has_its_table_and_no_picture(tmp_path: Path) -> None:
    sizes = {"people": 20, "params": 900, "exposures": 1, "seed": 0, "max_bits_per_param": 2.0}
    rows = [{**sizes, "run": "one", "bits_per_param": -0.2}]
    (tmp_path / "capacity.svg").write_text("of other rows")
    written = _leave(tmp_path, rows, fit_plateaus(rows), level=0.9, quiet=True)
    assert [path.name for path in written] == ["capacity.jsonl"]
    assert not (tmp_path / "capacity.svg").exists()
    assert json.loads((tmp_path / "capacity.jsonl").read_text())["bits_per_param"] == -0.2


def test_runs_reads_the_grid(call: Any, trained: Path) -> None:
    done = call("runs", trained / "grid", "--json")
    assert done.code == 0
    assert (done.json["runs"], done.json["finals"], done.json["params_are"]) == (2, 2, "total")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("run.json", "run.json' cannot be read"),
        ("capacity.json", "capacity.json' cannot be read"),
    ],
)
def test_a_torn_file_stops_before_training(call: Any, grid: Path, file: str, said: str) -> None:
    torn = grid / CELL / file
    torn.write_bytes(torn.read_bytes()[:40])
    before = left(grid)
    done = call("know", "capacity", "--preset", "tiny.toml", "--out", "grid", "--json")
    assert (done.code, done.err) == (1, "")
    assert said in done.json["error"]["message"]
    assert left(grid) == before


@pytest.mark.parametrize("cut", [0, 40, 500])
def test_torn_weights_are_named_by_measure(call: Any, grid: Path, cut: int) -> None:
    torn = grid / CELL / "weights.safetensors"
    torn.write_bytes(torn.read_bytes()[:cut])
    before = left(grid)
    done = call("know", "measure", grid / CELL, "--json")
    assert (done.code, done.err) == (1, "")
    assert "weights.safetensors' cannot be read" in done.json["error"]["message"]
    assert left(grid) == before


def test_a_torn_checkpoint_comes_back_from_the_process(grid: Path) -> None:
    folder = grid / CELL
    for name in ("done", "capacity.json", "weights.safetensors"):
        (folder / name).unlink()
    (folder / "state.safetensors").write_bytes(b"torn")
    before = left(folder)
    done = kleiber(grid.parent, "capacity", "--preset", "tiny.toml", "--out", "grid", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    error = json.loads(done.stdout)["error"]
    assert "state.safetensors' cannot be read" in error["message"]
    assert error["remedy"] == "Remove that file to train the run from its start."
    assert left(folder) == before


@pytest.mark.parametrize("verb", ["capacity", "train"])
def test_a_folder_of_another_run_is_left_alone(call: Any, grid: Path, verb: str) -> None:
    before = left(grid)
    out = "grid" if verb == "capacity" else f"grid/{CELL}"
    more = () if verb == "capacity" else ("--width", "8")
    arguments = ("--preset", "tiny.toml", "--lr", "0.5", *more, "--out", out, "--json")
    done = call("know", verb, *arguments)
    assert done.code == 1
    message = done.json["error"]["message"]
    assert "another configuration" in message and "lr 0.01, not 0.5" in message
    assert left(grid) == before


def test_a_file_where_a_folder_belongs(call: Any, tiny: Path) -> None:
    (tiny / "run").write_text("mine")
    arguments = ("--preset", "tiny.toml", "--width", "8", "--out", "run", "--json")
    done = call("know", "train", *arguments)
    assert (done.code, done.json["error"]["code"]) == (1, "input")
    assert "'run' is a file" in done.json["error"]["message"]
    done = call("know", "measure", "run", "--json")
    assert done.code == 1
    assert (tiny / "run").read_text() == "mine"


def test_somebody_elses_folder_is_left_alone(call: Any, tiny: Path) -> None:
    (tiny / "run").mkdir()
    (tiny / "run" / "thesis.tex").write_text("mine")
    arguments = ("--preset", "tiny.toml", "--width", "8", "--out", "run", "--json")
    done = call("know", "train", *arguments)
    assert "is no run's folder" in done.json["error"]["message"]
    assert left(tiny / "run") == {"thesis.tex": b"mine"}


def test_measure_of_a_run_that_has_not_ended(call: Any, grid: Path) -> None:
    for name in ("done", "weights.safetensors"):
        (grid / CELL / name).unlink()
    done = call("know", "measure", grid / CELL, "--json")
    assert "the run has not ended" in done.json["error"]["message"]
    assert call("know", "measure", "nowhere", "--json").code == 1


# Real processes that are stopped.

LONG = TINY.replace("exposures = 400", "exposures = 30000").replace("[8, 12]", "8")


def children(pid: int) -> list[int]:
    command = ["ps", "-o", "pid=", "--ppid", str(pid)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


def wait_for(what: Any, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Any]:
    """Start a long training, wait for its checkpoint, send a signal; return what became of it."""
    pytest.importorskip("torch")
    if not Path("/proc").is_dir() or shutil.which("ps") is None:
        pytest.skip("needs /proc and ps")
    started: list[subprocess.Popen[str]] = []

    def stop(number: int) -> tuple[subprocess.Popen[str], list[int]]:
        (tmp_path / "long.toml").write_text(LONG)
        command = [sys.executable, "-m", "kleiber", "know", "train"]
        command += ["--preset", "long.toml", "--out", "run"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment
        )
        started.append(process)
        wait_for((tmp_path / "run" / "state.safetensors").exists)
        workers = children(process.pid)
        assert workers
        process.send_signal(number)
        process.wait(30)
        return process, workers

    yield stop
    for process in started:
        process.kill()
        if process.stderr is not None:
            process.stderr.close()


def test_ctrl_c_ends_the_children_and_the_run_goes_on(stopped: Any, tmp_path: Path) -> None:
    process, workers = stopped(signal.SIGINT)
    assert process.returncode == 130
    said = process.stderr.read()
    assert "the same command goes on" in said and "Traceback" not in said
    assert not any(map(alive, workers))
    folder = tmp_path / "run"
    assert (folder / "state.safetensors").exists() and not (folder / "done").exists()

    again = subprocess.Popen(
        [sys.executable, "-m", "kleiber", "know", "train", "--preset", "long.toml", "--out", "run"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert again.stderr is not None
    first = next(line for line in again.stderr if "%" in line)
    again.send_signal(signal.SIGINT)
    again.wait(30)
    again.stderr.close()
    assert int(first.strip().partition("%")[0].split()[-1]) > 1


def test_no_orphan_trains_on_after_kill_minus_nine(stopped: Any) -> None:
    process, workers = stopped(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    wait_for(lambda: not any(map(alive, workers)), 20)


# The line that moves.


class Terminal:
    """A terminal that keeps the lines it shows."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Do nothing."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        """Return what stands there after every carriage return and wiping."""
        return [line.rpartition("\r\x1b[K")[2] for line in self.text.split("\n")]


def reading(step: int, **more: Any) -> dict[str, Any]:
    return {"step": step, "steps": 100, "loss": 2.0, "seconds_left": 40.0, **more}


STORED = {"bits_per_param": 1.0, "max_bits_per_param": 2.5}


def test_a_grid_has_one_moving_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((120, 30)))
    screen = Bits([Shown(name, 1.0, 0) for name in "abcd"], quiet=False)
    screen.start(0)
    screen.start(1)
    screen.show(0, reading(30))
    screen.show(1, reading(50))
    assert len(terminal.lines) == 1
    assert terminal.lines[0].startswith("0 of 4 done, about ")
    assert terminal.lines[0].endswith("left | a 30%; b 50%")
    screen.show(0, {"result": STORED})
    assert terminal.lines[0].startswith("1/4  a  ███████████████···············│2   1.000")
    assert terminal.lines[1].endswith("| b 50%")
    screen.show(1, {"error": {"message": "It broke."}})
    screen.close()
    assert terminal.lines[1:] == ["b  It broke.", ""]


def test_a_run_shows_its_bits_rising(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    screen = Bits([Shown("a", 1.0)], quiet=False)
    screen.start(0)
    assert terminal.lines == ["starting"]
    screen.show(0, reading(10, **STORED))
    screen.show(0, reading(11))
    assert terminal.lines[0].startswith(" 10%  ████")
    assert terminal.lines[1] == "11%, loss 2.000 nats, 40 s left"
    screen.show(0, {"note": "measuring"})
    assert terminal.lines[1] == "measuring"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Bits([Shown("a", 1.0)], quiet=True)
    screen.start(0)
    screen.show(0, reading(10, **STORED))
    screen.show(0, {"result": STORED})
    screen.close()
    assert capsys.readouterr() == ("", "")


def test_durations() -> None:
    assert [duration(s) for s in (3, 89, 120, 5400, 9000)] == [
        "3 s",
        "89 s",
        "2 min",
        "1.5 h",
        "2.5 h",
    ]


# The page of a table of measured capacities.


def published(folder: Path) -> Path:
    from kleiber.studies.capacity_fit import published_rows

    table = folder / "capacity.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in published_rows()))
    return table


@pytest.mark.parametrize("by", ["table", "folder"])
def test_report_writes_the_page_of_a_capacity(call: Any, tiny: Path, by: str) -> None:
    pytest.importorskip("vl_convert")
    table = published(tiny)
    done = call("report", table if by == "table" else tiny, "-o", "page.html", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["schema"] == "kleiber.report/1"
    assert "Bits of knowledge per parameter" in Path("page.html").read_text()


def test_report_refuses_what_means_nothing_there(call: Any, tiny: Path) -> None:
    table = published(tiny)
    for more in (("--params", "7B"), ("--law", "kaplan")):
        done = call("report", table, "-o", "page.html", *more, "--json")
        assert (done.code, done.json["error"]["code"]) == (2, "usage")
        assert "measured capacities" in done.json["error"]["message"]


def test_report_names_a_torn_line(call: Any, tiny: Path) -> None:
    table = published(tiny)
    table.write_bytes(table.read_bytes()[:-20])
    done = call("report", table, "-o", "page.html", "--json")
    assert done.code == 1
    assert "line 37 is no JSON" in done.json["error"]["message"]
    assert not Path("page.html").exists()


def test_one_set_of_people_is_made(call: Any, tmp_path: Path) -> None:
    done = call("know", "make", "--preset", "mini", "--people", "10,20", "-o", "x.jsonl")
    assert done.code != 0
    assert "--people names several" in done.err


def test_a_plateau_lies_between_its_bounds(call: Any) -> None:
    done = call("know", "size", "--people", "1M", "--plateau", "1.9:1.95:1.85")
    assert done.code == 2
    assert "does not lie between its bounds" in done.err


def test_a_grid_is_no_run(call: Any, grid: Path) -> None:
    run = next(path.parent for path in sorted(grid.rglob("run.json")))
    before = sorted(path.name for path in run.iterdir())
    done = call("know", "capacity", "--preset", "mini", "--out", str(run))
    assert done.code == 1
    assert "holds a run, not a grid" in done.err
    assert sorted(path.name for path in run.iterdir()) == before


def test_rows_of_an_earlier_grid_stay(grid: Path) -> None:
    from kleiber.cli.know.capacity import _earlier

    table = grid / "earlier.jsonl"
    table.write_text('{"run": "a"}\n{"run": "b"}\n{"ru')
    assert _earlier(table, {"b"}) == [{"run": "a"}]


def test_a_diverged_run_is_named() -> None:
    from kleiber.cli.know.capacity import _diverged

    row = {"run": "x", "max_bits_per_param": 2.0, "controls": {"random": -0.5}}
    assert _diverged([{**row, "bits_per_param": -0.6}]) == []
    assert "it diverged" in _diverged([{**row, "bits_per_param": -30.0}])[0]
