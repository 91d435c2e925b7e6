"""Refits on resampled data: the bootstrap and the jackknife, over runs and never checkpoints."""

from __future__ import annotations

import numpy as np

from kleiber.errors import UsageError
from kleiber.fitting.engine import Problem, optimise, starts
from kleiber.fitting.newton import Solved, solve
from kleiber.laws.base import Array

CHUNK_ELEMENTS = 1_000_000  # replicates x points whose weights are held at one time


def bootstrap(problem: Problem, replicates: int, seed: int) -> Solved:
    """Refit on ``replicates`` resamples of whole runs.

    Each replicate starts from the better of its own global search and the optimum of all runs.
    """
    if replicates < 1:
        raise UsageError(
            "The fit was made with 0 bootstraps, so there are none to take an interval from.",
            remedy="Fit with bootstraps=1000 (--bootstraps 1000), or use --interval delta.",
        )
    rng = np.random.default_rng(seed)
    run, runs = problem.run, problem.runs
    chunk = max(1, CHUNK_ELEMENTS // len(run))
    parts: list[Solved] = []
    for i in range(0, replicates, chunk):
        counts = rng.multinomial(runs, np.full(runs, 1.0 / runs), size=min(chunk, replicates - i))
        parts.append(_refit(problem, counts[:, run].astype(np.float64)))
    return _joined(parts)


def jackknife(problem: Problem) -> Solved:
    """Refit with each run left out in turn; row i lacks run i."""
    run, runs = problem.run, problem.runs
    chunk = max(1, CHUNK_ELEMENTS // len(run))
    parts = [
        _refit(problem, (run[None, :] != np.arange(i, min(i + chunk, runs))[:, None]).astype(float))
        for i in range(0, runs, chunk)
    ]
    return _joined(parts)


def _refit(problem: Problem, counts: Array) -> Solved:
    """Solve one chunk of re-weighted problems, from the better of two starts each."""
    own = problem.having(w=problem.data.w * counts)
    first = starts(own, len(counts))[:, 0]
    near = optimise(problem).phi
    with np.errstate(all="ignore"):
        better = own.objective(near) < own.objective(first)
    return solve(own.model, own.data, own.space, np.where(better[:, None], near, first))


def _joined(parts: list[Solved]) -> Solved:
    """Join chunks along the batch."""
    return Solved(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in Solved.__annotations__)
    )
