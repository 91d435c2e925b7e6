"""One fit and 100 bootstraps of 50,000 points, in a process of its own: prints CPU and peak memory.

500 runs of 100 checkpoints each, from the law that made bench/points.csv.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

import kleiber
from kleiber.fitting.bootstrap import bootstrap
from kleiber.fitting.result import pose_points
from kleiber.laws import get

TRUTH = {"E": 1.82, "A": 482.0, "alpha": 0.3478, "B": 2085.0, "beta": 0.3658}
RUNS, CHECKPOINTS, REPLICATES = 500, 100, 100


def simulated(seed: int) -> kleiber.Points:
    """Return readings along 500 runs: 1 % noise a run, 0.3 % a reading."""
    rng = np.random.default_rng(seed)
    law = get("chinchilla")
    size = np.exp(rng.uniform(np.log(5e7), np.log(1e10), RUNS))
    last = size * np.exp(rng.uniform(np.log(3.0), np.log(300.0), RUNS))
    run = np.repeat(np.arange(RUNS), CHECKPOINTS)
    params = size[run]
    tokens = last[run] * np.tile(np.linspace(0.2, 1.0, CHECKPOINTS), RUNS)
    noise = rng.normal(0.0, 0.01, RUNS)[run] + rng.normal(0.0, 0.003, run.size)
    loss = law.loss(TRUTH, params, tokens) * np.exp(noise)
    final = np.tile(np.arange(CHECKPOINTS) == CHECKPOINTS - 1, RUNS)
    names = tuple(f"run-{i}" for i in range(RUNS))
    return kleiber.Points(
        run=run, names=names, params=params, tokens=tokens, loss=loss,
        weight=np.full(run.size, 1.0 / CHECKPOINTS), final=final,
    )  # fmt: skip


def peak() -> float:
    """Return the most memory this process has held, in MB.

    On Linux from the kernel's high-water mark of this program; ``ru_maxrss`` there also counts
    the process that started it, and serves elsewhere.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) / 1e3
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    points, law = simulated(seed), get("chinchilla")
    before = peak()
    began = time.process_time()
    fit = kleiber.fit_points(points, law, objective="huber", delta=1e-3, bootstraps=0)
    fitted, fit_peak = time.process_time(), peak()
    problem = pose_points(law, points, "huber", 1e-3, kleiber.Constraints())
    refits = bootstrap(problem, REPLICATES, seed)
    print(
        json.dumps(
            {
                "points": len(points),
                "replicates": REPLICATES,
                "fit_cpu": fitted - began,
                "bootstrap_cpu": time.process_time() - fitted,
                "peak_before": before,
                "peak_after_fit": fit_peak,
                "peak": peak(),
                "E": fit.values["E"],
                "converged": bool(np.all(refits.converged)),
            }
        )
    )


if __name__ == "__main__":
    main()
