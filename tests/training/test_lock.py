"""One process at a time: locks that go with their process, and what is believed without them."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kleiber.errors import InputError
from kleiber.training import lock as locking
from kleiber.training.lock import check_free, held, holder

fcntl = pytest.importorskip("fcntl", reason="needs locks")

HOLD = """
import sys
from pathlib import Path
from kleiber.training.lock import held
with held(Path(sys.argv[1]), "a"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "PAUSE", 0.0)


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the locks away, as some file systems do."""

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_file_is_held_and_let_go(tmp_path: Path) -> None:
    path = tmp_path / "process.json"
    assert holder(path) is None
    with held(path, "a"):
        mine = {"pid": os.getpid(), "host": socket.gethostname(), "locked": True}
        assert holder(path) == mine
        with pytest.raises(
            InputError, match=rf"^b is being trained in '.*' by process {mine['pid']}"
        ):
            held(path, "b").__enter__()
        assert holder(path) == mine
    assert not path.exists()
    with held(path, "b"):
        check_free(tmp_path / "other", "c")


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "process.json"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InputError, match=f"by process {process.pid} on"):
            check_free(path, "a")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert json.loads(path.read_text())["pid"] == process.pid
    assert holder(path) is None
    with held(path, "a"):
        assert holder(path) is not None


@pytest.mark.parametrize("host", ["another-node", socket.gethostname()])
def test_what_a_lock_was_held_on_is_not_believed_without_it(tmp_path: Path, host: str) -> None:
    """Of another machine, or of this one where the number is another process's by now."""
    path = tmp_path / "process.json"
    path.write_text(json.dumps({"pid": os.getpid(), "host": host, "locked": True}))
    assert holder(path) is None
    with held(path, "a"):
        pass


@pytest.mark.parametrize("locks", [True, False])
def test_without_locks_the_file_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: bool
) -> None:
    if not locks:
        without(monkeypatch)
    path = tmp_path / "process.json"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for host, pid, lives in (
        (socket.gethostname(), os.getpid(), True),
        (socket.gethostname(), ended.pid, False),
        ("another-node", ended.pid, True),
    ):
        path.write_text(json.dumps({"pid": pid, "host": host}))
        assert (holder(path) is not None) == lives
    with pytest.raises(InputError) as raised:
        held(path, "a").__enter__()
    assert f"by process {ended.pid} on another-node" in raised.value.message
    assert f"If it no longer runs, remove '{path}'." in raised.value.remedy
    path.unlink()
    with held(path, "a"):
        assert json.loads(path.read_text())["locked"] is locks
        assert holder(path) is not None


def test_a_file_that_was_cut_off_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "process.json"
    path.write_text('{"pid": 1')
    assert holder(path) is None
    with held(path, "a"):
        assert holder(path) is not None
