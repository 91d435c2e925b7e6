"""Two ways to cut text into tokens: whole words, or the byte pairs of GPT-2.

Both cut at every space, and a token takes the space before it along. Text can therefore be cut in
pieces at spaces, each piece tokenised once, and the tokens laid end to end: they are the whole
text's. What a tokenizer returns is ``(key, start, end)`` a token, with characters of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kleiber.errors import InputError
from kleiber.training.text import bytepairs

INSTEAD = "word-level tokens"
"""What needs no package, for those who lack one."""

Token = tuple[int | str, int, int]

WORD = re.compile(r" ?\w+|'s\b| ?[^\w\s]")


class Tokenizer(Protocol):
    """What cuts text into tokens; keys may be any numbers or strings."""

    def encode(self, texts: Sequence[str]) -> list[list[Token]]:
        """Return the tokens of each text, in order and without gaps."""
        ...

    def text(self, keys: Sequence[Any]) -> str:
        """Return the text of tokens."""
        ...


@dataclass(frozen=True)
class Words:
    """A token for each word, number or ``'s`` with its leading space, and each punctuation mark."""

    def encode(self, texts: Sequence[str]) -> list[list[Token]]:
        """Return the tokens of each text."""
        return [[(m[0], m.start(), m.end()) for m in WORD.finditer(text)] for text in texts]

    def text(self, keys: Sequence[Any]) -> str:
        """Return the text of tokens, which are their own text."""
        return "".join(keys)


@dataclass(frozen=True)
class BytePairs:
    """Byte-level byte-pair encoding as GPT-2 has it (Radford et al. 2019), by ``tokenizers``."""

    model: Any

    @classmethod
    def from_files(cls, vocabulary: str | Path, merges: str | Path) -> BytePairs:
        """Read a vocabulary such as GPT-2's: ``encoder.json`` and ``vocab.bpe``."""
        library = bytepairs.tokenizers(instead=INSTEAD)
        for path in (vocabulary, merges):
            if not Path(path).is_file():
                raise InputError(
                    f"no file {path}.",
                    remedy="Give a byte-pair vocabulary (encoder.json) and its merges (vocab.bpe).",
                )
        try:
            model = library.models.BPE.from_file(str(vocabulary), str(merges))
        except Exception as error:  # the library raises nothing more exact
            raise InputError(
                f"{vocabulary} and {merges} are no byte-pair vocabulary: {error}.",
                remedy="Give a vocabulary (encoder.json) and its merges (vocab.bpe).",
            ) from error
        return cls(bytepairs.byte_level(model, instead=INSTEAD))

    @classmethod
    def train(cls, texts: Iterable[str], rows: int) -> BytePairs:
        """Learn a vocabulary of so many rows, 256 bytes among them, from texts."""
        return cls(bytepairs.learned(texts, rows, instead=INSTEAD))

    def encode(self, texts: Sequence[str]) -> list[list[Token]]:
        """Return the tokens of each text."""
        return [
            [(key, *span) for key, span in zip(encoding.ids, encoding.offsets, strict=True)]
            for encoding in self.model.encode_batch(list(texts))
        ]

    def text(self, keys: Sequence[Any]) -> str:
        """Return the text of tokens."""
        return self.model.decode([int(key) for key in keys])
