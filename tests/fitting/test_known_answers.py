"""Published digits made again from the data that lie beside the project."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.special import huber

from kleiber.fitting import Constraints, fit, fit_points
from kleiber.laws import CHINCHILLA
from kleiber.runs import Runs
from kleiber.runs.points import Points


def columns(path: Path, *names: str) -> list[np.ndarray]:
    """Return columns of a CSV file as floats."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [np.array([float(row[name]) for row in rows]) for name in names]


def written(v: dict[str, float], n: np.ndarray, d: np.ndarray, loss: np.ndarray) -> float:
    """Return the published objective as it is written: a sum of Huber losses of log-losses."""
    predicted = v["E"] + v["A"] / n ** v["alpha"] + v["B"] / d ** v["beta"]
    return float(np.sum(huber(1e-3, np.log(predicted) - np.log(loss))))


@pytest.fixture(scope="session")
def replication(published: Path, make_points) -> Points:
    """Return the 240 points of the Chinchilla replication."""
    return make_points(*columns(published / "bench/points_epoch_real.csv", "N", "D", "loss"))


def test_the_chinchilla_replication(replication: Points) -> None:
    made = fit_points(replication, CHINCHILLA, delta=1e-3)
    assert made.objective == pytest.approx(0.0010182740178, abs=1e-10)
    assert round(made.values["E"], 4) == 1.8172
    assert round(made.values["alpha"], 4) == 0.3473
    assert round(made.values["beta"], 4) == 0.3672
    assert made.status.code == "converged"
    assert made.objective == pytest.approx(
        written(dict(made.values), replication.params, replication.tokens, replication.loss),
        rel=1e-12,
    )


@pytest.mark.parametrize(
    ("objective", "digits"),
    [
        ("raw", (1.9051, 4.0005, 1.0509, 0.3511, 0.4587)),
        ("log", (1.8926, 4.0146, 1.0571, 0.3522, 0.4430)),
    ],
)
def test_least_squares_on_the_runs_below_1e21(
    replication: Points, objective: str, digits: tuple[float, ...]
) -> None:
    small = replication.take(6 * replication.params * replication.tokens < 1e21)
    assert len(small) == 217
    v = fit_points(small, CHINCHILLA, objective=objective).values
    found = (v["E"], v["A"] / 1e6 ** v["alpha"], v["B"] / 1e9 ** v["beta"], v["alpha"], v["beta"])
    assert tuple(round(x, 4) for x in found) == digits


def test_the_benchmark_s_optimum(published: Path) -> None:
    runs = Runs.read(str(published / "bench/points.csv"), columns="params=N,tokens=D,loss=loss")
    made = fit(runs, delta=1e-3)
    assert made.objective == pytest.approx(0.00179197134504, abs=1e-14)
    assert made.certificate.agreeing == made.certificate.starts


def test_misfitting_s_published_optimum_is_not_the_lowest(published: Path, make_points) -> None:
    path = published / "misfitting/scaling_results_last_ckpt_only.csv"
    n, d, loss = columns(path, "N", "D", "loss")
    made = fit_points(make_points(n, d, loss), CHINCHILLA, delta=1e-3)
    assert len(loss) == 261
    assert made.objective == pytest.approx(0.0050217, abs=5e-8)
    own = written(dict(made.values), n, d, loss)
    assert own == pytest.approx(made.objective, rel=1e-12)
    # wherever in the box of its rounding the published optimum lies, it is not below ours
    box = {
        "E": tuple(np.exp([0.59205, 0.59215])),
        "A": tuple(np.exp([3.93875, 3.93885])),
        "alpha": (0.20015, 0.20025),
        "B": tuple(np.exp([13.05575, 13.05585])),
        "beta": (0.63565, 0.63575),
    }
    boxed = fit_points(
        make_points(n, d, loss), CHINCHILLA, delta=1e-3, constraints=Constraints(bounds=box)
    )
    assert boxed.objective >= made.objective * (1 - 1e-12)
    centre = {
        "E": np.exp(0.5921), "A": np.exp(3.9388), "alpha": 0.2002,
        "B": np.exp(13.0558), "beta": 0.6357,
    }  # fmt: skip
    assert written(centre, n, d, loss) >= boxed.objective >= own * (1 - 1e-12)
