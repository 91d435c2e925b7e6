"""Getting a set: verified, whole files only, going on where it stopped."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kleiber.errors import InputError
from kleiber.runs.collections import COLLECTIONS, cache_folder, collection, fetch
from kleiber.runs.sets import fetch as fetching
from kleiber.runs.sets.record import Collection, File

TABLES = {"a.csv": b"N,D\n1,2\n", "deep/b.csv": b"N,D\n3,4\n"}


@dataclass(frozen=True)
class Small(Collection):
    """A set of two files, of which a test decides what is published."""

    made: tuple[File, ...] = ()

    @property
    def files(self) -> tuple[File, ...]:
        return self.made


@pytest.fixture
def small() -> Small:
    files = tuple(
        File(path, f"data/{path}", len(data), hashlib.sha256(data).hexdigest())
        for path, data in TABLES.items()
    )
    known = collection("misfitting")
    fields = {name: getattr(known, name) for name in known.__dataclass_fields__}
    return Small(**fields | {"name": "small"}, made=files)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path, data in TABLES.items():
        target = tmp_path / "copy" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return tmp_path / "copy"


def test_from_a_local_copy(small: Small, copy: Path, tmp_path: Path) -> None:
    got = fetch(small, copy, tmp_path / "out")
    assert (got.written, got.kept) == (("a.csv", "deep/b.csv"), ())
    assert (got.folder / "deep/b.csv").read_bytes() == TABLES["deep/b.csv"]
    again = fetch(small, copy, tmp_path / "out")
    assert (again.written, again.kept) == ((), ("a.csv", "deep/b.csv"))
    assert sorted(p.name for p in got.folder.rglob("*") if p.is_file()) == ["a.csv", "b.csv"]


def test_a_wrong_checksum_names_the_file(small: Small, copy: Path, tmp_path: Path) -> None:
    (copy / "deep/b.csv").write_bytes(b"N,D\n3,5\n")
    with pytest.raises(InputError, match=r"'deep/b\.csv' of small is not the published file"):
        fetch(small, copy, tmp_path / "out")
    assert not (tmp_path / "out/small/deep/b.csv").exists()
    (copy / "deep/b.csv").write_bytes(TABLES["deep/b.csv"])
    assert fetch(small, copy, tmp_path / "out").kept == ("a.csv",)


def test_a_damaged_file_in_the_cache_is_written_again(
    small: Small, copy: Path, tmp_path: Path
) -> None:
    fetch(small, copy, tmp_path / "out")
    (tmp_path / "out/small/a.csv").write_bytes(b"N,D\n")
    assert fetch(small, copy, tmp_path / "out").written == ("a.csv",)


def test_an_interruption_leaves_no_part_of_a_file(
    small: Small, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        fetch(small, copy, tmp_path / "out")
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == []


def test_a_missing_file_and_a_missing_folder(small: Small, copy: Path, tmp_path: Path) -> None:
    (copy / "a.csv").unlink()
    with pytest.raises(InputError, match=r"no file 'a\.csv' of the set small"):
        fetch(small, copy, tmp_path / "out")
    with pytest.raises(InputError, match="no folder"):
        fetch(small, tmp_path / "nowhere", tmp_path / "out")


def test_from_the_public_address(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(urllib.request, "urlopen", _server(asked))
    fetch(small, out=tmp_path)
    root = f"https://raw.githubusercontent.com/{small.repository}/{small.commit}"
    assert asked == [f"{root}/data/a.csv", f"{root}/data/deep/b.csv"]


def test_no_network_is_one_sentence_with_the_way_out(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(InputError, match="cannot be fetched: Name or service not known") as caught:
        fetch(small, out=tmp_path)
    assert "--from DIR" in caught.value.remedy


def test_what_is_in_no_repository_is_left_out_or_refused(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", _server([]))
    first, second = small.files
    some = replace(small, made=(first, replace(second, published="")))
    assert fetch(some, out=tmp_path / "some").left_out[0][0] == "deep/b.csv"
    none = replace(small, made=(replace(first, published=""),))
    with pytest.raises(InputError, match="at a public address") as caught:
        fetch(none, out=tmp_path / "none")
    assert "--from DIR" in caught.value.remedy


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KLEIBER_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "kleiber" / "sets"
    monkeypatch.setenv("KLEIBER_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine" / "sets"


@pytest.mark.parametrize("one", COLLECTIONS, ids=lambda one: one.name)
def test_checksums_are_of_the_real_files(
    one: Collection, real: Callable[[str], str], tmp_path: Path
) -> None:
    got = fetch(one, real(""), tmp_path)
    assert len(got.written) == len(one.files)
    for file in one.files:
        assert (got.folder / file.path).stat().st_size == file.size


def _server(asked: list[str]) -> Callable[..., _Answer]:
    def answer(address: str, timeout: float) -> _Answer:
        assert timeout > 0
        asked.append(address)
        return _Answer(TABLES[address.split("/data/")[1]])

    return answer


class _Answer:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def __enter__(self) -> _Answer:
        return self

    def __exit__(self, *_: object) -> None: ...

    def read(self) -> bytes:
        return self.data
