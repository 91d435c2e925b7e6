"""What turns documents into tokens: bytes, byte pairs learned here, or those of others.

``bytes``        256 bytes and the end of a document, 257 rows
``bpe:N``        N rows: byte pairs learned from the training part alone, and the end
``FILE.json``    a file of the package tokenizers, and a row more for the end
``hf:NAME``      the same, by its name on the Hugging Face hub; ``t5`` is ``hf:google-t5/t5-base``,
                 whose 32,100 rows and the end are the 32,101 of the recipe nanodo-paper
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, UsageError
from kleiber.training.text import bytepairs
from kleiber.training.text.corpus import read_bytes

BYTES = 256
INSTEAD = 'tokenizer = "bytes"'
HUB = {"t5": "google-t5/t5-base"}
"""Names for tokenizers of the Hugging Face hub."""

Tokens = NDArray[np.integer[Any]]


class Tokenizer(Protocol):
    """What cuts documents into tokens; its last row ends a document."""

    @property
    def vocab(self) -> int:
        """Rows in use, the end of a document among them."""
        ...

    @property
    def checksum(self) -> str:
        """A short name of all that decides what it returns."""
        ...

    def encode(self, documents: Sequence[str]) -> Iterable[Tokens]:
        """Return the tokens of each document, its end not among them."""
        ...

    def save(self, folder: Path) -> None:
        """Keep what it learned beside the tokens."""
        ...


@dataclass(frozen=True)
class Named:
    """A tokenizer as a recipe names it, before it has seen a text.

    ``key`` is all that decides it beside the name and the text; ``learn`` takes the training part.
    """

    name: str
    learn: Callable[[Iterator[str]], Tokenizer] = field(repr=False)
    key: str = ""


@dataclass(frozen=True)
class Bytes:
    """One token for each byte of UTF-8, and 256 for the end of a document."""

    vocab: int = BYTES + 1
    checksum: str = "bytes"

    def encode(self, documents: Sequence[str]) -> Iterable[Tokens]:
        """Return the bytes of each document."""
        return [np.frombuffer(each.encode("utf-8"), dtype=np.uint8) for each in documents]

    def save(self, folder: Path) -> None:
        """Keep nothing: nothing was learned."""


@dataclass(frozen=True)
class Pairs:
    """A tokenizer of the package ``tokenizers``, and one row more for the end of a document."""

    model: Any

    @property
    def vocab(self) -> int:
        """Rows in use, the end of a document among them."""
        return self.model.get_vocab_size() + 1

    @property
    def checksum(self) -> str:
        """A short name of the model's whole content."""
        return hashlib.sha256(self.model.to_str().encode("utf-8")).hexdigest()[:16]

    def encode(self, documents: Sequence[str]) -> Iterable[Tokens]:
        """Return the tokens of each document."""
        encoded = self.model.encode_batch_fast(list(documents), add_special_tokens=False)
        return [np.array(one.ids, dtype=np.int64) for one in encoded]

    def save(self, folder: Path) -> None:
        """Keep the model, as ``tokenizers.Tokenizer.from_file`` reads it."""
        self.model.save(str(folder / "tokenizer.json"))


def tokenizer_of(name: str) -> Named:
    """Return a tokenizer by its name.

    Raises UsageError for a name that means nothing, InputError for a file that is no tokenizer.
    """
    if name == "bytes":
        return Named(name, lambda _: Bytes())
    kind, _, rest = name.partition(":")
    if kind == "bpe":
        return Named(name, partial(_learned, rows=_rows(name, rest)))
    if kind == "hf" or name in HUB:
        return Named(name, lambda _: _from_hub(name, HUB.get(name, rest)))
    if name.endswith(".json"):
        content = read_bytes(Path(name).expanduser())
        key = hashlib.sha256(content).hexdigest()[:16]
        return Named(Path(name).name, lambda _: _from_file(name, content), key)
    raise UsageError(
        f"There is no tokenizer '{name}'.",
        remedy="Use bytes, bpe:N (such as bpe:4096), t5, hf:NAME, or a tokenizer's .json file.",
    )


def rows_of(name: str) -> int | None:
    """Return the rows that a tokenizer's name alone tells of; None where its file does."""
    if name == "bytes":
        return BYTES + 1
    kind, _, rest = name.partition(":")
    return _rows(name, rest) if kind == "bpe" else None


def _rows(name: str, rest: str) -> int:
    """Return the rows that ``bpe:N`` asks for."""
    if not (rest.isdecimal() and int(rest) > BYTES + 1):
        raise UsageError(
            f"The tokenizer '{name}' says no number of rows above {BYTES + 1}: 256 bytes, the end "
            "of a document, and the pairs that are learned.",
            remedy="Write it as bpe:4096, with vocab = 4096 in the recipe.",
        )
    return int(rest)


def _learned(texts: Iterator[str], rows: int) -> Pairs:
    return Pairs(bytepairs.learned(texts, rows - 1, instead=INSTEAD))


def _from_file(name: str, content: bytes) -> Pairs:
    library = bytepairs.tokenizers(instead=INSTEAD)
    try:
        return Pairs(library.Tokenizer.from_str(content.decode("utf-8")))
    except Exception as error:  # the library raises nothing more exact
        raise InputError(
            f"'{name}' is no tokenizer: {_first_line(error)}.",
            remedy="Name a file that tokenizers.Tokenizer.save wrote, or bytes, or bpe:N.",
        ) from None


def _from_hub(name: str, hub: str) -> Pairs:
    library = bytepairs.tokenizers(instead=INSTEAD)
    try:
        return Pairs(library.Tokenizer.from_pretrained(hub))
    except Exception as error:  # whatever a network and a hub can say
        raise InputError(
            f"The tokenizer '{name}' could not be had as '{hub}' from the Hugging Face hub: "
            f"{_first_line(error)}.",
            remedy="Check its name and the network, or name its tokenizer.json as a file.",
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
