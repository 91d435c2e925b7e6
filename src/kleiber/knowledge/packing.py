"""Batches for training: texts of many people in windows, a pure function of (seed, step).

A pass shows every person once, in an order of its own; where the exposures are no whole number, the
last pass ends early. Texts of one length may each fill a window
(``context=None``). Others are laid end to end, each with its separator, a shard of some thousand
texts at a time, and cut into windows of ``context`` tokens that overlap by the one token that is
both the last target and the next input. Every shard has the same number of windows, so that a
step's place is arithmetic: what its texts leave empty is padded with targets that do not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import UsageError
from kleiber.knowledge.texts import Source
from kleiber.training.chance import draw, permute
from kleiber.training.config import IGNORED

SHARD = 8192
"""Texts that are laid end to end, at most."""

BLOCK = 65_536
"""Tokens that are made at a time, at least, where every text fills a window of its own."""

PASSES = 100
"""What these draws are for, their first key: not one of the people's or the texts'."""

Batch = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, init=False)
class Windows:
    """The batches of a training that shows every person ``exposures`` times."""

    source: Source
    exposures: float
    seed: int
    context: int | None
    batch_size: int
    _made: dict[int, NDArray[np.int32]] = field(repr=False, compare=False)

    def __init__(
        self,
        source: Source,
        *,
        exposures: float,
        batch: int,
        context: int | None = None,
        seed: int = 0,
    ) -> None:
        """Take ``batch`` windows a step; ``context`` None gives each text a window of its own."""
        given = {"source": source, "exposures": exposures, "seed": seed, "context": context}
        for name, value in {**given, "batch_size": batch, "_made": {}}.items():
            object.__setattr__(self, name, value)  # ``batch`` itself is the method below
        _check(self)

    @property
    def width(self) -> int:
        """Tokens that a window predicts."""
        return self.source.max_length - 1 if self.context is None else self.context

    @property
    def shown(self) -> int:
        """Texts of all passes; each person is shown ``exposures`` times, rounded up or down."""
        return round(self.exposures * self.source.count)

    @property
    def windows(self) -> int:
        """Windows in all passes."""
        if self.context is None:
            return self.shown
        passes, rest = divmod(self.shown, self.source.count)
        return passes * self._shards * self._per_shard + math.prod(self._cut(rest))

    @property
    def steps(self) -> int:
        """Batches in all passes; the last may be partly empty."""
        return -(-self.windows // self.batch_size)

    @property
    def tokens(self) -> int:
        """Tokens of all texts shown, separators included (expected, where lengths differ)."""
        return round(self.shown * self.source.mean_length)

    @property
    def texts_per_step(self) -> float:
        """Texts that a step shows on average."""
        return self.shown / self.steps

    def batch(self, step: int) -> Batch:
        """Return the inputs and the targets of a step, both of shape [batch_size, width]."""
        check_step(step, self.steps)
        end = min((step + 1) * self.batch_size, self.windows)
        return as_batch(self.rows(step * self.batch_size, end), self.batch_size)

    def rows(self, start: int, end: int) -> NDArray[np.int32]:
        """Return windows ``start`` up to ``end``, width + 1 tokens each, -1 where empty."""
        found: list[NDArray[np.int32]] = []
        while start < end:  # they may reach over several blocks
            block, first = self._place(start)
            found.append(self._block(block)[first : first + end - start])
            start += len(found[-1])
        return found[0] if len(found) == 1 else np.concatenate(found)

    def people(self, turn: int, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return who stands at the given places of a pass."""
        return permute(int(draw(self.seed, PASSES, turn)), places, self.source.count)

    @property
    def _shards(self) -> int:
        """Shards in a pass, of sizes that differ by one text at most."""
        return self._cut(self.source.count)[0]

    @property
    def _per_shard(self) -> int:
        """Windows of a shard."""
        return self._cut(self.source.count)[1]

    def _cut(self, people: int) -> tuple[int, int]:
        """Return the shards of a pass over so many people, and the windows of each.

        A shard has room for its texts' mean length and four standard deviations of the sum: one in
        30,000 is longer, and its surplus of a few tokens is left out.
        """
        assert self.context is not None
        if not people:
            return 0, 0
        shards = -(-people // SHARD)
        n = -(-people // shards)
        spread = 4 * self.source.length_spread * math.sqrt(n)
        most = min(n * self.source.mean_length + spread, n * self.source.max_length)
        # as many targets as tokens: all but the first, and an end
        return shards, math.ceil(most / self.context)

    def _place(self, window: int) -> tuple[int, int]:
        """Return the block that a window is in, and its place there."""
        if self.context is None:
            return divmod(window, self._per_block)
        passes, rest = divmod(self.shown, self.source.count)
        blocks, each = passes * self._shards, self._per_shard
        if window < blocks * each:
            return divmod(window, each)
        block, first = divmod(window - blocks * each, self._cut(rest)[1])
        return blocks + block, first

    @property
    def _per_block(self) -> int:
        """Windows that are made at a time, where every text fills one of its own."""
        return self.batch_size * max(1, -(-BLOCK // (self.batch_size * self.source.max_length)))

    def _block(self, block: int) -> NDArray[np.int32]:
        """Return a block's windows, width + 1 tokens each, -1 where empty; keep the last one."""
        if block not in self._made:
            made = self._single(block) if self.context is None else self._shard(block)
            self._made.clear()
            self._made[block] = made
        return self._made[block]

    def _single(self, block: int) -> NDArray[np.int32]:
        """Make a block of windows that hold one text each; it may reach over several passes."""
        count = self.source.count
        begin = block * self._per_block
        index = np.arange(begin, min(begin + self._per_block, self.windows))
        turns, places = np.divmod(index, count)
        people = np.empty_like(index)
        for turn in range(int(turns[0]), int(turns[-1]) + 1):
            here = turns == turn
            people[here] = self.people(turn, places[here])
        return self.source.texts(people, turns).tokens.reshape(len(index), -1)

    def _shard(self, block: int) -> NDArray[np.int32]:
        """Make a shard's windows: its texts end to end, and a separator that ends the last."""
        assert self.context is not None
        passes, rest = divmod(self.shown, self.source.count)
        turn, shard = divmod(block, self._shards)
        count = self.source.count
        if turn >= passes:
            turn, shard, count = passes, block - passes * self._shards, rest
        shards, windows = self._cut(count)
        edges = count * np.arange(shards + 1) // shards
        people = self.people(turn, np.arange(edges[shard], edges[shard + 1]))
        tokens = self.source.texts(people, np.full(len(people), turn)).tokens
        stream = np.full(windows * self.context + 1, -1, dtype=np.int32)
        kept = min(len(tokens), len(stream))
        stream[:kept] = tokens[:kept]
        if kept < len(stream):
            stream[kept] = self.source.separator
        return np.lib.stride_tricks.sliding_window_view(stream, self.context + 1)[:: self.context]


def check_step(step: int, steps: int) -> None:
    """Refuse a step that there is not."""
    if not 0 <= step < steps:
        raise UsageError(f"step {step} of {steps} steps; they count from 0.")


def as_batch(rows: NDArray[np.int32], size: int) -> Batch:
    """Return windows as inputs and targets, ``size`` of each; what is missing is not asked for."""
    inputs = np.zeros((size, rows.shape[1] - 1), dtype=np.int64)
    targets = np.full(inputs.shape, IGNORED, dtype=np.int64)
    held = rows >= 0
    inputs[: len(rows)] = np.where(held, rows, 0)[:, :-1]
    targets[: len(rows)] = np.where(held, rows, IGNORED)[:, 1:]
    return inputs, targets


def _check(windows: Windows) -> None:
    """Refuse what would train on nothing."""
    source = windows.source
    if windows.batch_size < 1:
        raise UsageError(
            f"a batch of {windows.batch_size} windows.", remedy="Set the batch to 1 or more."
        )
    if source.count < 1:
        raise UsageError("no people to show.", remedy="Set the number of people to 1 or more.")
    if not (math.isfinite(windows.exposures) and windows.shown >= 1):
        raise UsageError(
            f"{windows.exposures} exposures: nobody's text would be shown.",
            remedy="Set exposures to 1 or more.",
        )
    if windows.context is None and source.length_spread > 0:
        raise UsageError(
            "a window for each text was asked for, but the texts differ in length.",
            remedy="Give a context, the tokens of a window, such as 128 (--context 128).",
        )
    if windows.context is not None and windows.context < 2:
        raise UsageError(
            f"windows of {windows.context} tokens; at least 2 are needed to predict from one.",
            remedy="Set the context to 2 or more.",
        )
