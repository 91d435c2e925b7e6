"""The windows of a text on disk: those of a run, and those that are held out.

The training part is cut into windows of ``context`` tokens that overlap by the one token that is
both the last target and the next input, so that every token but the first is a target of one
window and of one alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.training.config import IGNORED
from kleiber.training.text.order import Counted, Order
from kleiber.training.text.shards import Shards

BLOCK, BLOCKS = 2048, 32
"""Targets of a block of held-out text, and how many blocks are asked for at most."""

PLACES = 8192
"""Places whose windows are worked out together."""

UNSEEN = 65_536
"""Targets of the training part that a run does not show, asked for at most."""

AT_ONCE, LOGITS = 8192, 2**24
"""Targets of a held-out batch, and values of its logits, at most, but where training has more."""

Batch = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Windows(Counted):
    """The batches of one run over a text on disk."""

    shards: Shards = field(repr=False)
    _made: dict[int, NDArray[np.int64]] = field(
        default_factory=dict[int, NDArray[np.int64]], repr=False, compare=False
    )

    @property
    def vocab(self) -> int:
        """Rows that its tokens need."""
        return self.shards.index["vocab"]

    def batch(self, step: int) -> Batch:
        """Return the inputs and the targets of a step, both of shape [size, context]."""
        return self._cut(self._ordered(*self.places(step)) * self.context)

    def unseen(self) -> Iterator[Batch]:
        """Yield windows of the training part that the run does not show, in batches of its size.

        They are drawn as the run's own are, where held-out documents are others: what a model
        loses on these and not on its own is its generalisation gap and no difference of texts.
        """
        starts = self.order.left(UNSEEN // self.context) * self.context
        for i in range(0, len(starts), self.size):
            yield self._cut(starts[i : i + self.size])

    def _cut(self, starts: NDArray[np.int64]) -> Batch:
        rows = self.shards.training[starts[:, None] + np.arange(self.context + 1)]
        rows = np.asarray(rows).astype(np.int64)
        return rows[:, :-1], rows[:, 1:]

    def _ordered(self, start: int, end: int) -> NDArray[np.int64]:
        """Return the windows at the places from ``start`` up to ``end``.

        They are worked out thousands at a time, and the last such part is kept.
        """
        part = start // PLACES
        if part not in self._made:
            last = min((part + 1) * PLACES + self.size, self.order.shown)
            self._made.clear()
            self._made[part] = self.order.windows(np.arange(part * PLACES, last))
        return self._made[part][start - part * PLACES : end - part * PLACES]

    def heldout(self) -> Iterator[Batch]:
        """Yield the held-out batches, the same ones whatever the seed and the epochs."""
        size = rows_at_once(self.size, self.context, self.vocab)
        yield from cut(blocks(self.shards.heldout, self.context), self.context, size)


def available(tokens: int, context: int) -> int:
    """Return how many windows a text of so many tokens is cut into."""
    return max(0, (tokens - 1) // context)


def check_enough(order: Order, context: int, *, text: str, rung: str) -> None:
    """Raise InputError where a run asks for more tokens than the text has."""
    assert order.available is not None
    if order.unique <= order.available:
        return
    there, needed = order.available * context, order.unique * context
    if order.available:
        passes = -(-order.shown // order.available)
        remedy = f"Name a longer text, ask for fewer tokens, or set epochs = {passes} or more."
    else:
        remedy = "Name a longer text, or a shorter context."
    raise InputError(
        f"The text '{text}' has {there:,} tokens to train on in windows of {context:,}, and {rung} "
        f"asks for {needed:,} different ones ({order.shown * context:,} in all).",
        remedy=remedy,
    )


def blocks(tokens: NDArray[Any], context: int) -> list[NDArray[np.int64]]:
    """Return blocks of held-out tokens: all where there are few, else spread evenly.

    A block has ``BLOCK`` targets, or the context where that is more, and one token before them; its
    targets are the same ones for every context up to ``BLOCK``.
    """
    size = max(BLOCK, context)
    targets = len(tokens) - 1
    if targets <= size * BLOCKS:
        starts = np.arange(0, targets, size)
    else:
        starts = np.linspace(0, targets - size, BLOCKS).astype(np.int64)
    return [np.asarray(tokens[start : start + size + 1]).astype(np.int64) for start in starts]


def rows_at_once(batch: int, context: int, vocab: int) -> int:
    """Return the windows that a model reads at a time: no fewer than in training, nor too many."""
    return max(batch, min(AT_ONCE // context, LOGITS // (context * vocab)))


def cut(pieces: list[NDArray[np.int64]], context: int, size: int) -> Iterator[Batch]:
    """Yield blocks as batches of windows; what a block leaves empty is not asked for."""
    rows: list[NDArray[np.int64]] = []
    for piece in pieces:
        count = -(-(len(piece) - 1) // context)
        padded = np.full(count * context + 1, -1, dtype=np.int64)
        padded[: len(piece)] = piece
        rows += [padded[i * context : (i + 1) * context + 1] for i in range(count)]
    for start in range(0, len(rows), size):
        batch = np.stack(rows[start : start + size])
        inputs, targets = batch[:, :-1], batch[:, 1:]
        yield np.where(inputs < 0, 0, inputs), np.where(targets < 0, IGNORED, targets)
