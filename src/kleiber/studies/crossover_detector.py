"""The detector of crossovers against a known truth: false calls, coverage, scores, by simulation.

The truths are declared in :mod:`kleiber.studies.detector.truths`. A crossing is called where its
probability is above one half. The interval score is of the difference at the target (Gneiting and
Raftery 2007, at 90 %): the width, and 20 times what it missed by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import betaincinv

from kleiber.judging.compare.ladders import ladders_of
from kleiber.judging.compare.verb import MARGIN
from kleiber.judging.compare.verdict import chances, word
from kleiber.studies.detector.rules import RULES, Said
from kleiber.studies.detector.truths import (
    TARGET,
    TERM,
    UNIT,
    Curve,
    Truth,
    Way,
    draw_truth,
    ladder,
    truth_of,
)
from kleiber.studies.table import Table

REPEATS = 250
LEVEL = 0.9
COLUMNS = (
    *("truth", "rule", "ladders", "calls %", "sign right %", "difference covered %"),
    *("interval score", "C* covered %", "of it, 95 % bounds", "C* width (decades)"),
    *("decided %", "wrong %"),
)


@dataclass(frozen=True)
class Cell:
    """One row of truths; ``draw`` makes one."""

    name: str
    crossing: bool
    draw: Callable[[np.random.Generator], Truth]
    all_rules: bool = True


@dataclass(frozen=True)
class Trial:
    """A truth and what a rule said of its ladder."""

    truth: Truth
    said: Said

    @property
    def called(self) -> bool:
        """Whether the rule says that they cross."""
        return self.said.called


def cells() -> list[Cell]:
    """Return the four cells of the declared distribution, and the further ones."""
    found = [
        _drawn("crossing, clean", True, "none"),
        _drawn("crossing, one arm has the term", True, "one"),
        _drawn("none, clean", False, "none"),
        _drawn("none, one arm has the term", False, "one"),
    ]
    found.append(_drawn("none, another term (.01-.04, C^-.3 to C^-1.2)", False, "other"))
    worse, better = Curve(1.7, 2.3, 0.15), Curve(1.7, 2.2, 0.15)
    slower = Curve(1.7, 2.2, 0.145)
    fixed: tuple[tuple[str, Curve, Curve, Way], ...] = (
        ("1.7+2.3C^-.15, 1.7+2.2C^-.145: crosses at 7 tops", worse, slower, "exponents"),
        ("the same, the term in the first", _with_term(worse), slower, "exponents"),
        ("the same, the term in the second", worse, _with_term(slower), "exponents"),
        ("1.7+2.3C^-.15, 1.7+2.2C^-.15: a multiplier", worse, better, "multiplier"),
        ("the same multiplier, the term in the second", worse, _with_term(better), "multiplier"),
        ("the same recipe twice", worse, worse, "same"),
    )
    for name, a, b, way in fixed:
        truth = truth_of(a, b, way)
        assert truth is not None
        crossing = bool(np.isfinite(truth.crossing))
        found.append(Cell(name, crossing, lambda rng, truth=truth: truth))
    return found


def _drawn(name: str, crossing: bool, term: Literal["none", "one", "other"]) -> Cell:
    return Cell(name, crossing, lambda rng: draw_truth(rng, crossing=crossing, term=term))


def _with_term(curve: Curve) -> Curve:
    return Curve(curve.floor, curve.size, curve.exponent, TERM)


def trials(cell: Cell, place: int, repeats: int, seed: int) -> dict[str, list[Trial]]:
    """Draw a cell's ladders and ask every rule, by rule."""
    found: dict[str, list[Trial]] = {name: [] for name in RULES}
    for i in range(repeats):
        rng = np.random.default_rng([seed, place, i])
        truth = cell.draw(rng)
        data = ladders_of(*ladder(truth, rng))
        for name, rule in RULES.items():
            found[name].append(Trial(truth, rule(data, TARGET * UNIT, rng)))
    return found


def run(
    repeats: int = REPEATS, seed: int = 0, progress: Callable[[str], None] = lambda _: None
) -> Table:
    """Return the table of all cells and rules, of ``repeats`` ladders a cell."""
    rows: list[dict[str, Any]] = []
    ours: dict[str, list[Trial]] = {}
    for place, cell in enumerate(cells()):
        progress(cell.name)
        found = trials(cell, place, repeats, seed)
        ours[cell.name] = found["kleiber compare"]
        rows += [row_of(cell.name, name, each) for name, each in found.items()]
        if cell.name == "none, one arm has the term":
            harmed = {k: [one for one in v if one.truth.harmful] for k, v in found.items()}
            rows += [
                row_of("  of them, in the better arm", name, each)
                for name, each in harmed.items()
                if each
            ]
    by = {(row["truth"], row["rule"]): row for row in rows}
    crossing = [one for name in list(ours)[:2] for one in ours[name]]
    rows.append(row_of("crossing, both", "kleiber compare", crossing))
    return Table(
        name="crossover-detector",
        title="Crossovers called against a known truth",
        command="kleiber study crossover-detector --out results",
        columns=COLUMNS,
        rows=rows,
        claims=_claims(by, rows[-1]),
        notes=(
            f"{repeats} ladders a row of 7 rungs over 3 decades of compute, 3 seeds, noise .002 "
            "nats a run; the target is 10 times the top. The first four rows of truths are drawn "
            "from the distribution declared in kleiber/studies/detector/truths.py.",
            "A call is P(they cross below the target) > .5, at any place from the smallest rung "
            "on, of recipes that differ at all. C* is the interval given that they cross, where a "
            "rule has one; coverage over all ladders whose truth crosses. Interval score: of the "
            "difference at the target, in nats, the less the better.",
            f"Decided: a verdict other than undecided with a margin of {MARGIN} nats; wrong: the "
            "verdict is not the truth's (a recipe that is better by less than the margin is a "
            "tie). The same recipe twice has no crossing to find; its verdicts are what counts.",
        ),
        seed=seed,
    )


def row_of(cell: str, rule: str, found: Sequence[Trial]) -> dict[str, Any]:
    """Return one rule's row on one kind of truth."""
    said = [one.said for one in found]
    actual = np.array([one.truth.difference for one in found])
    low, middle, high = (
        np.array([getattr(one, name) for one in said]) for name in ("lower", "median", "upper")
    )
    missed = np.maximum(low - actual, 0.0) + np.maximum(actual - high, 0.0)
    row: dict[str, Any] = {
        "truth": cell,
        "rule": rule,
        "ladders": len(found),
        "calls %": 100.0 * float(np.mean([one.called for one in found])),
        "sign right %": 100.0 * float(np.mean(np.sign(middle) == np.sign(actual))),
        "difference covered %": 100.0 * float(np.mean(missed == 0.0)),
        "interval score": float(np.mean(high - low + 2.0 / (1.0 - LEVEL) * missed)),
    }
    row |= _of_crossing(found)
    if all(one.draws is not None for one in said):
        row |= _of_verdicts(found)
    return row


def _of_crossing(found: Sequence[Trial]) -> dict[str, Any]:
    """Return how intervals of C* did, where the truth crosses and the rule has them."""
    bounded = [
        (one.said.where, float(np.log10(one.truth.crossing * UNIT)))
        for one in found
        if np.isfinite(one.truth.crossing)
    ]
    if not bounded or not any(np.isfinite(where[0]) for where, _ in bounded):
        return {}
    inside = [where[0] <= true <= where[2] for where, true in bounded]
    n, k = len(inside), int(sum(inside))
    low = float(betaincinv(k, n - k + 1, 0.025)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0
    widths = [where[2] - where[0] for where, _ in bounded if np.isfinite(where[0])]
    return {
        "C* covered %": 100.0 * k / n,
        "of it, 95 % bounds": f"{100 * low:.1f} to {100 * high:.1f}",
        "C* width (decades)": float(np.median(widths)),
    }


def _of_verdicts(found: Sequence[Trial]) -> dict[str, Any]:
    """Return how often a verdict was given, and was wrong."""
    decided = wrong = 0
    for one in found:
        assert one.said.draws is not None
        verdict = word(chances(one.said.draws, MARGIN), supported=True)
        d = one.truth.difference
        right = "A" if d < -MARGIN else "B" if d > MARGIN else "tie"
        decided += verdict != "undecided"
        wrong += verdict not in ("undecided", right)
    return {"decided %": 100.0 * decided / len(found), "wrong %": 100.0 * wrong / len(found)}


def _claims(by: dict[tuple[str, str], dict[str, Any]], both: dict[str, Any]) -> list[str]:
    """Return what the table shows against what was asked of it."""

    def calls(truth: str, rule: str = "kleiber compare") -> str:
        return f"{by[truth, rule]['calls %']:.1f} %"

    clean, term = "none, clean", "none, one arm has the term"
    return [
        f"False calls: {calls(clean)} clean (asked: 5 at most), {calls(term)} with the term "
        f"(asked: 15 at most); plain separate fits {calls(clean, 'plain separate fits')} and "
        f"{calls(term, 'plain separate fits')}, the straight line "
        f"{calls(clean, 'straight line')} and {calls(term, 'straight line')}.",
        f"Crossings called: {both['calls %']:.1f} %; their 90 % intervals of C* hold the truth in "
        f"{both['C* covered %']:.1f} % ({both['of it, 95 % bounds']}; asked: 85 to 95), "
        f"{both['C* width (decades)']:.2g} decades wide in the median.",
        "Interval score of the difference, crossing and none, clean: "
        + "; ".join(
            f"{rule} {by['crossing, clean', rule]['interval score']:.4f} and "
            f"{by[clean, rule]['interval score']:.4f}"
            for rule in RULES
        )
        + ".",
    ]
