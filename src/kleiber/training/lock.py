"""One process at a time: advisory locks, which go with their process however that ends.

A file that is held says who holds it. Where a system or a file system has no locks, what the file
says is believed: a process of this machine by its number, one of another until it is removed.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from kleiber.errors import InputError

TRIES, PAUSE = 20, 0.05  # of taking a lock, seconds: whoever only looks has it for a moment


def lock(file: IO[Any], *, wait: bool = False, shared: bool = False) -> bool | None:
    """Lock an open file until it is closed; False where another has it, None without locks."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return None
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold a file, which is there meanwhile; raise InputError where another process does.

    ``what`` is said to be trained in its folder.
    """
    file = _taken(path, what)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def holder(path: Path) -> dict[str, Any] | None:
    """Return what a file says of the process that holds it, None where nobody does."""
    try:
        with path.open("rb") as file:
            locked = lock(file, shared=True)
            said = _read(file)
    except FileNotFoundError:
        return None
    return said if locked is False or _believed(said, locked) else None


def check_free(path: Path, what: str) -> None:
    """Raise InputError where another process holds a file."""
    said = holder(path)
    if said is not None:
        raise _refused(path, what, said)


def _taken(path: Path, what: str) -> IO[str]:
    """Return the file, locked and signed."""
    said: dict[str, Any] = {}
    for _ in range(TRIES):
        file = path.open("a+", encoding="utf-8")
        locked = lock(file)
        said = _read(file)
        if locked is not False and _believed(said, locked):
            file.close()
            break
        if locked is None or (locked and _is_at(file, path)):
            file.truncate(0)
            who = {"pid": os.getpid(), "host": socket.gethostname(), "locked": bool(locked)}
            file.write(json.dumps(who) + "\n")
            file.flush()
            return file
        file.close()
        time.sleep(PAUSE)
    raise _refused(path, what, said)


def _is_at(file: IO[str], path: Path) -> bool:
    """Return whether an open file is still the one of that name: its holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _read(file: IO[Any]) -> dict[str, Any]:
    """Return what a file says, nothing where its writing was cut off."""
    file.seek(0)
    try:
        said = json.loads(file.read())
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _believed(said: dict[str, Any], locked: bool | None) -> bool:
    """Return whether the process that a file names may live, where no lock tells."""
    if "host" not in said or (locked and said.get("locked")):
        return False
    if said["host"] != socket.gethostname():
        return True
    try:
        os.kill(int(said["pid"]), 0)
    except (ProcessLookupError, KeyError, ValueError):
        return False
    except PermissionError:
        pass
    return True


def _refused(path: Path, what: str, said: dict[str, Any]) -> InputError:
    who = f"process {said.get('pid')} on {said.get('host')}" if said else "another process"
    ended = "" if said.get("locked") else f" If it no longer runs, remove '{path}'."
    return InputError(
        f"{what} is being trained in '{path.parent}' by {who}; nothing was changed.",
        remedy=f"Wait for it; its points.jsonl says how far it is.{ended}",
    )
