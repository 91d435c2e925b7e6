"""Zipf's language: tokens that know nothing of each other, of frequencies rank^-exponent.

Its entropy is that of one token, -sum p log p, at every place of every window. There is nothing to
learn but V - 1 numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from kleiber.training.text.languages.language import (
    Floats,
    Rows,
    chances,
    cumulative,
    numbers_of,
    plogp,
    refused,
    zipf,
)

FORM = "zipf:V:EXPONENT"
LARGEST = 2**20


@dataclass(frozen=True, eq=False)
class Zipf:
    """``zipf:V:EXPONENT``, V tokens; an exponent of 0 makes all alike."""

    vocab: int
    p: Floats = field(repr=False)

    @classmethod
    def of(cls, name: str) -> Zipf:
        """Return the language of a name."""
        vocab, exponent = numbers_of(name, FORM, (int, float))
        if not 2 <= vocab <= LARGEST:
            raise refused(name, f"{vocab} tokens", f"2 to {LARGEST:,}")
        if not (math.isfinite(exponent) and exponent >= 0):
            raise refused(name, f"an exponent of {exponent}", "one of 0 or more, such as 1")
        return cls(vocab, zipf(vocab, exponent))

    @property
    def rate(self) -> float:
        """Nats a token."""
        return float(plogp(self.p).sum())

    def entropy(self, context: int) -> float:
        """Return the nats a token, the same in every window."""
        return self.rate

    def rows(self, key: int, numbers: Rows, context: int) -> Rows:
        """Return windows by their numbers."""
        u = chances(key, numbers, context + 1)
        return np.searchsorted(cumulative(self.p), u, side="right")

    def nats(self, rows: Rows) -> Floats:
        """Return -log p of every target."""
        return -np.log(self.p[rows[:, 1:]])
