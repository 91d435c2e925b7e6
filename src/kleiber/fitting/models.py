"""The two models that the solver knows: a sum of powers, and any smooth law.

A sum of powers gives its Hessian in a few matrix products and moves along its own valleys.
Any other law gives its exact gradient, and the curvature of z, or that is differenced.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kleiber.fitting.objective import residuals, value_and_slopes
from kleiber.fitting.problem import Data, Model
from kleiber.laws.base import Array, Index, Law, Mask
from kleiber.laws.powers import layout, log_sum

_DIFFERENCE = 1e-5  # the curvature of z is smooth (no Huber kinks): error about 1e-10
_SHRINK = 0.1  # a retracted step may not cut a term's share to less than this part


def model_of(law: Law, logs: Array) -> Model:
    """Return the model of a law on centred log-predictors (P, n)."""
    return Powers.of(law, logs) if law.terms is not None else Smooth(law, logs)


@dataclass(frozen=True)
class Powers:
    """Value, gradient and exact Hessian of the objective for a sum of powers."""

    places: list[tuple[int, int, int]]
    logs: Array
    size: int
    own: list[list[int]] = field(repr=False)
    slope: list[Array] = field(repr=False)
    pairs: list[tuple[int, int, Array]] = field(repr=False)
    first: Index = field(repr=False)
    second: Index = field(repr=False)

    @classmethod
    def of(cls, law: Law, logs: Array) -> Powers:
        """Prepare the products of predictors that every evaluation shares."""
        places = layout(law.terms or (), law.names, law.predictors)
        ones = np.ones(logs.shape[1])
        # the derivative of log T_j by its own parameters: 1, then -x
        own = [[c] if e < 0 else [c, e] for c, e, _ in places]
        slope = [ones[None] if e < 0 else np.stack([ones, -logs[x]]) for _, e, x in places]
        pairs = [
            (j, k, _products(slope[j], slope[k]))
            for j in range(len(places))
            for k in range(j, len(places))
        ]
        # where the entries of the gradient and of the Hessian stand among the products
        size, entry = len(law.names), 0
        first: Index = np.argsort([place for group in own for place in group])
        second: Index = np.zeros((size, size), dtype=np.intp)
        for j, k, _ in pairs:
            for row in own[j]:
                for column in own[k]:
                    second[row, column] = second[column, row] = entry
                    entry += 1
        return cls(places, logs, size, own, slope, pairs, first, second.ravel())

    def gradient(self, theta: Array) -> tuple[Array, Array]:
        """Return z (B, n) and dz (B, K, n)."""
        return log_sum(self.places, theta, self.logs)

    def log_loss(self, theta: Array) -> Array:
        """Return z (B, n)."""
        return np.log(self._terms(theta)[1])

    def _terms(self, theta: Array) -> tuple[list[Array], Array]:
        """Return the terms, (B, n) or (B, 1), and their sum (B, n), at theta (B, K)."""
        terms = [
            np.exp(theta[:, c, None] - theta[:, e, None] * self.logs[x])
            if e >= 0
            else np.exp(theta[:, c, None])
            for c, e, x in self.places
        ]
        total = terms[-1] + 0.0
        for term in terms[:-1]:
            total += term
        return terms, total

    def derivatives(self, theta: Array, data: Data) -> tuple[Array, Array, Array]:
        """Return f (B,), gradient (B, K), Hessian (B, K, K) by centred natural coordinates."""
        terms, total = self._terms(theta)
        z = np.log(total)
        r = residuals(data.kind, z, data.y)
        f, c, u = value_and_slopes(data.kind, z, r, data.w, data.delta)
        shares = [term / total for term in terms]
        weighted = [u * share for share in shares]
        pulls: list[Array] = []
        blocks: list[Array] = []
        for j, k, products in self.pairs:
            q = weighted[j] * shares[k]
            if j == k:
                pull = c * shares[j]
                pulls.append(pull @ self.slope[j].T)
                q += pull
            blocks.append(q @ products)
        gradient = np.concatenate(pulls, axis=1)[:, self.first]
        hessian = np.concatenate(blocks, axis=1)[:, self.second]
        return f, gradient, hessian.reshape(len(theta), self.size, self.size)

    def retract(self, theta: Array, step: Array) -> Array:
        """Move so that the level and the slopes at the centre change linearly.

        Data fix the level ``log sum T`` and the slopes ``p_j e_j`` at the centre tightly, and
        the exponents loosely. Stepping in (level, slopes, exponents) instead of
        (coefficients, exponents) follows that curved valley: far starts arrive in a third of
        the iterations. The two agree to first order, so Newton's convergence is unchanged.
        """
        moved = theta + step
        powered = [(c, e) for c, e, _ in self.places if e >= 0]
        floors = [c for c, e, _ in self.places if e < 0]
        if len(floors) != 1 or not powered:
            return moved
        c = np.array([*floors, *(p for p, _ in powered)])
        e = np.array([p for _, p in powered])
        terms = np.exp(theta[:, c])
        total = terms.sum(axis=1, keepdims=True)
        share = terms / total
        level_change = (share * step[:, c]).sum(axis=1, keepdims=True)
        share_change = share * (step[:, c] - level_change)
        slope = (share + share_change)[:, 1:] * theta[:, e] + share[:, 1:] * step[:, e]
        new_share = slope / np.maximum(moved[:, e], 1e-9)
        new_share = np.concatenate([1.0 - new_share.sum(axis=1, keepdims=True), new_share], axis=1)
        sound = np.all(new_share > _SHRINK * share, axis=1, keepdims=True)
        level = np.log(total) + level_change
        moved[:, c] = np.where(sound, level + np.log(np.maximum(new_share, 1e-300)), moved[:, c])
        return moved

    @property
    def bends(self) -> bool:
        """Whether steps are bent: they are retracted."""
        return False

    def bend(self, theta: Array, moved: Array, loose: Mask) -> Array:
        """Return ``moved``."""
        return moved


def _products(left: Array, right: Array) -> Array:
    """Return (n, a*b): the products of the slopes (a, n) and (b, n) of two terms."""
    return np.ascontiguousarray((left[:, None, :] * right[None, :, :]).reshape(-1, left.shape[1]).T)


@dataclass(frozen=True)
class Smooth:
    """Any law with an exact gradient; a curvature of z that it lacks is differenced from that."""

    law: Law
    logs: Array

    def log_loss(self, theta: Array) -> Array:
        """Return z (B, n)."""
        return self.law.gradient(theta, self.logs)[0]

    def gradient(self, theta: Array) -> tuple[Array, Array]:
        """Return z (B, n) and dz (B, K, n)."""
        return self.law.gradient(theta, self.logs)

    def derivatives(self, theta: Array, data: Data) -> tuple[Array, Array, Array]:
        """Return f (B,), gradient (B, K), Hessian (B, K, K) by centred natural coordinates."""
        z, dz = self.law.gradient(theta, self.logs)
        r = residuals(data.kind, z, data.y)
        f, c, u = value_and_slopes(data.kind, z, r, data.w, data.delta)
        gradient = np.einsum("bkn,bn->bk", dz, c)
        hessian = (dz * (u + c)[:, None, :]) @ dz.swapaxes(1, 2)
        if self.law.curvature is not None:
            return f, gradient, hessian + self.law.curvature(theta, self.logs, c)
        size = theta.shape[1]
        for k in range(size):
            offset = np.zeros(size)
            offset[k] = _DIFFERENCE
            ahead = self.law.gradient(theta + offset, self.logs)[1]
            behind = self.law.gradient(theta - offset, self.logs)[1]
            hessian[:, k] += np.einsum("bkn,bn->bk", ahead - behind, c) / (2.0 * _DIFFERENCE)
        return f, gradient, 0.5 * (hessian + hessian.swapaxes(1, 2))

    def retract(self, theta: Array, step: Array) -> Array:
        """Return theta + step."""
        return theta + step

    @property
    def bends(self) -> bool:
        """Whether the law knows its own valley."""
        return self.law.bend is not None

    def bend(self, theta: Array, moved: Array, loose: Mask) -> Array:
        """Return where the law's own valley leads from theta towards ``moved``."""
        if self.law.bend is None:
            return moved
        return self.law.bend(theta, moved, self.logs.mean(axis=1), loose)
