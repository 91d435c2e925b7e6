"""Random tokens: batches that teach nothing, to time a model and to test the loop with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Uniform tokens, fresh at every step."""

    steps: int
    batch_size: int
    context: int
    vocab: int
    seed: int = 0

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs and next-token targets, [batch, context] each."""
        draw = np.random.default_rng([self.seed, step])
        tokens = draw.integers(0, self.vocab, (self.batch_size, self.context + 1))
        return tokens[:, :-1].copy(), tokens[:, 1:].copy()
