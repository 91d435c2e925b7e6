"""What a format of synthetic biographies gives: texts as tokens, and what each token tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

SEPARATOR = 0
"""The token that opens every text; it is of kind "other"."""

OTHER, NAME = 0, 1
"""Kinds that every format has; the rest follow in the order of ``source.kinds``."""


@dataclass(frozen=True)
class Texts:
    """A ragged batch of texts; text i holds the tokens from ``starts[i]`` to ``starts[i + 1]``.

    ``kinds`` says what a token tells (an index into ``source.kinds``, 0 for nothing), ``slots`` to
    which attribute it belongs (an index into ``source.attributes``, -1 for none).
    """

    tokens: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    slots: NDArray[np.int16]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens in each text, the separator included."""
        return np.diff(self.starts)


@dataclass(frozen=True)
class Biography:
    """One text for people to read, with the truth and where it stands.

    ``spans`` holds ``(part, start, end)`` in characters, for the name, the pronoun (its first
    sight only) and each value; ``text[start:end]`` is the part itself.
    """

    person: int
    exposure: int
    text: str
    values: dict[str, str]
    spans: tuple[tuple[str, int, int], ...]


class Source(Protocol):
    """A format of biographies for a given set of people; the same arguments give the same bytes."""

    @property
    def count(self) -> int:
        """People who are trained on; persons ``count`` and above are strangers."""
        ...

    @property
    def vocab(self) -> int:
        """Rows of the embedding: token ids that can occur, the separator included."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinds of tokens; the first two are "other" and "name"."""
        ...

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the attributes, in the order of ``Texts.slots``."""
        ...

    @property
    def separator(self) -> int:
        """The token that opens every text."""
        ...

    @property
    def name_bits(self) -> float:
        """Bits of a name before any is known, log2 N0."""
        ...

    @property
    def value_bits(self) -> float:
        """Bits of one person's values, log2 S0 or K C log2 D."""
        ...

    @property
    def attribute_bits(self) -> dict[str, float]:
        """Bits of each attribute by itself; one that another tells has its own here too."""
        ...

    @property
    def diversity_bits(self) -> float:
        """Bits of the sets of strings that values come from; 0 where the pools are given."""
        ...

    @property
    def entries(self) -> int:
        """Strings of all those sets, K D; 0 where the pools are given."""
        ...

    @property
    def fixed_texts(self) -> int:
        """Texts that a person has; 0 where every exposure has one of its own."""
        ...

    @property
    def mean_length(self) -> float:
        """Tokens in a text on average, the separator included."""
        ...

    @property
    def length_spread(self) -> float:
        """Standard deviation of a text's tokens; 0 where all texts are of one length."""
        ...

    @property
    def max_length(self) -> int:
        """Tokens in the longest text that can occur."""
        ...

    def strangers(self, count: int) -> NDArray[np.int64]:
        """Return the ids of people who are never among the trained."""
        ...

    def texts(self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False) -> Texts:
        """Return one text for each person at each one's exposure."""
        ...

    def decode(self, tokens: ArrayLike) -> str:
        """Return tokens as text, for people to look at."""
        ...

    def biographies(self, ids: ArrayLike, exposures: ArrayLike) -> list[Biography]:
        """Return the same texts as ``texts``, readable and with their truth."""
        ...


def ragged(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places ``starts[i] + 0 ... + lengths[i] - 1`` of all pieces, end to end."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)
