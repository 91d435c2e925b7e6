"""The multi-power law: a loss curve from the whole schedule of learning rates behind it.

This is no :class:`~kleiber.laws.base.Law`. Such a law reads a few numbers of a point (params,
tokens) and may be centred on their means, and every point is predicted by itself; here the
loss at a step depends on every learning rate up to it. What the law reads is therefore a
:class:`Path`: the area under the schedule, and every earlier change of the rate with the area
since. It is of one model: sizes are fitted one at a time (:mod:`kleiber.fitting.curves`).

With the learning rate ``eta`` of every step, warm-up included (Luo et al. 2025, eqs. 1-3)::

    L(t) = L0 + A S(t)^-alpha - B sum_{k<=t} (eta_{k-1} - eta_k) G(eta_k^-gamma S_k(t))
    G(x) = 1 - (1 + C x)^-beta
    S(t) = eta_0 + ... + eta_t,     S_k(t) = eta_k + ... + eta_t
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import ValuesError
from kleiber.laws.base import (
    Array,
    Index,
    Parameter,
    coefficient,
    exponent,
    from_natural,
    to_natural,
)
from kleiber.laws.schedules import Schedule

RESOLUTION = 128
FAINT = 1e-13  # of all changes: the rounding of their running sums
_L0, _A, _ALPHA, _B, _C, _BETA, _GAMMA = range(7)


@dataclass(frozen=True)
class Path:
    """What a law reads of a schedule at n steps: areas and, for each step, every change before.

    ``log_area`` (n,) is log S(t). The m pairs of a step and an earlier change, or block of
    changes, have ``row`` (the place of the step), ``drop`` (eta_{k-1} - eta_k, negative where
    the rate rose), ``log_rate`` (log eta_k) and ``log_since`` (log S_k(t)), each (m,).
    """

    log_area: Array
    row: Index
    drop: Array
    log_rate: Array
    log_since: Array

    def __len__(self) -> int:
        return len(self.log_area)


def path(schedule: Schedule, steps: NDArray[np.int64], resolution: int | None = RESOLUTION) -> Path:
    """Return what the law reads of a schedule at some steps.

    Changes whose distances to the step differ by less than one part in ``resolution`` are read
    as one, at their mean place: the kernel is smooth in the logarithm of the distance, so the
    loss moves by less than 1e-5 nats while a small part of the pairs is left. None merges nothing.

    Raises ValuesError for a step that the schedule does not have.
    """
    rates = schedule.rates
    steps = np.atleast_1d(np.asarray(steps, dtype=np.int64))
    if not (len(steps) and steps.min() >= 1 and steps.max() < len(rates)):
        span = f"from {steps.min()} to {steps.max()}" if len(steps) else "none"
        raise ValuesError(
            f"Steps {span} were asked of the schedule '{schedule.name}', which has 1 to "
            f"{len(rates) - 1}.",
            remedy="Ask for steps of the schedule, or give a schedule that is long enough.",
        )
    area = np.cumsum(rates)
    drop = rates[:-1] - rates[1:]  # of the changes at steps 1, 2, ...
    size = np.abs(drop)
    total, weight, place, rate = (
        np.concatenate([[0.0], np.cumsum(one)])
        for one in (drop, size, size * area[:-1], size * np.log(rates[1:]))
    )
    edges = _edges(len(rates), resolution)
    # the changes from step `low` + 1 to `high`, for each step (rows) and distance (columns)
    high = np.maximum(steps[:, None] - edges[:-1], 0)
    low = np.maximum(steps[:, None] - edges[1:], 0)
    mass = weight[high] - weight[low]
    row, block = np.nonzero(mass > FAINT * weight[-1])
    low, high, mass = low[row, block], high[row, block], mass[row, block]
    return Path(
        log_area=np.log(area[steps]),
        row=row,
        drop=total[high] - total[low],
        log_rate=(rate[high] - rate[low]) / mass,
        log_since=np.log(area[steps[row]] - (place[high] - place[low]) / mass),
    )


def _edges(steps: int, resolution: int | None) -> NDArray[np.int64]:
    """Return the distances that bound blocks of changes: 0, 1, 2, ... then ever wider."""
    if resolution is None:
        return np.arange(steps + 1, dtype=np.int64)
    near = np.arange(resolution, dtype=np.int64)
    count = int(np.ceil(resolution * np.log(max(steps / resolution, 1.0)))) + 2
    far = resolution * np.exp(np.arange(count) / resolution)
    return np.unique(np.concatenate([near, far.astype(np.int64)]))


@dataclass(frozen=True)
class CurveLaw:
    """An equation from a schedule to a loss curve, with named parameters and its gradient.

    ``gradient`` is ``(theta[K], path) -> (z[n], dz[K, n])``: the log of the predicted loss and
    its derivative by natural coordinates (a coefficient's logarithm, an exponent itself).
    ``linear`` names the coefficients in which the loss is linear, and ``basis`` gives what they
    multiply, (shape[K], path) -> (len(linear), n): what a fit starts from. ``prior`` holds the
    centre and the spread of natural coordinates that a few curves do not settle by themselves.
    """

    name: str
    title: str
    equation: str
    source: str
    parameters: tuple[Parameter, ...]
    gradient: Callable[[Array, Path], tuple[Array, Array]]
    linear: tuple[str, ...]
    basis: Callable[[Array, Path], Array]
    starts: tuple[Mapping[str, float], ...]
    prior: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(p.name for p in self.parameters)

    def natural(self, values: Mapping[str, float]) -> Array:
        """Return natural coordinates (K,) of a full set of named values."""
        return to_natural(self.name, self.parameters, values)

    def values(self, theta: Array) -> dict[str, float]:
        """Return the named values at natural coordinates (K,)."""
        return from_natural(self.parameters, theta)

    def loss(
        self, values: Mapping[str, float], schedule: Schedule, steps: NDArray[np.int64]
    ) -> Array:
        """Return the loss (nats) that named values predict at some steps of a schedule."""
        return np.exp(self.gradient(self.natural(values), path(schedule, steps))[0])


def _kernel(theta: Array, along: Path) -> tuple[Array, Array, Array]:
    """Return x, (1 + x)^-beta and log(1 + x) of every pair, x = C eta^-gamma S_k."""
    with np.errstate(over="ignore"):
        x = np.exp(theta[_C] - theta[_GAMMA] * along.log_rate + along.log_since)
    log_more = np.log1p(x)
    return x, np.exp(-theta[_BETA] * log_more), log_more


def _total(along: Path, values: Array) -> Array:
    """Return the sum over each step's pairs, (n,)."""
    sums = np.bincount(along.row, weights=values, minlength=len(along))
    return np.asarray(sums, dtype=np.float64)


def _basis(theta: Array, along: Path) -> Array:
    """Return what L0, A and B multiply, (3, n)."""
    left = _kernel(theta, along)[1]
    falling = np.exp(-theta[_ALPHA] * along.log_area)
    return np.stack([np.ones(len(along)), falling, -_total(along, along.drop * (1.0 - left))])


def _gradient(theta: Array, along: Path) -> tuple[Array, Array]:
    """Return z (n,) and dz (7, n); losses below a thousandth of L0 are held there."""
    x, left, log_more = _kernel(theta, along)
    floor, scale = np.exp(theta[_L0]), np.exp(theta[_B])
    area = np.exp(theta[_A] - theta[_ALPHA] * along.log_area)
    decay = scale * _total(along, along.drop * (1.0 - left))
    loss = floor + area - decay
    sound = loss > 1e-3 * floor
    held: Array = np.maximum(loss, 1e-3 * floor)
    rest = along.drop * left
    by_log_x = rest * theta[_BETA] * x / (1.0 + x)
    slope = np.stack(
        [
            np.full(len(along), floor),
            area,
            -area * along.log_area,
            -decay,
            -scale * _total(along, by_log_x),
            -scale * _total(along, rest * log_more),
            scale * _total(along, by_log_x * along.log_rate),
        ]
    )
    return np.log(held), np.where(sound, slope, 0.0) / held


MULTI_POWER = CurveLaw(
    name="multi-power",
    title="Multi-power law",
    equation="L(t) = L0 + A S(t)^-alpha - B sum_k (eta_(k-1) - eta_k) G(eta_k^-gamma S_k(t)), "
    "G(x) = 1 - (1 + C x)^-beta",
    source="Luo et al. 2025, A Multi-Power Law for Loss Curve Prediction Across Learning Rate "
    "Schedules",
    parameters=(
        coefficient("L0", "loss of endless training, the rate still at its peak, nats per token"),
        coefficient("A", "size of the term of the area under the schedule, at area one"),
        exponent("alpha", "how fast the loss falls with the area under the schedule"),
        coefficient("B", "loss given back by a unit of learning rate decayed, nats"),
        coefficient("C", "how soon a decay takes effect"),
        exponent("beta", "how the last of a decay's effect comes in"),
        exponent("gamma", "how the lower rate delays a decay's effect"),
    ),
    gradient=_gradient,
    linear=("L0", "A", "B"),
    basis=_basis,
    starts=tuple(
        {"alpha": alpha, "C": c, "beta": beta, "gamma": gamma}
        for alpha in (0.3, 0.6)
        for c, beta, gamma in ((1.0, 0.5, 0.5), (0.3, 0.3, 0.9), (5.0, 0.8, 0.3))
    ),
    # the values that the published fits start from, and stop near
    prior={"C": (0.0, 1.0), "beta": (0.5, 0.3), "gamma": (0.5, 0.3)},
)
