"""What turns documents into tokens: bytes, or byte pairs learned from the training part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Tokenizer(Protocol):
    """What cuts documents into tokens; its last row ends a document."""

    @property
    def name(self) -> str:
        """What a recipe calls it."""
        ...

    @property
    def vocab(self) -> int:
        """Rows in use, the end of a document among them."""
        ...

    @property
    def end(self) -> int:
        """The token behind every document."""
        ...

    @property
    def checksum(self) -> str:
        """A short name of all that decides what it returns."""
        ...

    def encode(self, documents: Sequence[str]) -> Iterable[NDArray[np.int64]]:
        """Return the tokens of each document, its end not among them."""
        ...


@dataclass(frozen=True)
class Bytes:
    """One token for each byte of UTF-8, and 256 for the end of a document."""

    name: str = "bytes"
    vocab: int = 257
    end: int = 256
    checksum: str = "bytes"

    def encode(self, documents: Sequence[str]) -> Iterable[NDArray[np.int64]]:
        """Return the bytes of each document."""
        for document in documents:
            yield np.frombuffer(document.encode("utf-8"), dtype=np.uint8).astype(np.int64)
