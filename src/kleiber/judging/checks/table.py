"""Checks of the table: finished runs, one kind of loss, each row once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kleiber.fitting import Fit
from kleiber.judging.finding import Finding, issue, tip

LEAST_FINALS = 3
BIASED = 3.0  # standard errors by which mid-run points may miss what finals say
LARGEST_VOCABULARY = 12.6  # ln(300,000): no untrained model is worse
SMALLEST_LOSS = 0.3  # nats a token that no text of a mixture has
TWO_KINDS = 0.75  # share of the residuals' variance that two groups explain (one normal: .64)
LEAST_RUNS = 8
SMALLER_GROUP = 0.1
APART = 0.06  # log-loss by which two kinds must differ to be told from noise


def unfinished(fit: Fit) -> Iterator[Finding]:
    """K005: points from the middle of a schedule that do not lie where finished runs do."""
    final = fit.points.final
    if final.all() or final.sum() < LEAST_FINALS:
        return
    r = fit.residuals
    gap = float(np.median(r[~final]) - np.median(r[final]))
    spread = 1.4826 * float(np.median(np.abs(r[final] - np.median(r[final]))))
    error = 1.2533 * spread / np.sqrt(final.sum())
    if abs(gap) > BIASED * max(error, 1e-6):
        yield issue(
            "K005",
            f"{int((~final).sum())} mid-run points lie {100 * gap:+.2g} % from where the "
            f"{int(final.sum())} finished ones do: a decaying learning rate is not done there.",
            "Fit finished runs alone (--points finals), or drop the start (--min-fraction 0.3).",
        )


def kinds(fit: Fit) -> Iterator[Finding]:
    """K006: residuals in two groups, as two units, tokenizers or parameter counts make them."""
    r = np.sort(fit.residuals)
    n = len(r)
    if n < LEAST_RUNS or not np.isfinite(fit.noise):
        return
    total = float(np.sum((r - r.mean()) ** 2))
    cuts = np.arange(max(2, int(SMALLER_GROUP * n)), n - max(2, int(SMALLER_GROUP * n)) + 1)
    sums = np.cumsum(r)
    low, high = sums[cuts - 1] / cuts, (sums[-1] - sums[cuts - 1]) / (n - cuts)
    between = cuts * (low - r.mean()) ** 2 + (n - cuts) * (high - r.mean()) ** 2
    best = int(np.argmax(between))
    gap = float(high[best] - low[best])
    if total > 0 and between[best] / total > TWO_KINDS and gap > APART:
        count = int(min(cuts[best], n - cuts[best]))
        yield issue(
            "K006",
            f"{count} of {n} points form a group {100 * gap:.0f} % apart from the others: two "
            "units, tokenizers, evaluation sets or parameter counts are mixed.",
            "Keep one kind (--where, --family), or give the unit column (--columns loss_unit=…).",
        )


def cross_entropy(fit: Fit) -> Iterator[Finding]:
    """K007: losses that no cross-entropy per token can have."""
    high, low = float(fit.points.loss.max()), float(np.median(fit.points.loss))
    if high > LARGEST_VOCABULARY:
        worst = fit.points.names[int(fit.points.run[int(np.argmax(fit.points.loss))])]
        yield issue(
            "K007",
            f"Run {worst} has a loss of {high:.4g}, more than guessing among 300,000 tokens costs "
            "(12.6): a perplexity, or a task's perplexity, is no cross-entropy per token.",
            "Say --unit ppl for a perplexity; leave a task's perplexity to another law.",
        )
    elif low < SMALLEST_LOSS:
        yield issue(
            "K007",
            f"The median loss is {low:.3g} nats per token, below what any text mixture has: an "
            "accuracy, a normalised perplexity or a loss per something else.",
            "Choose the held-out loss (--columns loss=NAME) or its unit (--unit bits, bpb:…).",
        )


def repeated(fit: Fit) -> Iterator[Finding]:
    """K011: the same run twice, which would count as two."""
    points = fit.points
    rows = np.stack([points.params, points.tokens, points.loss])
    distinct = np.unique(rows, axis=1).shape[1]
    if distinct < len(points):
        yield issue(
            "K011",
            f"{len(points) - distinct} of {len(points)} points repeat another's params, tokens "
            "and loss, so the fit counts them twice and its intervals are too narrow.",
            "Drop the copies from the table, or name the runs so that they are one (--columns "
            "run=NAME).",
        )


def seeds(fit: Fit) -> Iterator[Finding]:
    """K012: nothing was trained twice, so the noise is the law's own misfit."""
    final = fit.points.final
    read = dict.fromkeys(("params", "tokens", *fit.law.predictors))
    where = fit.points.predictors(tuple(read))[:, final]
    if final.any() and np.unique(where, axis=1).shape[1] == where.shape[1]:
        yield tip(
            "K012",
            "No size and token count was trained twice, so the noise of a run cannot be told from "
            "the misfit of the law.",
            "Train one small rung with two more seeds.",
        )
