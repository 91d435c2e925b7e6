"""Getting a set: from its public address or a local copy, verified, file by whole file."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kleiber.errors import InputError
from kleiber.runs.notes import counted
from kleiber.runs.sets.folder import Folder, verified
from kleiber.runs.sets.record import Collection, File

TIMEOUT = 60.0  # seconds without an answer
Read = Callable[[File], bytes]


@dataclass(frozen=True)
class Got:
    """Where a set lies now: files written, found there already, and left out with the reason."""

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def cache_folder() -> Path:
    """Return the user's folder of sets: $KLEIBER_CACHE, else kleiber in the cache's home."""
    chosen = os.environ.get("KLEIBER_CACHE")
    if chosen:
        return Path(chosen) / "sets"
    home = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "kleiber" / "sets"


def fetch(
    collection: Collection,
    source: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
) -> Got:
    """Copy a set's files into the cache (or ``out``), each one checked before it is there.

    ``source`` is a local copy, laid out as this project's folders or as the publisher's
    repository; without it files come from the public address. A file that is there already
    with the right checksum is kept, so that an interrupted call goes on where it stopped.

    Raises
    ------
    InputError
        For a file that cannot be had, and for one whose checksum is not the published one.
    """
    root = Path(out) if out is not None else cache_folder()
    folder = root / collection.name
    read = _reader(collection, source)
    written: list[str] = []
    kept: list[str] = []
    left_out: list[tuple[str, str]] = []
    for file in collection.files:
        target = folder / file.path
        if target.is_file() and _is_right(target, file):
            kept.append(file.path)
        elif reason := _absent(collection, file, source):
            left_out.append((file.path, reason))
        else:
            _write(target, verified(read(file), file, collection.name))
            written.append(file.path)
    if not written and not kept:
        raise InputError(
            f"No file of {collection.name} is served at a public address: its tables were made "
            "from the repository's files.",
            remedy="Give a local copy with --from DIR.",
        )
    return Got(folder, tuple(written), tuple(kept), tuple(left_out))


def _reader(collection: Collection, source: str | os.PathLike[str] | None) -> Read:
    if source is None:
        return lambda file: _download(collection.address(file), collection.name)
    root = Path(source)
    if not root.is_dir():
        raise InputError(
            f"There is no folder '{source}'.", remedy="Give a folder with the set's files."
        )
    return lambda file: Folder(collection.name, root).path(file.path).read_bytes()


def _absent(
    collection: Collection, file: File, source: str | os.PathLike[str] | None
) -> str | None:
    """Return why a file that is in no repository is left out, None where it can be had."""
    if file.published and collection.repository:
        return None
    if source is None:
        return "at no public address; --from DIR takes it from a local copy"
    if Folder(collection.name, Path(source)).find(file.path) is None:
        return "not in the local copy, and not in the repository either"
    return None


def _download(address: str, name: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        reason = f"the server answers {error.code} {error.reason}"
    except (urllib.error.URLError, OSError) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
    raise InputError(
        f"{address} cannot be fetched: {reason}.",
        remedy=f"Try again, or take a local copy: kleiber data get {name} --from DIR.",
    )


def _is_right(target: Path, file: File) -> bool:
    if target.stat().st_size != file.size:
        return False
    return hashlib.sha256(target.read_bytes()).hexdigest() == file.sha256


def _write(target: Path, data: bytes) -> None:
    """Write a whole file or none: into a file beside it, then renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def said(got: Got) -> str:
    """Return in one sentence what a fetch did."""
    parts = [f"{counted(len(got.written), 'file')} written"]
    if got.kept:
        parts.append(f"{len(got.kept)} there already")
    if got.left_out:
        parts.append(f"{len(got.left_out)} left out")
    return f"{', '.join(parts)}, every checksum right: {got.folder}"
