"""A probabilistic context-free grammar whose sentences can be read in one way only.

Every rule is a terminal and up to two nonterminals, ``A -> a``, ``A -> a B``, ``A -> a B C``, and
the rules of one nonterminal start with different terminals (a simple grammar, Korenjak & Hopcroft
1966). So a token tells which rule made it, a sentence has one derivation, and to predict the next
token is to know which nonterminal is due: the top of a stack, which the sentence so far decides.

A document is one sentence and token 0, which ends it and costs nothing, since the stack tells that
it comes. The entropy of a sentence is that of its derivation, sum over nonterminals of (how often
each is expanded) times (the entropy of its rules), and the rate that over the expected length, the
end counted. A window opens behind an end, so that its past is never cut off, and breaks off where
it is full; its entropy is computed for its length, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

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

FORM = "pcfg:V:NONTERMINALS:SEED"
CLASSES = (3, 3, 2)
"""Rules of a nonterminal with no, one and two nonterminals behind the terminal."""

MASSES = (0.35, 0.4, 0.25)
"""Their probabilities: .9 nonterminals on average, so a sentence has 1 / (1 - .9) = 10 tokens."""

SMALLEST = sum(CLASSES) + 1
LARGEST, MOST = 2**16, 256  # tokens, nonterminals
END = 0


@dataclass(frozen=True, eq=False)
class Grammar:
    """``pcfg:V:NONTERMINALS:SEED``; a sentence starts from nonterminal 0.

    Rule r of nonterminal A has the probability ``p[A, r]``, the terminal ``terminals[A, r]`` and
    the nonterminals ``behind[A, r]``, -1 where there is none: a second one only with a first.
    """

    vocab: int
    p: Floats = field(repr=False)
    terminals: Rows = field(repr=False)
    behind: Rows = field(repr=False)

    @classmethod
    def of(cls, name: str) -> Grammar:
        """Return the language of a name."""
        vocab, count, seed = numbers_of(name, FORM, (int, int, int))
        if not SMALLEST <= vocab <= LARGEST:
            raise refused(name, f"{vocab} tokens", f"{SMALLEST} to {LARGEST:,}")
        if not 1 <= count <= MOST or seed < 0:
            what = f"{count} nonterminals and seed {seed}"
            raise refused(name, what, f"1 to {MOST:,} nonterminals, a seed of 0 or more")
        return _grammar(vocab, count, seed)

    @property
    def rate(self) -> float:
        """Nats a token: a derivation's entropy over the expected length, the end counted."""
        rules = plogp(self.p).sum(axis=1)
        return float(self.expansions @ rules / (self.expansions.sum() + 1))

    @cached_property
    def expansions(self) -> Floats:
        """How often each nonterminal is expanded in a sentence, e_0 (I - M)^-1."""
        count = len(self.p)
        mean = np.zeros((count, count + 1))  # the last column takes what is not there
        for which in range(2):
            np.add.at(mean, (np.arange(count)[:, None], self.behind[:, :, which]), self.p)
        start = np.zeros(count)
        start[0] = 1.0
        return np.asarray(np.linalg.solve(np.eye(count) - mean[:, :count].T, start), np.float64)

    def entropy(self, context: int) -> float:
        """Return the nats a target of windows that open behind an end and break off when full."""
        return float(self._expected(context).mean())

    def _expected(self, context: int) -> Floats:
        """Return the expected nats of each target, [context].

        With f_A(n) the probability that A yields n tokens, g_A(t) the expected entropy of the
        nonterminal due at time t of A's yield, 0 where that has ended, over the rules of A::

            f_A(n) = sum p [f_B * f_C](n - 1)
            g_A(t) = sum p (g_B(t - 1) + [f_B * g_C](t - 1)),  g_A(0) = the entropy of A's rules

        and documents follow each other: G(t) = g_0(t) + sum_n f_0(n) G(t - n - 1).
        """
        count = len(self.p)
        f = np.zeros((context + 1, count + 1))
        g = np.zeros((context + 1, count + 1))
        f[0, -1] = 1.0  # a nonterminal that is not there yields nothing
        g[0, :-1] = plogp(self.p).sum(axis=1)
        first, second = self.behind[..., 0], self.behind[..., 1]
        for t in range(1, context + 1):
            past = f[:t][:, first]  # [t, A, r]
            lengths = np.einsum("tar,tar->ar", past, f[:t][::-1][:, second])
            due = g[t - 1][first] + np.einsum("tar,tar->ar", past, g[:t][::-1][:, second])
            f[t, :-1] = (self.p * lengths).sum(axis=1)
            g[t, :-1] = (self.p * due).sum(axis=1)
        found = np.zeros(context)
        for t in range(context):
            found[t] = g[t, 0] + f[1 : max(t, 1), 0] @ found[: max(t - 1, 0)][::-1]
        return found

    def rows(self, key: int, numbers: Rows, context: int) -> Rows:
        """Return windows by their numbers; each opens with token 0."""
        u = chances(key, numbers, context)
        sums = cumulative(self.p)
        found = np.full((len(numbers), context + 1), END, dtype=np.int64)
        stack = Stack.of(len(numbers), context)
        for place in range(1, context + 1):
            due = stack.due()
            rule = (sums[due] <= u[:, place - 1, None]).sum(axis=1)
            found[:, place] = np.where(stack.empty, END, self.terminals[due, rule])
            stack.move(self.behind[due, rule])
        return found

    def nats(self, rows: Rows) -> Floats:
        """Return -log p of every target, by reading the window with a stack."""
        found = np.empty((len(rows), rows.shape[1] - 1))
        stack = Stack.of(len(rows), rows.shape[1])
        for place in range(1, rows.shape[1]):
            due, token = stack.due(), rows[:, place]
            fits = self.terminals[due] == token[:, None]
            rule = fits.argmax(axis=1)
            right = np.where(stack.empty, token == END, fits.any(axis=1))
            p = np.where(stack.empty, 1.0, self.p[due, rule])
            with np.errstate(divide="ignore"):
                found[:, place - 1] = -np.log(np.where(right, p, 0.0))
            stack.move(self.behind[due, rule])
        return found


@dataclass
class Stack:
    """What is still due in each of many windows; ``depth`` is 0 where an end is."""

    held: Rows
    depth: Rows

    @classmethod
    def of(cls, count: int, length: int) -> Stack:
        """Return stacks with the start in each, and room for windows of a length."""
        held = np.zeros((count, length + 3), dtype=np.int64)
        return cls(held, np.ones(count, dtype=np.int64))

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Where nothing is due but the end."""
        return self.depth == 0

    def due(self) -> Rows:
        """Return the nonterminal on top; where there is none, the start."""
        return self.held[np.arange(len(self.depth)), np.maximum(self.depth - 1, 0)]

    def move(self, behind: Rows) -> None:
        """Take the top away and put what its rule has behind it; behind an end, the start."""
        each, empty = np.arange(len(self.depth)), self.empty
        self.depth = np.where(empty, 0, self.depth - 1)
        for which in (1, 0):  # the first is due first, so it lies on top
            one = behind[:, which]
            put = ~empty & (one >= 0)
            self.held[each[put], self.depth[put]] = one[put]
            self.depth = self.depth + put
        self.held[each[empty], 0] = 0
        self.depth = np.where(empty, 1, self.depth)


def _grammar(vocab: int, count: int, seed: int) -> Grammar:
    """Draw a grammar: terminals and nonterminals by popularity, probabilities at random."""
    rules = sum(CLASSES)
    each, number = np.arange(count)[:, None], np.arange(rules)
    u = uniform(draw(seed, RULES, 0, each, np.arange(vocab - 1)))
    gumbel = np.log(zipf(vocab - 1, 1.0)) - np.log(-np.log(u + 2.0**-54))
    terminals = 1 + np.argsort(-gumbel, axis=1)[:, :rules]
    sizes = -np.log1p(-uniform(draw(seed, RULES, 1, each, number)))
    kinds = np.repeat(np.arange(len(CLASSES)), CLASSES)
    p = np.empty((count, rules))
    for kind, mass in enumerate(MASSES):
        here = kinds == kind
        p[:, here] = mass * sizes[:, here] / sizes[:, here].sum(axis=1, keepdims=True)
    chance = uniform(draw(seed, RULES, 2, each[..., None], number[:, None], np.arange(2)))
    behind = np.searchsorted(cumulative(zipf(count, 1.0)), chance, side="right")
    # which terminal goes with which kind of rule is by chance, not by popularity
    shuffle = np.argsort(draw(seed, RULES, 3, each, number), axis=1)
    terminals = np.take_along_axis(terminals, shuffle, axis=1)
    return Grammar(vocab, p, terminals, np.where(np.arange(2) < kinds[:, None], behind, -1))
