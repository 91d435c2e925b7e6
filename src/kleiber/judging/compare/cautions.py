"""The findings of a comparison: what its verdict rests on, and what may mislead it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kleiber.judging.compare import collapse, health
from kleiber.judging.compare.backtest import Card
from kleiber.judging.compare.common import NEAR
from kleiber.judging.compare.ladders import Ladders
from kleiber.judging.compare.rungs import Arm, cut_short, matched, validation_sets
from kleiber.judging.compare.verdict import SUPPORTED, Range
from kleiber.judging.finding import Finding, issue, tip
from kleiber.runs.notes import Note, counted, listing
from kleiber.units import LN2

FEW, SHORT = 5, 1.5  # rungs, and decades of compute, below which a curve is a guess
UNLIKE = 1.2  # factor between tokens a param that makes rungs unlike
SIGNED = 2.0  # standard errors from which a rung's difference is one
OF_BITS = 0.05  # about 1/ln 2 that a ratio of losses may lie and vary, to be of bits and nats
RATIO = 0.002  # relative spread of a ratio of losses that is a unit, not a recipe


@dataclass(frozen=True)
class Facts:
    """What the findings look at; ``without_smallest`` is the difference with that rung dropped."""

    arms: tuple[Arm, Arm]
    data: Ladders
    target: float
    difference: Range
    without_smallest: Range | None
    card: Card
    floors: tuple[float, float]

    @property
    def scale_up(self) -> float:
        """The target over the largest compute that the comparison rests on."""
        return self.target / self.data.reach


def cautions(facts: Facts) -> tuple[Finding, ...]:
    """Return every finding, in the order of codes."""
    found = [*_of_tables(facts), *_of_ladders(facts), *_of_noise(facts), *_of_health(facts)]
    return tuple(sorted(found, key=lambda one: one.code))


def _of_tables(facts: Facts) -> Iterator[Finding]:
    """R001, R008, R009, R014, R018: what the tables hold."""
    first, second = facts.arms
    named = {arm.name: validation_sets(arm.table) for arm in facts.arms}
    if sum(map(bool, named.values())) == 1:
        (known,) = (f"{name} is measured on {sets[0]}" for name, sets in named.items() if sets)
        yield tip(
            "R018",
            f"{known}, and the other table does not say on what: on another set a difference of a "
            "few thousandths of a nat says nothing.",
            "Name it in both (--columns validation_set=NAME).",
        )
    if first.convention == "6ND":
        yield tip(
            "R001",
            "Compute is 6 x params x tokens, since not both tables have flops: it leaves attention "
            "and often the head out, which matters for small models and where a recipe changes "
            "the shape.",
            "Give measured FLOPs (--columns flops=NAME).",
        )
    for arm in facts.arms:
        if arm.unfinished:
            yield issue(
                "R008",
                f"{counted(len(arm.unfinished), 'run')} of {arm.name} without a final point "
                f"{'was' if len(arm.unfinished) == 1 else 'were'} left out: "
                f"{listing(arm.unfinished, limit=3)}.",
                "Finish it, or go on without it; a rung that diverged is itself a result.",
            )
        yield from _without_loss(arm)
        yield from _copied(arm)
        several = [rung for rung in arm.rungs if rung.designs > 1]
        if several:
            yield tip(
                "R009",
                f"{counted(len(several), 'compute')} of {arm.name} {_have(several)} several "
                "sizes; the bottom of the parabola through the best five is the rung's loss.",
                "Nothing, where the size is meant to be the best at each compute.",
            )
    pairs = matched(first, second)
    if len(pairs) >= 2:
        ratio = np.array([first.rungs[i].mean / second.rungs[j].mean for i, j in pairs])
        middle = float(np.median(ratio))
        spread = float(np.ptp(ratio)) / middle
        of_bits = abs(abs(np.log(middle)) + np.log(LN2))
        if (spread < RATIO and abs(np.log(middle)) > 0.1) or max(of_bits, spread) < OF_BITS:
            near = " (1/ln 2 is 1.443: bits against nats)" if of_bits < OF_BITS else ""
            yield issue(
                "R014",
                f"{first.name}'s losses are {middle:.4g} times {second.name}'s at every common "
                f"rung{near}: two units rather than two recipes.",
                "Say the units where the tables are read (--unit), each table by itself.",
            )


def _without_loss(arm: Arm) -> Iterator[Finding]:
    """R008: rows whose loss is no number, and runs that may have ended early for it."""
    lost = [note.message for note in arm.table.notes if _is_lost_loss(note)]
    if not lost:
        return
    short = [f"{run} at {share:.0%}" for run, share in cut_short(arm).items()]
    yield tip(
        "R008",
        f"In {arm.name}'s table: {lost[0]}"
        + (f" Ends early for its size: {listing(short, limit=3)}." if short else ""),
        "Nothing, where the loss was only not measured there; take a run that ended early out "
        "of the table.",
    )


def _copied(arm: Arm) -> Iterator[Finding]:
    """R008: runs that are another one, written twice."""
    if arm.copies:
        yield tip(
            "R008",
            f"{counted(len(arm.copies), 'run')} of {arm.name} {_have(arm.copies)} the very loss of "
            f"another of the same rung: {listing(arm.copies, limit=3)}. Copies of a run are no "
            "repeats, and do not count.",
            "See whether the seed reached the training; where losses are rounded, give more "
            "digits.",
        )


def _is_lost_loss(note: Note) -> bool:
    return note.kind == "left-out" and "loss" in note.message


def _have(things: Sequence[object]) -> str:
    return "has" if len(things) == 1 else "have"


def _of_ladders(facts: Facts) -> Iterator[Finding]:
    """R002, R003, R005, R007, R013, R015: how far the rungs carry."""
    first, second = facts.arms
    if facts.scale_up > SUPPORTED * 1.001:
        yield issue(
            "R002",
            f"The target is {facts.scale_up:.3g} times the largest compute that the ladders "
            f"support ({facts.data.reach:.3g} FLOPs); beyond {SUPPORTED:g} times the verdict is "
            "undecided, whatever the curves say.",
            "Train one more rung, or ask for a nearer target.",
        )
    if facts.card.failed:
        yield issue(
            "R003",
            f"With top rungs hidden, {facts.card.covered:.0%} of the 90 % intervals held them: "
            "these curves are not what the candidates think, and the verdict is undecided.",
            "Look for a rung that is off (R010, R011), or drop the smallest rungs.",
        )
    single = [arm for arm in facts.arms if len(arm.rungs) == 1]
    if single:
        yield tip(
            "R013",
            f"{single[0].name} is a single rung at {single[0].top:.3g} FLOPs, so what its curve "
            "does elsewhere is taken from the other's.",
            "Train a small ladder of it, for a crossing that is more than a guess.",
        )
    else:
        yield from _apart(facts)
    pairs = matched(first, second, NEAR)
    unlike = [
        (first.rungs[i], second.rungs[j])
        for i, j in pairs
        if abs(np.log(_ratio(first, i) / _ratio(second, j))) > np.log(UNLIKE)
    ]
    if unlike and all(rung.designs == 1 for pair in unlike for rung in pair):
        yield tip(
            "R007",
            f"At {counted(len(unlike), 'rung')} the recipes have other tokens a param (the "
            f"first: {unlike[0][0].tokens / unlike[0][0].params:.3g} against "
            f"{unlike[0][1].tokens / unlike[0][1].params:.3g}), so the difference is of both.",
            "Match tokens a param and repetition where only the recipe is to be judged.",
        )
    for arm in facts.arms:
        decades = float(np.log10(arm.top / arm.flops[0]))
        if len(arm.rungs) > 1 and (len(arm.rungs) < FEW or decades < SHORT):
            yield issue(
                "R015",
                f"{arm.name} has {len(arm.rungs)} rungs over {decades:.2g} decades of compute; a "
                f"floor and an exponent want {FEW} over 2.",
                "Add smaller rungs, which are cheap.",
            )


def _apart(facts: Facts) -> Iterator[Finding]:
    """R005: rungs at computes where the other recipe has none."""
    both = facts.data.common
    between = int((~both.exact).sum())
    if between:
        yield tip(
            "R005",
            f"At {counted(between, 'compute')} one recipe has no rung of its own, so that its loss "
            "is read between its rungs.",
            "Nothing, where recipes differ in FLOPs a token; else train both at the same computes.",
        )
    used = (both.weights != 0).any(axis=0)
    for arm, side in zip(facts.arms, (0.5, -0.5), strict=True):
        missing = facts.data.flops[(facts.data.arm == side) & ~used].tolist()
        if missing:
            yield tip(
                "R005",
                f"{counted(len(missing), 'rung')} of {arm.name} "
                f"({listing([f'{flops:.3g} FLOPs' for flops in missing], limit=4)}) "
                f"{_have(missing)} no counterpart; the curve uses "
                f"{'it' if len(missing) == 1 else 'them'}, differences do not.",
                "Train the other recipe there.",
            )


def _ratio(arm: Arm, i: int) -> float:
    return arm.rungs[i].tokens / arm.rungs[i].params


def _of_noise(facts: Facts) -> Iterator[Finding]:
    """R004, R006, R016, R017: what the differences are worth."""
    data = facts.data
    if not data.measured:
        yield tip(
            "R004",
            f"No rung is repeated often enough, so a run's noise is taken from how the rungs "
            f"miss smooth curves: {data.sd:.4f} nats.",
            "Train the small rungs with 3 seeds.",
        )
    several = [i for i, count in enumerate(data.count) if count > 1]
    if several and data.pairs and not any(data.shared):
        yield tip(
            "R006",
            "No seed is named in both tables, so runs are not paired; shared seeds and data "
            "order would take part of the noise out of the difference.",
            "Name the seeds (--columns seed=NAME), and use the same for both recipes.",
        )
    if len(data.pairs) >= 3:
        _, apart, error = data.differences(repeated=True)
        if (np.abs(apart) < SIGNED * error).all():
            yield tip(
                "R016",
                "At no common rung do the recipes differ by more than two standard errors: a "
                "crossing of two curves that lie on one another means nothing.",
                "Read the probability of a tie; more seeds would tell more (--power).",
            )
    dropped = facts.without_smallest
    if dropped is not None:
        inside = facts.difference.lower <= dropped.median <= facts.difference.upper
        if not inside:
            yield issue(
                "R017",
                f"Without the smallest rung the difference at the target is "
                f"{dropped.median:+.4f} nats, and with it {facts.difference.median:+.4f}, "
                "outside its interval: something of small scale alone decides.",
                "Drop the smallest rung (--min-params), or train a larger one.",
            )


def _of_health(facts: Facts) -> Iterator[Finding]:
    """R010, R011, R012: rungs whose training went another way than the others'."""
    for arm, floor in zip(facts.arms, facts.floors, strict=True):
        for one in collapse.left(arm, floor):
            yield issue(
                "R010",
                str(one),
                "Look at its learning rate first; a crossing that rests on it is of that kind."
                if one.heading is None
                else "Look at its learning rate before it spends more.",
            )
        hot = health.hot_logits(arm, facts.target)
        if hot is not None:
            yield issue(
                "R011",
                f"Attention logits of {arm.name} reach {hot.worst:.3g} at {hot.flops:.3g} FLOPs"
                f"{_then(hot)}; runs diverge at about {health.HOT:.0g}.",
                "Normalise queries and keys, or lower the learning rate with width.",
            )
        small = health.small_gradients(arm, facts.target)
        if small is not None:
            whose = "" if small.said else " (the usual one: the table has no eps)"
            yield issue(
                "R012",
                f"Gradients of {arm.name} have an RMS of {small.rms.worst:.2g} at "
                f"{small.rms.flops:.3g} FLOPs{_then(small.rms)}, against an eps of "
                f"{small.eps:.2g}{whose}: updates shrink with scale.",
                "Lower eps (1e-15 or less), and train the large rungs again.",
            )


def _then(sign: health.Sign) -> str:
    return f", and by their trend {sign.target:.3g} at the target" if sign.target > 0 else ""
