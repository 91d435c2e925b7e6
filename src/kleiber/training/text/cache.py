"""Where tokens are kept from one run to the next: folders that are there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kleiber.training.lock import lock

DAY = 86_400.0
"""Seconds after which what a killed process left behind is taken away."""


def root() -> Path:
    """Return the folder of all texts: $XDG_CACHE_HOME, or ~/.cache, /kleiber/text."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return base / "kleiber" / "text"


def name_of(*parts: object) -> str:
    """Return a short stable name of plain values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return the folder, which ``make`` fills beside its place if it is not there yet.

    It is renamed into its place when all of it is written; of several processes one makes it and
    the others wait.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if not folder.exists():  # another process may have made it meanwhile
            _make(folder, make)
    return folder


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    _sweep(folder)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        make(partial)
        for path in partial.iterdir():  # its bytes are on the disk before its name is
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        try:
            os.rename(partial, folder)
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process makes this folder, where the system can say so.

    The lock goes with its process, however that ends. Where there are no locks two processes may
    make the same folder, and one of them is kept.
    """
    with folder.with_suffix(".lock").open("wb") as file:
        lock(file, wait=True)
        yield


def _sweep(folder: Path) -> None:
    """Take away what killed processes left of this folder a day ago or more."""
    for left in folder.parent.glob(f"{folder.name}.*.partial"):
        try:
            old = time.time() - left.stat().st_mtime > DAY
        except OSError:  # another process took it away first
            continue
        if old:
            shutil.rmtree(left, ignore_errors=True)
