"""The verb: two recipes' runs and a target in, a verdict with its probabilities out."""

from __future__ import annotations

import numpy as np

from kleiber.errors import UsageError
from kleiber.fitting.intervals import check_level
from kleiber.judging.compare.backtest import Card, backtest
from kleiber.judging.compare.cautions import Facts, cautions
from kleiber.judging.compare.common import SAME
from kleiber.judging.compare.comparison import Comparison
from kleiber.judging.compare.crossing import crossover
from kleiber.judging.compare.curves import DE, E
from kleiber.judging.compare.gain import gain
from kleiber.judging.compare.ladders import Ladders, ladders_of
from kleiber.judging.compare.power import DIFFERENCES, power
from kleiber.judging.compare.resample import Draws, draw
from kleiber.judging.compare.rungs import arms_of
from kleiber.judging.compare.verdict import SUPPORTED, Chances, Range, between, chances, word
from kleiber.units import parse_count

MARGIN = 0.003  # nats
REPLICATES = 2000
LEAST_LEFT = 4  # rungs of an arm that stay when the smallest is dropped


def compare(
    a: object,
    b: object = None,
    *,
    target_flops: float | str,
    margin: float = MARGIN,
    recipes: tuple[str, str] | None = None,
    level: float = 0.9,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """Say which of two recipes wins at a target compute, and with what probability.

    Parameters
    ----------
    a, b
        Runs of each recipe: anything that Runs.read takes. Without b, a's column recipe tells
        them apart. One of the two may be a single run.
    target_flops
        Compute to compare at, such as 1e21; flops in the tables, else 6 x params x tokens.
    margin
        Nats by which a recipe must be ahead to count as better.
    recipes
        Two of the recipes in the tables.
    level
        Probability that the intervals of the difference and of the gain cover.

    Raises
    ------
    UsageError
        For a target, a margin or a choice of recipes that means nothing.
    InputError
        For losses in two units or on two validation sets, computes that do not overlap, two
        single runs: ColumnError, UnitError and ValuesError are its kinds.
    """
    target = parse_count(target_flops)
    check_level(level)
    if not (np.isfinite(margin) and margin >= 0):
        raise UsageError(
            f"A margin of {margin:g} nats is no margin.",
            remedy="Give what counts as better, such as 0.003 (--margin 0.003).",
        )
    if replicates < 100:
        raise UsageError(
            f"{replicates} replicates are too few for an interval.", remedy="Use at least 100."
        )
    arms = arms_of(a, b, recipes)
    data = ladders_of(*arms)
    if target < float(data.flops.min()):
        raise UsageError(
            f"The target of {target:.3g} FLOPs lies below every rung ({data.flops.min():.3g} and "
            "up).",
            remedy="Give a compute within or above the ladders, such as --target-flops 1e21.",
        )
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)]
    draws = draw(data, streams[0], replicates)
    apart = at_target(draws, target)
    found, difference = chances(apart, margin), between(apart, level)
    card = backtest(data, streams[1])
    paired, data = sum(data.shared), draws.data
    facts = Facts(
        arms=arms,
        data=data,
        target=target,
        difference=difference,
        without_smallest=_without_smallest(data, target, level, streams[2]),
        card=card,
        floors=_floors(draws),
    )
    far = facts.scale_up > SUPPORTED * 1.001
    thin = facts.scale_up > SAME and not card.rows
    return Comparison(
        a=arms[0].name,
        b=arms[1].name,
        target_flops=target,
        margin=margin,
        level=level,
        chances=found,
        difference=difference,
        without_smallest=facts.without_smallest,
        verdict=word(found, supported=not (far or thin or card.failed)),
        why=_why(found, card, far=far, thin=thin),
        crossover=crossover(draws, target, level),
        gain=gain(draws, target, level),
        backtest=card,
        findings=cautions(facts),
        power=power(
            data.sd,
            tuple(sorted({*DIFFERENCES, margin} - {0.0})),
            measured=data.measured,
            correlation=data.correlation,
        ),
        scale_up=facts.scale_up,
        rungs=(len(arms[0].rungs), len(arms[1].rungs)),
        runs=(
            sum(len(rung.losses) for rung in arms[0].rungs),
            sum(len(rung.losses) for rung in arms[1].rungs),
        ),
        common=len(data.common),
        paired=paired,
        noise=data.sd,
        noise_at_smallest=data.sd * float(data.scale.max()),
        noise_measured=data.measured,
        correlation=data.correlation,
        misfit=data.misfit,
        weights=draws.weights,
        replicates=replicates,
        seed=seed,
        synthetic=any(arm.table.synthetic for arm in arms),
    )


def at_target(draws: Draws, target: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the draws (B,) of the difference at one compute."""
    return draws.difference(np.array([target]))[:, 0]


def _without_smallest(
    data: Ladders, target: float, level: float, rng: np.random.Generator
) -> Range | None:
    """Return the difference at the target with each ladder's smallest rung dropped."""
    smallest = [
        int(side[np.argmin(data.flops[side])])
        for side in (np.flatnonzero(data.arm == sign) for sign in (0.5, -0.5))
        if len(side) > 1  # a single run is all there is of its arm
    ]
    kept = np.delete(np.arange(len(data)), smallest)
    if max(int((data.arm[kept] == side).sum()) for side in (0.5, -0.5)) < LEAST_LEFT:
        return None
    return between(at_target(draw(data.take(kept), rng, 400), target), level)


def _floors(draws: Draws) -> tuple[float, float]:
    """Return the fitted floors of A and of B."""
    half = 0.5 * draws.p[:, DE]
    return float(np.median(draws.p[:, E] + half)), float(np.median(draws.p[:, E] - half))


def _why(found: Chances, card: Card, *, far: bool, thin: bool) -> str:
    """Return why a verdict is undecided, "" where it is not."""
    if far:
        return f"beyond {SUPPORTED:g} times what the ladders support"
    if thin:
        return "above the ladders, whose rungs are too few for a back-test"
    if card.failed:
        return "the back-test failed"
    if max(found.a, found.tie, found.b) < 0.9:
        return "no answer is 90 % sure"
    return ""
