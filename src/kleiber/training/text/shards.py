"""A corpus as tokens on disk: one flat file for training, one held out, and an index of both.

Every document goes to one side by the hash of its own content, so that the same document is on the
same side in every corpus, and what occurs twice is kept once. Each side is its documents in the
corpus's order, an end behind each, as uint16 or uint32 that are read by memory map.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.training.text import cache
from kleiber.training.text.corpus import Corpus
from kleiber.training.text.tokenizer import Named

FORMAT = 2  # of the folder; raised when what a corpus turns into changes
SIDES = ("training", "heldout")
HELDOUT = 0.05
"""The share of documents that is held out."""

AT_ONCE = 256  # documents that are tokenised together


@dataclass(frozen=True)
class Shards:
    """A corpus's tokens, and what the index says of them."""

    training: NDArray[np.unsignedinteger[Any]]
    heldout: NDArray[np.unsignedinteger[Any]]
    index: dict[str, Any]


@dataclass(frozen=True)
class Split:
    """Which documents are held out: those whose hash lies below ``limit`` of 2^64."""

    limit: int

    @classmethod
    def of(cls, corpus: Corpus) -> Split:
        """Return the split of a corpus: a share of all, at least one, and at most all but one."""
        lowest, highest, some = 2**64, -1, 0
        for document in corpus.documents():
            if document:
                number = hash_of(document)
                lowest, highest, some = min(lowest, number), max(highest, number), 1
        if lowest >= highest:
            raise InputError(
                f"The text '{corpus.name}' has {some} document; one to train on and one to hold "
                "out are needed.",
                remedy="Name a longer text: a file of more than 1,024 characters is cut in parts.",
            )
        return cls(min(max(int(HELDOUT * 2**64), lowest + 1), highest))

    def sides(self, documents: Iterable[str]) -> Iterator[tuple[bool, str]]:
        """Yield each document once, with whether it is held out; empty ones not at all."""
        seen: set[int] = set()
        for document in documents:
            number = hash_of(document)
            if document and number not in seen:
                seen.add(number)
                yield number < self.limit, document


def hash_of(document: str) -> int:
    """Return the first 64 bits of a document's SHA-256."""
    return int.from_bytes(hashlib.sha256(document.encode("utf-8")).digest()[:8], "big")


def shards_of(corpus: Corpus, tokenizer: Named) -> Shards:
    """Return a corpus's tokens, from the cache where they were made before."""
    name = cache.name_of(FORMAT, corpus.checksum, tokenizer.name, tokenizer.key)
    folder = cache.made_once(cache.root() / name, lambda path: _make(path, corpus, tokenizer))
    return opened(folder)


def opened(folder: Path) -> Shards:
    """Return what lies in a folder of the cache, or raise InputError if it is not whole."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        kind = np.dtype(index["dtype"])
        training, heldout = (
            np.memmap(folder / f"{side}.bin", dtype=kind, mode="r") for side in SIDES
        )
        counts = [index[side]["tokens"] for side in SIDES]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, str(error).rstrip(".")) from None
    if counts != [len(training), len(heldout)]:
        raise _damaged(folder, "it has another number of tokens than its index.json says")
    return Shards(training, heldout, index)


def _damaged(folder: Path, why: str) -> InputError:
    return InputError(
        f"The tokens in '{folder}' are damaged: {why}.",
        remedy="Remove that folder; it is made again.",
    )


def _make(folder: Path, corpus: Corpus, named: Named) -> None:
    """Tokenise a corpus into a folder."""
    split = Split.of(corpus)
    taught = (document for held, document in split.sides(corpus.documents()) if not held)
    tokenizer = named.learn(taught)
    tokenizer.save(folder)
    kind = np.dtype(np.uint16 if tokenizer.vocab <= 2**16 else np.uint32)
    end = tokenizer.vocab - 1
    writers = [Writer.of(folder / f"{side}.bin") for side in SIDES]
    documents = split.sides(corpus.documents())
    try:
        while some := list(itertools.islice(documents, AT_ONCE)):
            encoded = tokenizer.encode([document for _, document in some])
            for (held, document), tokens in zip(some, encoded, strict=True):
                writers[held].write(np.append(tokens, end).astype(kind), document)
    finally:
        for writer in writers:
            writer.file.close()
    index = {
        "dtype": kind.name,
        "text": corpus.checksum,
        "tokenizer": named.name,
        "tokenizer_checksum": tokenizer.checksum,
        "vocab": tokenizer.vocab,
        "end": end,
        **{side: writer.counts() for side, writer in zip(SIDES, writers, strict=True)},
    }
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


@dataclass
class Writer:
    """One side's file as it grows, with what its index is to say."""

    file: BinaryIO
    digest: Any
    tokens: int = 0
    documents: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, path: Path) -> Writer:
        """Open a file for one side."""
        return cls(path.open("wb"), hashlib.sha256())

    def write(self, tokens: NDArray[Any], document: str) -> None:
        """Write a document's tokens, its end among them."""
        content = tokens.tobytes()
        self.file.write(content)
        self.digest.update(content)
        self.tokens += len(tokens)
        self.documents += 1
        self.bytes += len(document.encode("utf-8"))

    def counts(self) -> dict[str, Any]:
        """Return what was written: tokens, documents, bytes of text, a checksum of the tokens."""
        counts = {name: getattr(self, name) for name in ("tokens", "documents", "bytes")}
        return {**counts, "checksum": self.digest.hexdigest()[:16]}
