"""The ladder of a known truth is the one that its script makes, and says what it is."""

from __future__ import annotations

import csv

from tests.known.ladder import (
    LADDER,
    NOISE,
    SIZES,
    TOKENS_PER_PARAM,
    ladder_csv,
    true_loss,
)


def test_the_script_makes_the_file_again() -> None:
    assert LADDER.read_text(encoding="utf-8") == ladder_csv()


def test_another_seed_makes_another_table() -> None:
    assert ladder_csv(seed=1) != ladder_csv()


def test_every_row_says_synthetic_and_lies_near_the_truth() -> None:
    with LADDER.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["run"] for row in rows}) == len(SIZES) * len(TOKENS_PER_PARAM) == 24
    for row in rows:
        assert row["synthetic"] == "true"
        truth = true_loss(float(row["params"]), float(row["tokens"]))
        assert abs(float(row["loss"]) / truth - 1) < 4 * NOISE
