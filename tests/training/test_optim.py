"""AdamW against torch's, clipping against torch's, the schedule against its ends."""

from __future__ import annotations

import pytest
import torch

from kleiber.training.optim import adamw, clip
from kleiber.training.schedule import rate


@pytest.mark.parametrize("steps", [1, 7])
def test_a_step_is_torchs(steps: int) -> None:
    draw = torch.Generator().manual_seed(3)
    start = torch.randn(2, 50, generator=draw)
    rows = [torch.nn.Parameter(row.clone()) for row in start]
    rates, decays = [3e-3, 1e-2], [0.1, 0.4]
    reference = [
        torch.optim.AdamW([row], lr=lr, betas=(0.9, 0.98), eps=1e-6, weight_decay=decay)
        for row, lr, decay in zip(rows, rates, decays, strict=True)
    ]
    ours, first, second = start.clone(), torch.zeros(2, 50), torch.zeros(2, 50)
    for step in range(1, steps + 1):
        gradient = torch.randn(2, 50, generator=draw)
        for row, optimiser, slope in zip(rows, reference, gradient, strict=True):
            row.grad = slope.clone()
            optimiser.step()
        adamw(
            ours,
            first,
            second,
            gradient,
            shorten=torch.ones(2, 1),
            lr_S1=torch.tensor(rates)[:, None],
            decay_S1=torch.tensor(decays)[:, None],
            decays_P=torch.ones(50),
            betas=(0.9, 0.98),
            eps=1e-6,
            unbias=torch.tensor([1 - 0.9**step, 1 - 0.98**step]),
        )
    torch.testing.assert_close(ours, torch.stack([row.detach() for row in rows]))


def test_clipping_is_torchs_model_by_model() -> None:
    gradient = torch.randn(3, 40, generator=torch.Generator().manual_seed(1)) * torch.tensor(
        [[0.01], [1.0], [30.0]]
    )
    ours = gradient * clip(gradient, 1.0)
    for row, mine in zip(gradient, ours, strict=True):
        parameter = torch.nn.Parameter(torch.zeros(40))
        parameter.grad = row.clone()
        torch.nn.utils.clip_grad_norm_([parameter], 1.0)
        torch.testing.assert_close(mine, parameter.grad)


def test_the_rate_rises_peaks_and_falls() -> None:
    shares = [rate(step, 1000, warmup=0.1, final=0.1) for step in range(1000)]
    assert shares[0] == pytest.approx(0.01)
    assert shares[99] == shares[100] == 1.0
    assert shares[550] == pytest.approx(0.55)
    assert 0.1 < shares[999] < 0.1001
    assert shares[100:] == sorted(shares[100:], reverse=True)
