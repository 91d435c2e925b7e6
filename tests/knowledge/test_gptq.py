"""GPTQ against optimal brain quantisation by brute force, and against rounding to nearest."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.knowledge.quantize.gptq import gptq, output_error
from kleiber.knowledge.quantize.grid import Grid, round_to_nearest

Matrix = NDArray[np.float64]


def case(rows: int, columns: int, seed: int, *, mixed: float = 1.0) -> tuple[Matrix, Matrix]:
    """Return weights and the Hessian of correlated inputs."""
    random = np.random.default_rng(seed)
    inputs = random.standard_normal((4 * columns, columns))
    inputs = inputs @ (np.eye(columns) + mixed * random.standard_normal((columns, columns)))
    return random.standard_normal((rows, columns)), 2 / len(inputs) * inputs.T @ inputs


def line(weights: Matrix, bits: int, symmetric: bool) -> tuple[float, float]:
    """Return scale and zero point of some weights of one row, by AutoGPTQ's definition.

    The largest weight of a symmetric grid lies just between two codes; which one it gets hangs on
    the scale's last digit, and that on its being held in 32 bits.
    """
    low, high = min(0.0, weights.min()), max(0.0, weights.max())
    if symmetric:
        return float(np.float32(2 * np.abs(weights).max() / (2**bits - 1))), 2.0 ** (bits - 1)
    scale = float(np.float32((high - low) / (2**bits - 1)))
    return scale, float(np.round(-low / scale))


def brute_force(
    weight: Matrix, hessian: Matrix, grid: Grid, *, act_order: bool
) -> tuple[Matrix, Matrix]:
    """Round row by row, column by column; return codes and values.

    After each column its row and column leave the inverse by Gaussian elimination, and every column
    still there moves (Optimal Brain Compression, arXiv 2208.11580, eqs. 1 and 2).
    """
    rows, columns = weight.shape
    damped = hessian + 0.01 * np.mean(np.diag(hessian)) * np.eye(columns)
    order = np.argsort(-np.diag(hessian), kind="stable") if act_order else np.arange(columns)
    width = grid.group if isinstance(grid.group, int) else columns
    codes, values = np.zeros((2, rows, columns))
    for row in range(rows):
        left = weight[row].copy()
        inverse = np.linalg.inv(damped)
        held: dict[int, tuple[float, float]] = {}
        for q in order:
            group = q // width
            if group not in held:
                members = slice(group * width, (group + 1) * width)
                now = weight[row] if act_order else left
                held[group] = line(now[members], grid.bits, grid.symmetric)
            scale, zero = held[group]
            codes[row, q] = np.clip(np.round(left[q] / scale) + zero, 0, 2**grid.bits - 1)
            values[row, q] = scale * (codes[row, q] - zero)
            left = left - (left[q] - values[row, q]) / inverse[q, q] * inverse[:, q]
            inverse = inverse - np.outer(inverse[:, q], inverse[q]) / inverse[q, q]
            inverse[q, q] = np.inf  # it has left; nothing divides by it again
    return codes, values


@pytest.mark.parametrize("act_order", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("group", ["channel", 4, 3])
@pytest.mark.parametrize(("rows", "columns"), [(16, 8), (8, 16)])
def test_same_codes_as_brute_force(
    rows: int, columns: int, group: int | str, symmetric: bool, act_order: bool
) -> None:
    for seed, bits in enumerate((2, 3, 4, 6, 8)):
        weight, hessian = case(rows, columns, seed)
        grid = Grid(bits=bits, group=group, symmetric=symmetric, float_bits=32)
        found = gptq(torch.from_numpy(weight), torch.from_numpy(hessian), grid, act_order=act_order)
        codes, values = brute_force(weight, hessian, grid, act_order=act_order)
        np.testing.assert_array_equal(found.codes_RC.numpy(), codes)
        np.testing.assert_allclose(found.weight().numpy(), values, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("act_order", [True, False])
@pytest.mark.parametrize("group", ["channel", 48, 128, 200])
def test_blocks_change_nothing(group: int | str, act_order: bool) -> None:
    """300 columns are three blocks, whose updates wait; groups lie within and across them."""
    weight, hessian = case(3, 300, 1, mixed=0.1)
    grid = Grid(bits=4, group=group, float_bits=32)
    found = gptq(torch.from_numpy(weight), torch.from_numpy(hessian), grid, act_order=act_order)
    codes, _ = brute_force(weight, hessian, grid, act_order=act_order)
    np.testing.assert_array_equal(found.codes_RC.numpy(), codes)


def test_columns_left_are_the_best_there_are() -> None:
    """What is still float after k columns is the least-squares answer to the k that are fixed."""
    weight, hessian = case(1, 6, 3)
    damped = hessian + 0.01 * np.mean(np.diag(hessian)) * np.eye(6)
    grid = Grid(bits=3, float_bits=32)
    codes, values = brute_force(weight, hessian, grid, act_order=False)
    scale, zero = line(weight[0], 3, True)
    for k in range(1, 6):
        fixed, free = slice(0, k), slice(k, 6)
        moved = weight[0, fixed] - values[0, fixed]
        best = weight[0, free] + np.linalg.solve(damped[free, free], damped[free, fixed] @ moved)
        assert codes[0, k] == np.clip(np.round(best[0] / scale) + zero, 0, 7)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**20), bits=st.sampled_from([3, 4]))
def test_outputs_move_less_than_by_rounding(seed: int, bits: int) -> None:
    weight, hessian = (torch.from_numpy(each) for each in case(32, 24, seed))
    grid = Grid(bits=bits)
    by_gptq = output_error(weight, gptq(weight, hessian, grid).weight(), hessian)
    nearest = output_error(weight, round_to_nearest(weight, grid).weight(), hessian)
    assert by_gptq < 0.8 * nearest


def test_output_error_is_that_of_the_outputs() -> None:
    random = np.random.default_rng(5)
    inputs, one, other = (random.standard_normal(shape) for shape in ((50, 6), (4, 6), (4, 6)))
    hessian = torch.from_numpy(2 / 50 * inputs.T @ inputs)
    expected = 2 / 50 * np.square(inputs @ (one - other).T).sum()
    found = output_error(torch.from_numpy(one), torch.from_numpy(other), hessian)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("group", ["channel", "tensor", 5])
def test_without_correlation_it_is_rounding(group: int | str) -> None:
    """No column can make up for another: with a diagonal Hessian each stays where it was."""
    weight = torch.from_numpy(case(7, 12, 2)[0])
    apart = torch.diag(torch.linspace(0.1, 3, 12, dtype=torch.float64))
    grid = Grid(bits=4, group=group)
    for act_order in (True, False):
        found = gptq(weight, apart, grid, act_order=act_order)
        assert torch.equal(found.codes_RC, round_to_nearest(weight, grid).codes_RC)


def test_a_factor_of_the_hessian_does_not_matter() -> None:
    weight, hessian = (torch.from_numpy(each) for each in case(8, 16, 7))
    one, other = (gptq(weight, c * hessian, Grid(bits=4)) for c in (1.0, 1e4))
    assert torch.equal(one.codes_RC, other.codes_RC)


def test_an_input_that_is_always_zero() -> None:
    weight, hessian = (torch.from_numpy(each) for each in case(5, 8, 4))
    hessian[3], hessian[:, 3] = 0.0, 0.0
    found = gptq(weight, hessian, Grid(bits=4)).weight()
    assert not found[:, 3].any() and found[:, 2].any()


def test_too_few_texts_still_give_a_hessian() -> None:
    """Two inputs for eight columns: singular, but for the damping."""
    inputs = torch.randn(2, 8, generator=torch.Generator().manual_seed(0)).double()
    weight = torch.from_numpy(case(5, 8, 4)[0])
    assert torch.isfinite(gptq(weight, inputs.T @ inputs, Grid(bits=4)).weight()).all()


def test_what_is_no_hessian() -> None:
    weight, hessian = (torch.from_numpy(each) for each in case(5, 8, 4))
    for wrong in (-hessian, hessian * torch.nan):
        with pytest.raises(InputError, match="no positive definite Hessian"):
            gptq(weight, wrong, Grid(bits=4))
