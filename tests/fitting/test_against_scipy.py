"""The optimum against SciPy's own least squares, from many random starts, in raw units.

Everything on the other side is written here: the law as a formula of raw counts, the residual,
the constraints as a map from free numbers to parameters, SciPy's own Huber loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares, nnls

from kleiber.fitting import Constraints, Fit, fit_points
from kleiber.fitting.bootstrap import bootstrap
from kleiber.fitting.result import pose_points
from kleiber.fitting.start import project
from kleiber.laws import get
from kleiber.laws.base import Law
from kleiber.laws.powers import layout
from kleiber.runs.points import Points
from tests.conftest import ON_A_GRID

OF_TWO = [law for law in ON_A_GRID if {*law.predictors} <= {"params", "tokens"}]
OBJECTIVES = ("huber", "log", "raw")
DELTA = 0.004  # below the noise: many points are on the linear branch
Values = dict[str, Any]


def loss_of(law: str, v: Values, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Return the loss by the formula as it is written."""
    if law == "kaplan":
        return ((v["Nc"] / n) ** (v["alpha_N"] / v["alpha_D"]) + v["Dc"] / d) ** v["alpha_D"]
    if law == "overtraining":
        rise, fall = v["a"] * (d / n) ** v["eta"], v["b"] * (n / d) ** v["eta"]
        return v["E"] + (rise + fall) / (6.0 * n * d) ** v["eta"]
    size = v["A"] / n ** v["alpha"] if "A" in v else 0.0
    data = v["B"] / d ** v["beta"] if "B" in v else 0.0
    return v.get("E", 0.0) + (size + data) ** v.get("gamma", 1.0)


def residual_of(law: str, objective: str, points: Points) -> Callable[[Values], np.ndarray]:
    """Return the residual as a function of named values."""

    def residual(v: Values) -> np.ndarray:
        predicted = loss_of(law, v, points.params, points.tokens)
        if objective == "raw":
            return predicted - points.loss
        return np.log(predicted) - np.log(points.loss)

    return residual


def optimum_of(
    residual: Callable[[Values], np.ndarray],
    free: Mapping[str, tuple[float, float]],
    near: Mapping[str, float],
    complete: Callable[[Values], Values],
    objective: str,
    *,
    starts: int = 12,
    delta: float = DELTA,
) -> float:
    """Return the lowest sum that SciPy finds; coefficients move as logarithms.

    ``near`` is only the middle of the random starts, which scatter by factors.
    """
    rng = np.random.default_rng(11)
    logged = [name[0] in "EABND" for name in free]
    low, high = np.array(list(free.values()), dtype=np.float64).T
    with np.errstate(divide="ignore"):
        low = np.where(logged, np.log(np.maximum(low, 1e-12)), low)
        high = np.where(logged, np.log(high), high)
    middle = np.array(
        [np.log(near[k]) if log else near[k] for k, log in zip(free, logged, strict=True)]
    )

    def spread(x: np.ndarray) -> np.ndarray:
        values = {k: np.exp(t) if log else t for k, t, log in zip(free, x, logged, strict=True)}
        return residual(complete(values))

    best = np.inf
    for k in range(starts):
        scatter = rng.standard_normal(len(middle)) * (0.0 if k == 0 else 0.3)
        start = np.where(logged, middle + scatter, middle * np.exp(scatter))
        start = np.clip(start, low + 1e-9, np.where(np.isfinite(high), high - 1e-9, np.inf))
        with np.errstate(all="ignore"):
            try:
                found = least_squares(
                    spread,
                    start,
                    jac="3-point",
                    bounds=(low, high),
                    x_scale="jac",
                    loss="huber" if objective == "huber" else "linear",
                    f_scale=delta,
                    xtol=1e-15,
                    ftol=1e-15,
                    gtol=1e-15,
                    max_nfev=400,
                )
            except (ValueError, np.linalg.LinAlgError):  # a start that overflows
                continue
        best = min(best, float(found.cost))
    return best


def box_of(law: Law, names: Any = None) -> dict[str, tuple[float, float]]:
    """Return the law's own box of some of its parameters."""
    return {p.name: (p.lower, p.upper) for p in law.parameters if names is None or p.name in names}


def agrees(made: Fit, other: float, residual: Callable[[Values], np.ndarray]) -> None:
    """Check a fit against another solver's optimum, and its objective against its own values."""
    own = sum_of(residual(dict(made.values)), made.objective_name, made.delta)
    assert own == pytest.approx(made.objective, rel=1e-8)
    assert made.status.code != "not-converged"
    assert made.objective <= other * (1 + 1e-8)
    assert other <= made.objective * (1 + 1e-4)  # else the other solver was no judge


def sum_of(r: np.ndarray, objective: str, delta: float | None) -> float:
    """Return the sum that an objective is."""
    if objective != "huber" or delta is None:
        return float(0.5 * np.sum(r * r))
    inside = np.abs(r) <= delta
    return float(np.sum(np.where(inside, 0.5 * r * r, delta * (np.abs(r) - 0.5 * delta))))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("law", OF_TWO, ids=lambda law: law.name)
def test_every_law_under_every_objective(law: Law, objective: str, ladder, truths) -> None:
    for seed in (1, 2):
        points = ladder(law.name, seed=seed, noise=0.012)
        delta = {"delta": DELTA} if objective == "huber" else {}
        made = fit_points(points, law, objective=objective, **delta)
        residual = residual_of(law.name, objective, points)
        other = optimum_of(
            residual, box_of(law), truths[law.name], lambda v: v, objective, starts=6
        )
        agrees(made, other, residual)


CONSTRAINTS = {
    "one exponent fixed": Constraints(fix={"alpha": 0.3}),
    "a coefficient fixed": Constraints(fix={"B": 1500.0}),
    "a term fixed": Constraints(fix={"A": 400.0, "alpha": 0.34}),
    "no floor": Constraints(fix={"E": 0.0}),
    "exponents tied": Constraints(tie=(("alpha", "beta"),)),
    "coefficients tied": Constraints(tie=(("A", "B"),)),
    "both tied": Constraints(tie=(("alpha", "beta"), ("B", "A"))),
    "fixed and tied": Constraints(fix={"E": 1.75}, tie=(("alpha", "beta"),)),
    "a tie fixed": Constraints(fix={"beta": 0.35}, tie=(("alpha", "beta"),)),
    "an exponent bounded": Constraints(bounds={"alpha": (0.1, 0.31)}),
    "the floor bounded": Constraints(bounds={"E": (0.0, 1.6)}),
    "a coefficient bounded below": Constraints(bounds={"A": (700.0, 5000.0)}),
    "a coefficient bounded above": Constraints(bounds={"A": (1.0, 150.0)}),
    "two coefficients bounded": Constraints(bounds={"A": (1.0, 150.0), "B": (4000.0, 1e5)}),
    "a box around the optimum": Constraints(bounds={"A": (1.0, 1e5), "B": (1.0, 1e6)}),
    "all bounded": Constraints(
        bounds={"E": (0.5, 1.72), "A": (100.0, 250.0), "beta": (0.2, 0.33), "B": (100.0, 900.0)}
    ),
    "tied and bounded": Constraints(tie=(("A", "B"),), bounds={"A": (1.0, 300.0)}),
    "fixed and bounded": Constraints(fix={"beta": 0.3}, bounds={"A": (1.0, 150.0)}),
}


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("named", CONSTRAINTS)
def test_fixed_tied_and_bounded(named: str, objective: str, ladder, truths) -> None:
    law, held = get("chinchilla"), CONSTRAINTS[named]
    points = ladder(seed=3)
    delta = {"delta": DELTA} if objective == "huber" else {}
    made = fit_points(points, law, objective=objective, constraints=held, **delta)
    twin = {b: a for a, b in held.tie} | {}
    if named == "a tie fixed":
        twin = {"alpha": "beta"}
    free = {k: box for k, box in box_of(law).items() if k not in held.fix and k not in twin}
    for name, (low, high) in held.bounds.items():
        free[name] = (max(low, free[name][0]), min(high, free[name][1]))

    def complete(v: Values) -> Values:
        whole = {**v, **held.fix}
        return {name: whole[twin.get(name, name)] for name in law.names}

    residual = residual_of(law.name, objective, points)
    other = optimum_of(residual, free, truths[law.name], complete, objective)
    agrees(made, other, residual)
    for name, value in held.fix.items():
        assert made.values[name] == pytest.approx(value, rel=1e-9)
    for first, second in held.tie:
        assert made.values[first] == pytest.approx(made.values[second], rel=1e-9)
    for name, (low, high) in held.bounds.items():
        assert low * (1 - 1e-9) <= made.values[name] <= high * (1 + 1e-9)
        edge = (
            min(abs(made.values[name] / low - 1), abs(made.values[name] / high - 1)) if low else 1
        )
        assert (name in made.at_bound) == (edge < 1e-8 or made.values[name] > high * (1 - 1e-8))


@pytest.mark.parametrize("name", ["kaplan", "chinchilla-outer"])
def test_laws_without_terms_keep_to_constraints_too(name: str, ladder, truths) -> None:
    law = get(name)
    points = ladder(name, seed=5, side=5, noise=0.004)
    cases = {
        "kaplan": [
            Constraints(fix={"alpha_N": 0.08}),
            Constraints(fix={"Nc": 6.4e13}),
            Constraints(bounds={"Dc": (1e12, 1e13)}),
            Constraints(tie=(("alpha_N", "alpha_D"),)),
        ],
        "chinchilla-outer": [
            Constraints(fix={"gamma": 1.0}),
            Constraints(fix={"E": 1.7, "A": 300.0}),
            Constraints(bounds={"A": (1.0, 60.0)}),
            Constraints(tie=(("alpha", "beta"),)),
        ],
    }
    for held in cases[name]:
        made = fit_points(points, law, objective="log", constraints=held)
        twin = {b: a for a, b in held.tie}
        free = {k: box for k, box in box_of(law).items() if k not in held.fix and k not in twin}
        free |= dict(held.bounds)

        def complete(v: Values, held: Constraints = held, twin: Values = twin) -> Values:
            whole = {**v, **held.fix}
            return {k: whole[twin.get(k, k)] for k in law.names}

        residual = residual_of(name, "log", points)
        agrees(made, optimum_of(residual, free, truths[name], complete, "log"), residual)


def test_every_replicate_is_at_its_optimum(ladder, truths) -> None:
    law, points = get("chinchilla"), ladder(side=6, seed=8, noise=0.02)
    made = fit_points(points, law, delta=DELTA)
    refits = bootstrap(made.problem, 15, seed=4)
    assert refits.converged.all()
    rng = np.random.default_rng(4)
    counts = rng.multinomial(36, np.full(36, 1 / 36), size=15)
    values = [law.values(theta) for theta in made.problem.raw_theta(refits.phi)]
    for row, v, objective in zip(counts, values, refits.objective, strict=True):
        again = points_repeated(points, row)
        residual = residual_of(law.name, "huber", again)
        assert sum_of(residual(v), "huber", DELTA) == pytest.approx(objective, rel=1e-8)
        other = optimum_of(residual, box_of(law), truths["chinchilla"], lambda v: v, "huber")
        assert objective <= other * (1 + 1e-8)


def points_repeated(points: Points, counts: np.ndarray) -> Points:
    """Return points with every row as often as its count, each a run of its own."""
    index = np.repeat(np.arange(len(points)), counts)
    return Points(
        run=np.arange(len(index)),
        names=tuple(map(str, range(len(index)))),
        params=points.params[index],
        tokens=points.tokens[index],
        loss=points.loss[index],
        weight=np.ones(len(index)),
        final=points.final[index],
    )


@pytest.mark.parametrize("name", ["chinchilla", "params-power", "tokens-power-floor"])
def test_the_first_start_is_the_best_non_negative_least_squares(name: str, ladder, truths) -> None:
    law = get(name)
    points = ladder(name, noise=0.03, seed=2)
    problem = pose_points(law, points, "log", np.inf, Constraints())
    places = layout(law.terms or (), law.names, law.predictors)
    w = np.random.default_rng(0).uniform(0.1, 2.0, (3, len(points)))
    data = problem.having(w=w).data
    starts = project(places, data, problem.space, 3)[:, 0]
    from kleiber.fitting.start import GRID

    axes = [e for _, e, _ in places if e >= 0]
    for row, start in zip(w, starts, strict=True):
        best, at = np.inf, None
        for exponents in np.stack(np.meshgrid(*[GRID] * len(axes)), axis=-1).reshape(-1, len(axes)):
            by_axis = dict(zip(axes, exponents, strict=True))
            columns = [
                np.exp(-by_axis[e] * data.logs[x]) if e >= 0 else np.ones(len(points))
                for _, e, x in places
            ]
            root = np.sqrt(row)
            design = np.stack(columns, axis=1) / points.loss[:, None] * root[:, None]
            coefficients, norm = nnls(design, root)
            if norm < best:
                best, at = norm, (exponents, coefficients)
        assert at is not None
        theta = problem.space.theta(start)
        assert theta[axes] == pytest.approx(at[0], rel=1e-12)
        found = np.exp([theta[c] for c, _, _ in places])
        kept = at[1] > 0
        assert found[kept] == pytest.approx(at[1][kept], rel=1e-6)
        assert np.all(found[~kept] < 0.01)


def test_an_optimum_that_is_nearly_a_step_is_found(make_points: Any) -> None:
    """The smallest size lies off the curve of the others: the lowest sum has a steep exponent."""
    rng = np.random.default_rng(4)
    n = np.repeat(np.geomspace(1e7, 1e9, 6), 4)
    d = np.tile(np.geomspace(1e9, 1e11, 4), 6)
    loss = (2.0 + 0.6 * (n / 1e7) ** -4.0 + 1900 / d**0.362) * np.exp(
        0.003 * rng.standard_normal(24)
    )
    points = make_points(n, d, loss)
    made = fit_points(points, get("chinchilla"), objective="log")
    assert made.status.code in ("converged", "at-bound")
    near = {"E": 2.0, "A": 0.6 * 1e7**4.0, "alpha": 4.0, "B": 1900.0, "beta": 0.362}
    residual = residual_of("chinchilla", "log", points)
    with np.errstate(all="ignore"):
        other = optimum_of(residual, box_of(get("chinchilla")), near, lambda v: v, "log")
    assert made.objective <= other * (1 + 1e-8)
    assert made.values["alpha"] > 2.0
