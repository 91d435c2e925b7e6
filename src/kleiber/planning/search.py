"""The best ladder of a budget: exchange over a grid of runs, then a local search off the grid.

The search holds a set of rungs (a size, a length, a number of seeds) that keeps the rules and
the budget, starts from several shapes of ladder, and takes the best single exchange, addition
or removal until none lowers the expected error (Fedorov's exchange; Atkinson, Donev and Tobias
2007, Optimum Experimental Designs, chapter 12). The winner is then exchanged for what lies near
its own runs, off the grid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from kleiber.errors import UsageError
from kleiber.fitting.evidence import LEAST_TOKENS
from kleiber.laws.base import Array, Index, Mask
from kleiber.planning.design import Criterion, Says, Target
from kleiber.planning.rules import Rules
from kleiber.units import flops_6nd, format_count

SIZE_STEP, TOKENS_STEP = 1.25, 2.0  # of the grid
APART = 1.25 * 0.99  # a factor by which sizes that count as two differ, rounded digits allowed
WORTH = 0.01  # the share of the expected error that one more run must take away
CAPS = (
    0.15,
    0.25,
    0.35,
    0.5,
    0.65,
    0.8,
    0.95,
)  # of what is left: the most that a start spends on one run
PASSES = 40
TIE, TIE_COST = 0.3, 0.003  # in logs: runs this near are made one where the error hardly grows
NEAR = (0.5, 0.5, 0.25, 0.125)  # steps of the grid at which what lies near is tried, in turn


@dataclass(frozen=True, eq=False)
class Menu:
    """Runs that may be trained: raw params and tokens, each (C,), with 6 * params * tokens."""

    params: Array
    tokens: Array

    @property
    def flops(self) -> Array:
        """The price (C,) of each."""
        return flops_6nd(self.params, self.tokens)

    def take(self, rows: Index | Mask | Sequence[int]) -> Menu:
        """Return some of the runs."""
        return Menu(self.params[rows], self.tokens[rows])


def grid(rules: Rules, target: Target, budget: float) -> Menu:
    """Return the affordable runs of a log grid that keep the rules, partial targets among them."""
    low, high, few, many = rules.bounds
    top = min(high, (budget / (6.0 * few)) ** 0.5)
    sizes = list(_logs(low, min(top, target.params / APART), SIZE_STEP))
    ratios = _logs(few, many, TOKENS_STEP)
    pairs = [(n, n * ratio) for n in sizes for ratio in ratios]
    if rules.partial > 0 and target.params <= high:
        parts = rules.partial * target.tokens / _logs(1.0, 16.0, TOKENS_STEP)
        pairs += [(target.params, d) for d in parts if d >= few * target.params]
    n, d = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    menu = Menu(_few_digits(n), _few_digits(d))
    return menu.take((menu.flops <= budget) & (menu.tokens >= LEAST_TOKENS))


def _logs(low: float, high: float, step: float) -> Array:
    """Return low, low * step, ... up to high, and high itself where the last is far from it."""
    if high < low:
        return np.empty(0)
    count = int(np.floor(np.log(high / low) / np.log(step) + 1e-9))
    made: Array = low * step ** np.arange(count + 1, dtype=np.float64)
    return np.append(made, high) if high / made[-1] > step**0.5 else made


def _few_digits(counts: Array) -> Array:
    """Return counts of three digits, the nearest."""
    scale = 10.0 ** (np.floor(np.log10(counts)) - 2.0)
    return np.round(np.round(counts / scale) * scale)


def distinct(params: Sequence[float] | Array) -> int:
    """Return how many sizes there are that differ by the factor that makes two."""
    count, last = 0, -np.inf
    for size in sorted(params):
        if size >= last * APART:
            count, last = count + 1, size
    return count


@dataclass(frozen=True, eq=False)
class Search:
    """One search: a criterion, a menu with what each run says, a budget and rules."""

    criterion: Criterion
    menu: Menu
    says: Says
    budget: float
    rules: Rules
    worth: float = WORTH

    @classmethod
    def over(
        cls, criterion: Criterion, menu: Menu, budget: float, rules: Rules, worth: float = WORTH
    ) -> Search:
        """Prepare a search."""
        return cls(criterion, menu, criterion.says(menu.params, menu.tokens), budget, rules, worth)

    def error(self, chosen: Sequence[int]) -> float:
        """Return the expected error of a set of the menu's runs, repeats being seeds."""
        return float(self.errors_with(chosen, None)[0])

    def errors_with(self, chosen: Sequence[int], more: Index | None) -> Array:
        """Return the expected error of a set together with each run of ``more``, or alone."""
        had = self.criterion.belief.says.joined(self.says.take(list(chosen)))
        return self.criterion.errors(had, None if more is None else self.says.take(more))

    def cost(self, chosen: Sequence[int]) -> float:
        """Return the price of a set."""
        return float(self.menu.flops[list(chosen)].sum())

    def sizes(self, chosen: Sequence[int]) -> int:
        """Return the number of distinct sizes with those at hand."""
        return distinct([*self.menu.params[list(chosen)], *self.criterion.belief.params])

    def allowed(self, others: Sequence[int], cap: float = np.inf) -> Index:
        """Return which runs of the menu may join a set, by budget, seeds and sizes."""
        left = min(cap, self.budget * (1 + 1e-12) - self.cost(others))
        ok = self.menu.flops <= left
        for one, count in Counter(others).items():
            if count >= self.rules.seeds:
                ok[one] = False
        if self.sizes(others) < self.rules.sizes:
            index = np.flatnonzero(ok)
            ok[index] = [self.sizes([*others, int(i)]) >= self.rules.sizes for i in index]
        return np.flatnonzero(ok)

    def short(self) -> bool:
        """Whether the menu or the budget lacks the sizes that the rules ask for."""
        cheapest = self.cheapest()
        return self.sizes(cheapest) < self.rules.sizes or self.cost(cheapest) > self.budget

    def starts(self, caps: Sequence[float] = CAPS) -> list[list[int]]:
        """Return ladders to begin with: the cheapest sizes, then the best runs below a cap."""
        first = self.cheapest()
        found: list[list[int]] = []
        for cap in caps:
            chosen = list(first)
            while len(chosen) < self.rules.runs:
                left = self.budget - self.cost(chosen)
                index = self.allowed(chosen, cap * left)
                if not len(index):
                    break
                errors = self.errors_with(chosen, index)
                if errors.min() > self.error(chosen) * (1.0 - self.worth):
                    break
                chosen.append(int(index[np.argmin(errors)]))
            found.append(chosen)
        return found

    def cheapest(self) -> list[int]:
        """Return the cheapest runs that give the sizes which the rules ask for."""
        chosen: list[int] = []
        for i in np.argsort(self.menu.flops, kind="stable"):
            have = self.sizes(chosen)
            if have >= self.rules.sizes:
                break
            if self.sizes([*chosen, int(i)]) > have:
                chosen.append(int(i))
        return chosen

    def exchanged(self, chosen: Sequence[int]) -> tuple[list[int], float]:
        """Return a set that no single exchange, addition or removal improves, and its error."""
        now, error = list(chosen), self.error(chosen)
        for _ in range(PASSES):
            before = error
            now, error = self._swap(now, error)
            now, error = self._add(now, error)
            now, error = self._drop(now, error)
            if error > before * (1.0 - 1e-4):
                break
        return now, error

    def _swap(self, now: list[int], error: float) -> tuple[list[int], float]:
        for place in range(len(now)):
            others = now[:place] + now[place + 1 :]
            index = self.allowed(others)
            if not len(index):
                continue
            errors = self.errors_with(others, index)
            best = int(np.argmin(errors))
            if errors[best] < error * (1.0 - 1e-6):
                now = [*now[:place], int(index[best]), *now[place + 1 :]]
                error = float(errors[best])
        return now, error

    def _add(self, now: list[int], error: float) -> tuple[list[int], float]:
        while len(now) < self.rules.runs:
            index = self.allowed(now)
            if not len(index):
                break
            errors = self.errors_with(now, index)
            best = int(np.argmin(errors))
            if errors[best] > error * (1.0 - self.worth):
                break
            now, error = [*now, int(index[best])], float(errors[best])
        return now, error

    def _drop(self, now: list[int], error: float) -> tuple[list[int], float]:
        for place in reversed(range(len(now))):
            others = now[:place] + now[place + 1 :]
            if not others or self.sizes(others) < self.rules.sizes:
                continue
            without = self.error(others)
            if without < error * (1.0 + 0.5 * self.worth):
                now, error = others, without
        return now, error

    def best(self, starts: Sequence[Sequence[int]] | None = None) -> list[int]:
        """Return the best set found from all starts, in the menu's order."""
        found = [self.exchanged(one) for one in starts or self.starts()]
        return sorted(min(found, key=lambda one: one[1])[0])


def choose(
    criterion: Criterion,
    target: Target,
    budget: float,
    rules: Rules,
    caps: Sequence[float] = CAPS,
) -> Menu:
    """Return the runs of the ladder with the least expected error, a row a run.

    ``caps`` are the shares of what is left that the starts spend on one run, a start each.

    Raises UsageError where the budget does not buy the sizes that the rules ask for.
    """
    search = Search.over(criterion, grid(rules, target, budget), budget, rules)
    if search.short():
        raise _too_little(search, target)
    chosen = search.menu.take(search.best(search.starts(caps)))
    for part in NEAR:
        menu, start = _near(chosen, part, rules, target)
        local = Search.over(criterion, menu, budget, rules)
        chosen = menu.take(sorted(local.exchanged(start)[0]))
    return _tied(criterion, chosen, budget, rules)


def _tied(criterion: Criterion, chosen: Menu, budget: float, rules: Rules) -> Menu:
    """Return the runs with those that are nearly one made seeds of one, where that costs little."""
    search = Search.over(criterion, chosen, budget, rules)
    now = list(range(len(chosen.params)))
    error = search.error(now)
    for i, j in permutations(range(len(now)), 2):
        x = np.log(chosen.params[[now[i], now[j]]])
        y = np.log(chosen.tokens[[now[i], now[j]]])
        made = [now[i] if k == now[j] else k for k in now]
        if (
            0.0 < np.hypot(x[0] - x[1], y[0] - y[1]) < TIE
            and made.count(now[i]) <= rules.seeds
            and search.cost(made) <= budget
            and search.sizes(made) >= rules.sizes
            and search.error(made) <= error * (1.0 + TIE_COST)
        ):
            now = made
    return chosen.take(sorted(now))


def _too_little(search: Search, target: Target) -> UsageError:
    """Return what the cheapest ladder within the rules would cost."""
    rules = search.rules
    low, high, few, most = rules.bounds
    longest = min(high, target.params) * most
    if longest < LEAST_TOKENS:
        return UsageError(
            f"A run of {format_count(min(high, target.params))} params on at most {most:g} tokens "
            f"per param has {format_count(longest)} tokens, and a plan counts on runs of "
            f"{format_count(LEAST_TOKENS)} or more: what is known of shorter ones is warm-up.",
            remedy="Plan for a larger target; write a small ladder by hand (kleiber ladder show).",
        )
    anything = grid(rules, target, np.inf)
    whole = Search.over(search.criterion, anything, np.inf, rules)
    cheapest = whole.cheapest()
    if whole.sizes(cheapest) < rules.sizes:
        return UsageError(
            f"Between {format_count(low)} and {format_count(high)} params there are fewer than "
            f"{rules.sizes} sizes that differ by {SIZE_STEP:g}x and have runs of "
            f"{format_count(LEAST_TOKENS)} tokens or more.",
            remedy="Lower the rules sizes or smallest, or raise largest.",
        )
    return UsageError(
        f"A budget of {search.budget:.3g} FLOPs buys no ladder: {rules.sizes} sizes from "
        f"{format_count(low)} params at {few:g} tokens per param cost at least "
        f"{whole.cost(cheapest):.3g}.",
        remedy="Raise the budget, or lower the rules sizes, smallest or least_ratio.",
    )


def _near(chosen: Menu, part: float, rules: Rules, target: Target) -> tuple[Menu, list[int]]:
    """Return what lies a part of a grid step from chosen runs, with them, and their places."""
    low, high, few, many = rules.bounds
    moves = part * np.array([m for m in product((-1, 0, 1), repeat=2) if any(m)])
    n = chosen.params[:, None] * SIZE_STEP ** moves[:, 0]
    n = np.where(chosen.params[:, None] == target.params, target.params, n)
    n = n.clip(low, high)
    d = (chosen.tokens[:, None] * TOKENS_STEP ** moves[:, 1]).clip(few * n, many * n)
    n, d = _few_digits(n.ravel()), _few_digits(d.ravel())
    own = n == target.params
    ok = np.where(own, d <= rules.partial * target.tokens, n <= target.params / APART)
    ok &= (n >= low) & (d >= few * n) & (d <= many * n) & (d >= LEAST_TOKENS)
    both = np.stack([np.append(chosen.params, n[ok]), np.append(chosen.tokens, d[ok])])
    found, place = np.unique(both, axis=1, return_inverse=True)
    return Menu(*found), [int(i) for i in place.ravel()[: len(chosen.params)]]
