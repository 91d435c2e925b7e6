"""Where both recipes are known: shared rungs, and rungs read between those of the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kleiber.judging.compare.common import common, mutual

C = np.logspace(0.0, 3.0, 7)


def both(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([first, second]), np.repeat((0.5, -0.5), (len(first), len(second)))


def test_rungs_at_the_same_compute_are_subtracted() -> None:
    found = common(*both(C, C * 1.02))
    assert len(found) == 7 and found.exact.all()
    assert np.array_equal(found.weights, np.hstack([np.eye(7), -np.eye(7)]))
    assert np.allclose(found.flops, C * np.sqrt(1.02))


def test_a_missing_rung_is_left_out_and_not_read_between() -> None:
    kept = np.delete(C, 3)
    for flops, arm in (both(C, kept), both(kept, C)):
        found = common(flops, arm)
        assert len(found) == 6 and found.exact.all()
        assert C[3] not in found.flops


@given(
    factor=st.floats(1.1, 2.5),
    exponent=st.floats(0.1, 0.22),
    floor=st.floats(0.0, 2.0),
    size=st.floats(0.5, 3.0),
)
def test_between_rungs_a_power_law_is_read_to_a_thousandth(
    factor: float, exponent: float, floor: float, size: float
) -> None:
    flops, arm = both(C, C * factor)
    found = common(flops, arm)
    a = floor + size * flops**-exponent
    b = floor + 0.9 * size * flops ** -(0.95 * exponent)
    read = found.weights @ np.where(arm > 0, a, b)
    true = floor + size * found.flops**-exponent
    true -= floor + 0.9 * size * found.flops ** -(0.95 * exponent)
    assert len(found) == 6 and not found.exact.any()
    assert np.abs(read - true).max() < 1e-3


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_a_parabola_in_the_transformed_compute_is_read_exactly(
    level: float, slope: float, bend: float
) -> None:
    flops, arm = both(C, C * 1.7)
    u = flops**-0.15
    found = common(flops, arm)
    one = level + slope * u + bend * u**2
    assert np.abs(found.weights @ one).max() < 1e-9


def test_the_nearest_rungs_are_the_ones_that_were_hidden_together() -> None:
    flops, arm = both(C, C * 1.3)
    found = common(flops, arm)
    assert np.allclose(flops[found.nearest[:, 1]] / flops[found.nearest[:, 0]], 1.3)
    assert (arm[found.nearest[:, 0]] > 0).all() and (arm[found.nearest[:, 1]] < 0).all()


def test_a_single_run_within_the_ladder_is_one_place_and_beyond_it_none() -> None:
    assert len(common(*both(C, np.array([40.0])))) == 1
    assert len(common(*both(C, np.array([1e5])))) == 0
    assert len(common(*both(C, np.array([])))) == 0


def test_nothing_is_read_across_a_wide_gap() -> None:
    found = common(*both(np.array([1.0, 1e3]), np.array([30.0])))
    assert len(found) == 0


def test_neighbours_are_each_others() -> None:
    assert mutual(np.array([1.0, 1.04, 9.0]), np.array([1.03, 10.0]), 1.05) == [(1, 0)]
    assert mutual(np.array([1.0, 1.04, 9.0]), np.array([1.03, 10.0]), 2.0) == [(1, 0), (2, 1)]
