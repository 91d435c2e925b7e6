"""The pieces that the solver moves: data, free coordinates, and a model with derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kleiber.fitting.objective import Objective
from kleiber.laws.base import Array, Index, Mask


@dataclass(frozen=True)
class Data:
    """What a batch is fitted to; ``y``, ``w`` and ``delta`` may differ by row or be shared.

    ``logs`` is (P, n), centred; ``y`` (log-loss) and ``w`` are (n,) or (B, n); ``delta`` is a
    number, (n,), (B, 1) or (B, n).
    """

    logs: Array
    y: Array
    w: Array
    delta: float | Array
    kind: Objective

    def rows(self, index: slice | Index) -> Data:
        """Return the data of some rows of the batch."""
        delta = self.delta
        if isinstance(delta, np.ndarray):
            delta = _rows(delta, index)
        return Data(self.logs, _rows(self.y, index), _rows(self.w, index), delta, self.kind)


def _rows(values: Array, index: slice | Index) -> Array:
    """Return rows of what differs by row, and all of what is shared."""
    return values[index] if values.ndim == 2 else values


@dataclass(frozen=True)
class Space:
    """The free coordinates ``phi`` of a problem: ``theta = phi Z' + origin`` within a box.

    ``free`` names the places of theta that phi holds; ``own`` and ``start`` lead back from
    theta, ``phi = theta own' + start``.
    """

    free: tuple[int, ...]
    Z: Array
    origin: Array
    lower: Array
    upper: Array
    own: Array
    start: Array

    def phi(self, theta: Array) -> Array:
        """Return free coordinates, shape (..., F), of full centred ones, shape (..., K)."""
        return theta @ self.own.T + self.start

    def theta(self, phi: Array) -> Array:
        """Return full centred coordinates, shape (..., K), of free ones, shape (..., F)."""
        return phi @ self.Z.T + self.origin

    def loose(self) -> Mask:
        """Return which places of theta (K,) move no other: free, and tied to none."""
        found = np.zeros(len(self.Z), dtype=bool)
        for column, place in enumerate(self.free):
            found[place] = self.Z[place, column] == 1.0 and np.sum(self.Z[:, column] != 0.0) == 1
        return found


class Model(Protocol):
    """A law on given predictors, many parameter rows at once."""

    def log_loss(self, theta: Array) -> Array:
        """Return z (B, n) at theta (B, K)."""
        ...

    def gradient(self, theta: Array) -> tuple[Array, Array]:
        """Return z (B, n) and dz (B, K, n)."""
        ...

    def derivatives(self, theta: Array, data: Data) -> tuple[Array, Array, Array]:
        """Return the objective (B,), its gradient (B, K) and Hessian (B, K, K)."""
        ...

    def retract(self, theta: Array, step: Array) -> Array:
        """Return the point that a step leads to: theta + step to first order."""
        ...

    @property
    def bends(self) -> bool:
        """Whether steps are bent, and not retracted."""
        ...

    def bend(self, theta: Array, moved: Array, loose: Mask) -> Array:
        """Return where a step to ``moved`` leads, moved on in the loose coordinates alone."""
        ...
