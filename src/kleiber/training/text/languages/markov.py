"""A Markov chain: each token depends on the ``order`` tokens before it, through a random table.

Behind each of the V^order contexts stand eight successors with random probabilities: the token
after the last one, in a circle of all, so that every token can be reached; and seven drawn without
replacement by a common popularity (rank^-1). Popular tokens make popular contexts: how often a
context is used falls over orders of magnitude, and a model learns the often used ones first.
No successor is much rarer than its context, so nothing is left that no model sees.

A window starts at the stationary distribution. Its first targets have fewer than ``order`` tokens
before them and are less certain; what they cost is counted exactly, by the same distribution.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kleiber.training.chance import draw
from kleiber.training.text.languages.language import (
    RULES,
    Floats,
    Rows,
    chances,
    cumulative,
    numbers_of,
    plogp,
    refused,
    uniform,
    zipf,
)

FORM = "markov:V:ORDER:SEED"
LARGEST = 2**22
"""Probabilities of the table, V^(order + 1), at most."""

SUCCESSORS = 8
STILL = 1e-13
"""Change of the stationary distribution, summed over contexts, at which it is found."""


@dataclass(frozen=True, eq=False)
class Markov:
    """``markov:V:ORDER:SEED``; ``table`` is [V^order, V], ``stationary`` [V^order].

    A context's number has its oldest token as the highest digit, in base V.
    """

    vocab: int
    order: int
    table: Floats = field(repr=False)
    stationary: Floats = field(repr=False)

    @classmethod
    def of(cls, name: str) -> Markov:
        """Return the language of a name."""
        vocab, order, seed = numbers_of(name, FORM, (int, int, int))
        if order < 1 or vocab < 2 or seed < 0:
            what = f"{vocab} tokens, order {order} and seed {seed}"
            raise refused(name, what, "2 tokens or more, order 1 or more, seed 0 or more")
        if vocab ** (order + 1) > LARGEST:
            what = f"a table of {vocab}^{order + 1} probabilities"
            raise refused(name, what, f"at most {LARGEST:,}: fewer tokens or a lower order")
        table = _table(vocab, order, seed)
        return cls(vocab, order, table, _stationary(table))

    @property
    def rate(self) -> float:
        """Nats a token: the table's entropy at each context, by how often it is used."""
        return float(self.stationary @ plogp(self.table).sum(axis=1))

    def entropy(self, context: int) -> float:
        """Return the nats a target, those with a short past counted as they are."""
        short = min(self.order - 1, context)
        blocks = [float(plogp(self._block(length)).sum()) for length in range(1, short + 2)]
        first = sum(blocks[i + 1] - blocks[i] for i in range(short))
        return (first + (context - short) * self.rate) / context

    def rows(self, key: int, numbers: Rows, context: int) -> Rows:
        """Return windows by their numbers."""
        length = context + 1
        u = chances(key, numbers, max(length - self.order, 0) + 1)
        state = np.searchsorted(cumulative(self.stationary), u[:, 0], side="right")
        found = np.empty((len(numbers), max(length, self.order)), dtype=np.int64)
        rest = state
        for place in reversed(range(self.order)):
            rest, found[:, place] = np.divmod(rest, self.vocab)
        sums = cumulative(self.table)
        for place in range(self.order, length):
            chance = u[:, place - self.order + 1]
            token = (sums[state] <= chance[:, None]).sum(axis=1)
            found[:, place] = token
            state = (state * self.vocab + token) % len(self.stationary)
        return found[:, :length]

    def nats(self, rows: Rows) -> Floats:
        """Return -log p of every target given what stands before it in its window."""
        found = np.empty((len(rows), rows.shape[1] - 1))
        past = rows[:, 0]
        for target in range(1, rows.shape[1]):
            token = rows[:, target]
            if target < self.order:
                p = self._block(target + 1)[past * self.vocab + token] / self._block(target)[past]
            else:
                p = self.table[past, token]
            with np.errstate(divide="ignore"):  # what is never said costs without end
                found[:, target - 1] = -np.log(p)
            past = (past * self.vocab + token) % len(self.stationary)
        return found

    def _block(self, length: int) -> Floats:
        """Return the probabilities of all ``length`` tokens in a row, up to ``order``."""
        return self.stationary.reshape(self.vocab**length, -1).sum(axis=1)


def _table(vocab: int, order: int, seed: int) -> Floats:
    """Return the transition probabilities, [V^order, V]."""
    contexts, tokens = np.arange(vocab**order)[:, None], np.arange(vocab)
    u = uniform(draw(seed, RULES, 0, contexts, tokens))
    gumbel = np.log(zipf(vocab, 1.0)) - np.log(-np.log(u + 2.0**-54))
    gumbel[np.arange(len(contexts)), (contexts[:, 0] + 1) % vocab] = np.inf
    count = min(SUCCESSORS, vocab)
    chosen = np.argpartition(-gumbel, count - 1, axis=1)[:, :count]  # without replacement
    weights = np.zeros((len(contexts), vocab))
    sizes = 1.0 + 3.0 * uniform(draw(seed, RULES, 1, contexts, tokens))
    np.put_along_axis(weights, chosen, np.take_along_axis(sizes, chosen, axis=1), axis=1)
    return weights / weights.sum(axis=1, keepdims=True)


def _stationary(table: Floats) -> Floats:
    """Return how often each context is used in the long run, by iterating to rest."""
    contexts, vocab = table.shape
    found = np.full(contexts, 1.0 / contexts)
    for _ in range(100_000):
        moved = (found[:, None] * table).reshape(vocab, -1).sum(axis=0)
        moved = (moved / moved.sum() + found) / 2  # half a step rests, whatever the chain's period
        change = np.abs(moved - found).sum()
        found = moved
        if change < STILL:
            break
    return found
