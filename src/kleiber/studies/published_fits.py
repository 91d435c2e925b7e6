"""Published fits, made again digit by digit.

Where a published optimum is not one, the proof is two values of the published objective: at
the published parameters, and at a lower point. For values published in few digits the first
is the lowest the objective gets anywhere in the box that their rounding leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.fitting import Fit, fit
from kleiber.fitting.objective import residuals, value
from kleiber.runs import Runs
from kleiber.studies.table import Table

MILLION, BILLION = 1e6, 1e9


@dataclass(frozen=True)
class Claim:
    """One published fit: where its data are, how it was made, what was printed.

    ``scale`` is what params and tokens were divided by before A and B were printed.
    """

    name: str
    source: str
    file: str
    published: Mapping[str, float]
    objective: str = "huber"
    delta: float | str = "auto"
    most_flops: float | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    logs: bool = False
    digits: float | None = None


CLAIMS = (
    Claim(
        "Chinchilla replication",
        "Besiroglu et al. 2024; the objective from the fitting benchmark",
        "bench/points_epoch_real.csv",
        {"objective": 0.0010182740178, "E": 1.8172, "alpha": 0.3473, "beta": 0.3672},
        delta=1e-3,
        digits=1e-10,
    ),
    Claim(
        "Chinchilla, 217 points, raw loss",
        "vpnls / ml-scalefit, MSE",
        "bench/points_epoch_real.csv",
        {"E": 1.9051, "A": 4.0005, "B": 1.0509, "alpha": 0.3511, "beta": 0.4587},
        objective="raw",
        most_flops=1e21,
        scale=(MILLION, BILLION),
    ),
    Claim(
        "Chinchilla, 217 points, log loss",
        "vpnls / ml-scalefit, log-loss",
        "bench/points_epoch_real.csv",
        {"E": 1.8926, "A": 4.0146, "B": 1.0571, "alpha": 0.3522, "beta": 0.4430},
        objective="log",
        most_flops=1e21,
        scale=(MILLION, BILLION),
    ),
    Claim(
        "(Mis)Fitting, 261 finals",
        "Li et al. 2025, the fit stored in its repository",
        "misfitting/scaling_results_last_ckpt_only.csv",
        {
            "objective": 0.0050217,
            "E": 0.5921,
            "A": 3.9388,
            "B": 13.0558,
            "alpha": 0.2002,
            "beta": 0.6357,
        },
        delta=1e-3,
        logs=True,
        digits=5e-8,
    ),
)


def run(data: Path) -> Table:
    """Fit every published claim's data and put its digits beside ours."""
    rows: list[dict[str, Any]] = []
    claims: list[str] = []
    for claim in CLAIMS:
        made = _fit(claim, data)
        ours = _in_published_units(claim, made)
        found = {name: ours[name] for name in claim.published}
        for name, printed in claim.published.items():
            step = _last_digit(printed, claim, name)
            rows.append(
                {
                    "fit": claim.name,
                    "what": f"ln {name}" if claim.logs and name in "ABE" else name,
                    "published": f"{printed:.13g}",
                    "ours": f"{found[name]:.13g}" if name == "objective" else f"{found[name]:.6f}",
                    "agrees": bool(abs(found[name] - printed) <= step * 1.0001),
                }
            )
        claims.append(_verdict(claim, made, rows))
    return Table(
        name="published_fits",
        title="Published fits made again",
        command="kleiber study published-fits --out results",
        columns=("fit", "what", "published", "ours", "agrees"),
        rows=rows,
        claims=claims,
        notes=("A value agrees when it lies within half a unit of the last digit published.",),
        seed=0,
    )


def _fit(claim: Claim, data: Path) -> Fit:
    """Fit a claim's data in the way that was published."""
    runs = Runs.read(str(data / claim.file))
    if claim.most_flops is not None:
        frame = runs.frame
        kept = frame.filter(6.0 * frame["params"] * frame["tokens"] < claim.most_flops)
        runs = Runs.read(kept.select("run", "params", "tokens", "loss"), unit="nats")
    delta: Any = claim.delta
    return fit(runs, "chinchilla", objective=claim.objective, delta=delta)


def _in_published_units(claim: Claim, made: Fit) -> dict[str, float]:
    """Return our values in the units of the publication."""
    values = dict(made.values)
    values["A"] /= claim.scale[0] ** values["alpha"]
    values["B"] /= claim.scale[1] ** values["beta"]
    if claim.logs:
        values |= {name: float(np.log(values[name])) for name in "EAB"}
    return {**values, "objective": made.objective}


def _last_digit(printed: float, claim: Claim, name: str) -> float:
    """Return half a unit of the last digit that was published."""
    if name == "objective" and claim.digits is not None:
        return claim.digits
    return 0.5e-4


def _verdict(claim: Claim, made: Fit, rows: list[dict[str, Any]]) -> str:
    """Say whether every digit agrees, or prove that the published point is not the optimum."""
    own = [row for row in rows if row["fit"] == claim.name]
    if all(row["agrees"] for row in own):
        return f"{claim.name} ({claim.source}): every published digit is met; {made.status}."
    missed = ", ".join(row["what"] for row in own if not row["agrees"])
    at_published = _objective_at(claim, made)
    return (
        f"{claim.name} ({claim.source}): {missed} differ in the last digit, because the published "
        f"point is not the optimum: its objective is {at_published:.10f} (the best of its "
        f"rounding box), ours {made.objective:.10f}, lower by {at_published - made.objective:.1e}; "
        f"{made.status}."
    )


def _objective_at(claim: Claim, made: Fit) -> float:
    """Return the lowest objective within the rounding of the published values."""
    from scipy.optimize import minimize

    names = made.law.names
    centre = np.array([claim.published[name] for name in names])
    logs = np.log(np.stack([made.points.params, made.points.tokens]))
    y = np.log(made.points.loss)
    natural = centre.copy()
    if not claim.logs:
        natural[[0, 1, 3]] = np.log(centre[[0, 1, 3]])

    def objective(theta: np.ndarray) -> float:
        z, _ = made.law.gradient(theta, logs)
        r = residuals(made.objective_name, z, y)
        return float(value(made.objective_name, r, made.points.weight, made.delta or np.inf))

    box = [(v - 0.5e-4, v + 0.5e-4) for v in natural]
    found = minimize(
        objective, natural, bounds=box, method="Powell", options={"xtol": 1e-12, "ftol": 1e-15}
    )
    return min(float(found.fun), objective(natural))
