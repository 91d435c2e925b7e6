"""Fixed, tied and bounded parameters, as the free coordinates that the solver moves in.

Parameters are fixed and tied in the units that users write (A for raw counts), while the
solver works on centred logs, where ``log A`` becomes ``log A - alpha * mean(log N)``. Both
are linear in natural coordinates, so every fix and every tie is one linear equation, and
each equation removes one coordinate. A coefficient with bounds is a coordinate as it is
written, for raw counts, so that its bounds are a box too; so is whatever centring moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kleiber.errors import UsageError
from kleiber.fitting.problem import Space
from kleiber.laws.base import Array, Law, Parameter

NEGLIGIBLE = 18.0  # a term below exp(-18) = 1.5e-8 of the loss is called zero: a bound


@dataclass(frozen=True)
class Constraints:
    """What the user decided: values held, groups kept equal, boxes; in the users' units."""

    fix: Mapping[str, float] = field(default_factory=dict[str, float])
    tie: Sequence[tuple[str, str]] = ()
    bounds: Mapping[str, tuple[float, float]] = field(
        default_factory=dict[str, tuple[float, float]]
    )

    def check(self, law: Law) -> None:
        """Raise a UsageError for a name the law lacks, or a value that it cannot take."""
        for name, held in self.fix.items():
            parameter = law.parameters[law.index(name)]
            if not np.isfinite(held) or held < parameter.lower or held > parameter.upper:
                raise UsageError(
                    f"{name} cannot be fixed at {held!r}: it lies in "
                    f"[{parameter.lower:g}, {parameter.upper:g}].",
                    remedy=f"Give another value with fix={{'{name}': …}} (--fix {name}=…).",
                )
        for first, second in self.tie:
            kinds = {law.parameters[law.index(n)].kind for n in (first, second)}
            if len(kinds) > 1 or first == second:
                raise UsageError(
                    f"{first} and {second} cannot be tied: only two coefficients or two "
                    "exponents can be equal.",
                    remedy="Tie for example alpha and beta (--tie alpha=beta).",
                )
        for name, (low, high) in self.bounds.items():
            parameter = law.parameters[law.index(name)]
            if not low < high:
                raise UsageError(
                    f"The bounds of {name} are [{low:g}, {high:g}]: the lower must be smaller.",
                    remedy="Give bounds as (lower, upper), or fix the parameter.",
                )
            if high <= parameter.lower or low >= parameter.upper:
                raise UsageError(
                    f"The bounds of {name} are [{low:g}, {high:g}], and {name} lies in "
                    f"[{parameter.lower:g}, {parameter.upper:g}].",
                    remedy="Give bounds that overlap that range, or fix the parameter.",
                )
            if name in self.fix and not low <= self.fix[name] <= high:
                raise UsageError(
                    f"{name} is fixed at {self.fix[name]:g}, outside its bounds "
                    f"[{low:g}, {high:g}].",
                    remedy=f"Leave out one of the two for {name}.",
                )


def affine(law: Law, shift: Array) -> tuple[Array, Array]:
    """Return (matrix, offset) with ``raw theta = matrix @ centred theta + offset``."""
    size = len(law.parameters)
    offset = law.recentre(np.zeros(size), -shift)
    return (law.recentre(np.eye(size), -shift) - offset).T, offset


def build(law: Law, constraints: Constraints, shift: Array, level: float) -> Space:
    """Return the free coordinates of a fit whose data has log-predictor means ``shift``.

    ``level`` is the log of the typical loss: it says when a term is negligible.
    """
    constraints.check(law)
    matrix, offset = affine(law, shift)
    size = len(law.parameters)
    own, start = _coordinates(law, constraints, matrix, offset)
    back = np.linalg.inv(own)  # theta = back @ (coordinates - start)
    rows: list[Array] = []
    right: list[float] = []
    for name, held in constraints.fix.items():
        i = law.index(name)
        rows.append(matrix[i])
        right.append(law.parameters[i].to_natural(held) - offset[i])
    for first, second in constraints.tie:
        i, j = law.index(first), law.index(second)
        rows.append(matrix[i] - matrix[j])
        right.append(float(offset[j] - offset[i]))
    right = [target + float(row @ back @ start) for row, target in zip(rows, right, strict=True)]
    basis, origin, free = _eliminate(law, [row @ back for row in rows], right, size)
    lower, upper = _box(law, constraints, level)
    return Space(
        tuple(free),
        back @ basis,
        back @ (origin - start),
        lower[free],
        upper[free],
        own[free],
        start[free],
    )


def _as_written(law: Law, constraints: Constraints) -> set[str]:
    """Return the coefficients that are coordinates as written: bounded, or tied to such a one."""
    moved = set(_moved(law))
    written = {n for n in constraints.bounds if law.parameters[law.index(n)].linear or n in moved}
    for _ in constraints.tie:
        for pair in constraints.tie:
            if written & set(pair):
                written |= set(pair)
    return written


def _moved(law: Law) -> list[str]:
    """Return the names of the exponents that are others for centred predictors."""
    size = len(law.parameters)
    matrix, offset = affine(law, law.shift(np.ones(len(law.predictors))))
    return [
        p.name
        for p, row, unit, start in zip(law.parameters, matrix, np.eye(size), offset, strict=True)
        if not p.linear and (start != 0.0 or not np.array_equal(row, unit))
    ]


def _coordinates(
    law: Law, constraints: Constraints, matrix: Array, offset: Array
) -> tuple[Array, Array]:
    """Return (own, start) with ``coordinates = own @ centred theta + start``."""
    own, start = np.eye(len(matrix)), np.zeros(len(matrix))
    for name in _as_written(law, constraints):
        i = law.index(name)
        own[i], start[i] = matrix[i], offset[i]
    return own, start


def _eliminate(
    law: Law, rows: list[Array], right: list[float], size: int
) -> tuple[Array, Array, list[int]]:
    """Solve each equation for one coordinate, coefficients before exponents, last one first."""
    basis: Array = np.eye(size)
    origin: Array = np.zeros(size)
    gone: list[int] = []
    order = sorted(range(size), key=lambda i: (law.parameters[i].kind != "coefficient", -i))
    for row, target in zip(rows, right, strict=True):
        current = row @ basis
        rest = target - float(row @ origin)
        pivot = next((i for i in order if abs(current[i]) > 1e-9 and i not in gone), None)
        if pivot is None:
            raise UsageError(
                "The fixed and tied parameters contradict or repeat each other.",
                remedy="Fix or tie each parameter once.",
            )
        share: Array = -current / current[pivot]
        share[pivot] = 0.0
        column = basis[:, pivot].copy()
        basis = basis + column[:, None] * share[None, :]
        basis[:, pivot] = 0.0
        origin = origin + column * rest / current[pivot]
        gone.append(pivot)
    free = [i for i in range(size) if i not in gone]
    return basis[:, free], origin, free


def _none(parameter: Parameter) -> float:
    """Return the lower end of a parameter that is bounded by zero."""
    return -np.inf if parameter.linear else 0.0


def _box(law: Law, constraints: Constraints, level: float) -> tuple[Array, Array]:
    """Return the box of the coordinates; ties share the narrower box."""
    written = _as_written(law, constraints)
    lower = np.array([p.to_natural(p.lower) if p.lower else _none(p) for p in law.parameters])
    upper = np.array([p.to_natural(p.upper) for p in law.parameters])
    small = [term.coefficient for term in law.terms or ()] or [law.floor]
    for name in small:
        if name is not None and (name not in written or name == law.floor):
            lower[law.index(name)] = level - NEGLIGIBLE
    for name in law.vanishing:
        if name not in written:
            lower[law.index(name)] = -NEGLIGIBLE
    for name, (low, high) in constraints.bounds.items():
        i = law.index(name)
        lower[i] = max(lower[i], law.parameters[i].to_natural(low))
        upper[i] = min(upper[i], law.parameters[i].to_natural(high))
        lower[i] = min(lower[i], upper[i])
    for _ in constraints.tie:
        for first, second in constraints.tie:
            i, j = law.index(first), law.index(second)
            if not law.parameters[i].linear or first in written:
                lower[[i, j]], upper[[i, j]] = max(lower[i], lower[j]), min(upper[i], upper[j])
    for first, second in constraints.tie:
        i = law.index(first)
        if lower[i] > upper[i]:
            raise UsageError(
                f"{first} and {second} are tied, and their bounds do not overlap.",
                remedy="Leave out the tie, or widen the bounds.",
            )
    return lower, upper
