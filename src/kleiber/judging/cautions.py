"""What a reader of a forecast must know: why its interval is wide, and what would narrow it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from kleiber.fitting import evidence
from kleiber.fitting.prior import WEAK
from kleiber.judging.finding import Finding, issue, tip
from kleiber.runs import Points
from kleiber.runs.notes import listing
from kleiber.units import format_count

if TYPE_CHECKING:
    from kleiber.judging.forecast import Forecast

FAR = 30.0  # scale-up beyond which errors of past families grow fast
OVER_TRAINED = 10.0  # times the tokens per param seen: no past family was asked for more
DISAGREE = 0.03  # log-loss between the two priors' answers
ROUGH = 0.03  # residual scale of runs that lie on no law of a cross-entropy


def cautions(
    made: Forecast, raw: Points, points: Points, mended: tuple[str, ...]
) -> Iterator[Finding]:
    """Yield what a reader must know of a forecast.

    ``points`` are those of the table's ``raw`` ones that it rests on; some runs were mended.
    """
    yield from _left_aside(raw, points)
    if made.params < points.params.min():
        yield tip(
            "F010",
            f"The target is smaller than every run ({format_count(points.params.min())} the "
            "smallest); no past family was asked for less than it had.",
            "Read the interval with care, or train it: it is cheap.",
        )
    if made.sizes == 1:
        yield issue(
            "F001",
            "All runs have one size: how loss falls with params is the prior's alone. The "
            "interval is widened to what ladders of one size needed.",
            "Train a second size, however small.",
        )
    if made.scale_up > FAR:
        yield issue(
            "F002",
            f"The target is {made.scale_up:.0f} times the largest size; beyond {FAR:.0f} times "
            "past families missed by twice as much and more. The interval grows with the "
            "logarithm of that.",
            f"Train a run of {format_count(made.params / FAR)} params or larger.",
        )
    if not points.final.any():
        yield issue(
            "F003",
            "No point is the end of a run, so the learning rate has decayed at none: "
            "they count for little, and the interval is widened.",
            "Add the ends of the runs, or mark them in a column 'final'.",
        )
    if made.sigma > ROUGH:
        yield issue(
            "F004",
            f"The runs lie {100 * made.sigma:.1f} % off any law: is the loss a cross-entropy "
            "per token of one recipe and one evaluation? The interval is widened.",
            "Give the unit (--unit), and one recipe and metric (--where).",
        )
    if mended:
        yield tip(
            "F005",
            f"The end of {', '.join(mended[:3])} lies far above what precedes it and was "
            "left out; the reading before it counts as the end, and the interval is widened.",
            "Look at that run: a misread chart, another metric, or a divergence.",
        )
    if made.prior != WEAK.name and abs(np.log(made.learnt / made.weak)) > DISAGREE:
        yield issue(
            "F006",
            f"The two priors disagree by {100 * abs(made.gap):.1f} % of the loss: the runs do "
            "not decide, and the interval holds the disagreement.",
            "Add a larger size or a run of other tokens per param (kleiber plan says which).",
        )
    if made.left_out is not None:
        yield tip(
            "F007",
            f"The prior's source {made.left_out} was left out: the runs are its, or so like them "
            "that they may be, or it was named.",
            "If they are your own, the prior has merely one source less.",
        )
    ratio = made.tokens / made.params / float((points.tokens / points.params).max())
    if ratio > OVER_TRAINED:
        yield tip(
            "F008",
            f"The target has {ratio:.0f} times the tokens per param of any run.",
            "Train one small run that long.",
        )


def _left_aside(raw: Points, points: Points) -> Iterator[Finding]:
    """Yield what of a table the forecast does not rest on."""
    single = evidence.distinct(raw)
    copies, gone = len(raw) - len(single), sorted(set(raw.names) - set(points.names))
    if copies:
        yield issue(
            "F009",
            f"{copies} of {len(raw)} rows repeat another's params, tokens and loss; each counts "
            "once.",
            "Drop the copies from the table.",
        )
    lost = [name for name in gone if name in set(single.names)]
    if lost:
        yield tip(
            "F009",
            f"{len(lost)} of {raw.n_runs} runs were left out: {listing(lost, limit=3)}; before "
            f"{format_count(evidence.LEAST_TOKENS)} tokens or a token a param, above "
            f"{evidence.MOST_LOSS:g} nats, or of many more epochs than others.",
            "Look at them if they should count.",
        )
