"""Other sights of a source: some of its people, people behind others' names, a mark on its texts.

A view has everything that its source has but what it changes, so that windows and measures take it
for a source of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.knowledge.texts import Biography, Source, Texts


@dataclass(frozen=True)
class View:
    """A source seen as it is."""

    source: Source

    @property
    def count(self) -> int:
        """People who are trained on."""
        return self.source.count

    @property
    def vocab(self) -> int:
        """Rows of the embedding."""
        return self.source.vocab

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinds of tokens."""
        return self.source.kinds

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the attributes."""
        return self.source.attributes

    @property
    def separator(self) -> int:
        """The token that opens every text."""
        return self.source.separator

    @property
    def name_bits(self) -> float:
        """log2 N0."""
        return self.source.name_bits

    @property
    def value_bits(self) -> float:
        """Bits of one person's values."""
        return self.source.value_bits

    @property
    def attribute_bits(self) -> dict[str, float]:
        """Bits of each attribute."""
        return self.source.attribute_bits

    @property
    def diversity_bits(self) -> float:
        """Bits of the sets of strings that values come from."""
        return self.source.diversity_bits

    @property
    def entries(self) -> int:
        """Strings of all those sets."""
        return self.source.entries

    @property
    def fixed_texts(self) -> int:
        """Texts that a person has; 0 where every exposure has one of its own."""
        return self.source.fixed_texts

    @property
    def mean_length(self) -> float:
        """Tokens in a text on average."""
        return self.source.mean_length

    @property
    def length_spread(self) -> float:
        """Standard deviation of a text's tokens."""
        return self.source.length_spread

    @property
    def max_length(self) -> int:
        """Tokens in the longest text that can occur."""
        return self.source.max_length

    def strangers(self, count: int) -> NDArray[np.int64]:
        """Return the ids of people who are never among the trained."""
        return self.source.strangers(count)

    def texts(self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False) -> Texts:
        """Return one text for each person at each one's exposure."""
        return self.source.texts(ids, exposures, employer_first=employer_first)

    def decode(self, tokens: ArrayLike) -> str:
        """Return tokens as text."""
        return self.source.decode(tokens)

    def biographies(self, ids: ArrayLike, exposures: ArrayLike) -> list[Biography]:
        """Return the same texts, readable and with their truth."""
        return self.source.biographies(ids, exposures)


@dataclass(frozen=True)
class Group(View):
    """The people of a source from number ``first`` on, ``members`` of them."""

    first: int
    members: int

    @property
    def count(self) -> int:
        """People of the group."""
        return self.members

    def texts(self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False) -> Texts:
        """Return the texts of the group's own numbers."""
        return super().texts(self.first + np.asarray(ids), exposures, employer_first=employer_first)


@dataclass(frozen=True)
class Junk(View):
    """Texts of people who are not worth remembering: text i is person ``i % people``'s.

    They are numbered from ``last`` downwards, while those to remember are numbered from 0 upwards:
    a name is where a permutation of all names sends the number, so that none is both's.
    """

    shown: int
    people: int
    last: int

    @property
    def count(self) -> int:
        """Texts, each of which is shown once."""
        return self.shown

    def texts(self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False) -> Texts:
        """Return the texts of these numbers, a fresh one at every sight of a person."""
        turn, who = np.divmod(np.asarray(ids, dtype=np.int64), self.people)
        return super().texts(self.last - who, turn, employer_first=employer_first)


@dataclass(frozen=True)
class Marked(View):
    """Texts with one token more behind the separator: a row of its own for each label.

    Person i's label is ``marks[k]`` where ``edges[k]`` is the last edge at or below i; strangers,
    whose numbers lie above all, are dealt to the labels as the people are.
    """

    labels: tuple[str, ...]
    marks: tuple[int, ...]
    edges: tuple[int, ...] = (0,)

    @property
    def vocab(self) -> int:
        """Rows of the source, and one for each label, used here or not."""
        return self.source.vocab + len(self.labels)

    @property
    def mean_length(self) -> float:
        """Tokens in a text on average, the mark included."""
        return self.source.mean_length + 1

    @property
    def max_length(self) -> int:
        """Tokens in the longest text that can occur, the mark included."""
        return self.source.max_length + 1

    def label(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return which label each person's texts have."""
        numbers = np.atleast_1d(np.asarray(ids, dtype=np.int64)) % self.source.count
        return np.asarray(self.marks)[np.searchsorted(self.edges, numbers, side="right") - 1]

    def texts(self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False) -> Texts:
        """Return the source's texts, each with its mark."""
        plain = super().texts(ids, exposures, employer_first=employer_first)
        behind = plain.starts[:-1] + 1
        marks = self.source.vocab + self.label(ids)
        return Texts(
            np.insert(plain.tokens, behind, marks.astype(np.int32)),
            np.insert(plain.kinds, behind, np.uint8(0)),
            np.insert(plain.slots, behind, np.int16(-1)),
            plain.starts + np.arange(len(plain.starts)),
        )

    def decode(self, tokens: ArrayLike) -> str:
        """Return tokens as text, a mark as its label in pointed brackets."""
        rows = np.asarray(tokens).ravel()
        places = np.flatnonzero(rows >= self.source.vocab)
        said = [f"<{self.labels[rows[place] - self.source.vocab]}>" for place in places]
        plain = [self.source.decode(part) for part in _between(rows, places)]
        return "".join(f"{part}{mark}" for part, mark in zip(plain, [*said, ""], strict=True))

    def biographies(self, ids: ArrayLike, exposures: ArrayLike) -> list[Biography]:
        """Return the same texts, each behind its label."""
        found: list[Biography] = []
        for one, label in zip(super().biographies(ids, exposures), self.label(ids), strict=True):
            mark = f"<{self.labels[label]}>"
            spans = tuple((part, a + len(mark), b + len(mark)) for part, a, b in one.spans)
            found.append(replace(one, text=f"{mark}{one.text}", spans=spans))
        return found


def _between(rows: NDArray[np.int64], places: NDArray[np.int64]) -> Sequence[NDArray[np.int64]]:
    """Return what lies before, between and behind some places."""
    edges = [-1, *places.tolist(), len(rows)]
    return [rows[a + 1 : b] for a, b in itertools.pairwise(edges)]
