"""Loss curves under learning-rate schedules: a curve law fitted, and curves predicted by it.

The objective is the published one, which is also this package's: the sum over readings of
Huber losses of log-loss residuals, delta 1e-3. A curve law is not a batch of many small
problems on one design, for which the Newton solver of :mod:`kleiber.fitting.newton` is made,
but one problem whose every evaluation walks millions of pairs of steps; scipy's trust-region
least squares takes the same objective and the exact gradient, and needs no Hessian. Starts are
raced on a thinned part of the readings, and the best are finished on all of them.

Two or three curves do not settle how a decay's effect comes in: along a valley of C, beta and
gamma the objective hardly changes, its lowest point is far from the published values (whose
fits stop early), and longer schedules are predicted worse there. The default therefore adds
``prior_weight sum ((theta - centre) / spread)^2 / 2`` for these three. Its weight stands where
leaving out each training curve in turn hardly improves further (``kleiber study
laws-on-curves``); the held-out schedules had been looked at by then, so their errors are not
blind to it. Weight 0 is the published objective alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import FitError, UsageError, ValuesError
from kleiber.fitting.answers import Status
from kleiber.fitting.objective import value
from kleiber.laws.base import Array
from kleiber.laws.schedule import MULTI_POWER, CurveLaw, Path, path
from kleiber.laws.schedules import Schedule

DELTA = 1e-3  # published; in log-loss
PRIOR_WEIGHT = 1e-4  # in the objective's unit, squared log-loss: 100 readings off by DELTA
RACED = 40  # readings of one curve that a start sees
FINISHED = 2  # starts that are finished on all readings: one to be the answer, one to agree
SAME = 1e-3  # relative: two starts this close in objective found the same optimum
EXACT = 1e-6  # log-loss: readings are printed in four digits, so closer fits are the same
PATIENCE = 200


@dataclass(frozen=True, eq=False)
class Curve:
    """One run's losses (nats) at some steps of its schedule."""

    schedule: Schedule
    steps: NDArray[np.int64]
    loss: Array

    def __post_init__(self) -> None:
        if len(self.steps) != len(self.loss) or not len(self.loss):
            raise ValuesError(
                f"The curve under '{self.schedule.name}' has {len(self.steps)} steps and "
                f"{len(self.loss)} losses.",
                remedy="Give one loss a step, and at least one.",
            )
        if not np.all(np.isfinite(self.loss) & (self.loss > 0)):
            raise ValuesError(
                f"The curve under '{self.schedule.name}' has a loss that is not positive.",
                remedy="Leave out diverged or missing readings.",
            )


@dataclass(frozen=True)
class CurveErrors:
    """Errors of a predicted curve, nats: mean and worst magnitude, mean, and at the last step."""

    schedule: str
    readings: int
    mean_absolute: float
    worst: float
    bias: float
    last: float


@dataclass(frozen=True)
class CurveFit:
    """A curve law fitted to the curves of one model."""

    law: CurveLaw
    values: Mapping[str, float]
    objective: float
    delta: float
    prior_weight: float
    status: Status
    starts: int
    agreeing: int
    gradient: float
    fitted: tuple[CurveErrors, ...]

    def predict(self, schedule: Schedule, steps: NDArray[np.int64]) -> Array:
        """Return the loss (nats) at some steps of a schedule, seen or not."""
        return self.law.loss(self.values, schedule, steps)

    def errors(self, curve: Curve) -> CurveErrors:
        """Return how far the prediction of a curve is from its losses."""
        return _errors(curve, self.predict(curve.schedule, curve.steps))


def fit_curves(
    curves: Sequence[Curve],
    law: CurveLaw = MULTI_POWER,
    *,
    delta: float = DELTA,
    prior_weight: float = PRIOR_WEIGHT,
) -> CurveFit:
    """Fit a curve law to the curves of one model under one or more schedules.

    Parameters
    ----------
    curves
        At least one curve; one schedule alone can hardly tell what a decay does from what time
        does, so give two or three of different shapes.
    delta
        The Huber threshold of log-loss residuals.
    prior_weight
        How firmly the law's prior holds what few curves leave open; 0 is not at all.

    Raises
    ------
    FitError
        For fewer readings than parameters, or no start that gives a loss at all.
    """
    if not (np.isfinite(delta) and delta > 0):
        raise UsageError(
            f"The Huber delta is {delta!r}; it must be a positive number.",
            remedy="Leave it out: 1e-3 is the published one.",
        )
    if not (np.isfinite(prior_weight) and prior_weight >= 0):
        raise UsageError(
            f"The prior's weight is {prior_weight!r}; it must be a number from 0 up.",
            remedy="Leave it out, or give 0 for no prior.",
        )
    readings = sum(len(curve.loss) for curve in curves)
    if readings <= len(law.parameters):
        raise FitError(
            f"{readings} readings cannot carry the {len(law.parameters)} parameters of the law "
            f"'{law.name}': at least {len(law.parameters) + 1} are needed.",
            remedy="Give whole curves, of two or three schedules.",
        )
    whole = _Readings.of(curves, law, delta, prior_weight)
    part = _Readings.of([_thinned(curve) for curve in curves], law, delta, prior_weight)
    raced = [part.solve(part.start(shape)) for shape in law.starts]
    raced.sort(key=lambda found: found[1])
    done = sorted((whole.solve(theta) for theta, *_ in raced[:FINISHED]), key=lambda f: f[1])
    theta, objective, slope, converged = done[0]
    if not np.isfinite(objective):
        raise FitError(
            f"No start of the law '{law.name}' gives a finite loss on these curves.",
            remedy="Check that steps count optimiser steps and schedules hold learning rates.",
        )
    same = objective * (1.0 + SAME) + 0.5 * readings * EXACT**2
    agreeing = sum(f[1] <= same for f in done)
    fitted = tuple(
        _errors(curve, np.exp(law.gradient(theta, along)[0]))
        for curve, along in zip(curves, whole.paths, strict=True)
    )
    return CurveFit(
        law=law,
        values=law.values(theta),
        objective=objective,
        delta=delta,
        prior_weight=prior_weight,
        status=_status(converged, agreeing, len(done), len(law.starts)),
        starts=len(law.starts),
        agreeing=agreeing,
        gradient=slope,
        fitted=fitted,
    )


def _status(converged: bool, agreeing: int, finished: int, starts: int) -> Status:
    """Say how the fit ended."""
    tried = f"{agreeing} of the {finished} best of {starts} starts agree"
    if not converged:
        return Status("not-converged", f"did not converge; {tried}")
    if agreeing < 2:
        return Status("alone", f"converged, but {tried}")
    return Status("converged", f"converged: {tried}")


@dataclass(frozen=True)
class _Readings:
    """The readings of every curve, as one problem."""

    law: CurveLaw
    paths: tuple[Path, ...]
    y: Array
    delta: float
    prior_weight: float

    @classmethod
    def of(cls, curves: Sequence[Curve], law: CurveLaw, delta: float, weight: float) -> _Readings:
        """Walk every curve's schedule once."""
        paths = tuple(path(curve.schedule, curve.steps) for curve in curves)
        y = np.log(np.concatenate([curve.loss for curve in curves]))
        return cls(law, paths, y, delta, weight)

    def both(self, theta: Array) -> tuple[Array, Array]:
        """Return what is squared or clipped, (n + priors,), and its derivative (n + priors, K).

        That is predicted less observed log-loss, then the prior's pulls.
        """
        parts = [self.law.gradient(theta, along) for along in self.paths]
        r = np.concatenate([part[0] for part in parts]) - self.y
        slope = np.concatenate([part[1] for part in parts], axis=1).T
        place = [self.law.names.index(name) for name in self.law.prior]
        centre, spread = np.array(list(self.law.prior.values())).reshape(-1, 2).T
        firm = np.sqrt(self.prior_weight) / spread
        pulls = np.zeros((len(place), len(theta)))
        pulls[np.arange(len(place)), place] = firm
        return (
            np.concatenate([r, firm * (theta[place] - centre)]),
            np.concatenate([slope, pulls]),
        )

    def huber(self, square: Array, cost_only: bool | None = None) -> Array:
        """Return scipy's rho, rho' and rho'' (3, n + priors): Huber's of readings alone."""
        del cost_only  # the slopes cost nothing
        root = np.sqrt(np.maximum(square, 1.0))
        out = (square > 1.0) & (np.arange(len(square)) < len(self.y))
        return np.stack(
            [
                np.where(out, 2.0 * root - 1.0, square),
                np.where(out, 1.0 / root, 1.0),
                np.where(out, -0.5 / root**3, 0.0),
            ]
        )

    def start(self, shape: Mapping[str, float]) -> Array:
        """Return natural coordinates: the shape as given, the linear part by least squares."""
        law = self.law
        given = {name: shape.get(name, 1.0) for name in law.names}
        theta = law.natural(given)
        basis = np.concatenate([law.basis(theta, p) for p in self.paths], axis=1)
        from scipy.optimize import nnls

        loss = np.exp(self.y)
        size = np.abs(basis).max(axis=1, keepdims=True)
        found, _ = nnls((basis / size / loss).T, np.ones_like(loss))
        least = 1e-4 / size[:, 0]
        return law.natural(
            {**given, **dict(zip(law.linear, np.maximum(found / size[:, 0], least), strict=True))}
        )

    def solve(self, theta: Array) -> tuple[Array, float, float, bool]:
        """Return the optimum from a start, its objective, largest slope, and convergence."""
        from scipy.optimize import least_squares

        @lru_cache(maxsize=2)  # scipy asks for the derivative where it asked for the residuals
        def both(at: bytes) -> tuple[Array, Array]:
            return self.both(np.frombuffer(at))

        lower = [-np.inf if p.linear else p.lower for p in self.law.parameters]
        upper = [np.inf if p.linear else p.upper for p in self.law.parameters]
        found = least_squares(
            lambda at: both(at.tobytes())[0],
            np.clip(theta, lower, upper),
            lambda at: both(at.tobytes())[1],
            bounds=(lower, upper),
            x_scale="jac",
            loss=self.huber,
            f_scale=self.delta,
            xtol=1e-10,
            ftol=1e-10,
            gtol=1e-12,
            max_nfev=PATIENCE,
        )
        r, jacobian = self.both(found.x)
        n = len(self.y)
        objective = float(value("huber", r[:n], np.ones(n), self.delta))
        objective += 0.5 * float(r[n:] @ r[n:])
        pull = np.concatenate([np.clip(r[:n], -self.delta, self.delta), r[n:]])
        slope = float(np.abs(pull @ jacobian).max())
        return found.x, objective, slope, bool(found.status > 0)


def _thinned(curve: Curve) -> Curve:
    """Return at most RACED readings, evenly spaced, the last among them."""
    every = np.unique(np.linspace(0, len(curve.loss) - 1, RACED).round().astype(np.int64))
    return Curve(curve.schedule, curve.steps[every], curve.loss[every])


def _errors(curve: Curve, predicted: Array) -> CurveErrors:
    """Return the errors of a predicted curve."""
    error = predicted - curve.loss
    return CurveErrors(
        schedule=curve.schedule.name,
        readings=len(error),
        mean_absolute=float(np.abs(error).mean()),
        worst=float(np.abs(error).max()),
        bias=float(error.mean()),
        last=float(error[int(np.argmax(curve.steps))]),
    )
