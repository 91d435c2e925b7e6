"""What a fit minimises: a sum over points of a loss on residuals, and its two derivatives.

With ``z`` the predicted and ``y`` the observed log-loss, ``r = z - y`` and run weights ``w``:

- ``huber``: sum w h(r), ``h = r^2/2`` inside delta, ``delta (|r| - delta/2)`` outside
  (Hoffmann et al. 2022, delta 1e-3);
- ``log``: sum w r^2/2, least squares on the log-loss;
- ``raw``: sum w R^2/2 with ``R = exp(z) - exp(y)``, least squares on the loss itself.

Sums, never means: a mean scales the gradient down until optimisers stop early.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from kleiber.errors import UsageError
from kleiber.laws.base import Array

Objective = Literal["huber", "log", "raw"]
OBJECTIVES: tuple[str, ...] = get_args(Objective)

DESCRIPTIONS: dict[str, str] = {
    "huber": "sum of Huber losses on log-loss residuals",
    "log": "half the sum of squared log-loss residuals",
    "raw": "half the sum of squared loss residuals",
}


def check_objective(name: str) -> Objective:
    """Return a valid objective's name or raise a UsageError that lists them."""
    for known in get_args(Objective):
        if name == known:
            return known
    raise UsageError(
        f"There is no objective '{name}'; the objectives are {', '.join(OBJECTIVES)}.",
        remedy="Use one of those names with objective=… (--objective on the command line).",
    )


def residuals(kind: Objective, z: Array, y: Array) -> Array:
    """Return the residuals that the objective sees: of logs, or of the loss itself."""
    return np.exp(z) - np.exp(y) if kind == "raw" else z - y


def value(kind: Objective, r: Array, w: Array, delta: float | Array) -> Array:
    """Return the objective, summed over the last axis."""
    if kind == "huber":
        inside = np.minimum(np.abs(r), delta)
        return np.sum(w * inside * (np.abs(r) - 0.5 * inside), axis=-1)
    return 0.5 * np.sum(w * r * r, axis=-1)


def slopes(
    kind: Objective, z: Array, r: Array, w: Array, delta: float | Array
) -> tuple[Array, Array]:
    """Return (c, u): gradient = sum c g, Hessian = sum [u g g' + c (d2z + g g')], g = dz.

    Written so because for a sum of powers ``d2z + g g' = sum_j p_j x_j x_j'`` is simple.
    """
    if kind == "huber":
        c = w * np.clip(r, -delta, delta)
        return c, w * (np.abs(r) <= delta) - c
    if kind == "log":
        c = w * r
        return c, w - c
    level = np.exp(z)
    return w * r * level, w * level * level


def value_and_slopes(
    kind: Objective, z: Array, r: Array, w: Array, delta: float | Array
) -> tuple[Array, Array, Array]:
    """Return :func:`value` and :func:`slopes` in fewer passes: f (B,), c and u (B, n).

    With ``k`` the clipped residual, Huber's loss is ``k (r - k/2)`` on both branches.
    """
    if kind != "huber":
        return (value(kind, r, w, delta), *slopes(kind, z, r, w, delta))
    clipped = np.clip(r, -delta, delta)
    c = w * clipped
    u = w * (clipped == r) - c
    return np.vecdot(c, r - 0.5 * clipped), c, u
