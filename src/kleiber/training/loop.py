"""A whole run: batches in, readings out, a folder that a killed run goes on from.

The loop is a generator: it yields a reading now and then, and whoever called it prints, plots or
stops. All state is the three buffers of the step and the step's number; everything else (batch,
rate, seed) is a function of that number, so that a resumed run ends in the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kleiber.errors import InputError
from kleiber.training.config import Batches, ModelConfig, TrainConfig
from kleiber.training.folder import RunFolder
from kleiber.training.model import GPT
from kleiber.training.record import record_of
from kleiber.training.schedule import share_at
from kleiber.training.step import Stepper, pays

STATE = "state.safetensors"
READINGS = 100  # a run

Look = Callable[[int, int, Callable[[], GPT]], dict[str, float]]
"""A step, a model's number in its stack, and a call that loads it, to what its point says more."""


@dataclass(frozen=True)
class Reading:
    """What a run says as it goes; losses are mean nats a token since the last reading, [S]."""

    step: int
    steps: int
    tokens: int
    losses: tuple[float, ...]
    lr: float
    seconds: float  # spent training, earlier sessions included
    tokens_per_second: float  # of the whole stack, in this session
    model: GPT | None = field(default=None, repr=False)  # as it is now, of a stack the first
    watched: tuple[dict[str, float], ...] = ()  # one a model, of ``watch``

    @property
    def seconds_left(self) -> float:
        """Seconds to the run's end at this session's speed."""
        each = len(self.losses) * self.tokens / max(1, self.step)
        return (self.steps - self.step) * each / max(self.tokens_per_second, 1e-9)


def train(
    model: ModelConfig,
    configs: Sequence[TrainConfig],
    batches: Sequence[Batches],
    folders: Sequence[RunFolder] = (),
    *,
    about: Sequence[dict[str, Any]] = (),
    device: str = "cpu",
    save_every: int | None = None,
    readings: int = READINGS,
    watch: bool = False,
    look: Look | None = None,
) -> Iterator[Reading]:
    """Train a stack of models of one shape, a folder and a source of batches each.

    Parameters
    ----------
    configs, batches
        One a model. All sources give batches of one shape and last equally long.
    folders
        One a model, or none to keep nothing. Finished ones end the call at once.
    about
        What else ``run.json`` should say of each.
    save_every
        Steps between checkpoints [default: a twentieth of the run].
    readings
        Readings to yield over the run.
    watch
        Whether each reading also tells the largest attention score and the gradient's size beside
        eps (``kleiber.training.watch``), in ``points.jsonl`` too.
    look
        What else each point is to say, such as the loss on held-out text.
    """
    steps = _common_steps(batches)
    compiled = pays(model, configs[0], steps, device=device)
    for i, folder in enumerate(folders):
        extra = about[i] if about else {}
        folder.claim(record_of(model, configs[i], batches[i], extra))
    if folders and all(folder.done for folder in folders):
        return
    stepper = Stepper(model, configs, device=device, compiled=compiled)
    start, tokens, spent = _restore(stepper, folders)
    logs = [[p for p in folder.points() if p["step"] <= start] for folder in folders]
    began, trained = time.perf_counter(), 0
    since = torch.zeros(len(configs), device=device)
    last = start
    every = max(1, steps // readings)
    save_every = save_every or max(1, steps // 20)
    for step in range(start, steps):
        inputs_SBT, targets_SBT = stacked(batches, step)
        share = share_at(configs[0], step, steps)
        ends = step + 1 == steps
        reads = (step + 1) % every == 0 or ends
        since += stepper.step(inputs_SBT, targets_SBT, share, step + 1, watch=watch and reads)
        tokens += inputs_SBT[0].numel()
        trained += inputs_SBT.numel()
        if reads:
            seconds = time.perf_counter() - began
            losses = tuple((since / (step + 1 - last)).tolist())
            reading = Reading(
                step=step + 1,
                steps=steps,
                tokens=tokens,
                losses=losses,
                lr=share * configs[0].lr,
                seconds=spent + seconds,
                tokens_per_second=trained / max(seconds, 1e-9),
                watched=tuple(stepper.watched()),
                model=stepper.load(0),
            )
            since.zero_()
            last = step + 1
            for i, log in enumerate(logs):
                seen = look(step + 1, i, partial(stepper.load, i)) if look else {}
                log.append({**_point(reading, i, configs[i].lr * share), **seen})
            if look:
                stepper.load(0)  # the one that the reading holds
            yield reading
        if folders and ((step + 1) % save_every == 0 or ends):
            for folder, log in zip(folders, logs, strict=True):
                folder.write_points(log)
            _save(stepper, folders[0], step + 1, tokens, spent + time.perf_counter() - began)
    for i, folder in enumerate(folders):
        folder.write_tensors("weights.safetensors", stepper.weights(i))
    for folder in reversed(folders):  # the first holds the stack's state, so it ends last
        folder.finish()


def _common_steps(batches: Sequence[Batches]) -> int:
    """Return the steps that all sources last, or raise if they differ."""
    lengths = {source.steps for source in batches}
    if len(lengths) != 1:
        raise InputError(
            f"The models of one stack must train equally long, not {sorted(lengths)} steps.",
            remedy="Give each its own run, or equal people, exposures and batch.",
        )
    return lengths.pop()


def stacked(batches: Sequence[Batches], step: int) -> tuple[Tensor, Tensor]:
    """Return inputs and targets of one step, [S, B, T] each."""
    if len(batches) == 1:
        inputs_BT, targets_BT = batches[0].batch(step)
        return torch.from_numpy(inputs_BT)[None], torch.from_numpy(targets_BT)[None]
    pairs = [source.batch(step) for source in batches]
    inputs, targets = (np.stack([pair[i] for pair in pairs]) for i in (0, 1))
    return torch.from_numpy(inputs), torch.from_numpy(targets)


def _point(reading: Reading, index: int, lr: float) -> dict[str, Any]:
    return {
        "step": reading.step,
        "tokens": reading.tokens,
        "loss": reading.losses[index],
        "lr": lr,
        "seconds": round(reading.seconds, 3),
        **(reading.watched[index] if reading.watched else {}),
    }


def _save(stepper: Stepper, folder: RunFolder, step: int, tokens: int, seconds: float) -> None:
    """Write the stack's state into its first folder."""
    now = torch.tensor([step, tokens, seconds], dtype=torch.float64)
    folder.write_tensors(STATE, {**stepper.state.tensors(), "now": now})


def _restore(stepper: Stepper, folders: Sequence[RunFolder]) -> tuple[int, int, float]:
    """Return step, tokens and seconds to go on from, with the stack's state put back."""
    if not folders or not (folders[0].path / STATE).exists():
        return 0, 0, 0.0
    held = folders[0].read_tensors(STATE)
    for name, tensor in stepper.state.tensors().items():
        if name not in held or held[name].shape != tensor.shape:
            raise InputError(
                f"'{folders[0].path / STATE}' holds no {name} of shape {tuple(tensor.shape)}.",
                remedy="Remove that file to train the run from its start.",
            )
        tensor.copy_(held[name])
    step, tokens, seconds = held["now"].tolist()
    return int(step), int(tokens), seconds
