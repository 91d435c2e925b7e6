"""Biographies rewritten by a user's own language model, as a source to train on and to measure.

What the pools are is not known here, so what a name or a value can tell is the entropy of what the
people have: a model that only knows how often each value occurs has none of these bits.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import InputError
from kleiber.knowledge.corpus import Corpus, Telling
from kleiber.knowledge.texts import NAME, SEPARATOR, Biography, Texts, ragged
from kleiber.knowledge.tokens import Tokenizer, Words
from kleiber.training.chance import draw, order

WHO, WHICH = 110, 111  # what a draw is for, its first key
VALUE = NAME + 1  # the kind of the first attribute
UNCOUNTED = "work_city"  # where there is an employer, whose city it is


@dataclass(frozen=True)
class Rewritten:
    """The first ``count`` people of a corpus, in an order of the seed's; the rest are strangers."""

    corpus: Corpus
    count: int
    tokenizer: Tokenizer = field(default_factory=Words)
    seed: int = 0

    def __post_init__(self) -> None:
        told = len(self.corpus.told)
        if not 1 <= self.count <= told:
            raise InputError(
                f"{self.count} people are to be taught, and {told} have a text that tells "
                "everything.",
                remedy=f"Set people to a number from 1 to {told}.",
            )
        if self.name_bits - math.log2(self.count) + self.value_bits <= 0:
            raise InputError(
                f"What the texts tell of {self.count} people is the same for all: there are no "
                "bits to learn.",
                remedy="Teach people whose values differ, or more of them.",
            )

    @property
    def digest(self) -> str:
        """What tells these files from others."""
        return self.corpus.digest

    @property
    def vocab(self) -> int:
        """Rows: the separator and every token of the corpus."""
        return 1 + len(self._laid.keys)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of tokens."""
        return ("other", "name", *self.attributes)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the attributes, the table's columns."""
        return self.corpus.attributes

    @property
    def separator(self) -> int:
        """The token that opens every text."""
        return SEPARATOR

    @property
    def name_bits(self) -> float:
        """Bits of a name."""
        return self._name_bits

    @cached_property
    def _name_bits(self) -> float:
        """Entropy of the names' words place by place: of first names, of last names.

        Where names differ in their number of words, log2 N, so that names count nothing.
        """
        names = [self._truth(i)["name"].split() for i in range(self.count)]
        least = math.log2(self.count)
        if len({len(name) for name in names}) > 1:
            return least
        return max(least, sum(map(entropy, zip(*names, strict=True))))

    @property
    def value_bits(self) -> float:
        """Bits of one person's values; a working city is its employer's, and not counted."""
        return sum(bits for part, bits in self.attribute_bits.items() if part != UNCOUNTED)

    @property
    def attribute_bits(self) -> dict[str, float]:
        """Bits of each attribute."""
        return self._attribute_bits

    @cached_property
    def _attribute_bits(self) -> dict[str, float]:
        """Entropy of each attribute among the people taught."""
        people = [self._truth(i) for i in range(self.count)]
        return {part: entropy([one[part] for one in people]) for part in self.attributes}

    @property
    def diversity_bits(self) -> float:
        """The values count as known beforehand."""
        return 0.0

    @property
    def entries(self) -> int:
        """None: all values are known beforehand."""
        return 0

    @property
    def fixed_texts(self) -> int:
        """The most texts that a person has."""
        return int(np.diff(self._laid.edges).max())

    @property
    def mean_length(self) -> float:
        """Tokens in a text on average over the people taught."""
        return self._moments[0]

    @property
    def length_spread(self) -> float:
        """Standard deviation of a text's tokens."""
        return self._moments[1]

    @property
    def max_length(self) -> int:
        """Tokens in the longest text."""
        return int(self._laid.texts.lengths.max())

    def strangers(self, count: int) -> NDArray[np.int64]:
        """Return the numbers of people who are not taught, as many as the corpus has."""
        return np.arange(self.count, min(self.count + count, len(self.corpus.told)))

    def texts(self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False) -> Texts:
        """Return one text a person; each has so many, and they take turns from exposure on.

        ``employer_first`` changes nothing: texts are as they were written.
        """
        laid, which = self._laid.texts, self._which(ids, exposures)
        lengths = laid.lengths[which]
        index = ragged(laid.starts[which], lengths)
        starts = np.concatenate(([0], np.cumsum(lengths)))
        return Texts(laid.tokens[index], laid.kinds[index], laid.slots[index], starts)

    def decode(self, tokens: ArrayLike) -> str:
        """Return tokens as text, a line for each separator after the first token."""
        rows = np.asarray(tokens).ravel()
        keys = self._laid.keys
        parts = np.split(rows, np.flatnonzero(rows == SEPARATOR))
        lines = [self.tokenizer.text([keys[row - 1] for row in part if row]) for part in parts]
        return "\n".join(lines[1:] if not len(parts[0]) else lines)

    def biographies(self, ids: ArrayLike, exposures: ArrayLike) -> list[Biography]:
        """Return the same texts as strings, with the truth and where it stands."""
        people = np.atleast_1d(np.asarray(ids))
        shown = np.broadcast_to(np.asarray(exposures), people.shape)
        found: list[Biography] = []
        for person, exposure, which in zip(people, shown, self._which(ids, exposures), strict=True):
            told = self._tellings[which]
            spans = tuple((part, *span) for part, span in told.spans.items())
            values = {**self._truth(int(person))}
            found.append(Biography(int(person), int(exposure), told.text, values, spans))
        return found

    @cached_property
    def _whose(self) -> NDArray[np.int64]:
        """The place in the table of each number."""
        told = np.array(self.corpus.told)
        return told[order(draw(self.seed, WHO, told))]

    @cached_property
    def _tellings(self) -> list[Telling]:
        """All texts, by the numbers of their people."""
        number = {int(place): i for i, place in enumerate(self._whose)}
        return sorted(self.corpus.texts, key=lambda one: number[one.person])

    @cached_property
    def _laid(self) -> Laid:
        number = {int(place): i for i, place in enumerate(self._whose)}
        counts = Counter(number[one.person] for one in self._tellings)
        edges = np.cumsum([0, *(counts[i] for i in range(len(number)))])
        return lay(self._tellings, self.attributes, self.tokenizer, edges)

    @cached_property
    def _moments(self) -> tuple[float, float]:
        """Mean and spread of lengths where each person counts once."""
        edges, lengths = self._laid.edges, self._laid.texts.lengths
        own = np.split(lengths, edges[1:-1])[: self.count]
        mean = float(np.mean([one.mean() for one in own]))
        return mean, math.sqrt(float(np.mean([((one - mean) ** 2).mean() for one in own])))

    def _truth(self, number: int) -> dict[str, str]:
        return dict(self.corpus.people[self._whose[number]])

    def _which(self, ids: ArrayLike, exposures: ArrayLike) -> NDArray[np.int64]:
        """Return which text is shown; each person begins with one of their own."""
        people = np.atleast_1d(np.asarray(ids, dtype=np.int64))
        edges = self._laid.edges
        many = edges[people + 1] - edges[people]
        begin = (draw(self.seed, WHICH, people) >> np.uint64(32)).astype(np.int64)
        return edges[people] + (begin + np.asarray(exposures, dtype=np.int64)) % many


@dataclass(frozen=True)
class Laid:
    """All texts as tokens: person i's are those from ``edges[i]`` to ``edges[i + 1]``."""

    texts: Texts
    keys: tuple[int | str, ...]
    edges: NDArray[np.int64]


def lay(
    tellings: Sequence[Telling],
    attributes: Sequence[str],
    tokenizer: Tokenizer,
    edges: NDArray[np.int64],
) -> Laid:
    """Tokenise texts and mark the tokens of every part.

    A token that holds a letter of a part is the part's, and so is a space alone in front of it.
    """
    encoded = tokenizer.encode([one.text for one in tellings])
    keys = tuple(sorted({key for text in encoded for key, _, _ in text}))  # type: ignore[type-var]
    rows = {key: row for row, key in enumerate(keys, start=1)}
    parts = ("name", *attributes)
    tokens, kinds, starts = [], [], [0]
    for one, text in zip(tellings, encoded, strict=True):
        spans = [(*one.spans[part], NAME + place) for place, part in enumerate(parts)]
        tokens.append(SEPARATOR)
        kinds.append(0)
        for key, start, end in text:
            alone = one.text[start:end] == " "
            reach = end + 1 if alone else end
            tokens.append(rows[key])
            kinds.append(next((kind for a, b, kind in spans if start < b and reach > a), 0))
        starts.append(len(tokens))
    slots = np.array([-1] * VALUE + list(range(len(attributes))), dtype=np.int16)
    told = np.array(kinds, dtype=np.uint8)
    made = Texts(np.array(tokens, dtype=np.int32), told, slots[told], np.array(starts))
    return Laid(made, keys, edges)


def entropy(values: Sequence[str]) -> float:
    """Return the bits of a draw from what there is."""
    counts = np.array(list(Counter(values).values()))
    return float(-(counts / len(values) * np.log2(counts / len(values))).sum()) + 0.0
