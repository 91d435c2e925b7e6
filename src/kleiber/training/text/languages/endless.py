"""The batches of a run over a synthetic language, which never ends: no window is short or shared.

Window n of a seed is the same tokens in every run of that seed, so runs of one language are paired
as runs of one text are. What is held out is drawn apart from every seed's training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kleiber.training.chance import draw
from kleiber.training.text.languages.language import Language, Rows
from kleiber.training.text.order import Counted, Order
from kleiber.training.text.windows import Batch, rows_at_once

TRAINING, HELDOUT = 220, 221
"""What windows are drawn for, their first keys."""

TOGETHER = 512  # windows that are made at a time
TARGETS = 65_536
"""Held-out targets, but for the last window's rest."""


@dataclass(frozen=True)
class Endless(Counted):
    """The batches of one run over a language; ``order.available`` is None."""

    language: Language = field(repr=False)
    _made: dict[int, NDArray[np.int32]] = field(
        default_factory=dict[int, NDArray[np.int32]], repr=False, compare=False
    )

    @classmethod
    def of(cls, name: str, language: Language, order: Order, context: int, size: int) -> Endless:
        """Return a run's batches, with what its record says of the language."""
        held = heldout_rows(language, context)
        checksum = hashlib.sha256(held.tobytes()).hexdigest()[:16]
        about = {
            "name": name,
            "checksum": checksum,
            "tokenizer": "none",
            "vocab": language.vocab,
            "entropy": language.entropy(context),
            "entropy_rate": language.rate,
            "heldout_entropy": float(language.nats(held).mean()),
            "unique_tokens": order.unique * context,
            "epochs": order.epochs,
            "validation_set": f"{name} {checksum}",
            "validation_tokens": len(held) * context,
        }
        return cls(order, context, size, about, language)

    @property
    def vocab(self) -> int:
        """Rows that its tokens need."""
        return self.language.vocab

    def batch(self, step: int) -> Batch:
        """Return the inputs and the targets of a step, both of shape [size, context]."""
        rows = self._rows(self.order.windows(np.arange(*self.places(step))))
        return rows[:, :-1], rows[:, 1:]

    def heldout(self) -> Iterator[Batch]:
        """Yield the held-out batches, the same ones whatever the seed and the epochs."""
        rows = heldout_rows(self.language, self.context)
        size = rows_at_once(self.size, self.context, self.vocab)
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            yield batch[:, :-1], batch[:, 1:]

    def unseen(self) -> Iterator[Batch]:
        """Yield windows that the run does not show: of a language, the held-out ones."""
        return self.heldout()

    def _rows(self, numbers: Rows) -> Rows:
        """Return windows by their numbers, context + 1 tokens each."""
        parts, places = np.divmod(numbers, TOGETHER)
        found = np.empty((len(numbers), self.context + 1), dtype=np.int64)
        for part in np.unique(parts):
            here = parts == part
            found[here] = self._part(int(part))[places[here]]
        return found

    def _part(self, part: int) -> NDArray[np.int32]:
        """Return some hundred windows; they are kept where they come again, else the last are."""
        if part not in self._made:
            start = part * TOGETHER
            numbers = np.arange(start, min(start + TOGETHER, self.order.unique))
            key = int(draw(self.order.seed, TRAINING))
            made = self.language.rows(key, numbers, self.context).astype(np.int32)
            if self.order.unique == self.order.shown:
                self._made.clear()
            self._made[part] = made
        return self._made[part]


def heldout_rows(language: Language, context: int) -> Rows:
    """Return the windows that no training sees."""
    numbers = np.arange(-(-TARGETS // context))
    return language.rows(int(draw(0, HELDOUT)), numbers, context)
