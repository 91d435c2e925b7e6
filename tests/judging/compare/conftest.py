"""What the tests of comparing share: ladders of recipes whose curves are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from kleiber.runs import Runs

Recipe = Callable[..., Runs]
Write = Callable[[str, Runs], Path]


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Train, so to say, a ladder of a recipe with the curve E + A (C / base)^-a."""

    def one(
        curve: tuple[float, float, float],
        *,
        rungs: int = 7,
        decades: float = 3.0,
        seeds: int = 3,
        noise: float = 0.002,
        seed: int = 0,
        base: float = 1e15,
        factor: float = 1.0,
        computes: Sequence[float] | None = None,
        named: bool = True,
        **columns: object,
    ) -> Runs:
        floor, size, exponent = curve
        rng = np.random.default_rng(seed)
        at = np.logspace(0.0, decades, rungs) * factor if computes is None else computes
        flops = np.repeat(np.asarray(at, dtype=float), seeds)
        loss = floor + size * flops**-exponent + noise * rng.standard_normal(len(flops))
        params = np.sqrt(flops * base / 120.0)
        table: dict[str, object] = {
            "run": [f"r{i // seeds}s{i % seeds}" for i in range(len(flops))],
            "params": params,
            "tokens": 20.0 * params,
            "flops": flops * base,
            "loss": loss,
            **{name: [value] * len(flops) for name, value in columns.items()},
        }
        if named:
            table["seed"] = [str(i % seeds) for i in range(len(flops))]
        return Runs.read(table)

    return one


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write runs to a table, as a user has them."""

    def one(name: str, runs: Runs) -> Path:
        path = tmp_path / name
        runs.frame.drop("fraction").write_csv(path)
        return path

    return one
