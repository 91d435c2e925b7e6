"""bioD: people whose attributes are random strings, in the most compact text that tells them.

bioD(N, K, C, D, L, T) of Allen-Zhu & Li 2024 (arXiv 2404.05405, section 2): N people without two of
one name; K attributes; for each, D different strings of L symbols from an alphabet of T; a value is
C chunks, each uniform over its attribute's D strings. Here a text is ::

    separator, name symbols, K times in random order (attribute's token, C * L symbols)

so that K = 8, D = T = 64, C = L = 1 and names of 3 symbols make 20 tokens over 73 rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import InputError
from kleiber.knowledge.texts import NAME, SEPARATOR, Biography, Texts
from kleiber.training.chance import LARGEST, below, draw, order, permute

NAMES, DICTIONARY, VALUES, ORDERS = range(4)  # what a draw is for: its first key
FIRST, REST = 2, 3  # kinds of the first chunk's tokens and of the other chunks'
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True)
class Strings:
    """N people of bioD; symbols as in the paper, names of ``name_tokens`` symbols.

    ``name_pool`` is N0, by default all T^name_tokens names.
    """

    count: int
    K: int = 8
    C: int = 1
    D: int = 64
    L: int = 1
    T: int = 64
    name_tokens: int = 3
    name_pool: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name_pool == 0:
            object.__setattr__(self, "name_pool", self.T**self.name_tokens)
        _check(self)

    @property
    def vocab(self) -> int:
        """Rows: the separator, the alphabet (for names and values alike), the attributes."""
        return 1 + self.T + self.K

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of tokens: a value's first chunk is told from the rest."""
        return ("other", "name", "first", "rest")

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the attributes, as the text has them."""
        return tuple(f"ID {k + 1}" for k in range(self.K))

    @property
    def separator(self) -> int:
        """The token that opens every text."""
        return SEPARATOR

    @property
    def name_bits(self) -> float:
        """log2 N0."""
        return math.log2(self.name_pool)

    @property
    def value_bits(self) -> float:
        """K C log2 D, the bits of one person's values."""
        return self.K * self.C * math.log2(self.D)

    @property
    def attribute_bits(self) -> dict[str, float]:
        """C log2 D each."""
        return dict.fromkeys(self.attributes, self.C * math.log2(self.D))

    @property
    def diversity_bits(self) -> float:
        """K D log2(T^L / D), the bits of all dictionaries (Definition 4.3 with p3 = 0)."""
        return self.K * self.D * (self.L * math.log2(self.T) - math.log2(self.D))

    @property
    def entries(self) -> int:
        """K D, the strings of all dictionaries."""
        return self.K * self.D

    @property
    def fixed_texts(self) -> int:
        """None: the order of attributes is drawn anew at every exposure."""
        return 0

    @property
    def mean_length(self) -> float:
        """Tokens in a text; all are of one length."""
        return float(self.max_length)

    @property
    def length_spread(self) -> float:
        """No text is longer than another."""
        return 0.0

    @property
    def max_length(self) -> int:
        """Tokens in a text, the separator included."""
        return 1 + self.name_tokens + self.K * (1 + self.C * self.L)

    @cached_property
    def dictionary(self) -> NDArray[np.int32]:
        """The D strings of each attribute, shape [K, D, L], symbols from 0 to T - 1."""
        strings = [self._strings(k) for k in range(self.K)]
        return np.stack(strings).astype(np.int32)

    def names(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return the symbols of each person's name, shape [n, name_tokens]."""
        key = int(draw(self.seed, NAMES))
        return _digits(permute(key, np.asarray(ids), self.name_pool), self.T, self.name_tokens)

    def values(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return which string each chunk of each value is, shape [n, K, C]."""
        people = np.asarray(ids)[:, None, None]
        attribute = np.arange(self.K)[:, None]
        return below(draw(self.seed, VALUES, people, attribute, np.arange(self.C)), self.D)

    def strangers(self, count: int) -> NDArray[np.int64]:
        """Return the ids of people who are never among the trained."""
        if self.count + count > self.name_pool:
            raise InputError(
                f"{count} strangers beside {self.count} people need {self.count + count} names; "
                f"the pool holds {self.name_pool}.",
                remedy="Ask for fewer strangers, or take a larger alphabet or longer names.",
            )
        return np.arange(self.count, self.count + count)

    def texts(self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False) -> Texts:
        """Return one text a person, its attributes in an order drawn anew at each exposure.

        ``employer_first`` changes nothing: no attribute tells of another here.
        """
        ids = np.atleast_1d(np.asarray(ids))
        n, head, wide = len(ids), 1 + self.name_tokens, self.C * self.L
        width = self.K * (1 + wide)  # tokens behind the name
        orders = self._orders(ids, exposures)
        chunks = np.take_along_axis(self.values(ids), orders[:, :, None], axis=1)

        tokens = np.empty((n, self.max_length), dtype=np.int32)
        tokens[:, 0] = SEPARATOR
        tokens[:, 1:head] = self.names(ids) + 1
        facts = np.empty((n, self.K, 1 + wide), dtype=np.int32)
        facts[:, :, 0] = orders + self.T + 1
        facts[:, :, 1:] = self.dictionary[orders[:, :, None], chunks].reshape(n, self.K, wide) + 1
        tokens[:, head:] = facts.reshape(n, width)

        kinds = np.tile(self._kinds, n)
        slots = np.full((n, self.max_length), -1, dtype=np.int16)
        places = np.full((n, self.K, 1 + wide), -1, dtype=np.int16)
        places[:, :, 1:] = orders[:, :, None]
        slots[:, head:] = places.reshape(n, width)
        starts = np.arange(n + 1, dtype=np.int64) * self.max_length
        return Texts(tokens.ravel(), kinds, slots.ravel(), starts)

    def decode(self, tokens: ArrayLike) -> str:
        """Return tokens as syllables, attributes as ``ID 7:``, the separator as a bar."""
        return " ".join(self._word(int(token)) for token in np.asarray(tokens).ravel())

    def biographies(self, ids: ArrayLike, exposures: ArrayLike) -> list[Biography]:
        """Return readable texts: ``<Name>'s ID 7 is v1, v2. Their ID 2 is ...``."""
        ids = np.atleast_1d(np.asarray(ids))
        exposures = np.broadcast_to(exposures, ids.shape)
        names, values, orders = self.names(ids), self.values(ids), self._orders(ids, exposures)
        return [
            self._biography(int(ids[i]), int(exposures[i]), names[i], values[i], orders[i])
            for i in range(len(ids))
        ]

    @cached_property
    def _kinds(self) -> NDArray[np.uint8]:
        """The kinds of one text's tokens, the same for all."""
        chunks = np.repeat([FIRST] + [REST] * (self.C - 1), self.L)
        facts = np.tile(np.concatenate(([0], chunks)), self.K)
        return np.concatenate(([0], [NAME] * self.name_tokens, facts)).astype(np.uint8)

    def _orders(self, ids: NDArray[np.int64], exposures: ArrayLike) -> NDArray[np.int64]:
        exposures = np.broadcast_to(np.asarray(exposures), ids.shape)
        keys = (ids[:, None], exposures[:, None], np.arange(self.K))
        return order(draw(self.seed, ORDERS, *keys))

    def _strings(self, attribute: int) -> NDArray[np.int64]:
        """Draw D different strings from T^L for one attribute, shape [D, L]."""
        key = int(draw(self.seed, DICTIONARY, attribute))
        if self.T**self.L <= LARGEST:
            return _digits(permute(key, np.arange(self.D), self.T**self.L), self.T, self.L)
        for attempt in range(100):  # two of D in more than 2^62 are alike about never
            places = np.arange(self.D)[:, None], np.arange(self.L)
            strings = below(draw(key, attempt, *places), self.T)
            if len(np.unique(strings, axis=0)) == self.D:
                return strings
        raise InputError(f"no {self.D} different strings found among {self.T}^{self.L}")

    def _syllables(self, symbol: int) -> str:
        """Write a symbol as syllables, all symbols of one alphabet equally long."""
        base = len(CONSONANTS) * len(VOWELS)
        text, reach = "", 1
        while reach < self.T or not text:
            symbol, syllable = divmod(symbol, base)
            text += CONSONANTS[syllable // len(VOWELS)] + VOWELS[syllable % len(VOWELS)]
            reach *= base
        return text

    def _word(self, token: int) -> str:
        if token == SEPARATOR:
            return "|"
        if token <= self.T:
            return self._syllables(token - 1)
        return f"ID {token - self.T}:"

    def _biography(
        self,
        person: int,
        exposure: int,
        name: NDArray[np.int64],
        values: NDArray[np.int64],
        order_: NDArray[np.int64],
    ) -> Biography:
        called = " ".join(self._syllables(int(symbol)).capitalize() for symbol in name)
        text, spans, truth = f" {called}", [("name", 1, 1 + len(called))], {}
        for place, k in enumerate(order_):
            chunks = self.dictionary[k, values[k]]
            value = ", ".join("".join(self._syllables(int(s)) for s in row) for row in chunks)
            attribute = self.attributes[k]
            text += f"'s {attribute} is " if place == 0 else f" Their {attribute} is "
            spans.append((attribute, len(text), len(text) + len(value)))
            text += f"{value}."
            truth[attribute] = value
        truth = {attribute: truth[attribute] for attribute in self.attributes}
        return Biography(person, exposure, text, {"name": called, **truth}, tuple(spans))


def _digits(number: NDArray[np.int64], base: int, width: int) -> NDArray[np.int64]:
    """Return numbers written in a base, most significant digit first, shape [n, width]."""
    digits = np.empty((*number.shape, width), dtype=np.int64)
    for place in range(width - 1, -1, -1):
        number, digits[..., place] = np.divmod(number, base)
    return digits


def _check(strings: Strings) -> None:
    """Refuse sizes that hold nothing or that contradict one another."""
    for option in ("count", "K", "C", "L", "name_tokens"):
        if getattr(strings, option) < 1:
            raise InputError(
                f"{option} is {getattr(strings, option)}; at least 1 is needed.",
                remedy=f"Set {option} to 1 or more.",
            )
    for option in ("D", "T"):
        if getattr(strings, option) < 2:
            raise InputError(
                f"{option} is {getattr(strings, option)}: a pool of one value holds no bits.",
                remedy=f"Set {option} to 2 or more.",
            )
    if strings.D > strings.T**strings.L:
        raise InputError(
            f"{strings.D} different strings were asked for; an alphabet of T = {strings.T} has "
            f"only {strings.T**strings.L} of length L = {strings.L}.",
            remedy="Lower D, or raise T or L.",
        )
    most = min(strings.T**strings.name_tokens, LARGEST)
    if not 2 <= strings.name_pool <= most:
        raise InputError(
            f"a pool of {strings.name_pool} names; {strings.name_tokens} symbols of "
            f"T = {strings.T} make 2 to {most}.",
            remedy="Change name_pool, or raise T or name_tokens.",
        )
    if strings.count > strings.name_pool:
        raise InputError(
            f"more people than names: {strings.count} people, {strings.name_pool} names.",
            remedy="Ask for fewer people, or raise T or name_tokens.",
        )
