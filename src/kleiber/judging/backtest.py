"""The back-test: a target hidden and predicted from every part of the rest, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.errors import UsageError, ValuesError
from kleiber.fitting import intervals
from kleiber.fitting.covariance import covariance, noise
from kleiber.fitting.engine import Problem
from kleiber.fitting.fit import Delta
from kleiber.fitting.newton import Solved
from kleiber.fitting.objective import Objective, check_objective
from kleiber.fitting.space import Constraints
from kleiber.judging import cells as grid
from kleiber.judging.cells import Cell, Cut, Order, Which
from kleiber.judging.subsets import optima
from kleiber.laws import Law, get
from kleiber.laws.base import Array, Mask
from kleiber.runs import Points, Runs
from kleiber.runs.notes import listing
from kleiber.units import parse_count

if TYPE_CHECKING:
    import polars as pl

MOST_POINTS = 100  # of one run: a curve has no more to say, and the grid stays small
EVIDENCE = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
LEAST_LATE = 3  # token counts that the last part must have to say where the rest should lie
CLEAR = 2.0  # noises by which the early part of runs may miss the law


@dataclass(frozen=True)
class Outcome:
    """One cell's prediction of the hidden points; losses in nats, errors predicted - actual.

    ``error``, ``relative`` and ``of_reducible`` are means over the hidden points, the
    ``absolute`` ones means of magnitudes. ``best`` and ``most`` are the baselines' absolute
    relative errors: the best loss seen, and the loss of the most compute seen. ``predicted``,
    its bounds and ``actual`` are of one of the ``judged`` points: that of the most ``tokens``.
    """

    family: str
    k: int
    sizes: tuple[float, ...]
    share: float
    which: Which
    points: int
    runs: int
    hidden: float
    scale_up: float
    judged: int
    tokens: float
    predicted: float
    lower: float
    upper: float
    actual: float
    error: float
    absolute: float
    relative: float
    absolute_relative: float
    of_reducible: float
    absolute_of_reducible: float
    best: float
    most: float
    identified: bool
    converged: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Backtest:
    """Every cell's outcome for one family, and how they were made."""

    family: str
    law: str
    cut: Cut
    outcomes: tuple[Outcome, ...]

    def frame(self) -> pl.DataFrame:
        """Return one row a cell."""
        import polars as pl

        return pl.DataFrame([o.to_dict() for o in self.outcomes], infer_schema_length=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the back-test as plain data."""
        return {
            "schema": "kleiber.backtest/1",
            "family": self.family,
            "law": self.law,
            "cut": asdict(self.cut),
            "cells": [o.to_dict() for o in self.outcomes],
        }


def backtest(
    runs: object,
    law: str | Law = "chinchilla",
    *,
    family: str | None = None,
    hide: float | str | None = None,
    sizes: Sequence[Sequence[float | str]] | None = None,
    group: float = 1.0,
    order: Order = "smallest",
    shares: Sequence[float] = (1.0,),
    which: Sequence[Which] = ("all",),
    cut: str | Cut | None = None,
    targets: float = 1.0,
    objective: str = "huber",
    delta: Delta = "auto",
    fix: dict[str, float] | None = None,
    tie: Sequence[tuple[str, str]] = (),
    level: float = 0.9,
) -> Backtest:
    """Hide a size, predict its finals from parts of the rest, and compare.

    Parameters
    ----------
    hide
        The size to hide; the largest by default.
    sizes
        The sets of sizes to train on; by default the k smallest (``order="largest"``: the k
        largest below the target) for every k from 2.
    group
        Sizes within this factor of each other count as one: 1.9 for designs of many sizes.
    shares
        Shares of each run's training to see, each a cell.
    which
        "all" points or "finals" alone, each a cell.
    cut
        What to drop from the start of each run: "10B" tokens, "10%", or "evidence", the
        smallest fraction after which the early points no longer miss the law.
    targets
        The share of the hidden runs' training from which on their points are predicted: 1 is
        their finals, 0.7 the last 30 % (Choshen et al. 2024).

    Raises
    ------
    ValuesError
        Where there is no smaller size to train on.
    """
    table = Runs.read(runs)
    if family is not None or len(table.families) > 1:
        if family is None:
            raise UsageError(
                f"The table holds {len(table.families)} families ({listing(table.families)}); a "
                "back-test is of one.",
                remedy="Choose one with family=… (--family NAME).",
            )
        table = table.select(family=family)
    named = family or (table.families[0] if table.families else table.source)
    points = grid.thin(table.points(), MOST_POINTS)
    groups = grid.grouped(points, group)
    target = groups[-1][0] if hide is None else _near(points, parse_count(hide))
    hidden = next(one for one in groups if target in one)
    chosen = (
        [
            Cell(tuple(_near(points, parse_count(s)) for s in some), share, kind)
            for some in sizes
            for share in shares
            for kind in which
        ]
        if sizes is not None
        else grid.by_size(groups[: groups.index(hidden)], order=order, shares=shares, which=which)
    )
    if not chosen:
        raise ValuesError(
            f"{named} has fewer than two sizes below the hidden one.",
            remedy="Give runs of more sizes, or hide another with hide=… (--hide SIZE).",
        )
    asked = cut if isinstance(cut, Cut) else Cut.parse(cut)
    constraints = Constraints(dict(fix or {}), tuple(tie))
    kind = check_objective(objective)
    if not isinstance(asked, Cut):
        asked = _by_evidence(points, get(law), min(hidden), kind, delta, constraints)
    judged = np.isin(points.params, hidden)
    judged &= points.final if targets >= 1.0 else grid.fractions(points) >= targets
    found = solve(points, get(law), judged, chosen, asked, kind, delta, constraints, level, named)
    return Backtest(named, get(law).name, asked, tuple(found))


def _near(points: Points, wanted: float) -> float:
    """Return the size in the data that was meant."""
    sizes = np.unique(points.params)
    nearest = float(sizes[np.argmin(np.abs(np.log(sizes / wanted)))])
    if abs(np.log(nearest / wanted)) > 0.02:
        raise ValuesError(
            f"No run has {wanted:g} params; the nearest have {nearest:g}.",
            remedy="Give a size that the table has (kleiber runs shows them).",
        )
    return nearest


def solve(
    points: Points,
    law: Law,
    judged: Mask,
    cells: Sequence[Cell],
    cut: Cut,
    objective: Objective,
    delta: Delta,
    constraints: Constraints,
    level: float,
    family: str,
) -> list[Outcome]:
    """Fit every cell in one batch and judge it on the hidden points."""
    w = grid.weights(points, cells, cut)
    enough = (w > 0).sum(axis=1) > len(law.parameters) - len(constraints.fix)
    cells = [cell for cell, some in zip(cells, enough, strict=True) if some]
    w = w[enough]
    if not cells:
        return []
    problem, solved = optima(points, law, w, objective, delta, constraints)
    logs = np.log(points.predictors(law.predictors)[:, judged])
    lower, upper = intervals.prediction_bounds(
        problem,
        solved,
        noise(problem, solved.phi),
        logs,
        intervals.check_level(level),
        "delta",
        mean=False,
        replicates=0,
        seed=0,
    )
    predicted = np.exp(problem.at(solved.phi, logs)[0])
    floors = _floors(problem, solved)
    return [
        _outcome(
            points,
            cell,
            w[i] > 0,
            judged,
            predicted[i],
            lower[i],
            upper[i],
            floor=float(floors[i]),
            converged=bool(solved.converged[i]),
            family=family,
            law=law,
        )
        for i, cell in enumerate(cells)
    ]


def _floors(problem: Problem, solved: Solved) -> Array:
    """Return the fitted floors (B,), zero for a law without one."""
    law = problem.law
    if law.floor is None:
        return np.zeros(len(solved.phi))
    return np.exp(problem.raw_theta(solved.phi)[:, law.index(law.floor)])


def _outcome(
    points: Points,
    cell: Cell,
    seen: Mask,
    judged: Mask,
    predicted: Array,
    lower: Array,
    upper: Array,
    *,
    floor: float,
    converged: bool,
    family: str,
    law: Law,
) -> Outcome:
    """Judge one cell on the hidden points."""
    actual = points.loss[judged]
    error = predicted - actual
    reducible = np.where(actual > floor, actual - floor, np.nan)
    losses = points.loss[seen]
    compute = points.params[seen] * points.tokens[seen]
    best, most = float(losses.min()), float(losses[np.argmax(compute)])
    main = int(np.argmax(points.tokens[judged]))
    needed = 2 + (law.floor is not None)
    tokens = np.unique(points.tokens[seen])
    return Outcome(
        family=family,
        k=cell.k,
        sizes=cell.sizes,
        share=cell.share,
        which=cell.which,
        points=int(seen.sum()),
        runs=len(np.unique(points.run[seen])),
        hidden=float(points.params[judged].max()),
        scale_up=float(points.params[judged].max() / max(cell.sizes)),
        judged=len(actual),
        tokens=float(points.tokens[judged][main]),
        predicted=float(predicted[main]),
        lower=float(lower[main]),
        upper=float(upper[main]),
        actual=float(actual[main]),
        error=float(error.mean()),
        absolute=float(np.abs(error).mean()),
        relative=float((error / actual).mean()),
        absolute_relative=float(np.abs(error / actual).mean()),
        of_reducible=float((error / reducible).mean()),
        absolute_of_reducible=float(np.abs(error / reducible).mean()),
        best=float(np.abs(best / actual - 1.0).mean()),
        most=float(np.abs(most / actual - 1.0).mean()),
        identified=cell.k >= needed and len(tokens) >= needed,
        converged=converged,
    )


def _by_evidence(
    points: Points,
    law: Law,
    target: float,
    objective: Objective,
    delta: Delta,
    constraints: Constraints,
) -> Cut:
    """Return the smallest cut after which the early points lie where the late ones say.

    Decided on the training sizes alone: the law is fitted to the last part of every run, and
    the cut is lowered step by step while the median residual of the points let in stays within
    two standard errors, the noise's and the curve's.
    """
    cell = Cell(tuple(float(s) for s in np.unique(points.params) if s < target))
    done = grid.fractions(points)
    w = grid.weights(points, [cell], Cut(fraction=EVIDENCE[-1]))
    late = (w[0] > 0) & (done >= EVIDENCE[-1])
    if late.sum() <= len(law.parameters) + 1 or len(np.unique(points.tokens[late])) < LEAST_LATE:
        return Cut()
    problem, solved = optima(points, law, w, objective, delta, constraints)
    r = np.log(points.loss) - problem.z(solved.phi)[0]
    spread = max(1.4826 * float(np.median(np.abs(r[late]))), 1e-6)
    slopes = problem.model.gradient(problem.space.theta(solved.phi))[1]
    reach = covariance(problem, solved, noise(problem, solved.phi)).along(
        problem.space.Z.T @ slopes
    )[0]
    cut = EVIDENCE[-1]
    for lower in EVIDENCE[-2::-1]:
        let_in = np.isin(points.params, cell.sizes) & (done >= lower) & (done < cut)
        if let_in.any():
            sure = np.sqrt(spread**2 + float(np.median(reach[let_in])))
            if abs(float(np.median(r[let_in]))) > CLEAR * sure:
                return Cut(fraction=cut)
        cut = lower
    return Cut()
