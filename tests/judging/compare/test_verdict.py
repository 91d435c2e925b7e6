"""From draws to three probabilities: shares of the draws, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.judging.compare.verdict import Chances, chances


@pytest.mark.parametrize(("below", "above"), [(4, 2), (3, 7), (6, 4), (0, 10), (1, 1)])
def test_chances_are_shares_of_the_draws(below: int, above: int) -> None:
    draws = np.array([-0.01] * below + [0.01] * above + [0.0] * (10 - below - above))
    tie = (10 - below - above) / 10
    assert chances(draws, 0.003) == Chances(below / 10, tie, above / 10)


def test_no_chance_is_below_nothing() -> None:
    """1 - a - b may be, by an ulp."""
    for n in (60, 200, 600, 2000):
        for below in range(0, n + 1, 7):
            draws = np.repeat([-1.0, 1.0], (below, n - below))
            assert chances(draws, 0.003).tie == 0.0


def test_a_draw_at_the_margin_is_a_tie() -> None:
    assert chances(np.array([-0.003, 0.003]), 0.003) == Chances(0.0, 1.0, 0.0)
