"""What a forecast takes: runs that are on a law of trained models, and a target that can be."""

from __future__ import annotations

import numpy as np

from kleiber.errors import UsageError, ValuesError
from kleiber.fitting import evidence
from kleiber.judging.checks.table import LARGEST_VOCABULARY, SMALLEST_LOSS
from kleiber.runs import Points
from kleiber.units import format_count, parse_count


def target(params: float | str, tokens: float | str) -> tuple[float, float]:
    """Return the target's counts, or raise for one that is on no law of trained models."""
    n, d = _positive(params, "params"), _positive(tokens, "tokens")
    if d < evidence.LEAST_TOKENS or d < evidence.LEAST_RATIO * n:
        raise UsageError(
            f"The target has {format_count(d)} tokens for {format_count(n)} params; the laws that "
            f"are borrowed hold from {format_count(evidence.LEAST_TOKENS)} tokens and one token "
            "a param.",
            remedy="Give the target's raw counts, such as --params 7B --tokens 140B.",
        )
    return n, d


def _positive(count: float | str, name: str) -> float:
    """Return a count as a number, or raise for none of anything."""
    found = parse_count(count)
    if found <= 0.0:
        raise UsageError(
            f"The target's {name} are {found:g}, expected more than 0.",
            remedy=f"Write for example {name}='7B' (--{name} 7B).",
        )
    return float(found)


def usable(raw: Points) -> tuple[Points, tuple[str, ...]]:
    """Return mended, thinned points and the runs that were mended, or raise for none."""
    high, middle = float(raw.loss.max()), float(np.median(raw.loss))
    if high > LARGEST_VOCABULARY or middle < SMALLEST_LOSS:
        wrong = (
            f"as high as {high:.4g}" if middle >= SMALLEST_LOSS else f"{middle:.3g} in the middle"
        )
        raise ValuesError(
            f"The losses are {wrong}, which no cross-entropy in nats per token is; a forecast "
            "borrows from families of those.",
            remedy="If they are perplexities or bits, say so with unit='ppl' (--unit ppl, bits).",
        )
    whole, mended = evidence.mended(evidence.distinct(raw))
    points = evidence.thinned(whole)
    if not len(points):
        raise ValuesError(
            f"None of {len(raw)} points can be on a law of trained models: {_fault(raw)}.",
            remedy="Look at the units: params and tokens are raw counts (7e9, 7B), losses nats "
            "per token (--unit says otherwise).",
        )
    return points, mended


def _fault(raw: Points) -> str:
    """Return the rule that most points break, with their numbers."""
    ratio, few = raw.tokens / raw.params, raw.tokens < evidence.LEAST_TOKENS
    rules = {
        f"tokens a param are {ratio.min():.2g} to {ratio.max():.2g}, at least "
        f"{evidence.LEAST_RATIO:g} is expected": ratio < evidence.LEAST_RATIO,
        f"tokens are {format_count(raw.tokens.min())} to {format_count(raw.tokens.max())}, at "
        f"least {format_count(evidence.LEAST_TOKENS)} are expected": few,
        f"losses are {raw.loss.min():.3g} to {raw.loss.max():.3g} nats, at most "
        f"{evidence.MOST_LOSS:g} are expected": raw.loss > evidence.MOST_LOSS,
    }
    worst = max(rules, key=lambda said: int(rules[said].sum()))
    return worst if rules[worst].any() else "they saw their data too often"
