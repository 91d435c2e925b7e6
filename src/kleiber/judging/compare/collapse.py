"""Scaling collapse: loss curves of all rungs on one another, and the rung that leaves them.

With x = C / C_end and y = (L - L0) / (L_end - L0), L0 the fitted floor, curves of rungs that are
scaled rightly coincide (Qiu et al. 2025, 2507.02119). A rung that leaves the others is unstable
or scaled wrongly, and a crossing that rests on it is of that kind.

A run that has not ended is laid on the others' curve by one factor, the median of what it is of
them so far. So it is known as odd before its end, and the factor is what it will have left to
lose: L0 plus it is the loss that it is heading for (Bergsma et al. 2025, 2509.25087).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kleiber.errors import FitError, InputError
from kleiber.fitting import fit
from kleiber.judging.compare.common import SAME
from kleiber.judging.compare.rungs import Arm, arm_of, flops_of
from kleiber.laws.base import Array
from kleiber.runs import Runs

PLACES = np.array([0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
LEAST_RUNGS = 5
LEAST_POINTS = 5  # of a run before its end
FLOOR_LAW = "params-power-floor"  # what the floor of a ladder on its own is of
LEAST_PLACES = 5  # that a run has passed, so .3 of its training, to say that it leaves early
APART = 0.04  # of the final reducible loss: what collapsed curves may differ by
ODD = 5.0  # robust spreads of the other rungs
SEEDS = 3.0  # standard errors of a rung's mean over its seeds
IN_A_ROW = 2


@dataclass(frozen=True)
class Left:
    """A rung (FLOPs) whose curve leaves the others' from a share of its training on.

    ``excess`` is the most that it is off, in shares of its final reducible loss. Of a run that has
    not ended, ``run`` is its name, ``flops`` where it stands, and ``heading`` the loss that it is
    laid on the others' curve with (nats).
    """

    arm: str
    flops: float
    since: float
    excess: float
    run: str = ""
    heading: float | None = None

    def __str__(self) -> str:
        """Say it."""
        what = f"The rung of {self.arm} at {self.flops:.3g} FLOPs leaves"
        if self.heading is not None:
            what = f"{self.run} of {self.arm} has not ended and leaves"
        return (
            f"{what} the other rungs' curve from {self.since:.0%} of its training on, by up to "
            f"{self.excess:.0%} of its final reducible loss: unstable, or scaled wrongly."
        )


@dataclass(frozen=True)
class Curve:
    """A run's loss above the floor (nats) at the places that it passed; ``flops`` so far."""

    run: str
    flops: float
    ended: bool
    above: Array
    last: float


def leaving(runs: Runs) -> list[Left]:
    """Return what leaves the collapse of a ladder on its own, its floor that of a power law.

    Empty where too few rungs have ended for a floor.
    """
    measured = "flops" in runs.frame.columns
    name = runs.recipes[0] if len(runs.recipes) == 1 else runs.source
    try:
        arm = arm_of(name, runs, measured=measured)
        floor = fit(runs.select(points="finals"), FLOOR_LAW).values["E"]
    except (FitError, InputError):
        return []
    return left(arm, floor)


def rescaled(arm: Arm, runs: Sequence[Curve]) -> dict[float, Array]:
    """Return the rescaled curves (runs, places) of each rung at :data:`PLACES`, by its compute."""
    found: dict[float, list[Array]] = {}
    for curve in runs:
        if curve.ended and len(curve.above) == len(PLACES):
            found.setdefault(_rung(arm, curve.flops), []).append(curve.above / curve.last)
    return {flops: np.stack(found[flops]) for flops in sorted(found)}


def left(arm: Arm, floor: float) -> list[Left]:
    """Return the rungs of an arm that leave the collapse, the smallest first, then running ones."""
    every = list(_curves(arm, floor))
    curves = rescaled(arm, every)
    if len(curves) < LEAST_RUNGS:
        return []
    means = {flops: runs.mean(axis=0) for flops, runs in curves.items()}
    free = sum(len(runs) - 1 for runs in curves.values())
    squares = sum(((runs - runs.mean(axis=0)) ** 2).sum(axis=0) for runs in curves.values())
    seeds: Array = np.sqrt(squares / max(free, 1))
    found: list[Left] = []
    for flops, curve in means.items():
        others = np.stack([other for at, other in means.items() if at != flops])
        middle, allowed = _together(others, seeds / np.sqrt(len(curves[flops])))
        odd = _since(curve - middle, allowed)
        if odd is not None:
            found.append(Left(arm.name, flops, *odd))
    running = [curve for curve in every if not curve.ended]
    return found + _early(arm.name, running, floor, means, seeds)


def _early(
    name: str, running: Sequence[Curve], floor: float, means: Mapping[float, Array], seeds: Array
) -> list[Left]:
    """Return the runs that leave the others' curve before their end."""
    middle, allowed = _together(np.stack(list(means.values())), seeds)
    found: list[Left] = []
    for curve in running:
        passed = len(curve.above)
        if passed < LEAST_PLACES or (curve.above <= 0).any():
            continue
        factor = float(np.median(curve.above / middle[:passed]))
        odd = _since(curve.above / factor - middle[:passed], allowed[:passed])
        if odd is not None:
            found.append(Left(name, curve.flops, *odd, curve.run, floor + factor))
    return found


def _together(others: Array, chance: Array) -> tuple[Array, Array]:
    """Return the middle of curves (rungs, places), and how far one may be from it by chance.

    A difference of curves of one shape but other steepness grows towards the start: what counts
    is how far it is beyond what the others, and the seeds, differ by there.
    """
    middle: Array = np.median(others, axis=0)
    spread = 1.4826 * np.median(np.abs(others - middle), axis=0)
    return middle, np.maximum(APART, np.maximum(ODD * spread, SEEDS * chance))


def _since(off: Array, allowed: Array) -> tuple[float, float] | None:
    """Return from which share of training on a curve is off, and by how much at most."""
    away: NDArray[np.bool_] = np.abs(off) > allowed
    runs = np.convolve(away.astype(int), np.ones(IN_A_ROW, dtype=int), "valid") == IN_A_ROW
    if not runs.any():
        return None
    return float(PLACES[int(np.argmax(runs))]), float(np.abs(off[away]).max())


def _curves(arm: Arm, floor: float) -> Iterator[Curve]:
    """Yield the runs whose curve can be read from its start."""
    frame = arm.table.frame.sort("run", "tokens")
    ended = set(frame.filter(pl.col("final"))["run"].to_list())
    for (name,), run in frame.group_by("run", maintain_order=True):
        x, loss = _column(run, "fraction"), _column(run, "loss")
        if (
            run.height <= (LEAST_POINTS if name in ended else 1)
            or x[0] > PLACES[0]
            or loss[-1] <= floor
        ):
            continue
        flops = float(flops_of(run.tail(1), measured=arm.convention == "measured")[0])
        above = np.interp(PLACES[PLACES <= x[-1]], x, loss - floor)
        yield Curve(str(name), flops, name in ended, np.asarray(above), float(loss[-1] - floor))


def _column(points: pl.DataFrame, name: str) -> Array:
    return points[name].cast(pl.Float64).to_numpy()


def _rung(arm: Arm, flops: float) -> float:
    """Return the rung's compute that a run belongs to."""
    at = int(np.argmin(np.abs(np.log(arm.flops / flops))))
    near = float(arm.flops[at])
    return near if abs(np.log(near / flops)) <= np.log(SAME) else flops
