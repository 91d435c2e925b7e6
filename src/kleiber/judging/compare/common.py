"""Where both recipes are known: at a rung that both have, else between the other's rungs.

Recipes of other shapes cost other FLOPs at one width, so that their rungs need not lie at the
same computes. A recipe's loss between its own rungs is read from the parabola through the three
nearest, over C^-.15, in which a power law of any common exponent is nearly straight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.laws.base import Array

SAME = 1.05  # computes within this factor are of one rung
NEAR = 3.0  # a rung of the other recipe within this factor, or nothing is read between
BEND = 0.15  # exponent of compute in which losses are nearly straight
_THROUGH = 3  # rungs that are read between


@dataclass(frozen=True)
class Common:
    """K computes at which A - B is known: it is ``weights`` (K, n) times the losses (n,).

    ``nearest`` (K, 2) are the entries of A and of B that lie nearest; ``exact`` says where both
    have a rung, so that nothing is read between.
    """

    flops: Array
    weights: Array
    nearest: NDArray[np.intp]
    exact: NDArray[np.bool_]

    def __len__(self) -> int:
        return self.flops.size


def common(flops: Array, arm: Array) -> Common:
    """Return where both arms are known, of computes (n,) and sides (n,), +1/2 for A.

    The arm with fewer rungs where both reach says at which computes; the other is read there.
    """
    sides = [np.flatnonzero(arm == side) for side in (0.5, -0.5)]
    if not all(map(len, sides)):
        return _stacked([], len(flops))
    low = max(flops[side].min() for side in sides) / SAME
    high = min(flops[side].max() for side in sides) * SAME
    inside = [side[(flops[side] >= low) & (flops[side] <= high)] for side in sides]
    first = len(inside[0]) <= len(inside[1]) and len(inside[0]) > 0
    at, other = (inside[0], sides[1]) if first else (inside[1], sides[0])
    found: list[tuple[float, Array, tuple[int, int], bool]] = []
    for entry in at[np.argsort(flops[at], kind="stable")]:
        compute = float(flops[entry])
        apart = np.abs(np.log(flops[other] / compute))
        near = int(other[int(np.argmin(apart))])
        if apart.min() > np.log(NEAR):
            continue
        exact = bool(apart.min() <= np.log(SAME))
        row = np.zeros(len(flops))
        if exact:
            compute = float(np.sqrt(compute * flops[near]))
            row[near] = -1.0
        else:
            picked = other[np.argsort(apart, kind="stable")[:_THROUGH]]
            row[picked] = -_through(flops[picked] ** -BEND, compute**-BEND)
        row[entry] = 1.0
        if first:
            found.append((compute, row, (int(entry), near), exact))
        else:
            found.append((compute, -row, (near, int(entry)), exact))
    return _stacked(found, len(flops))


def mutual(first: Array, second: Array, within: float) -> list[tuple[int, int]]:
    """Return the index pairs of computes that are each other's nearest, within a factor."""
    gaps = np.abs(np.log(first[:, None] / second[None, :]))
    pairs = [(i, int(np.argmin(row))) for i, row in enumerate(gaps)]
    return [
        (i, j) for i, j in pairs if gaps[i, j] <= np.log(within) and int(np.argmin(gaps[:, j])) == i
    ]


def _through(places: Array, at: float) -> Array:
    """Return the weights (m,) of the polynomial through m places, read at one more (Lagrange)."""
    away = places[:, None] - places[None, :]
    np.fill_diagonal(away, 1.0)
    reach = at - np.broadcast_to(places, away.shape).copy()
    np.fill_diagonal(reach, 1.0)
    return np.prod(reach / away, axis=1)


def _stacked(found: list[tuple[float, Array, tuple[int, int], bool]], n: int) -> Common:
    return Common(
        flops=np.array([one[0] for one in found]),
        weights=np.array([one[1] for one in found]).reshape(len(found), n),
        nearest=np.array([one[2] for one in found], dtype=np.intp).reshape(len(found), 2),
        exact=np.array([one[3] for one in found], dtype=bool),
    )
