"""What the tests of judging share: ladders with a known truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kleiber.laws import get
from kleiber.runs import Runs

TRUTH = {"E": 1.82, "A": 482.0, "alpha": 0.3478, "B": 2085.0, "beta": 0.3658}

Draw = Callable[..., Runs]


@pytest.fixture
def draw() -> Draw:
    """Draw a ladder of k sizes by k token counts from the truth."""

    def one(
        k: int = 5, *, noise: float = 0.01, seed: int = 0, span: float = 75.0, slope: float = 0.0
    ) -> Runs:
        rng = np.random.default_rng([seed, k])
        sizes = np.geomspace(2e7, 2e7 * span, k)
        params, tokens = (axis.ravel() for axis in np.meshgrid(sizes, 20 * sizes))
        loss = get("chinchilla").loss(TRUTH, params, tokens)
        loss = loss * np.exp(noise * rng.standard_normal(len(loss)))
        loss = loss * (1.0 + slope * (params == params.max()))
        names = [f"r{i}" for i in range(len(loss))]
        return Runs.read({"run": names, "params": params, "tokens": tokens, "loss": loss})

    return one
