"""A fit once it is done: immutable, and able to bound, predict, describe and save itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.fitting import covariance, intervals, parameters
from kleiber.fitting.answers import Certificate, DataFacts, Interval, Prediction, Status
from kleiber.fitting.covariance import Noise
from kleiber.fitting.engine import Problem, pose
from kleiber.fitting.intervals import Method
from kleiber.fitting.newton import Solved
from kleiber.fitting.objective import Objective
from kleiber.fitting.space import Constraints
from kleiber.laws.base import Array, Law
from kleiber.runs.points import Points
from kleiber.units import parse_count

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class Fit:
    """A law fitted to runs: immutable, and complete enough to be made again.

    ``values`` are for raw params and tokens in nats; ``delta`` is the Huber threshold used.
    """

    law: Law
    values: Mapping[str, float]
    objective: float
    objective_name: Objective
    delta: float | None
    delta_rule: str
    status: Status
    certificate: Certificate
    at_bound: tuple[str, ...]
    seed: int
    constraints: Constraints
    points: Points
    data: DataFacts
    bootstraps: int = 1000
    _phi: Array = field(default_factory=lambda: np.empty(0), repr=False)

    @cached_property
    def problem(self) -> Problem:
        """The posed problem, for those who continue from the optimum."""
        return pose_points(
            self.law, self.points, self.objective_name, self.delta or np.inf, self.constraints
        )

    @cached_property
    def solved(self) -> Solved:
        """The optimum in the solver's coordinates, as a batch of one."""
        phi = self._phi[None]
        f, gradient, hessian = self.problem.model.derivatives(
            self.problem.space.theta(phi), self.problem.data
        )
        z = self.problem.space.Z
        done = np.array([True])
        return Solved(
            phi,
            f,
            np.abs(gradient @ z).max(axis=1, initial=0.0),
            z.T @ hessian @ z,
            done,
            done * 0.0,
        )

    @cached_property
    def spread(self) -> Noise:
        """The residuals' scale and the moments that belong to it, as a batch of one."""
        return covariance.noise(self.problem, self.solved.phi)

    @cached_property
    def default_interval(self) -> Method:
        """The interval method used where none is asked for."""
        return intervals.default_method(self.problem, self.spread)

    @property
    def noise(self) -> float:
        """The residual scale of one run: of log-loss, or of loss for objective "raw"."""
        return float(self.spread.scale[0])

    @property
    def n_runs(self) -> int:
        """The number of runs behind the fit."""
        return self.problem.runs

    @property
    def floor(self) -> float:
        """The irreducible loss in nats; 0 for a law without one."""
        return float(self.values[self.law.floor]) if self.law.floor else 0.0

    @property
    def residuals(self) -> Array:
        """Observed minus fitted log-loss of every point, shape (n,)."""
        return np.log(self.points.loss) - self.problem.z(self.solved.phi)[0]

    def reference(self) -> dict[str, float]:
        """Return the law at the runs' geometric means: params, tokens, loss, each term there.

        A term's size at the centre of the data is what the data know; A and B at one
        parameter and one token are extrapolations of it.
        """
        centre = dict(zip(self.law.predictors, np.exp(self.problem.shift), strict=True))
        theta = self.problem.space.theta(self.solved.phi)
        z, _ = self.law.gradient(theta, np.zeros((len(self.law.predictors), 1)))
        result = {**{k: float(v) for k, v in centre.items()}, "loss": float(np.exp(z[0, 0]))}
        for term in self.law.terms or ():
            place = self.law.index(term.coefficient)
            result[term.coefficient] = float(np.exp(theta[0, place]))
        return result

    def interval(self, name: str, level: float = 0.9, method: str | None = None) -> Interval:
        """Return the interval of one parameter; a fixed one's has no width."""
        return self.intervals(level, method)[name if name in self.values else self._unknown(name)]

    def _unknown(self, name: str) -> str:
        self.law.index(name)
        return name

    def intervals(self, level: float = 0.9, method: str | None = None) -> dict[str, Interval]:
        """Return the interval of every parameter, in the law's order."""
        chosen = intervals.check_method(method or self.default_interval)
        lower, upper = parameters.bounds(
            self.problem,
            self.solved,
            self.spread,
            intervals.check_level(level),
            chosen,
            constraints=self.constraints,
            replicates=self.bootstraps,
            seed=self.seed,
        )
        return {
            p.name: Interval(
                float(p.from_natural(lower[i])), float(p.from_natural(upper[i])), level, chosen
            )
            for i, p in enumerate(self.law.parameters)
        }

    def predict(
        self,
        params: float | str | None = None,
        tokens: float | str | None = None,
        *,
        level: float = 0.9,
        method: str | None = None,
        **more: float | str | None,
    ) -> Prediction:
        """Predict the loss of one run, with the interval of a new run and of the curve.

        ``more`` are the predictors beside params and tokens, where the law reads any:
        unique_tokens of a run that repeats its data, experts of a routed one.
        """
        wanted = {
            name: None if count is None else parse_count(count)
            for name, count in (("params", params), ("tokens", tokens), *more.items())
        }
        logs = self.law.logs(**wanted).reshape(-1, 1)
        value, bounds = self._curve(logs, level, method)
        (lower, upper), (mean_lower, mean_upper) = ((b[0][0], b[1][0]) for b in bounds)
        return Prediction(
            params=wanted["params"],
            tokens=wanted["tokens"],
            value=float(value[0]),
            lower=float(lower),
            upper=float(upper),
            mean_lower=float(mean_lower),
            mean_upper=float(mean_upper),
            level=level,
            method=method or self.default_interval,
            more={
                name: count
                for name, count in wanted.items()
                if count is not None and name in more and name in self.law.predictors
            },
        )

    def predict_many(
        self,
        params: Array | None = None,
        tokens: Array | None = None,
        *,
        level: float = 0.9,
        method: str | None = None,
        **more: Array | None,
    ) -> dict[str, Array]:
        """Predict many runs: arrays value, lower, upper, mean_lower, mean_upper in nats.

        ``more`` are the predictors beside params and tokens, as in :meth:`predict`.
        """
        logs = self.law.logs(params, tokens, **more)
        value, bounds = self._curve(logs.reshape(len(logs), -1), level, method)
        named = zip(
            ("lower", "upper", "mean_lower", "mean_upper"), [*bounds[0], *bounds[1]], strict=True
        )
        return {"value": value, **dict(named)}

    def _curve(
        self, logs: Array, level: float, method: str | None
    ) -> tuple[Array, list[tuple[Array, Array]]]:
        """Return predictions (m,) in nats and the (new run, mean curve) bounds."""
        chosen = intervals.check_method(method or self.default_interval)
        z, _ = self.problem.at(self.solved.phi, logs)
        found = [
            intervals.prediction_bounds(
                self.problem,
                self.solved,
                self.spread,
                logs,
                intervals.check_level(level),
                chosen,
                mean=mean,
                replicates=self.bootstraps,
                seed=self.seed,
            )
            for mean in (False, True)
        ]
        return np.exp(z[0]), [(low[0], high[0]) for low, high in found]

    def frame(self) -> pl.DataFrame:
        """Return one row a point: run, params, tokens, loss, fitted, residual, weight."""
        import polars as pl

        fitted = np.exp(self.problem.z(self.solved.phi)[0])
        return pl.DataFrame(
            {
                "run": [self.points.names[int(i)] for i in self.points.run],
                "params": self.points.params,
                "tokens": self.points.tokens,
                **self.points.more,
                "loss": self.points.loss,
                "fitted": fitted,
                "residual": self.residuals,
                "weight": self.points.weight,
            }
        )

    def summary(self, level: float = 0.9, method: str | None = None) -> str:
        """Return the fit as designed text for a terminal."""
        from kleiber.fitting.report import summary

        return summary(self, level, method)

    def __str__(self) -> str:
        return self.summary()

    def to_dict(self, level: float = 0.9, method: str | None = None) -> dict[str, Any]:
        """Return the fit as plain data: the object that ``kleiber fit --json`` prints."""
        from kleiber.fitting.store import to_dict

        return to_dict(self, level, method)

    def save(self, path: str | Path) -> Path:
        """Write the fit, its data included, to one JSON file that :func:`kleiber.load` reads."""
        from kleiber.fitting.store import save

        return save(self, path)


def pose_points(
    law: Law, points: Points, objective: Objective, delta: float | Array, constraints: Constraints
) -> Problem:
    """Pose a law on points of Runs."""
    return pose(
        law,
        np.log(points.predictors(law.predictors)),
        np.log(points.loss),
        points.weight,
        run=points.run,
        objective=objective,
        delta=delta,
        constraints=constraints,
    )
