"""An eps of 1e-20 with second moments in fp32: torch, a float64 brute force, and the edge."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kleiber.training.machine import can_compile
from kleiber.training.optim import adamw

BETAS, EPS = (0.9, 0.95), 1e-20
SIZES = [0.0, 1e-30, 1e-24, 1e-22, 1e-21, 1e-20, 1e-19, 4.9e-19, 1e-18, 1e-12, 1e-4, 1.0, 1e6]


def first_step(gradient_SP: torch.Tensor, *, compiled: bool = False) -> torch.Tensor:
    """Return what one step at a rate of 1 subtracts from parameters of 0."""
    params, first, second = (torch.zeros_like(gradient_SP) for _ in range(3))
    update = torch.compile(adamw, dynamic=False) if compiled else adamw
    update(
        params,
        first,
        second,
        gradient_SP,
        shorten=torch.ones(1, 1),
        lr_S1=torch.ones(1, 1),
        decay_S1=torch.zeros(1, 1),
        decays_P=torch.ones(gradient_SP.shape[1]),
        betas=BETAS,
        eps=EPS,
        unbias=torch.tensor([1 - BETAS[0], 1 - BETAS[1]]),
    )
    return -params


@pytest.mark.parametrize("steps", [1, 30])
def test_it_is_torchs_and_the_brute_forces(steps: int) -> None:
    draw = np.random.default_rng(7)
    scale = 10.0 ** draw.uniform(-16, 2, 60)  # squares down to 1e-33: all of them normal numbers
    slopes = (draw.normal(size=(steps, 60)) * scale).astype(np.float32)
    start = draw.normal(size=60)
    ours = torch.tensor(start, dtype=torch.float32)[None]
    parameter = torch.nn.Parameter(ours[0].clone())
    theirs = torch.optim.AdamW([parameter], lr=0.01, betas=BETAS, eps=EPS, weight_decay=0.1)
    exact, one, two = ours[0].double().numpy().copy(), np.zeros(60), np.zeros(60)
    first, second = torch.zeros(1, 60), torch.zeros(1, 60)
    for step, slope in enumerate(slopes, 1):
        parameter.grad = torch.from_numpy(slope.copy())
        theirs.step()
        unbias = [1 - beta**step for beta in BETAS]
        adamw(
            ours,
            first,
            second,
            torch.from_numpy(slope)[None],
            shorten=torch.ones(1, 1),
            lr_S1=torch.tensor([[0.01]]),
            decay_S1=torch.tensor([[0.1]]),
            decays_P=torch.ones(60),
            betas=BETAS,
            eps=EPS,
            unbias=torch.tensor(unbias),
        )
        g = slope.astype(np.float64)
        exact *= 1 - 0.01 * 0.1
        one, two = BETAS[0] * one + (1 - BETAS[0]) * g, BETAS[1] * two + (1 - BETAS[1]) * g**2
        exact -= 0.01 * (one / unbias[0]) / (np.sqrt(two / unbias[1]) + EPS)
    torch.testing.assert_close(ours[0], parameter.detach(), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ours[0].numpy(), exact, rtol=1e-5, atol=1e-6)


def check_edge(update: torch.Tensor) -> None:
    g = np.array(SIZES)
    exact = g / (g + EPS)  # at the first step: g over its own root plus eps
    assert torch.isfinite(update).all()
    assert update[0] == 0  # 0 / (0 + eps)
    off = np.abs(update.numpy() - exact)
    assert (update.numpy() <= 1 + 1e-6).all()  # nothing is moved more than a whole rate
    normal = g > 5e-19
    np.testing.assert_allclose(update.numpy()[normal], exact[normal], rtol=1e-6)
    assert (off[~normal] <= exact[~normal] / 3).all()


def test_no_gradient_is_moved_more_than_the_rate() -> None:
    check_edge(first_step(torch.tensor([SIZES]))[0])


@pytest.mark.skipif(not can_compile(), reason="needs a C++ compiler and Python's headers")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on import
def test_nor_is_it_in_a_compiled_step() -> None:
    """A compiler that took denormals for 0 would move 1e-19 by ten times the rate."""
    check_edge(first_step(torch.tensor([SIZES]), compiled=True)[0])


def test_where_denormals_are_0_the_step_is_larger() -> None:
    """What the comment in ``optim`` warns of, so that it is known to be what the tests look for."""
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot take denormals for 0")
    try:
        assert first_step(torch.tensor([[4e-19]]))[0, 0] > 30
    finally:
        torch.set_flush_denormal(False)
