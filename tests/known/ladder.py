"""``ladder.csv`` beside this file: a SYNTHETIC ladder of 24 runs, 12M to 3.2B, of a known truth.

Nothing in it was trained. Six sizes at four budgets of tokens follow the Chinchilla law
``L = E + A / params^alpha + B / tokens^beta`` (Hoffmann et al. 2022, eq. 2) with log-normal
noise, and every row says ``synthetic``. Because the truth is known, what a fit recovers
can be checked against it. Run ``python tests/known/ladder.py`` to make it again.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

LADDER = Path(__file__).with_name("ladder.csv")

TRUTH = {"E": 1.80, "A": 430.0, "alpha": 0.345, "B": 1900.0, "beta": 0.362}
NOISE = 0.004  # standard deviation of the log of the loss
SEED = 20260

SIZES = {
    "12M": 12_190_000,
    "37M": 37_250_000,
    "114M": 113_900_000,
    "348M": 347_600_000,
    "1.1B": 1_063_000_000,
    "3.2B": 3_214_000_000,
}
TOKENS_PER_PARAM = (5, 10, 20, 60)
BATCH = 262_144  # tokens are whole batches, as in a real ladder


def true_loss(params: float, tokens: float) -> float:
    """Return the loss (nats per token) of the law that the sample was drawn from."""
    size = TRUTH["A"] / params ** TRUTH["alpha"]
    data = TRUTH["B"] / tokens ** TRUTH["beta"]
    return TRUTH["E"] + size + data


def ladder_csv(seed: int = SEED) -> str:
    """Return the text of the ladder; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("run", "params", "tokens", "loss", "synthetic"))
    for name, params in SIZES.items():
        for ratio in TOKENS_PER_PARAM:
            tokens = round(ratio * params / BATCH) * BATCH
            loss = true_loss(params, tokens) * float(np.exp(NOISE * rng.standard_normal()))
            writer.writerow((f"{name}-{ratio}x", params, tokens, f"{loss:.4f}", "true"))
    return text.getvalue()


def main() -> None:
    """Write the ladder beside this file."""
    LADDER.write_text(ladder_csv(), encoding="utf-8")


if __name__ == "__main__":
    main()
