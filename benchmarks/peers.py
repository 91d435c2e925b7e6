"""How others fit the same law to the same rows: each competitor is one function of a replicate.

All of them are given what helps them most: the point estimate as their start, arrays
prepared outside the clock where their own programs do so, and exact derivatives where named.
Parameters are a, b, e, alpha, beta with A = exp(a), B = exp(b), E = exp(e), raw counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize
from workload import DELTA, Array, Workload

GRID = (  # the 4500 starts of Hoffmann et al. 2022 as Besiroglu et al. 2024 re-made them
    np.arange(0, 30, 5),
    np.arange(0, 30, 5),
    np.arange(-1, 1.5, 0.5),
    np.arange(0, 2.5, 0.5),
    np.arange(0, 2.5, 0.5),
)


@dataclass(frozen=True)
class Peer:
    """One way to refit a replicate; ``target`` is how much slower than kleiber it should be."""

    name: str
    fit: Callable[[NDArray[np.int64]], Array]
    target: float | None
    note: str = ""


def huber_of(theta: Array, x: Array, v: Array, y: Array) -> float:
    """Return the sum of Huber losses, written as lean as NumPy allows."""
    a, b, e, alpha, beta = theta
    size = np.abs(np.log(np.exp(a - alpha * x) + np.exp(b - beta * v) + np.exp(e)) - y)
    inside = np.minimum(size, DELTA)
    return float((inside * (size - 0.5 * inside)).sum())


def huber_and_gradient(theta: Array, x: Array, v: Array, y: Array) -> tuple[float, Array]:
    """Return the sum of Huber losses and its exact gradient."""
    a, b, e, alpha, beta = theta
    first, second, floor = np.exp(a - alpha * x), np.exp(b - beta * v), np.exp(e)
    total = first + second + floor
    r = np.log(total) - y
    size = np.abs(r)
    inside = np.minimum(size, DELTA)
    c = np.clip(r, -DELTA, DELTA) / total
    by_a, by_b = c * first, c * second
    gradient = np.array([by_a.sum(), by_b.sum(), c.sum() * floor, -(by_a @ x), -(by_b @ v)])
    return float((inside * (size - 0.5 * inside)).sum()), gradient


def residuals(theta: Array, x: Array, v: Array, y: Array) -> Array:
    """Return the residuals of the log-loss."""
    a, b, e, alpha, beta = theta
    return np.log(np.exp(a - alpha * x) + np.exp(b - beta * v) + np.exp(e)) - y


def jacobian(theta: Array, x: Array, v: Array, y: Array) -> Array:
    """Return the exact derivative (n, 5) of the residuals."""
    a, b, e, alpha, beta = theta
    terms = np.stack([np.exp(a - alpha * x), np.exp(b - beta * v), np.full_like(x, np.exp(e))])
    shares = terms / terms.sum(axis=0)
    return np.stack([*shares, -shares[0] * x, -shares[1] * v], axis=1)


def notebook_objective(
    theta: Any, params: Array, tokens: Array, loss: Array, math: Any = np
) -> Any:
    """Return the objective in the notebook's manner: raw counts in, their logs taken each time."""
    a, b, e, alpha, beta = theta
    predicted = math.log(
        math.exp(a - alpha * math.log(params)) + math.exp(b - beta * math.log(tokens)) + math.exp(e)
    )
    gap = math.abs(math.log(loss) - predicted)
    return math.sum(math.where(gap <= DELTA, 0.5 * gap**2, DELTA * (gap - 0.5 * DELTA)))


def tight_least_squares(theta: Array, x: Array, v: Array, y: Array) -> Any:
    """Solve by scipy's trust region as tightly as doubles allow."""
    return least_squares(
        residuals, theta, jacobian, args=(x, v, y), loss="huber", f_scale=DELTA,
        x_scale="jac", ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=2000,
    )  # fmt: skip


def all_peers(work: Workload, start: Array) -> list[Peer]:
    """Return the competitors that refit a replicate from the point estimate ``start`` (5,)."""
    raw = (work.points.params, work.points.tokens, work.points.loss)

    def logs(rows: NDArray[np.int64]) -> tuple[Array, Array, Array]:
        return work.x[rows], work.v[rows], work.y[rows]

    def scipy_huber(rows: NDArray[np.int64]) -> Array:
        return least_squares(
            residuals, start, jacobian, args=logs(rows), loss="huber", f_scale=DELTA
        ).x

    def bfgs_numeric(rows: NDArray[np.int64]) -> Array:
        columns = tuple(column[rows] for column in raw)
        return minimize(notebook_objective, start, args=columns, method="BFGS").x

    def bfgs_exact(rows: NDArray[np.int64]) -> Array:
        return minimize(huber_and_gradient, start, args=logs(rows), jac=True, method="BFGS").x

    def lbfgs_exact(rows: NDArray[np.int64]) -> Array:
        return minimize(huber_and_gradient, start, args=logs(rows), jac=True, method="L-BFGS-B").x

    peers = [
        Peer("scipy least_squares, Huber, exact Jacobian", scipy_huber, 4.0),
        Peer("BFGS, numerical gradient", bfgs_numeric, 50.0, "the notebook's objective"),
        Peer("BFGS, exact gradient", bfgs_exact, 10.0, "the same objective, written lean"),
        Peer("L-BFGS-B, exact gradient, default tolerances", lbfgs_exact, None, "stops early"),
    ]
    taped = _notebook_with_autograd(raw, start)
    return [*peers, taped] if taped else peers


def _notebook_with_autograd(raw: tuple[Array, Array, Array], start: Array) -> Peer | None:
    """Return Epoch's bootstrap with its own derivative library, where that is installed."""
    try:
        import autograd
        import autograd.numpy as taped
    except ImportError:
        return None

    def objective(theta: Any, *columns: Array) -> Any:
        return notebook_objective(theta, *columns, math=taped)

    slope = autograd.grad(objective)

    def fit(rows: NDArray[np.int64]) -> Array:
        columns = tuple(column[rows] for column in raw)
        return minimize(objective, start, args=columns, jac=slope, method="BFGS").x

    return Peer("BFGS, gradient by autograd", fit, None, "what the notebook runs")


def grid_starts(many: int, seed: int) -> tuple[Array, int]:
    """Return a random sample of the classic grid's starts (many, 5), and the grid's size."""
    table = np.array(list(product(*GRID)), dtype=float)
    chosen = np.random.default_rng(seed).choice(
        len(table), size=min(many, len(table)), replace=False
    )
    return table[chosen], len(table)


def grid_start_fit(work: Workload, start: Array) -> Array:
    """Run one start of the classic grid: L-BFGS-B with a numerical gradient."""
    columns = (work.points.params, work.points.tokens, work.points.loss)
    with np.errstate(all="ignore"):
        return minimize(notebook_objective, start, args=columns, method="L-BFGS-B").x


def simple_scaling_laws(work: Workload) -> tuple[Callable[[], Any] | None, str]:
    """Return the fit with 1000 draws of simple-scaling-laws, or None and the reason."""
    try:
        import polars as pl
        from simple_scaling_laws import fit
    except ImportError as missing:
        return None, (
            f"skipped: {missing}. To include it: pip install --ignore-requires-python --no-deps "
            "simple-scaling-laws==0.2.0 && pip install pyyaml"
        )
    table = pl.DataFrame(
        {
            "training_run_id": [f"run-{i}" for i in range(work.n)],
            "test_set_id": ["one"] * work.n,
            "model_size__params": work.points.params,
            "dataset_size__tokens": work.points.tokens,
            "test_loss__nats": work.points.loss,
        }
    )
    return lambda: fit(table, n_draws=1000, seed=0), ""
