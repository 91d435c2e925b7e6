"""The best model size and token count for a compute budget, with intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from kleiber.errors import FitError, UsageError
from kleiber.fitting import intervals
from kleiber.fitting.answers import Interval
from kleiber.fitting.bootstrap import bootstrap, jackknife
from kleiber.fitting.covariance import covariance, t_quantile
from kleiber.fitting.intervals import jackknife_variance
from kleiber.fitting.result import Fit
from kleiber.laws.base import Array
from kleiber.units import format_count, parse_count

if TYPE_CHECKING:
    from kleiber.fitting.intervals import Method

FLOPS_PER_PARAM_TOKEN = 6.0
_STEP = 1e-6
_MOST_LOG = 300.0  # of a count: the optimum of a law with nearly no slope lies beyond


@dataclass(frozen=True)
class Allocation:
    """The compute-optimal run of a budget under ``flops = 6 * params * tokens``.

    ``exponent`` is how params grow with compute: ``params ~ flops^exponent``.
    """

    flops: float
    params: float
    tokens: float
    tokens_per_param: float
    loss: float
    exponent: float
    intervals: dict[str, Interval]
    convention: str = "6 * params * tokens"

    def text(self) -> str:
        """Return the allocation as a small table with its intervals."""
        first = next(iter(self.intervals.values()))
        rows = [
            ("params", format_count(self.params), self._span("params", format_count)),
            ("tokens", format_count(self.tokens), self._span("tokens", format_count)),
            (
                "tokens a param",
                f"{self.tokens_per_param:.3g}",
                self._span("tokens_per_param", "{:.3g}".format),
            ),
            ("loss, nats", f"{self.loss:.4f}", self._span("loss", "{:.4f}".format)),
            ("exponent", f"{self.exponent:.3f}", self._span("exponent", "{:.3f}".format)),
        ]
        head = f"{self.flops:.4g} FLOPs, counted as {self.convention}"
        tail = f"  {first.level:.0%} intervals, {first.method}; params grow as FLOPs^exponent"
        return "\n".join([head, *(f"  {a:<16}{b:>8}   {c}" for a, b, c in rows), tail])

    def _span(self, name: str, show: Callable[[float], str]) -> str:
        """Return an interval as text."""
        box = self.intervals[name]
        if not np.isfinite(box.lower + box.upper):
            return "unknown"
        return f"{show(box.lower)} to {show(box.upper)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the allocation as plain data."""
        content = asdict(self)
        content["intervals"] = {name: box.to_dict() for name, box in self.intervals.items()}
        box = next(iter(self.intervals.values()))
        return {**content, "level": box.level, "interval_method": box.method}


def allocate(
    fit: Fit, flops: float | str, *, level: float = 0.9, method: str | None = None
) -> Allocation:
    """Return the params and tokens of least loss for a compute budget in FLOPs.

    Closed form for every law whose optimum has one (Hoffmann et al. 2022, eq. 4). The
    intervals carry the uncertainty of the fit; the loss's is that of a new run.
    """
    budget = parse_count(flops)
    if not budget > 0:
        raise UsageError(
            f"The budget is {budget:g} FLOPs; it must be more than 0.",
            remedy="Give for example flops=1e21 (--flops 1e21).",
        )
    if fit.law.optimum is None:
        raise UsageError(
            f"The law '{fit.law.name}' reads only {', '.join(fit.law.predictors)}, so a budget "
            "cannot be split by it.",
            remedy="Fit a law of params and tokens (--law chinchilla).",
        )
    chosen = intervals.check_method(method or fit.default_interval)
    if chosen == "profile":
        raise UsageError(
            "Profile intervals of an allocation are not built.",
            remedy="Use delta, bootstrap or jackknife (--interval).",
        )
    best = _coordinates(fit, fit.solved.phi, budget)[0]
    if not (np.all(np.isfinite(best)) and abs(best[0]) < _MOST_LOG):
        raise FitError(
            f"The fit has {' and '.join(fit.at_bound)} at a bound, so one of params and tokens "
            "does not lower its loss, and a budget cannot be split.",
            remedy="Add runs that vary params and tokens apart, or fix the exponent (--fix).",
        )
    low, high = _bounds(fit, budget, level, chosen, best)
    params, exponent = float(np.exp(best[0])), float(best[1])
    tokens = budget / FLOPS_PER_PARAM_TOKEN / params
    area = budget / FLOPS_PER_PARAM_TOKEN
    predicted = fit.predict(params, tokens, level=level, method=chosen)

    def box(lower: float, upper: float) -> Interval:
        return Interval(float(lower), float(upper), level, chosen)

    with np.errstate(over="ignore", divide="ignore"):  # unknown ends are 0 and infinite
        ends = np.exp(np.stack([low[0], high[0]]))
        tokens_ends, per_param = area / ends, area / ends**2
    return Allocation(
        flops=budget,
        params=params,
        tokens=tokens,
        tokens_per_param=tokens / params,
        loss=predicted.value,
        exponent=exponent,
        intervals={
            "params": box(*ends),
            "tokens": box(*tokens_ends[::-1]),
            "tokens_per_param": box(*per_param[::-1]),
            "loss": box(predicted.lower, predicted.upper),
            "exponent": box(*np.clip([low[1], high[1]], 0.0, 1.0)),
        },
    )


def _coordinates(fit: Fit, phi: Array, budget: float) -> Array:
    """Return (B, 2): log of the best params, and its slope by log compute, at phi (B, F)."""
    assert fit.law.optimum is not None
    scale, slope = fit.law.optimum(fit.problem.raw_theta(phi))
    return np.stack([scale + slope * np.log(budget / FLOPS_PER_PARAM_TOKEN), slope], axis=1)


def _bounds(
    fit: Fit, budget: float, level: float, method: Method, best: Array
) -> tuple[Array, Array]:
    """Return lower and upper (2,) of the coordinates."""
    problem = fit.problem
    tail = 0.5 - 0.5 * intervals.check_level(level)
    if not intervals.possible(problem, fit.spread, method):
        return best * np.nan, best * np.nan
    if method == "jackknife":
        draws = _coordinates(fit, jackknife(problem).phi, budget)
        half = stdtrit(problem.runs - 1, 1.0 - tail) * np.sqrt(jackknife_variance(draws))
        return best - half, best + half
    if method == "bootstrap":
        refits = bootstrap(problem, fit.bootstraps, fit.seed)
        draws = _coordinates(fit, refits.phi, budget)
        with np.errstate(invalid="ignore"):  # between two infinite draws
            low, high = np.nanquantile(draws, [tail, 1.0 - tail], axis=0)
        return low, high
    phi = fit.solved.phi
    steps = _STEP * np.eye(phi.shape[1])
    ahead = _coordinates(fit, phi + steps, budget)
    slope = (ahead - _coordinates(fit, phi - steps, budget)) / (2.0 * _STEP)
    variance = covariance(problem, fit.solved, fit.spread).along(slope[None])[0]
    half = t_quantile(fit.spread, level) * np.sqrt(variance)
    return best - half, best + half
