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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.training.text import cache
from kleiber.training.text.corpus import Corpus
from kleiber.training.text.tokenizer import Tokenizer

FORMAT = 1  # of the folder; raised when what a corpus turns into changes
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
    documents: int  # that differ

    @classmethod
    def of(cls, corpus: Corpus) -> Split:
        """Return the split of a corpus: a share of all, at least one, and at most all but one."""
        hashes = sorted({hash_of(document) for document in corpus.documents() if document})
        if len(hashes) < 2:
            raise InputError(
                f"The text '{corpus.name}' has {len(hashes)} document; one to train on and one to "
                "hold out are needed.",
                remedy="Name a longer text: a file of more than 1,024 characters is cut in parts.",
            )
        limit = min(max(int(HELDOUT * 2**64), hashes[0] + 1), hashes[-1])
        return cls(limit, len(hashes))

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


def shards_of(corpus: Corpus, tokenizer: Tokenizer) -> Shards:
    """Return a corpus's tokens, from the cache where they were made before."""
    name = cache.name_of(FORMAT, corpus.checksum, tokenizer.name, tokenizer.checksum)
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


def _make(folder: Path, corpus: Corpus, tokenizer: Tokenizer) -> None:
    """Tokenise a corpus into a folder."""
    split = Split.of(corpus)
    kind = np.dtype(np.uint16 if tokenizer.vocab <= 2**16 else np.uint32)
    index: dict[str, Any] = {"dtype": kind.name, "corpus": corpus.name, "text": corpus.checksum}
    index |= {"tokenizer": tokenizer.name, "vocab": tokenizer.vocab, "end": tokenizer.end}
    files = [(folder / f"{side}.bin").open("wb") for side in SIDES]
    sums = [hashlib.sha256() for _ in SIDES]
    counts = [{"tokens": 0, "documents": 0, "bytes": 0} for _ in SIDES]
    documents = split.sides(corpus.documents())
    try:
        while some := list(itertools.islice(documents, AT_ONCE)):
            encoded = tokenizer.encode([document for _, document in some])
            for (held, document), tokens in zip(some, encoded, strict=True):
                content = np.append(tokens, tokenizer.end).astype(kind).tobytes()
                files[held].write(content)
                sums[held].update(content)
                counts[held]["tokens"] += len(tokens) + 1
                counts[held]["documents"] += 1
                counts[held]["bytes"] += len(document.encode("utf-8"))
    finally:
        for file in files:
            file.close()
    for side, count, total in zip(SIDES, counts, sums, strict=True):
        index[side] = {**count, "checksum": total.hexdigest()[:16]}
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
