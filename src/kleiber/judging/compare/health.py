"""Signs of instability that small rungs show first: attention logits, gradients against eps.

Attention logits that grow with scale foretell divergence (Dehghani et al. 2023; Wortsman et al.
2309.14322), and a gradient's RMS of the order of AdamW's eps stops the update's scaling by it.
Both are read from the runs' points, where they say them (``attention_logit_max``, ``grad_rms``,
``eps``; a ladder's folders do), and carried to the target by a power law of compute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from kleiber.judging.compare.rungs import Arm, flops_of
from kleiber.laws.base import Array

HOT = 1e4  # attention logits at which 2309.14322 saw runs diverge
SMALL = 10.0  # times eps: gradients below it are no longer scaled by their RMS alone
EPS = 1e-8  # the usual one, where a table does not say it
LEAST_RUNGS = 3  # for a power law to the target


@dataclass(frozen=True)
class Sign:
    """The worst value of an arm's runs, at which compute, and by a power law at the target.

    ``target`` is NaN where too few computes tell it.
    """

    worst: float
    flops: float
    target: float


@dataclass(frozen=True)
class Gradients:
    """Gradients whose RMS comes near eps, which is ``said`` by the table or the usual one."""

    rms: Sign
    eps: float
    said: bool


def hot_logits(arm: Arm, target: float) -> Sign | None:
    """Return the attention logits of an arm where they pass :data:`HOT` at or below the target."""
    sign = _sign(arm, "attention_logit_max", target, np.max, np.argmax)
    if sign is None or not (sign.worst >= HOT or sign.target >= HOT):
        return None
    return sign


def small_gradients(arm: Arm, target: float) -> Gradients | None:
    """Return the gradients of an arm where they come near eps at or below the target."""
    sign = _sign(arm, "grad_rms", target, np.min, np.argmin)
    if sign is None:
        return None
    frame = arm.table.frame
    said = "eps" in frame.columns and frame["eps"].drop_nulls().len() > 0
    eps = float(frame["eps"].drop_nulls().to_numpy().max()) if said else EPS
    if not (sign.worst < SMALL * eps or sign.target < SMALL * eps):
        return None
    return Gradients(sign, eps, said)


def _sign(
    arm: Arm,
    column: str,
    target: float,
    of: Callable[[Array], float],
    where: Callable[[Array], np.intp],
) -> Sign | None:
    """Return the worst of a column, None where no run has it."""
    frame = arm.table.frame
    if column not in frame.columns:
        return None
    found: list[tuple[float, float]] = []
    for _, run in frame.sort("tokens").group_by("run", maintain_order=True):
        values = run[column].cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
        flops = float(flops_of(run.tail(1), measured=arm.convention == "measured")[0])
        if len(values) and flops > 0:  # NaN is not
            found.append((flops, float(of(values))))
    if not found:
        return None
    flops, values = (np.array(column) for column in zip(*sorted(found), strict=True))
    at = int(where(values))
    return Sign(float(values[at]), float(flops[at]), _carried(flops, values, target))


def _carried(flops: Array, values: Array, target: float) -> float:
    """Return the power law through values (n,) at a compute."""
    if len(np.unique(flops)) < LEAST_RUNGS or not (values > 0).all():
        return float("nan")
    design = np.stack([np.log(flops / target), np.ones(len(flops))], axis=1)
    level = float(np.linalg.lstsq(design, np.log(values), rcond=None)[0][1])
    return float(np.exp(np.clip(level, -700.0, 700.0)))
