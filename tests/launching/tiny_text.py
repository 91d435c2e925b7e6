"""A process that trains rungs on a text made here: what a worker is, but for where words are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.launching.rungs import Pair
from kleiber.launching.worker import main
from kleiber.recipes.rung import Rung

VOCAB = 8


@dataclass(frozen=True)
class Counting:
    """Windows that count upwards by 1 or 2, from a token drawn by (seed, step)."""

    rung: Rung
    vocab: int = VOCAB

    @property
    def steps(self) -> int:
        return self.rung.steps

    @property
    def width(self) -> int:
        return self.rung.context

    @property
    def about(self) -> dict[str, Any]:
        return {"text": "counting", "validation_set": "counting:held-out"}

    def batch(self, step: int) -> Pair:
        return self._draw(self.rung.batch, self.rung.seed, step)

    def heldout(self) -> Iterator[Pair]:
        yield self._draw(16, 1_000_003, 0)

    def unseen(self) -> Iterator[Pair]:
        yield self._draw(16, 1_000_003, 1)

    def _draw(self, count: int, *key: int) -> Pair:
        chance = np.random.default_rng(key)
        first = chance.integers(self.vocab, size=(count, 1))
        by = chance.integers(1, 3, size=(count, self.width))
        rows = np.concatenate([first, first + by.cumsum(axis=1)], axis=1) % self.vocab
        return rows[:, :-1], rows[:, 1:]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Counting))
