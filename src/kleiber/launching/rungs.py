"""Rungs that train together: text in, points with their held-out loss out, a folder each.

What a folder of a rung holds besides a run's (``training.folder``): ``heldout_loss`` in some
points and in the last, which has ``seen_loss`` and ``unseen_loss`` too, of the training's own text
and of text like it that was not shown; ``failed.json`` where the loss was no number, with why.
``process.json`` while a process trains it, which that process holds a lock on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.recipes.rung import Rung
from kleiber.training.config import Batches, TrainConfig
from kleiber.training.count import exact_flops
from kleiber.training.folder import PROCESS, RunFolder
from kleiber.training.lock import held
from kleiber.training.record import record_of
from kleiber.training.rung import model_of, training_of

if TYPE_CHECKING:
    from kleiber.training.loop import Look
    from kleiber.training.model import GPT

FAILED = "failed.json"
HELDOUT = 10  # readings from one look at the held-out loss to the next; the last is always taken
SEEN = 65_536  # tokens of the training's own text that the finished model is asked for
MOST = 16  # rungs of a stack: what a process is told, and its memory, stay small
STACKED = 32  # widths up to here: three seeds in one stack take .75 of the time (16), .84 (32)

Pair = tuple[NDArray[np.int64], NDArray[np.int64]]
Event = dict[str, Any]


class Text(Batches, Protocol):
    """What a rung is trained on, and what it is not."""

    @property
    def width(self) -> int:
        """Tokens that a window predicts."""
        ...

    @property
    def vocab(self) -> int:
        """Rows that its tokens need."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """What ``run.json`` is to say of it: names and checksums, ``validation_set`` among them."""
        ...

    def heldout(self) -> Iterator[Pair]:
        """Return the batches of text that no training sees, the same ones at every call."""
        ...

    def unseen(self) -> Iterator[Pair]:
        """Return batches drawn as the run's own were, that it does not show."""
        ...


Opener = Callable[[Rung], Text]


def groups(rungs: Sequence[Rung]) -> list[list[int]]:
    """Return which rungs train together: narrow ones, MOST of them, of different seeds."""
    found: dict[str, list[int]] = {}
    for number, rung in enumerate(rungs):
        alike = replace(rung, name="", seed=0).fingerprint
        alone = "" if rung.width <= STACKED else f" {number}"
        found.setdefault(f"{alike}{alone}", []).append(number)
    return [some[i : i + MOST] for some in found.values() for i in range(0, len(some), MOST)]


def about(rung: Rung, text: Text) -> dict[str, Any]:
    """Return what a rung's ``run.json`` says beside what every run's says."""
    return {
        "recipe": rung.recipe,
        "rung": rung.to_dict(),
        "text": text.about,
        "exact_flops_per_token": exact_flops(model_of(rung)),
    }


def run(
    rungs: Sequence[Rung],
    folders: Sequence[RunFolder],
    opener: Opener,
    *,
    device: str = "cpu",
    save_every: int | None = None,
    micro_batches: int = 1,
) -> Iterator[Event]:
    """Train rungs that differ in their seed alone as one stack; yield readings, then results.

    Every event says whose it is by ``number``; a reading is of one rung for all. A rung whose loss
    is no number is said to have failed, in an event and in its folder, and the others go on. Rungs
    that stand at different steps are stacks of their own, one after the other.
    """
    from kleiber.training.extra import check_device
    from kleiber.training.loop import level

    check_device(device)
    texts = [_opened(rung, opener) for rung in rungs]
    trainings = [training_of(rung, micro_batches=micro_batches) for rung in rungs]
    with ExitStack() as ours:
        for rung, training, text, folder in zip(rungs, trainings, texts, folders, strict=True):
            folder.claim(record_of(model_of(rung), training, text, about(rung, text)))
            ours.enter_context(held(folder.path / PROCESS, rung.name))
        for stack in level(folders):
            for event in _train(
                [rungs[i] for i in stack],
                [trainings[i] for i in stack],
                [texts[i] for i in stack],
                [folders[i] for i in stack],
                device=device,
                save_every=save_every,
            ):
                yield {**event, "number": stack[event["number"]]}


def _train(
    rungs: Sequence[Rung],
    trainings: Sequence[TrainConfig],
    texts: Sequence[Text],
    folders: Sequence[RunFolder],
    *,
    device: str,
    save_every: int | None,
) -> Iterator[Event]:
    """Train rungs that stand at the same step as one stack; yield readings, then results."""
    from kleiber.training.loop import train

    readings = train(
        model_of(rungs[0]),
        trainings,
        texts,
        folders,
        about=[about(rung, text) for rung, text in zip(rungs, texts, strict=True)],
        device=device,
        save_every=save_every,
        watch=True,
        look=_look(texts),
    )
    failed: set[int] = set()
    for reading in readings:
        for number, loss in enumerate(reading.losses):
            if number not in failed and not math.isfinite(loss):
                failed.add(number)
                why = _diverged(rungs[number], loss, reading.step).to_dict()
                folders[number].write_json(FAILED, {**why, "step": reading.step})
                yield {"number": number, **why}
        if len(failed) == len(rungs):
            return
        yield reading.event(min(set(range(len(rungs))) - failed))
    for number, folder in enumerate(folders):
        if number not in failed:
            yield {"number": number, "result": result_of(folder)}


def result_of(folder: RunFolder) -> dict[str, Any]:
    """Return a finished rung as one row, from its record and its last point."""
    record, points = folder.record(), folder.points()
    if not points:
        raise InputError(
            f"'{folder.path}' has ended, and its points.jsonl has no point.",
            remedy="Move the folder away and run the ladder again.",
        )
    last = points[-1]
    return {
        "run": record["rung"]["name"],
        "recipe": record["recipe"],
        "seed": record["seed"],
        "params": record["params"],
        "tokens": last["tokens"],
        "flops": record["exact_flops_per_token"] * last["tokens"],
        "loss": last.get("heldout_loss", last["loss"]),
        "train_loss": last["loss"],
        "seen_loss": last.get("seen_loss"),
        "unseen_loss": last.get("unseen_loss"),
        "lr": record["rung"]["lr"],
        "steps": last["step"],
        "seconds": last["seconds"],
    }


def _look(texts: Sequence[Text]) -> Look:
    """Return what is asked of each model at a reading: its held-out loss, now and then."""
    from kleiber.training.heldout import mean_nats
    from kleiber.training.loop import READINGS

    steps = texts[0].steps
    every = max(1, steps // READINGS)  # steps between readings, as the loop has them

    def look(step: int, number: int, load: Callable[[], GPT]) -> dict[str, float]:
        if step != steps and (step // every) % HELDOUT:
            return {}
        model, text = load(), texts[number]
        found = {"heldout_loss": mean_nats(model, text.heldout())}
        if step == steps:
            found["seen_loss"] = mean_nats(model, seen(text))
            found["unseen_loss"] = mean_nats(model, text.unseen())
        return found

    return look


def seen(text: Text) -> Iterator[Pair]:
    """Return batches that training showed, evenly over its steps, of about SEEN tokens."""
    tokens = text.batch(0)[0].size
    count = min(text.steps, max(1, SEEN // tokens))
    for step in np.linspace(0, text.steps - 1, count).astype(int):
        yield text.batch(int(step))


def _opened(rung: Rung, opener: Opener) -> Text:
    """Return a rung's text, or raise InputError where it is another's than the rung counts on."""
    from kleiber.training.text.opening import check_vocab

    text = opener(rung)
    for what, found, expected in (
        ("steps", text.steps, rung.steps),
        ("tokens a window", text.width, rung.context),
    ):
        if found != expected:
            raise InputError(
                f"The text '{rung.text}' gives {rung.name} {found:,} {what}, and the rung has "
                f"{expected:,}.",
                remedy="Name a longer text, or fewer tokens or more epochs in the recipe.",
            )
    check_vocab(rung, text.vocab)
    return text


def _diverged(rung: Rung, loss: float, step: int) -> InputError:
    return InputError(
        f"The loss of {rung.name} is {loss} at step {step:,} of {rung.steps:,}, at a peak rate of "
        f"{rung.lr:g}: its training diverged.",
        remedy="Lower lr for this scale or lengthen warmup; its folder is left, and other rungs "
        "are not touched.",
    )
