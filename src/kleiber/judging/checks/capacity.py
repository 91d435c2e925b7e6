"""Checks of capacity results: were the models filled, trained and measured as they must be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from kleiber.judging.finding import Finding, issue, tip
from kleiber.judging.stored import Stored, longest
from kleiber.units import format_count

OVERFILLED = 1.3  # R^max / R of the fullest model from which its limit is its own
MOST_EMBEDDING = 0.2
FEWEST_STEPS = 50_000  # published: about what models need whatever the batch
LONGER = 1.5  # times the steps from which two runs of a cell tell of a rise
RISE = 0.03  # of R between them
ROUNDING = 1e-6
LEAK = 0.05  # bits per parameter on people never seen


def overfilled(rows: Sequence[Stored]) -> Iterator[Finding]:
    """C001: no model was asked for much more than it stored."""
    most = max(row.overfill for row in rows)
    if most < OVERFILLED:
        yield issue(
            "C001",
            f"No model was over-filled: the data demand at most {most:.2f} times what was stored, "
            f"so that this measures the data and not the models ({OVERFILLED:g} and more tells).",
            "Add people, or train smaller models, until the demand is twice what is stored.",
        )


def embeddings(rows: Sequence[Stored]) -> Iterator[Finding]:
    """C002: models that are vocabulary rows for a large part."""
    heavy = [row for row in rows if row.embedding_share > MOST_EMBEDDING]
    if heavy:
        worst = max(heavy, key=lambda row: row.embedding_share)
        yield tip(
            "C002",
            f"In {len(heavy)} of {len(rows)} runs more than {MOST_EMBEDDING:.0%} of the parameters "
            f"are embeddings ({worst.embedding_share:.0%} at {format_count(worst.params)}), which "
            "hold few facts: bits per parameter come out low.",
            "Trim unused rows, use a smaller vocabulary, or train wider models.",
        )


def few_steps(rows: Sequence[Stored]) -> Iterator[Finding]:
    """C003: fewer steps than models were seen to need."""
    short = [row for row in longest(rows) if row.steps < FEWEST_STEPS]
    if short:
        least = min(short, key=lambda row: row.steps)
        yield tip(
            "C003",
            f"{len(short)} of {len(longest(rows))} runs took fewer than {FEWEST_STEPS:,} steps "
            f"(the fewest {least.steps:,.0f}, at {least.exposures:,.0f} exposures); published "
            "models needed about that many, however large the batch.",
            "Use smaller batches at the same exposures, and see whether the bits rise.",
        )


def rising(rows: Sequence[Stored]) -> Iterator[Finding]:
    """C004: models of one cell that store more the longer they train at the same exposures."""
    rises: list[tuple[float, float, float, Stored]] = []
    for cell in dict.fromkeys(row.cell for row in rows):
        same = [row for row in rows if row.cell == cell and math.isfinite(row.steps)]
        most = max((row.steps for row in same), default=math.nan)
        late = [row for row in same if row.steps * LONGER > most]
        early = [row for row in same if row.steps * LONGER <= most]
        if not early:
            continue
        last = max(row.steps for row in early)
        before = _mean([row.bits for row in early if row.steps == last])
        rise = _mean([row.bits for row in late]) / before - 1.0 if before > 0 else math.inf
        rises.append((rise, last, most, late[0]))
    if rises and max(rises, key=lambda one: one[0])[0] > RISE:
        rise, last, most, row = max(rises, key=lambda one: one[0])
        yield issue(
            "C004",
            f"The bits still rise with the steps: by {rise:.0%} from {last:,.0f} to {most:,.0f} "
            f"steps ({row.people:,} people, {format_count(row.params)} parameters, "
            f"{row.exposures:,.0f} exposures), so that the plateau is a lower bound.",
            "Train for more steps at the same exposures, with smaller batches.",
        )


def too_much(rows: Sequence[Stored]) -> Iterator[Finding]:
    """C005: more bits stored than the data have."""
    over = [row for row in rows if row.bits > row.demand * (1.0 + ROUNDING)]
    if over:
        worst = max(over, key=lambda row: row.bits / row.demand)
        yield issue(
            "C005",
            f"{len(over)} of {len(rows)} runs store more than their data demand "
            f"({worst.bits:.3f} of {worst.demand:.3f} bits per parameter): a text tells a value "
            "before it is asked for, or a term is counted twice.",
            "Measure with the employer before the working city; look at the bits term by term.",
        )


def leaks(rows: Sequence[Stored]) -> Iterator[Finding]:
    """C006: bits known of people that no model has seen."""
    known = [row for row in rows if row.unseen > LEAK]
    if known:
        worst = max(row.unseen for row in known)
        yield issue(
            "C006",
            f"In {len(known)} of {len(rows)} runs the model holds up to {worst:.2f} bits per "
            "parameter of people it has never seen: the measurement leaks.",
            "Measure strangers with fresh names and values, drawn from the same pools.",
        )


CHECKS = (overfilled, embeddings, few_steps, rising, too_much, leaks)


def check_capacity(rows: Sequence[Stored]) -> tuple[Finding, ...]:
    """Return every finding of capacity results, in the order of their codes."""
    return tuple(found for one in CHECKS for found in one(rows)) if rows else ()


def _mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)
