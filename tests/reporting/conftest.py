"""Fits whose runs are named to do harm, and the pages of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kleiber import Fit, Runs, fit
from tests.known.ladder import LADDER

NASTY = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "\"'`&amp;><b>",
    "ünï-名前 🦣",
    "{{ 7 * 7 }}{% raw %}",
    "<!--<script>",
    "javascript:alert(3)",
)


@pytest.fixture(scope="session")
def hostile() -> Callable[[int], Fit]:
    """Return a fit of so many runs, the first of which bear hostile names."""

    def made(runs: int) -> Fit:
        rng = np.random.default_rng(0)
        params = rng.choice(np.geomspace(1e7, 3e9, 8), runs)
        tokens = 10 ** rng.uniform(8.5, 11.5, runs)
        noise = np.exp(0.01 * rng.standard_normal(runs))
        loss = (1.7 + 400 / params**0.34 + 1800 / tokens**0.36) * noise
        names = [f"sweep/run-{i:04d}-lr3e-4-seed{i % 5}" for i in range(runs)]
        names[: len(NASTY)] = NASTY
        table = {"run": names, "params": params, "tokens": tokens, "loss": loss}
        return fit(Runs.read(table))

    return made


@pytest.fixture(scope="session")
def ladder_fit() -> Fit:
    """Return the sample's fit."""
    return fit(LADDER)
