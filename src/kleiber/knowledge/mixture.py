"""Batches of useful windows among others, in exact shares; a pure function of (seed, step).

Every window is of one share as a whole (Allen-Zhu & Li 2024, arXiv 2404.05405, appendix E). Useful
people are shown as often as without a mix, so that the training lasts ``1 / useful share`` times as
long. Windows come in groups of about 512; each has its part of every share, in an order drawn for
it, and the windows of one share come in their own order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.knowledge.biographies import Biographies
from kleiber.knowledge.packing import Batch, Windows, as_batch, check_step
from kleiber.knowledge.shares import Share
from kleiber.knowledge.strings import Strings
from kleiber.knowledge.texts import Source
from kleiber.knowledge.views import Group, Junk, Marked
from kleiber.training.chance import draw

GROUP = 512
"""Windows in whose order the shares are mixed, about."""

MIXED, OWN_ORDER = 101, 102  # what draws are for, their first key: none of the people's or windows'
STRANGERS = 20_000
"""People kept free of all training at most, for the control of people never seen."""


@dataclass(frozen=True)
class Component:
    """One share's windows, of which the first ``taken`` are shown."""

    label: str
    windows: Windows
    taken: int


@dataclass(frozen=True)
class Mixture:
    """Windows of several components in one order."""

    components: tuple[Component, ...]
    batch_size: int
    seed: int
    useful: int  # of the components, those in front

    @property
    def width(self) -> int:
        """Tokens that a window predicts, at most."""
        return max(one.windows.width for one in self.components)

    @property
    def windows(self) -> int:
        """Windows in all."""
        return sum(self._taken)

    @property
    def steps(self) -> int:
        """Batches in all; the last may be partly empty."""
        return -(-self.windows // self.batch_size)

    @property
    def tokens(self) -> int:
        """Tokens of all texts shown, about."""
        parts = ((one.windows, one.taken) for one in self.components)
        return round(sum(w.tokens * taken / w.windows for w, taken in parts))

    @property
    def texts_per_step(self) -> float:
        """Useful texts that a step shows on average."""
        return sum(one.windows.shown for one in self.components[: self.useful]) / self.steps

    def batch(self, step: int) -> Batch:
        """Return the inputs and the targets of a step, both of shape [batch_size, width]."""
        check_step(step, self.steps)
        end = min((step + 1) * self.batch_size, self.windows)
        whose, ranks = self.order(step * self.batch_size, end)
        rows = np.full((len(whose), self.width + 1), -1, dtype=np.int32)
        for number in np.unique(whose):
            here, windows = whose == number, self.components[number].windows
            own = ranks[here]
            rows[here, : windows.width + 1] = windows.rows(int(own[0]), int(own[-1]) + 1)
        return as_batch(rows, self.batch_size)

    def order(self, start: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return whose windows ``start`` up to ``end`` are, and which of its own each is."""
        whose: list[NDArray[np.int64]] = []
        ranks: list[NDArray[np.int64]] = []
        group = min(self._groups - 1, start * self._groups // self.windows)
        while self._begin(group) > start:
            group -= 1
        while self._begin(group + 1) <= start:
            group += 1
        while self._begin(group) < end:
            begin = self._begin(group)
            cut = slice(max(0, start - begin), end - begin)
            for found, made in zip((whose, ranks), self._group(group), strict=True):
                found.append(made[cut])
            group += 1
        return np.concatenate(whose), np.concatenate(ranks)

    @cached_property
    def _taken(self) -> tuple[int, ...]:
        return tuple(one.taken for one in self.components)

    @property
    def _groups(self) -> int:
        return -(-self.windows // GROUP)

    def _before(self, group: int) -> tuple[int, ...]:
        """Return how many windows of each component come before a group."""
        return tuple(group * taken // self._groups for taken in self._taken)

    def _begin(self, group: int) -> int:
        return sum(self._before(group))

    def _group(self, group: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Make one group's order: whose each window is, and its rank among its own."""
        return _mixed(self.seed, group, self._before(group), self._before(group + 1))


def marked(source: Strings | Biographies, shares: Sequence[Share]) -> Source:
    """Return the people as they are taught and measured: each text with its mark, if any."""
    useful = [share for share in shares if share.useful]
    if not any(share.marked for share in useful):
        return source
    labels = tuple(share.label for share in shares if share.marked)
    marks = tuple(labels.index(share.label) for share in useful)
    return Marked(source, labels, marks, _edges(source.count, useful)[:-1])


def mixture(
    source: Source,
    shares: Sequence[Share],
    *,
    exposures: float,
    batch: int,
    context: int | None,
    seed: int,
) -> Mixture:
    """Return the batches that show a source's people so often among the other shares' windows.

    Raises InputError where the names do not reach for all: the useful people, as many strangers
    for the control, and junk.
    """
    plain = source.source if isinstance(source, Marked) else source
    assert isinstance(plain, Strings | Biographies), "a mix is of people"
    useful = [share for share in shares if share.useful]
    edges = _edges(source.count, useful)
    components: list[Component] = []
    for share, first, end in zip(useful, edges, edges[1:], strict=False):
        group = source if len(useful) == 1 else _group_of(source, first, end)
        own = seed if len(useful) == 1 else _seed(seed, len(components))
        windows = Windows(group, exposures=exposures, batch=batch, context=context, seed=own)
        components.append(Component(share.label, windows, windows.windows))
    taken = sum(one.taken for one in components)
    parts = sum(share.parts for share in useful)
    last = plain.name_pool - 1
    for share in shares[len(useful) :]:
        wanted = max(1, round(taken * share.parts / parts))
        shown = _texts_for(source, plain, share, wanted, context)
        people = min(shown, share.persons(source.count, shown))
        junk: Source = Junk(plain, shown, people, last)
        if isinstance(source, Marked) and share.marked:
            junk = Marked(junk, source.labels, (source.labels.index(share.label),))
        own = _seed(seed, len(components))
        windows = Windows(junk, exposures=1, batch=batch, context=context, seed=own)
        components.append(Component(share.label, windows, wanted))
        last -= people
    _check_names_reach(plain.name_pool, source.count, plain.name_pool - 1 - last)
    return Mixture(tuple(components), batch, seed, len(useful))


@lru_cache(maxsize=64)  # a group serves many steps, and a stack several seeds
def _mixed(
    seed: int, group: int, before: tuple[int, ...], after: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a group's windows in the order drawn for it: whose each is, and which of its own."""
    whose = np.repeat(np.arange(len(before)), np.subtract(after, before))
    whose = whose[np.argsort(draw(seed, MIXED, group, np.arange(len(whose))), kind="stable")]
    ranks = np.empty_like(whose)
    for number, (first, end) in enumerate(zip(before, after, strict=True)):
        ranks[whose == number] = np.arange(first, end)
    return whose, ranks


def _edges(count: int, useful: Sequence[Share]) -> tuple[int, ...]:
    """Return where each useful share's people begin, and the end: people by parts."""
    ends = np.cumsum([0, *(share.parts for share in useful)])
    if count < len(useful):
        raise InputError(
            f"{count} people in {len(useful)} useful domains leave one without anybody.",
            remedy="Teach more people, or name fewer useful domains.",
        )
    return tuple(int(count * end // ends[-1]) for end in ends)


def _group_of(source: Source, first: int, end: int) -> Source:
    """Return one domain's people."""
    if end == first:
        raise InputError(
            "A useful domain has too few parts to have any of the people.",
            remedy="Teach more people, or give it more parts.",
        )
    return Group(source, first, end - first)


def _texts_for(
    source: Source, plain: Source, share: Share, wanted: int, context: int | None
) -> int:
    """Return how many junk texts fill so many windows."""
    if context is None:
        return wanted
    view = plain
    if isinstance(source, Marked) and share.marked:
        view = Marked(plain, source.labels, (0,))
    each = context / view.mean_length
    shown = math.ceil(wanted * each)
    while True:
        junk = Junk(view, shown, shown, 0)
        short = wanted - Windows(junk, exposures=1, batch=1, context=context).windows
        if short <= 0:
            return shown
        shown += math.ceil(short * each)


def _seed(seed: int, number: int) -> int:
    """Return a component's own seed, for the order of its people."""
    return int(draw(seed, OWN_ORDER, number))


def _check_names_reach(pool: int, useful: int, junk: int) -> None:
    """Refuse junk persons who would have to share a name with others."""
    strangers = min(useful, STRANGERS)
    needed = useful + strangers + junk
    if needed > pool:
        raise InputError(
            f"{useful:,} useful people, {strangers:,} strangers for the control and {junk:,} "
            f"junk persons need {needed:,} names; the pools make {pool:,}.",
            remedy="Take larger pools of names (for bioD, name_tokens one higher), fewer people "
            "or exposures, or junk of a fixed number of persons.",
        )
