"""The work that is timed: one table of 240 points, its problem, its replicates, and the clock."""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kleiber
from kleiber import Points
from kleiber.fitting import engine, newton
from kleiber.fitting.engine import Problem
from kleiber.fitting.newton import Solved
from kleiber.fitting.result import pose_points
from kleiber.laws import get

Array = NDArray[np.float64]

DELTA = 1e-3  # the published Huber threshold on log-loss residuals
EXTRA = 9  # starts beside the best one of a point fit
LAW = get("chinchilla")


@dataclass(frozen=True)
class Workload:
    """Points, the raw columns that competitors read, and replicates as counts (R, n) of rows."""

    points: Points
    x: Array
    v: Array
    y: Array
    counts: NDArray[np.int64]

    @property
    def n(self) -> int:
        """The number of points."""
        return len(self.y)

    def rows(self, replicate: int) -> NDArray[np.int64]:
        """Return the rows of one replicate, each as often as it was drawn."""
        return np.repeat(np.arange(self.n), self.counts[replicate])


def load(data: Path, replicates: int, seed: int) -> Workload:
    """Read bench/points.csv and draw the replicates, or say what is missing and exit."""
    path = data / "bench" / "points.csv"
    if not path.is_file():
        sys.exit(f"There is no {path}: give the folder that holds bench/points.csv with --data.")
    points = kleiber.Runs.read(path).points()
    n = len(points)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=replicates)
    return Workload(
        points, np.log(points.params), np.log(points.tokens), np.log(points.loss), counts
    )


def pose(work: Workload) -> Problem:
    """Return the Huber problem of the points."""
    return pose_points(LAW, work.points, "huber", DELTA, kleiber.Constraints())


def point_fit(work: Workload) -> Solved:
    """Fit once from nothing: pose, global start, nine more starts, solve them all."""
    problem = pose(work)
    first = engine.starts(problem, 1, extra=EXTRA)[0]
    return newton.solve(problem.model, problem.data, problem.space, first)


def raw_theta(problem: Problem, solved: Solved) -> Array:
    """Return (B, 5) as competitors write it: a, b, e, alpha, beta, logs of A, B, E first."""
    theta = problem.raw_theta(solved.phi)
    return theta[:, [LAW.index(name) for name in ("A", "B", "E", "alpha", "beta")]]


def cpu(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of this process that a call took, and its result."""
    began = time.process_time()
    result = call()
    return time.process_time() - began, result


def interleaved(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Time every call once a round, A B C A B C, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(rounds + 1):
        for name, call in calls.items():
            seconds, _ = cpu(call)
            if i:
                times[name].append(seconds)
    return times


def spread(values: list[float], unit: str, digits: int = 3) -> str:
    """Return the range of repetitions as text."""
    low, high = min(values), max(values)
    return f"{low:.{digits}g} to {high:.{digits}g} {unit} in {len(values)} repetitions"


def middle(values: list[float]) -> float:
    """Return the median."""
    return float(statistics.median(values))


def setting(seed: int, command: str) -> dict[str, Any]:
    """Return what a reader needs to run it again: command, seed, versions, machine, date."""
    versions = {"python": platform.python_version(), "kleiber": kleiber.__version__}
    for name in ("numpy", "scipy", "polars", "autograd", "simple-scaling-laws"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "command": command,
        "seed": seed,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions,
        "cpu": _cpu_model(),
        "cores": len(_affinity()),
        "blas_threads": 1,
    }


def _affinity() -> set[int]:
    """Return the cores this process may use."""
    import os

    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _cpu_model() -> str:
    """Return the processor's name as the system gives it."""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
