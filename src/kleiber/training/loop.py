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
from kleiber.training.folder import PARTIAL, STATE, RunFolder
from kleiber.training.model import GPT
from kleiber.training.record import record_of
from kleiber.training.schedule import share_at
from kleiber.training.step import Stepper, pays

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

    def event(self, number: int) -> dict[str, Any]:
        """Return what a process says of it, of one run of the stack."""
        return {
            "number": number,
            "step": self.step,
            "steps": self.steps,
            "loss": self.losses[number],
            "tokens_per_second": self.tokens_per_second,
            "seconds_left": self.seconds_left,
        }


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
        One a model, or none to keep nothing; all at the same step (``level``). Finished ones end
        the call at once.
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
            _save(stepper, folders, step + 1, tokens, spent + time.perf_counter() - began)
    for i, folder in enumerate(folders):
        folder.write_tensors("weights.safetensors", stepper.weights(i))
    for folder in folders:
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


def level(folders: Sequence[RunFolder]) -> list[list[int]]:
    """Return which runs stand at the same step, and so can train as one stack, in their order.

    Those that have ended are together too. A checkpoint of a whole stack is on the disk before any
    of it counts: where a process was killed as it put them in place, the others' follow here.
    """
    steps = [-1 if folder.done else _step(folder, STATE) for folder in folders]
    furthest = max(steps, default=0)
    found: dict[int, list[int]] = {}
    for i, folder in enumerate(folders):
        if 0 <= steps[i] < furthest and _staged(folder) == furthest:
            folder.commit(STATE)
            steps[i] = furthest
        found.setdefault(steps[i], []).append(i)
    return list(found.values())


def _step(folder: RunFolder, name: str) -> int:
    """Return the step of a checkpoint, 0 where there is none."""
    if not (folder.path / name).exists():
        return 0
    return int(folder.read_tensors(name, only=["now"])["now"][0])


def _staged(folder: RunFolder) -> int:
    """Return the step of a checkpoint that was not put in place, 0 where it is not whole."""
    try:
        return _step(folder, f"{STATE}{PARTIAL}")
    except InputError:
        return 0


def _save(
    stepper: Stepper, folders: Sequence[RunFolder], step: int, tokens: int, seconds: float
) -> None:
    """Write each model's state into its folder, all of them before the first is put in place."""
    now = torch.tensor([step, tokens, seconds], dtype=torch.float64)
    for i, folder in enumerate(folders):
        own = {name: all_SP[i : i + 1] for name, all_SP in stepper.state.tensors().items()}
        folder.stage_tensors(STATE, {**own, "now": now})
    for folder in folders:
        folder.commit(STATE)


def _restore(stepper: Stepper, folders: Sequence[RunFolder]) -> tuple[int, int, float]:
    """Return step, tokens and seconds to go on from, with each model's state put back."""
    if len(level(folders)) > 1:
        raise InputError(
            f"The runs of one stack stand at different steps, the first in '{folders[0].path}'.",
            remedy="Train those that kleiber.training.loop.level puts together.",
        )
    now = [0.0, 0.0, 0.0]
    for i, folder in enumerate(folders):
        if not (folder.path / STATE).exists():
            continue
        held = folder.read_tensors(STATE)
        for name, all_SP in stepper.state.tensors().items():
            _check_own(folder, name, held.get(name), all_SP.shape[1])
            all_SP[i : i + 1].copy_(held[name])
        now = held["now"].tolist()
    return int(now[0]), int(now[1]), now[2]


def _check_own(folder: RunFolder, name: str, held_1P: Tensor | None, size: int) -> None:
    """Raise InputError where a checkpoint is not of one model of so many parameters."""
    if held_1P is not None and held_1P.shape == (1, size):
        return
    what = f"holds no {name} of shape (1, {size})"
    if held_1P is not None and held_1P.shape[1:] == (size,):
        what = (
            f"holds {len(held_1P)} runs at once, as an earlier version wrote a stack's checkpoint"
        )
    raise InputError(
        f"'{folder.path / STATE}' {what}.",
        remedy="Remove that file to train from the start, or end the runs with the version of "
        "kleiber that began them.",
    )
