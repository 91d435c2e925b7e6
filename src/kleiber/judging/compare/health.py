"""Signs of instability that small rungs show first: attention logits, gradients against eps.

Attention logits that grow with scale foretell divergence (Dehghani et al. 2023; Wortsman et al.
2309.14322), and a gradient's RMS of the order of AdamW's eps stops the update's scaling by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from kleiber.judging.compare.rungs import Arm
from kleiber.laws.base import Array
from kleiber.units import flops_6nd

HOT = 1e4  # attention logits at which 2309.14322 saw runs diverge
SMALL = 10.0  # times eps: gradients below it are no longer scaled by their RMS alone
EPS = 1e-8  # the usual one, where a table does not say it


@dataclass(frozen=True)
class Logits:
    """The largest attention logit at the top rung, and by a power law at the target."""

    arm: str
    top: float
    target: float
    flops: float


@dataclass(frozen=True)
class Gradients:
    """The smallest gradient RMS of an arm, at which compute, and eps (``said`` by the table)."""

    arm: str
    rms: float
    flops: float
    eps: float
    said: bool


def hot_logits(arm: Arm, target: float) -> Logits | None:
    """Return the attention logits of an arm where they pass :data:`HOT` at or below the target."""
    flops, most = _by_rung(arm, "attention_logit_max", np.max)
    if len(most) == 0:
        return None
    at = float(most[-1])
    if len(most) >= 3 and (most > 0).all():
        slope, level = np.linalg.lstsq(
            np.stack([np.log(flops), np.ones(len(flops))], axis=1), np.log(most), rcond=None
        )[0].tolist()
        at = max(at, float(np.exp(min(level + slope * np.log(target), 700.0))))
    top = float(most[-1])
    return Logits(arm.name, top, at, float(flops[-1])) if max(top, at) >= HOT else None


def small_gradients(arm: Arm) -> Gradients | None:
    """Return the gradients of an arm where their RMS comes near eps."""
    flops, least = _by_rung(arm, "grad_rms", np.min)
    if len(least) == 0:
        return None
    frame = arm.table.frame
    said = "eps" in frame.columns and frame["eps"].drop_nulls().len() > 0
    eps = float(frame["eps"].drop_nulls().to_numpy().max()) if said else EPS
    worst = int(np.argmin(least))
    found = Gradients(arm.name, float(least[worst]), float(flops[worst]), eps, said)
    return found if found.rms < SMALL * eps else None


def _by_rung(arm: Arm, column: str, of: np.ufunc | object) -> tuple[Array, Array]:
    """Return the computes of runs that have a column, and its largest or smallest value there."""
    frame = arm.table.frame
    if column not in frame.columns:
        return np.empty(0), np.empty(0)
    found: list[tuple[float, float]] = []
    for _, run in frame.sort("tokens").group_by("run", maintain_order=True):
        values = run[column].cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
        if len(values) == 0:
            continue
        last = run.tail(1)
        flops = (
            last["flops"].to_numpy()[0]
            if arm.convention == "measured"
            else flops_6nd(last["params"].to_numpy(), last["tokens"].to_numpy())[0]
        )
        found.append((float(flops), float(of(values))))  # type: ignore[operator]
    found.sort()
    return np.array([one for one, _ in found]), np.array([one for _, one in found])
