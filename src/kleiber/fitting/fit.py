"""The verb: runs and a law in, a Fit out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from kleiber.errors import FitError, UsageError
from kleiber.fitting import engine, newton
from kleiber.fitting.answers import Certificate, DataFacts, Status
from kleiber.fitting.covariance import condition
from kleiber.fitting.engine import Problem
from kleiber.fitting.newton import Solved
from kleiber.fitting.objective import Objective, check_objective
from kleiber.fitting.result import Fit, pose_points
from kleiber.fitting.space import Constraints
from kleiber.laws import Law, get
from kleiber.laws.base import Mask
from kleiber.runs import Points, Runs
from kleiber.runs.notes import listing
from kleiber.units import format_count

Delta = float | Literal["auto"]
PointsChoice = Literal["auto", "finals", "all", "checkpoints"]
EXTRA_STARTS = 9
PATIENCE = 3000  # further iterations of a point fit: valleys that end on a far bound are long
SAME_OPTIMUM = 1e-8  # relative: two starts this close in objective found the same optimum
LEAST_SPAN = 2.0  # finals whose predictor varies by less cannot measure its exponent
SAME = 0.01  # log units within which a predictor is one value
FLAT = 1e12  # condition of the scaled J W J' beyond which values are not identified


def fit(
    runs: object,
    law: str | Law = "chinchilla",
    *,
    objective: str = "huber",
    delta: Delta = "auto",
    fix: Mapping[str, float] | None = None,
    tie: Sequence[tuple[str, str]] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
    points: PointsChoice = "auto",
    seed: int = 0,
    starts: int = 1 + EXTRA_STARTS,
    steps: int | None = None,
    bootstraps: int = 1000,
) -> Fit:
    """Fit a law to runs and say how sure the optimum is.

    Parameters
    ----------
    runs
        Runs, or anything that ``Runs.read`` takes.
    objective
        "huber" (sum of Huber losses of the log-loss residuals), "log" or "raw" (least squares
        of the log-loss or of the loss).
    delta
        Huber's threshold: "auto" is 1.345 robust residual scales, 1e-3 is the published one.
    fix, tie, bounds
        Values to hold, pairs to keep equal, boxes to stay in; in raw counts and nats.
    points
        "finals" fits the end of every run, "all" also its checkpoints at a total weight of
        one a run; "auto" takes finals where they suffice to identify the law.

    steps
        Stop every start after so many Newton steps; by default it ends where it converges.

    Raises
    ------
    FitError
        For too few runs, or runs in which a predictor of the law never changes.
    """
    chosen, kind = get(law), check_objective(objective)
    table, selection = _choose(Runs.read(runs), chosen, points)
    constraints = Constraints(dict(fix or {}), tuple(tie), dict(bounds or {}))
    facts = DataFacts(
        source=table.source,
        unit=str(table.unit),
        params_are=table.params_are,
        family=table.families[0] if len(table.families) == 1 else None,
        selection=selection,
        synthetic=table.synthetic,
        notes=(*(note.message for note in table.notes), *_of_several(table)),
    )
    return fit_points(
        table.points(),
        chosen,
        objective=kind,
        delta=delta,
        constraints=constraints,
        seed=seed,
        starts=starts,
        steps=steps,
        bootstraps=bootstraps,
        data=facts,
    )


def fit_points(
    points: Points,
    law: Law,
    *,
    objective: Objective = "huber",
    delta: Delta = "auto",
    constraints: Constraints | None = None,
    seed: int = 0,
    starts: int = 1 + EXTRA_STARTS,
    steps: int | None = None,
    bootstraps: int = 1000,
    data: DataFacts | None = None,
) -> Fit:
    """Fit a law to points; see :func:`fit`."""
    held = constraints or Constraints()
    if starts < 1 or bootstraps < 0:
        raise UsageError(
            f"starts is {starts} and bootstraps {bootstraps}; there is at least one start, and "
            "no fewer than 0 bootstraps.",
            remedy="Leave them out: 10 starts and 1000 bootstraps are the defaults.",
        )
    problem = pose_points(law, points, objective, _first_delta(objective, delta), held)
    _enough(problem, points)
    if objective == "huber" and delta == "auto":
        problem = problem.having(delta=float(engine.auto_delta(problem, steps=steps)[0, 0]))
    first = engine.starts(problem, 1, extra=starts - 1, seed=seed)[0]
    solved = newton.solve(problem.model, problem.data, problem.space, first, PATIENCE, steps)
    one = _row(solved, _best(problem, solved))
    at_bound = _at_bound(problem, one)
    certificate = _certify(problem, solved, one)
    return Fit(
        law=law,
        values=law.values(problem.raw_theta(one.phi)[0]),
        objective=float(one.objective[0]),
        objective_name=objective,
        delta=float(np.asarray(problem.data.delta)) if objective == "huber" else None,
        delta_rule="auto" if delta == "auto" else "given",
        status=_status(certificate, bool(one.converged[0]), at_bound),
        certificate=certificate,
        at_bound=at_bound,
        seed=seed,
        constraints=held,
        points=points,
        data=data or DataFacts(),
        bootstraps=bootstraps,
        _phi=one.phi[0],
    )


def _of_several(runs: Runs) -> tuple[str, ...]:
    """Return what is said where runs of several recipes are fitted as one."""
    names = runs.recipes
    if len(names) < 2:
        return ()
    said = f"Runs of {len(names)} recipes in one law: {listing(names, limit=3)} (--recipe NAME)."
    return (said,)


def _choose(runs: Runs, law: Law, points: PointsChoice) -> tuple[Runs, str]:
    """Return the rows to fit and what they are called."""
    if len(runs.families) > 1:
        listed = ", ".join(runs.families[:8]) + (" …" if len(runs.families) > 8 else "")
        raise UsageError(
            f"The table holds {len(runs.families)} families ({listed}); one law has one family.",
            remedy="Choose one with runs.select(family=…) (--family NAME).",
        )
    if points == "finals" or (points == "auto" and _finals_suffice(runs, law)):
        return runs.select(points="finals"), "finals"
    if points == "checkpoints":
        return runs.select(points="checkpoints"), "checkpoints"
    if points not in ("auto", "all"):
        raise UsageError(
            f"points='{points}' is not a choice; the choices are auto, finals, all, checkpoints.",
            remedy="Use one of those (--points).",
        )
    return runs, "all"


def _finals_suffice(runs: Runs, law: Law) -> bool:
    """Whether the ends of the runs alone vary in every predictor and outnumber the parameters."""
    finals = runs.select(points="finals").points()
    if len(finals) < len(law.parameters) + 1:
        return False
    spans = np.ptp(np.log(finals.predictors(law.predictors)), axis=1)
    return bool(np.all(spans >= np.log(LEAST_SPAN)))


def _first_delta(objective: Objective, delta: Delta) -> float:
    """Return the delta to pose the problem with, or raise for one that means nothing."""
    if objective != "huber":
        if delta != "auto":
            raise UsageError(
                f"delta={delta} belongs to the Huber objective, and the objective is "
                f"'{objective}'.",
                remedy="Leave delta out, or use objective='huber' (--objective huber).",
            )
        return np.inf
    if delta == "auto":
        return engine.SHARPEST
    if isinstance(delta, str) or not (np.isfinite(delta) and delta > 0):
        raise UsageError(
            f"The Huber delta is {delta!r}; it must be a positive number.",
            remedy="Give delta=1e-3 as published, or delta='auto' (--delta auto).",
        )
    return float(delta)


def _enough(problem: Problem, points: Points) -> None:
    """Raise a FitError where the runs cannot carry the law."""
    law = problem.law
    if len(points) <= problem.free:
        raise FitError(
            f"{len(points)} points cannot carry the {problem.free} free parameters of the law "
            f"'{law.name}': at least {problem.free + 1} are needed.",
            remedy="Add runs, predict under a prior (kleiber predict --prior bundled takes one "
            "run), fix parameters (--fix alpha=0.34), or fit a law of one variable (--law "
            "tokens-power-floor).",
        )
    other = {"params": "tokens-power-floor", "tokens": "params-power-floor"}
    columns = dict(zip(law.predictors, points.predictors(law.predictors), strict=True))
    still = [name for name, values in columns.items() if np.ptp(np.log(values)) <= SAME]
    free = {law.names[i] for i in problem.space.free}
    for name in still:
        term = next((t for t in law.terms or () if t.predictor == name), None)
        if term is None:
            confused, apart = free if len(free) == len(law.names) else set[str](), "each other"
            own = ", ".join(law.names)
        else:
            confused = free & {law.floor, term.coefficient, term.exponent}
            own, apart = f"{term.coefficient} and {term.exponent}", "the floor"
        if len(confused) < 2:
            continue
        held = own.replace(" and ", ", ").replace(", ", "=…,")
        alone = (
            f"fit the other variable alone (--law {other[name]})"
            if name in other
            else "fit a law that does not read it (--law chinchilla)"
        )
        raise FitError(
            f"All {len(points)} points have {name} = {format_count(columns[name][0])}, so "
            f"{own} cannot be told from {apart}.",
            remedy=f"Add runs of other {name}, {alone}, or fix them (--fix {held}=…).",
        )


def _row(solved: Solved, i: int) -> Solved:
    """Return one row as a batch of one."""
    return Solved(*(getattr(solved, name)[i : i + 1] for name in Solved.__annotations__))


def _as_low(problem: Problem, solved: Solved) -> Mask:
    """Return which rows (B,) reached the lowest objective, but for rounding."""
    best = np.min(solved.objective, keepdims=True)
    none = newton.least_decrease(best, problem.data.w.sum())
    return solved.objective <= best + SAME_OPTIMUM * best + 4.0 * none


def _best(problem: Problem, solved: Solved) -> int:
    """Return the lowest row, a converged one where rounding alone tells it from the lowest."""
    sound = _as_low(problem, solved) & solved.converged
    eligible = sound if sound.any() else np.isfinite(solved.objective)
    return int(np.argmin(np.where(eligible, solved.objective, np.inf)))


def _at_bound(problem: Problem, one: Solved) -> tuple[str, ...]:
    """Return the names of the parameters that ended on a bound."""
    space, phi = problem.space, one.phi[0]
    edge = (phi <= space.lower + newton.AT_BOUND) | (phi >= space.upper - newton.AT_BOUND)
    return tuple(problem.law.names[i] for i, on in zip(space.free, edge, strict=True) if on)


def _certify(problem: Problem, solved: Solved, one: Solved) -> Certificate:
    """Count how many starts agree and how many different optima they found."""
    agree = _as_low(problem, solved)
    above = np.sort(solved.objective[solved.converged & ~agree])
    steps = np.diff(above) > SAME_OPTIMUM * above[1:]
    distinct = 1 + (1 + int(steps.sum()) if len(above) else 0)
    return Certificate(
        gradient=float(one.gradient[0]),
        starts=len(solved.objective),
        agreeing=int(agree.sum()),
        optima=distinct,
        condition=float(condition(problem, one)[0]),
        iterations=int(solved.iterations.sum()),
    )


def _status(found: Certificate, converged: bool, at_bound: tuple[str, ...]) -> Status:
    """Say how the fit ended."""
    agreement = f"{found.agreeing} of {found.starts} independent starts agree"
    if not converged:
        return Status(
            "not-converged",
            f"did not converge: the gradient is still {found.gradient:.1g}; do not use the values",
        )
    if found.starts > 1 and found.agreeing == 1:
        return Status(
            "alone",
            f"converged, but only 1 of {found.starts} starts found this, the lowest of "
            f"{found.optima} optima; raise starts",
        )
    if at_bound:
        names = " and ".join(at_bound)
        return Status("at-bound", f"converged with {names} at a bound; {agreement}")
    if found.condition > FLAT:
        return Status(
            "flat",
            f"converged in a flat valley (condition {found.condition:.0e}): predictions near "
            "the data hold, single parameters do not",
        )
    return Status("converged", f"converged: {agreement}")
