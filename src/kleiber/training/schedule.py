"""The learning rate over a run: a linear rise, then a cosine to a share of the peak."""

from __future__ import annotations

import math


def rate(step: int, steps: int, *, warmup: float, final: float) -> float:
    """Return the share of the peak rate at a step counted from 0.

    The rise takes ``warmup`` of the steps and ends at 1; the cosine then falls to ``final`` at
    the run's end (SGDR without restarts, arXiv 1608.03983).
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
