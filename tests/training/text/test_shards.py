from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from kleiber.errors import InputError
from kleiber.training.text import cache as store
from kleiber.training.text.corpus import Corpus
from kleiber.training.text.local import of_path
from kleiber.training.text.shards import Shards, Split, hash_of, opened, shards_of
from kleiber.training.text.tokenizer import Bytes, Named, tokenizer_of

BYTES = tokenizer_of("bytes")


def of(*documents: str) -> Corpus:
    checksum = store.name_of(*documents)
    return Corpus("some", checksum, lambda: iter(documents))


def documents(side: np.ndarray, end: int = 256) -> list[str]:
    found, document = [], []
    for token in side.tolist():
        if token == end:
            found.append(bytes(document).decode())
            document = []
        else:
            document.append(token)
    assert not document  # the last ends, too
    return found


def test_tokens_are_the_documents_and_the_index_counts_them(folder: Path) -> None:
    corpus = of_path(str(folder))
    shards = shards_of(corpus, BYTES)
    taught, held = documents(shards.training), documents(shards.heldout)
    assert sorted(taught + held) == sorted(corpus.documents())
    assert [d for d in corpus.documents() if d in set(taught)] == taught  # in their order
    assert shards.training.dtype == np.uint16
    assert 2 <= len(held) <= 25  # of 200, a twentieth
    for side, texts, tokens in (
        ("training", taught, shards.training),
        ("heldout", held, shards.heldout),
    ):
        said = shards.index[side]
        assert said["documents"] == len(texts)
        assert said["bytes"] == sum(len(text.encode()) for text in texts)
        assert said["tokens"] == len(tokens) == said["bytes"] + len(texts)


def test_a_document_that_occurs_twice_is_on_one_side_once(folder: Path) -> None:
    for path in list(folder.iterdir()):
        path.with_name(f"again-{path.name}").write_text(path.read_text())
    shards = shards_of(of_path(str(folder)), BYTES)
    taught, held = documents(shards.training), documents(shards.heldout)
    assert len(taught) + len(held) == 200
    assert not set(taught) & set(held)


def test_a_document_stays_on_its_side_when_others_come_and_go() -> None:
    texts = [f"text {number}" for number in range(500)]
    few, many = shards_of(of(*texts[:300]), BYTES), shards_of(of(*reversed(texts)), BYTES)
    assert set(documents(few.heldout)) == set(documents(many.heldout)) & set(texts[:300])
    assert set(documents(few.training)) == set(documents(many.training)) & set(texts[:300])


def test_one_document_at_least_is_held_out_and_one_is_not() -> None:
    hashes = {f"text {number}": hash_of(f"text {number}") for number in range(300)}
    order = sorted(hashes, key=hashes.__getitem__)
    assert hashes[order[2]] < 0.05 * 2**64  # of these three all would be held out
    for some in (order[:3], order[-3:]):
        split = Split.of(of(*some))
        held = [document for out, document in split.sides(some) if out]
        assert held == (some[:2] if some == order[:3] else some[:1])


def test_too_few_documents_are_said() -> None:
    for some in ((), ("",), ("one", "one", "")):
        with pytest.raises(InputError, match=r"has [01] document; one to train on and one to hold"):
            shards_of(of(*some), BYTES)


def test_tokens_are_made_once(folder: Path) -> None:
    corpus = of_path(str(folder))
    shards_of(corpus, BYTES)

    def never() -> None:
        raise AssertionError("made again")

    again = Corpus(corpus.name, corpus.checksum, never)  # pyright: ignore[reportArgumentType]
    assert documents(shards_of(again, BYTES).training)
    other = Corpus(corpus.name, "another", corpus.documents)
    assert len(shards_of(other, BYTES).training) == len(shards_of(corpus, BYTES).training)


class Wide(Bytes):
    """Bytes whose numbers need 32 bits."""

    def encode(self, documents: object) -> list[np.ndarray]:
        return [each.astype(np.int64) + 70_000 for each in super().encode(documents)]  # pyright: ignore


def test_many_rows_take_wider_tokens() -> None:
    wide = Named("wide", lambda _: Wide(vocab=70_257))
    shards = shards_of(of("one", "two", "three"), wide)
    assert shards.training.dtype == np.uint32
    every = np.concatenate([shards.training, shards.heldout])
    assert every.max() == 70_256
    assert (every == 70_256).sum() == 3
    assert every.min() > 70_000


@pytest.mark.parametrize("what", ["training.bin", "index.json", "heldout.bin"])
def test_damaged_tokens_are_said_with_what_to_do(folder: Path, cache: Path, what: str) -> None:
    corpus = of_path(str(folder))
    shards_of(corpus, BYTES)
    [made] = [path for path in cache.iterdir() if path.is_dir()]
    with (made / what).open("r+b") as file:
        file.truncate(10)
    with pytest.raises(InputError, match=r"are damaged: .* Remove that folder; it is made again"):
        shards_of(corpus, BYTES)
    (made / what).unlink()
    with pytest.raises(InputError, match=r"are damaged: .*No such file"):
        shards_of(corpus, BYTES)


SLOW = """
    import sys, time
    from pathlib import Path
    from kleiber.training.text.corpus import Corpus
    from kleiber.training.text.shards import shards_of
    from kleiber.training.text.tokenizer import tokenizer_of

    def documents():
        for number in range(40):
            print(number, flush=True)
            time.sleep({wait})
            yield f"document {{number}}"

    shards_of(Corpus("slow", "slow", documents), tokenizer_of("bytes"))
    print("made", flush=True)
"""


def start(wait: float) -> subprocess.Popen[str]:
    code = textwrap.dedent(SLOW.format(wait=wait))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def whole() -> Shards:
    def never() -> None:
        raise AssertionError("made again")

    return shards_of(Corpus("slow", "slow", never), BYTES)  # pyright: ignore[reportArgumentType]


@pytest.mark.skipif(sys.platform == "win32", reason="signals and locks are POSIX's")
def test_a_killed_process_leaves_nothing_torn_and_others_go_on(cache: Path) -> None:
    process = start(0.01)
    assert process.stdout is not None
    for _ in range(60):  # into its second reading, when tokens are written
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    [left] = [path for path in cache.iterdir() if path.is_dir()]
    assert left.name.endswith(".partial")
    other = start(0)
    assert other.communicate()[0].split()[-1] == "made"
    assert len(documents(whole().training)) + len(documents(whole().heldout)) == 40
    assert left.exists()  # it might have been a live process's
    os.utime(left, (time.time() - 2 * store.DAY,) * 2)
    store._sweep(cache / left.name.partition(".")[0])  # pyright: ignore[reportPrivateUsage]
    assert not left.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="locks are POSIX's")
def test_of_processes_at_once_one_makes_the_tokens(cache: Path) -> None:
    both = [start(0.002) for _ in range(3)]
    said = [process.communicate()[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0, 0]
    assert [words[-1] for words in said] == ["made"] * 3
    assert sorted(len(words) for words in said) == [1, 1, 81]  # two waited
    assert [path.suffix for path in cache.iterdir() if path.is_dir()] == [""]
    assert documents(whole().training)


def test_without_locks_a_race_ends_in_one_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    place = tmp_path / "place"

    def quickly(path: Path) -> None:
        (path / "a").write_text("other")

    def slowly(path: Path) -> None:
        (path / "a").write_text("mine")
        store.made_once(place, quickly)

    store.made_once(place, slowly)
    assert (place / "a").read_text() == "other"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["place", "place.lock"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        (path / "a").write_text("half")
        raise InputError("no text")

    with pytest.raises(InputError):
        store.made_once(tmp_path / "texts" / "place", fail)
    assert [path.name for path in (tmp_path / "texts").iterdir()] == ["place.lock"]


def test_the_cache_is_where_the_system_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.root() == tmp_path / "cache" / "kleiber" / "text"
    for unset in ("", "relative/path"):  # XDG: a relative path is to be ignored
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert store.root() == Path.home() / ".cache" / "kleiber" / "text"


def test_an_index_is_plain(folder: Path, cache: Path) -> None:
    shards_of(of_path(str(folder)), BYTES)
    [made] = [path for path in cache.iterdir() if path.is_dir()]
    assert sorted(path.name for path in made.iterdir()) == [
        "heldout.bin",
        "index.json",
        "training.bin",
    ]
    index = json.loads((made / "index.json").read_text())
    assert index["vocab"] == index["end"] + 1 == 257
    assert opened(made).index == index
