"""The claims of arXiv 2409.15156 on old and new paradigms, each held against the runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from kleiber.studies.paradigms.grids import OFTEN, ONCE, WIDTHS
from kleiber.studies.paradigms.settings import Difference, Losses, Setting, difference

SHOWN, NOT_SHOWN, OPPOSITE = "shown", "not shown", "opposite"
SMALL = 0.02  # a gap below this share of the test loss is negligible
NOTHING = 0.01  # nats: a smaller change is none
UNSTABLE = 0.5  # nats above the best rate's loss, from which a rate is not stable
Found = Mapping[str, Sequence[Setting]]


@dataclass(frozen=True)
class Claim:
    """One claim, where it should hold, and what the runs say of it."""

    section: str
    regime: str
    claim: str
    verdict: str
    evidence: str

    def to_dict(self) -> dict[str, Any]:
        """Return the claim as plain values."""
        return asdict(self)


def judge(found: Found) -> list[Claim]:
    """Return every claim with its verdict."""
    return [
        *_regimes(found["regimes"]),
        *_rates(found["rate"]),
        *_batches(found["batch"]),
        *_strengths(found),
    ]


def _regimes(found: Sequence[Setting]) -> list[Claim]:
    """Judge the frame: which of the two errors is negligible, where."""
    once = [one for one in found if one.rung.epochs == ONCE]
    often = [one for one in found if one.rung.epochs == OFTEN]
    shares = [one.mean("gap") / one.mean("test") for one in once]
    gaps = [difference(one.gap, _share(one.test, SMALL)) for one in once]
    wider = [difference(b.test, a.test) for a, b in pairwise(once)]
    widest = often[-1]
    share = widest.mean("gap") / widest.mean("test")
    half = difference(widest.gap, _share(widest.test, 0.5))
    return [
        Claim(
            "A.1", "scaling", "At one epoch the gap is negligible: under 2 % of the test loss",
            _both([_below(one) for one in gaps]),
            f"gap over test loss is {min(shares):.1%} to {max(shares):.1%} at widths "
            f"{WIDTHS[0]} to {WIDTHS[-1]}",
        ),
        Claim(
            "A.1", "scaling", "At one epoch a larger model is better at every step of width",
            _both([_below(one) for one in wider]),
            "test loss from width to width: " + ", ".join(map(str, wider)),
        ),
        Claim(
            "A.1", "over-parameterised",
            "Of a model far larger than its data the gap is most of the test loss",
            _above(half),
            f"at 64 epochs and width {widest.rung.width} the gap is {share:.0%} of a test loss of "
            f"{widest.mean('test'):.3f}, {widest.mean('seen'):.3f} on its own text",
        ),
        _classical(found),
    ]  # fmt: skip


def _classical(found: Sequence[Setting]) -> Claim:
    """Judge the U over the model's size, wherever the same text comes again."""
    ways: list[str] = []
    said: list[str] = []
    again = sorted({one.rung.epochs for one in found} - {ONCE})
    for epochs in again:
        here = [one for one in found if one.rung.epochs == epochs]
        best = min(here, key=lambda one: one.mean("test"))
        tries = 2 * len(again)
        ends = [difference(end.test, best.test, tries=tries) for end in (here[0], here[-1])]
        inner = best is not here[0] and best is not here[-1]
        ways.append(_both([_above(one) for one in ends]) if inner else NOT_SHOWN)
        others = [
            f"width {end.rung.width} {apart}"
            for end, apart in zip((here[0], here[-1]), ends, strict=True)
            if end is not best
        ]
        said.append(
            f"at {epochs:g} epochs width {best.rung.width} is best, {' and '.join(others)} nats "
            "above it"
        )
    return Claim(
        "A.1", "classical", "Between the two, test loss is U-shaped in the model's size",
        SHOWN if SHOWN in ways else NOT_SHOWN, "; ".join(said),
    )  # fmt: skip


def _rates(found: Sequence[Setting]) -> list[Claim]:
    """Judge the learning rate: a U, its bottom, and the edge of stability."""
    once, often = (Edge.of(found, epochs) for epochs in (ONCE, OFTEN))
    apart = difference(once.edge.test, once.best.test, tries=once.tries)
    low = difference(once.stable[0].test, once.best.test, tries=once.tries)
    old = difference(often.edge.test, often.best.test, tries=often.tries)
    nearer = difference(often.distances(), once.distances())
    return [
        Claim(
            "A.4", "scaling", "Loss is U-shaped in the learning rate",
            _both([_above(apart), _above(low)]),
            f"rate {once.best.rung.lr:.3g} is best; {once.stable[0].rung.lr:.3g} is {low} nats "
            f"worse, {once.edge.rung.lr:.3g} {apart}",
        ),
        Claim(
            "A.4", "scaling", "The best rate is clearly below the largest stable one",
            _above(apart) if once.distance >= 2 else NOT_SHOWN,
            f"the largest stable rate, {once}, is {once.distance:.3g} times the best, and {apart} "
            "nats worse",
        ),
        Claim(
            "A.4", "over-parameterised",
            "The old rule, of rates that fit the text the largest stable is best",
            SHOWN if often.distance <= 1 else _reversed(_above(old)),
            f"at 64 epochs the best rate is {often.best.rung.lr:.3g}, the largest stable one, "
            f"{often}, is {old} nats worse",
        ),
        Claim(
            "A.4", "over-parameterised", "On repeated data the best rate lies nearer to the edge",
            _below(nearer),
            f"edge over best: {often.distance:.3g} at 64 epochs, {once.distance:.3g}"
            f"{'' if once.found else ' or more'} at one, in steps of 2.5; the log of their ratio, "
            f"the best found for each seed alone: {nearer}; of rates that fit the text, of which "
            f"{often.stable[0].rung.lr:.3g} is the least at 64 epochs",
        ),
    ]  # fmt: skip


@dataclass(frozen=True)
class Edge:
    """Rates that train at one count of epochs, the best of them, and the largest.

    A rate trains where no seed of it fails and its loss on shown text ends within UNSTABLE nats of
    the least: neither too small to learn the text nor too large to be stable.
    """

    stable: Sequence[Setting]
    best: Setting
    found: bool  # whether a larger rate was tried, and is not stable

    @classmethod
    def of(cls, found: Sequence[Setting], epochs: float) -> Edge:
        """Find them."""
        here = sorted(
            (one for one in found if one.rung.epochs == epochs), key=lambda one: one.rung.lr
        )
        least = min(one.mean("seen") for one in here)
        stable = [one for one in here if one.mean("seen") < least + UNSTABLE]
        best = min(stable, key=lambda one: one.mean("test"))
        return cls(stable, best, stable[-1] is not here[-1])

    @property
    def tries(self) -> int:
        """How many others the best was chosen from."""
        return max(1, len(self.stable) - 1)

    def __str__(self) -> str:
        """Name the largest stable rate."""
        return f"{self.edge.rung.lr:.3g}" + ("" if self.found else " or more, the largest tried")

    @property
    def edge(self) -> Setting:
        """The largest stable rate."""
        return self.stable[-1]

    @property
    def distance(self) -> float:
        """The largest stable rate over the best."""
        return self.edge.rung.lr / self.best.rung.lr

    def distances(self) -> Losses:
        """Return the log of the same for each seed, with the best rate of that seed alone."""
        found: dict[int, float] = {}
        for seed in self.best.test:
            here = [one for one in self.stable if seed in one.test]
            lr = min(here, key=lambda one: one.test[seed]).rung.lr
            found[seed] = math.log(self.edge.rung.lr / lr)
        return found


def _batches(found: Sequence[Setting]) -> list[Claim]:
    """Judge the batch, each at the best of its rates."""
    once, often = (at_best_rate(found, epochs) for epochs in (ONCE, OFTEN))
    best = min(once, key=lambda one: one.mean("test"))
    ends = [difference(end.test, best.test, tries=len(once) - 1) for end in (once[0], once[-1])]
    inner = best is not once[0] and best is not once[-1]
    gap = difference(often[-1].gap, often[0].gap)
    test = difference(often[-1].test, often[0].test)
    seen = difference(often[-1].seen, often[0].seen)
    return [
        Claim(
            "A.5", "scaling", "At one compute, loss is U-shaped in the batch",
            _both([_above(one) for one in ends]) if inner else NOT_SHOWN,
            f"batch {best.rung.batch} is best"
            + ", the smallest tried" * (best is once[0])
            + f"; {once[0].rung.batch} is {ends[0]} nats worse" * (best is not once[0])
            + f"; {once[-1].rung.batch} is {ends[1]} nats worse" * (best is not once[-1]),
        ),
        Claim(
            "A.5", "over-parameterised", "The old rule, a smaller batch has the smaller gap",
            _above(gap),
            f"at 64 epochs the gap of batch {often[-1].rung.batch} less that of "
            f"{often[0].rung.batch}: {gap}; their test losses {test}, seen losses {seen}: with "
            f"a {often[-1].rung.batch // often[0].rung.batch}th of the steps the large batch "
            f"has not fitted its text ({often[-1].mean('seen'):.2f} nats)",
        ),
    ]  # fmt: skip


def at_best_rate(found: Sequence[Setting], epochs: float) -> list[Setting]:
    """Return for each batch the setting of the rate with the lowest mean test loss."""
    best: dict[int, Setting] = {}
    for one in found:
        held = best.get(one.rung.batch)
        if one.rung.epochs == epochs and (held is None or one.mean("test") < held.mean("test")):
            best[one.rung.batch] = one
    return [best[batch] for batch in sorted(best)]


def _strengths(found: Found) -> list[Claim]:
    """Judge L2 and weight decay, each against none."""
    l2_once, l2_often = (Strength.of(found, "l2", epochs) for epochs in (ONCE, OFTEN))
    once, often = (Strength.of(found, "coupled", epochs) for epochs in (ONCE, OFTEN))
    return [
        Claim(
            "A.3", "scaling", "L2 in the gradient brings nothing at one epoch",
            OPPOSITE if l2_once.test.upper < 0 else _above_minus(l2_once.test), str(l2_once),
        ),
        Claim(
            "A.3", "over-parameterised", "L2 in the gradient lowers the test loss at 64 epochs",
            _below(l2_often.test), str(l2_often),
        ),
        Claim(
            "A.3", "scaling", "Weight decay at one epoch does not act through the gap",
            _within(once.gap), str(once),
        ),
        Claim(
            "A.3", "over-parameterised", "Weight decay at 64 epochs lowers gap and test loss",
            _both([_below(often.test), _below(often.gap)]), str(often),
        ),
    ]  # fmt: skip


@dataclass(frozen=True)
class Strength:
    """The best strength of one kind of decay, against none at all."""

    best: Setting
    test: Difference
    gap: Difference

    @classmethod
    def of(cls, found: Found, mode: str, epochs: float) -> Strength:
        """Find it, by its mean test loss."""
        asked = (epochs, mode)
        arms = [one for one in found["decay"] if (one.rung.epochs, one.rung.decay) == asked]
        best = min(arms, key=lambda one: one.mean("test"))
        none = _without(found, epochs)
        apart = [
            difference(values, others, tries=len(arms))
            for values, others in ((best.test, none.test), (best.gap, none.gap))
        ]
        return cls(best, *apart)

    def __str__(self) -> str:
        """Say what it changes."""
        return (
            f"the best strength, {self.best.rung.weight_decay:g}, changes the test loss by "
            f"{self.test}, the gap by {self.gap}"
        )


def _without(found: Found, epochs: float) -> Setting:
    """Return the runs that decay is compared with: the same width and rate, no decay."""
    width = found["decay"][0].rung.width
    return next(
        one for one in found["regimes"] if (one.rung.epochs, one.rung.width) == (epochs, width)
    )


def _share(losses: Losses, share: float) -> Losses:
    return {seed: share * loss for seed, loss in losses.items()}


def _above(one: Difference) -> str:
    return SHOWN if one.lower > 0 else OPPOSITE if one.upper < 0 else NOT_SHOWN


def _below(one: Difference) -> str:
    return _reversed(_above(one))


def _above_minus(one: Difference) -> str:
    """Judge that a change lowers nothing by more than NOTHING."""
    return SHOWN if one.lower > -NOTHING else NOT_SHOWN


def _within(one: Difference) -> str:
    """Judge that a change is nothing either way."""
    if one.lower > NOTHING or one.upper < -NOTHING:
        return OPPOSITE
    return SHOWN if -NOTHING < one.lower and one.upper < NOTHING else NOT_SHOWN


def _reversed(verdict: str) -> str:
    return {SHOWN: OPPOSITE, OPPOSITE: SHOWN}.get(verdict, verdict)


def _both(verdicts: Sequence[str]) -> str:
    """Return the verdict that all agree on, or that it is not shown."""
    return verdicts[0] if len(set(verdicts)) == 1 else NOT_SHOWN
