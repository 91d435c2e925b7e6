"""One arm of the training benchmark: a model in a process of its own, timed when it is asked to.

It reads a number of steps a line, trains so many, and answers with a line of JSON: wall seconds and
CPU seconds. An arm is ours (kleiber's trainer) or theirs (transformers' GPT-2 with torch's AdamW).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import torch

from kleiber.training.noise import Noise

Step = Callable[[int], object]


def ours(given: argparse.Namespace, noise: Noise) -> Step:
    """Return kleiber's step."""
    from kleiber.training import ModelConfig, TrainConfig
    from kleiber.training.loop import stacked
    from kleiber.training.step import Stepper, pays

    shape = ModelConfig(
        layers=given.layers,
        width=given.width,
        heads=given.heads,
        vocab=given.vocab,
        context=given.context,
    )
    config = TrainConfig(lr=1e-3, precision=given.precision)
    stepper = Stepper(shape, [config], compiled=pays(shape, config, given.run))
    return lambda step: stepper.step(*stacked([noise], step), 1.0, step + 1)


def theirs(given: argparse.Namespace, noise: Noise) -> Step:
    """Return transformers' GPT-2 as its examples train it, dropout off, torch's AdamW."""
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=given.vocab,
            n_positions=given.context,
            n_embd=given.width,
            n_layer=given.layers,
            n_head=given.heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            use_cache=False,
            bos_token_id=0,
            eos_token_id=0,
        )
    ).train()
    optimiser = torch.optim.AdamW(model.parameters())
    lower = given.precision == "bf16"

    def step(count: int) -> object:
        inputs, targets = (torch.from_numpy(part) for part in noise.batch(count))
        with torch.autocast("cpu", torch.bfloat16, enabled=lower):
            logits = model(inputs).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arm", choices=("ours", "theirs"))
    for name in ("layers", "width", "heads", "vocab", "context", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--run", type=int, default=50_000, help="steps of the run it stands for")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    noise = Noise(steps=given.run, batch_size=given.batch, context=given.context, vocab=given.vocab)
    step = (ours if given.arm == "ours" else theirs)(given, noise)
    done = 0
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            step(done)
            done += 1
        seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps({**seconds, "threads": torch.get_num_threads()}), flush=True)


if __name__ == "__main__":
    main()
