"""The learning rate over a run: a linear rise, then one of four ways to its end."""

from __future__ import annotations

import math

from kleiber.training.config import TrainConfig


def share_at(config: TrainConfig, step: int, steps: int) -> float:
    """Return the share of the peak rate at a step counted from 0, under a training's schedule.

    After the rise, with x from 0 to 1 over the steps that are left and f = ``final_lr``::

        cosine    f + (1 - f) (1 + cos(pi x)) / 2
        linear    f + (1 - f) (1 - x)
        constant  1
        wsd       1, and linear with x over the last ``cooldown`` of all steps alone

    wsd is warm-up, stable, decay (MiniCPM, arXiv 2404.06395); of all, x is 0 at the first step
    after the rise and would be 1 one step after the last, so that the last step still teaches.
    """
    final, rising = config.final_lr, warmup_steps(config, steps)
    if step < rising:
        return (step + 1) / rising
    if config.schedule == "cosine":
        return _cosine(step - rising, steps - rising, final)
    if config.schedule == "constant":
        return 1.0
    falling = steps - rising
    if config.schedule == "wsd":
        falling = min(falling, max(1, round(config.cooldown * steps)))
    left = (steps - step) / max(1, falling)
    return final + (1 - final) * min(left, 1.0)


def warmup_steps(config: TrainConfig, steps: int) -> int:
    """Return the steps of the rise, at least 1: the first step is that share of the peak."""
    if config.warmup_steps is not None:
        return max(1, config.warmup_steps)
    return max(1, round(config.warmup * steps))


def rate(step: int, steps: int, *, warmup: float, final: float) -> float:
    """Return the share of the peak rate at a step counted from 0.

    The rise takes ``warmup`` of the steps and ends at 1; the cosine then falls to ``final`` at
    the run's end (SGDR without restarts, arXiv 1608.03983).
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return _cosine(step - rising, steps - rising, final)


def _cosine(step: int, steps: int, final: float) -> float:
    """Return the share at a step of the fall alone."""
    done = step / max(1, steps)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
