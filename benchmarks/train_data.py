"""Time the making of batches against the steps they are for, in one process."""

from __future__ import annotations

import json
import statistics
import sys
import time

import torch

from kleiber.knowledge import Biographies, People, Pools, Strings, Windows
from kleiber.training import ModelConfig, TrainConfig
from kleiber.training.step import Stepper, pays


def bios() -> tuple[str, Windows, ModelConfig, str]:
    """Return biographies from the paper's pools, in windows of 512 tokens."""
    source = Biographies(People(Pools.paper(), 20_000))
    model = ModelConfig(layers=2, width=64, heads=1, vocab=source.vocab, context=512)
    windows = Windows(source, exposures=10, batch=16, context=512)
    return "2 x 64 on biographies, 16 windows of 512", windows, model, "bf16"


def strings() -> tuple[str, Windows, ModelConfig, str]:
    """Return people whose values are random strings, a text a window."""
    source = Strings(count=1000)
    windows = Windows(source, exposures=1000, batch=20)
    model = ModelConfig(layers=2, width=24, heads=4, vocab=source.vocab, context=windows.width)
    return "2 x 24 on random strings, 20 texts", windows, model, "fp32"


def main() -> None:
    name, rounds = sys.argv[1], int(sys.argv[2])
    what, windows, shape, precision = bios() if name == "bioS" else strings()
    config = TrainConfig(lr=1e-3, precision=precision)
    stepper = Stepper(shape, [config], compiled=pays(shape, config, windows.steps))
    each = windows.steps // windows.exposures if name == "bioS" else 1000  # whole passes, or many
    makes, steps = [], []
    for turn in range(rounds + 1):  # the first one compiles, and fills tables
        numbers = range(turn * each, (turn + 1) * each)
        began = time.process_time()
        batches = [windows.batch(step) for step in numbers]
        made = time.process_time()
        taken = numbers if name == "bioD" else numbers[:3]
        for step in taken:
            inputs, targets = (torch.from_numpy(part)[None] for part in batches[step - numbers[0]])
            stepper.step(inputs, targets, 1.0, step + 1)
        if turn:
            makes.append((made - began) / each)
            steps.append((time.process_time() - made) / len(taken))
    batch, step = statistics.median(makes), statistics.median(steps)
    said = {"what": what, "batch": batch, "step": step, "share": batch / (batch + step)}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
