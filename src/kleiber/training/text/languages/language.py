"""A synthetic language: endless windows as a function of integers, and its exact entropy."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import UsageError
from kleiber.training.chance import Bits, draw

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

RULES, WINDOW = 210, 211
"""What draws are for, their first keys: the language itself, the tokens of a window."""


class Language(Protocol):
    """What makes windows of tokens, and knows how likely each one is."""

    @property
    def vocab(self) -> int:
        """Rows that its tokens need."""
        ...

    @property
    def rate(self) -> float:
        """Nats a token in the long run, the entropy rate."""
        ...

    def entropy(self, context: int) -> float:
        """Return the nats a token that no model of windows of ``context`` targets gets below."""
        ...

    def rows(self, key: int, numbers: Rows, context: int) -> Rows:
        """Return windows by their numbers, [number, context + 1], each made alone."""
        ...

    def nats(self, rows: Rows) -> Floats:
        """Return -log p of every target given what stands before it in its window."""
        ...


def uniform(bits: Bits) -> Floats:
    """Turn random bits into numbers from 0 up to 1, exact in float64."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def chances(key: int, numbers: Rows, count: int) -> Floats:
    """Return ``count`` uniform numbers for each window, [number, count]."""
    return uniform(draw(key, WINDOW, numbers[:, None], np.arange(count)))


def cumulative(weights: Floats) -> Floats:
    """Return the sums of probabilities up to each, along the last axis; the last is 1."""
    sums = np.cumsum(weights, axis=-1)
    sums[..., -1] = 1.0
    return sums


def zipf(count: int, exponent: float) -> Floats:
    """Return probabilities that fall as rank^-exponent."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    return weights / weights.sum()


def plogp(weights: Any) -> Floats:
    """Return -p log p, 0 where p is 0."""
    p = np.asarray(weights, dtype=np.float64)
    return -p * np.log(np.where(p > 0, p, 1.0))


def numbers_of(name: str, form: str, kinds: tuple[type, ...]) -> list[Any]:
    """Return the numbers in a language's name, or raise UsageError."""
    words = name.split(":")[1:]
    try:
        found = [kind(word) for kind, word in zip(kinds, words, strict=True)]
    except ValueError:
        raise UsageError(
            f"The language '{name}' is not written as {form}.",
            remedy=f"Write it as {form}, with numbers.",
        ) from None
    return found


def refused(name: str, what: str, expected: str) -> UsageError:
    """Return the error for a language that cannot be."""
    return UsageError(f"The language '{name}' has {what}.", remedy=f"Give it {expected}.")
