"""What only a real process shows: stdin, pipes, interrupts, and what a start costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kleiber import cli
from tests.known.ladder import LADDER

KLEIBER = [sys.executable, "-W", "error", "-m", "kleiber"]
# The promise is 0.3 s and 0.2 s of CPU on a usual machine; a busy one may take twice that.
HELP, IMPORT = 0.6, 0.4


def process(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*KLEIBER, *arguments], capture_output=True, text=True, timeout=120, check=False, **more
    )  # type: ignore[call-overload]


def test_standard_input() -> None:
    text = LADDER.read_text(encoding="utf-8")
    piped = process("fit", "-", "--json", input=text)
    assert (piped.returncode, piped.stderr) == (0, "")
    found = json.loads(piped.stdout)
    assert found["data"]["source"] == "standard input"
    assert found["command"] == "kleiber fit - --json"
    named = json.loads(process("fit", str(LADDER), "--json").stdout)
    assert named["values"] == found["values"]


def test_empty_standard_input() -> None:
    done = process("fit", "-", "--json", input="")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "input"


def test_a_reader_that_leaves_early() -> None:
    command = [*KLEIBER, "fit", str(LADDER), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        assert started.stdout is not None and started.stderr is not None
        started.stdout.close()
        said = started.stderr.read()
        assert started.wait(timeout=60) == 0
    assert said == b""


def test_an_interrupt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kleiber.runs.Runs.read", interrupted)
    assert cli.run(["fit", str(LADDER)]) == 130
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "interrupted\n")


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX here")
def test_a_real_interrupt() -> None:
    # A shell may have started the tests with interrupts ignored, which children inherit.
    start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{start}; print('started', flush=True); from kleiber.cli import main; main()"
    command = [sys.executable, "-c", code, "study", "interval-coverage"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        assert started.stdout is not None and started.stderr is not None
        assert started.stdout.readline() == b"started\n"
        with pytest.raises(subprocess.TimeoutExpired):
            started.wait(timeout=1.5)  # into the simulation, or its imports
        started.send_signal(signal.SIGINT)
        assert started.wait(timeout=60) == 130
        assert started.stderr.read().endswith(b"interrupted\n")


def cpu_seconds(*command: str) -> float:
    """Return the least CPU time of three starts."""
    import resource

    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def test_a_start_costs_little() -> None:
    help_cost = cpu_seconds(sys.executable, "-m", "kleiber", "--help")
    import_cost = cpu_seconds(sys.executable, "-c", "import kleiber")
    print(f"kleiber --help {help_cost:.2f} s, import kleiber {import_cost:.2f} s of CPU")
    assert help_cost <= HELP
    assert import_cost <= IMPORT


def test_version() -> None:
    done = process("--version")
    assert (done.returncode, done.stdout) == (0, f"{cli.__version__}\n")


def test_the_folder_of_the_run_matters_not(tmp_path: Path) -> None:
    (tmp_path / "ladder.csv").write_bytes(LADDER.read_bytes())
    done = process("fit", "ladder.csv", cwd=tmp_path)
    assert done.returncode == 0
    assert str(tmp_path) not in done.stdout
