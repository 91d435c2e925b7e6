"""The same training on a GPU, where there is one."""

from __future__ import annotations

import pytest
import torch

from kleiber.training import ModelConfig, TrainConfig, train
from kleiber.training.noise import Noise

NO_GPU = not torch.cuda.is_available()


@pytest.mark.skipif(NO_GPU, reason="no CUDA device here")
@pytest.mark.parametrize("context", [24, 200])
@pytest.mark.parametrize("stack", [1, 3])
def test_a_gpu_trains_as_the_cpu_does(context: int, stack: int) -> None:
    if stack > 1 and context > 128:
        pytest.skip("long windows are not stacked")
    shape = ModelConfig(layers=2, width=32, heads=4, vocab=61, context=context)
    configs = [TrainConfig(lr=2e-3, seed=seed) for seed in range(stack)]
    noises = [
        Noise(steps=12, batch_size=4, context=context, vocab=61, seed=s) for s in range(stack)
    ]
    ends = []
    for device in ("cpu", "cuda"):
        *_, last = train(shape, configs, noises, device=device, readings=12)
        ends.append(torch.tensor(last.losses))
    torch.testing.assert_close(ends[0], ends[1], rtol=2e-4, atol=2e-4)


@pytest.mark.skipif(NO_GPU, reason="no CUDA device here")
def test_bfloat16_on_a_gpu_stays_near() -> None:
    shape = ModelConfig(layers=2, width=64, heads=1, vocab=101, context=256)
    noise = Noise(steps=20, batch_size=4, context=256, vocab=101)
    ends = []
    for precision in ("fp32", "bf16"):
        config = TrainConfig(lr=2e-3, precision=precision)
        *_, last = train(shape, [config], [noise], device="cuda")
        ends.append(last.losses[0])
    assert ends[0] == pytest.approx(ends[1], rel=2e-2)
