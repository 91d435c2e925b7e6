"""Scaling collapse: loss curves of all rungs on one another, and the rung that leaves them.

With x = C / C_end and y = (L - L0) / (L_end - L0), L0 the fitted floor, curves of rungs that are
scaled rightly coincide (Qiu et al. 2025, 2507.02119). A rung that leaves the others before its
end is unstable or scaled wrongly, and a crossing that rests on it is of that kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from kleiber.judging.compare.common import SAME
from kleiber.judging.compare.rungs import Arm, flops_of
from kleiber.laws.base import Array

PLACES = np.array([0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
LEAST_RUNGS = 5
LEAST_POINTS = 5  # of a run before its end
APART = 0.04  # of the final reducible loss: what collapsed curves may differ by
ODD = 5.0  # robust spreads of the other rungs
SEEDS = 3.0  # standard errors of a rung's mean over its seeds
IN_A_ROW = 2


@dataclass(frozen=True)
class Left:
    """A rung (FLOPs) whose curve leaves the others' from a share of its training on.

    ``excess`` is the most that it is off, in shares of its final reducible loss.
    """

    arm: str
    flops: float
    since: float
    excess: float


def curves_of(arm: Arm, floor: float) -> dict[float, Array]:
    """Return the rescaled curves (runs, places) of each rung at :data:`PLACES`, by its compute."""
    found: dict[float, list[Array]] = {}
    frame = arm.table.frame.sort("run", "tokens")
    ended = set(frame.filter(pl.col("final"))["run"].to_list())
    for (name,), run in frame.group_by("run", maintain_order=True):
        if name not in ended or run.height <= LEAST_POINTS:
            continue
        x, loss = _column(run, "fraction"), _column(run, "loss")
        if loss[-1] <= floor or x[0] > PLACES[0]:
            continue
        y: Array = (loss - floor) / (loss[-1] - floor)
        flops = float(flops_of(run.tail(1), measured=arm.convention == "measured")[0])
        found.setdefault(_rung(arm, flops), []).append(
            np.asarray(np.interp(PLACES, x, y), dtype=np.float64)
        )
    return {flops: np.stack(found[flops]) for flops in sorted(found)}


def left(arm: Arm, floor: float) -> list[Left]:
    """Return the rungs of an arm that leave the collapse, the smallest first."""
    curves = curves_of(arm, floor)
    if len(curves) < LEAST_RUNGS:
        return []
    means = {flops: runs.mean(axis=0) for flops, runs in curves.items()}
    free = sum(len(runs) - 1 for runs in curves.values())
    squares = sum(((runs - runs.mean(axis=0)) ** 2).sum(axis=0) for runs in curves.values())
    seeds: Array = np.sqrt(squares / max(free, 1))
    found: list[Left] = []
    for flops, curve in means.items():
        others = np.stack([other for at, other in means.items() if at != flops])
        middle = np.median(others, axis=0)
        spread = 1.4826 * np.median(np.abs(others - middle), axis=0)
        off = curve - middle
        # A difference of curves of one shape but other steepness grows towards the start: what
        # counts is how far it is beyond what the others, and the seeds, differ by there.
        chance = SEEDS * seeds / np.sqrt(len(curves[flops]))
        away = np.abs(off) > np.maximum(APART, np.maximum(ODD * spread, chance))
        runs = np.convolve(away.astype(int), np.ones(IN_A_ROW, dtype=int), "valid") == IN_A_ROW
        if runs.any():
            since = int(np.argmax(runs))
            worst = float(np.abs(off[away]).max())
            found.append(Left(arm.name, flops, float(PLACES[since]), worst))
    return found


def _column(points: pl.DataFrame, name: str) -> Array:
    return points[name].cast(pl.Float64).to_numpy()


def _rung(arm: Arm, flops: float) -> float:
    """Return the rung's compute that a run belongs to."""
    at = int(np.argmin(np.abs(np.log(arm.flops / flops))))
    near = float(arm.flops[at])
    return near if abs(np.log(near / flops)) <= np.log(SAME) else flops
