"""Knowledge extraction: tune a trained model on questions, ask it about people it was not asked of.

All of its parameters are tuned (the published test tunes low-rank additions), by the trainer's own
step. What the questions' own words need is added as fresh rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kleiber.errors import InputError
from kleiber.knowledge.accuracy import Known, known, tally
from kleiber.knowledge.measure import PART, UNCOUNTED
from kleiber.knowledge.questions import Lessons, Questions, halves
from kleiber.knowledge.reading import nats_of
from kleiber.training import GPT
from kleiber.training.config import TrainConfig
from kleiber.training.schedule import rate
from kleiber.training.step import Stepper


@dataclass(frozen=True)
class Extraction:
    """Shares of people who are answered rightly, by attribute, and what the same texts knew."""

    tuned: dict[str, float]  # about people of the questions tuned on
    held_out: dict[str, float]  # about the others
    untuned: dict[str, float]  # about the others, before tuning
    memorised: list[Known]  # the others' biographies, before tuning
    people: int  # held out
    steps: int

    @property
    def accuracy(self) -> float:
        """Mean over attributes of the people held out; a working city is its employer's."""
        counted = [share for part, share in self.held_out.items() if part != UNCOUNTED]
        return float(np.mean(counted))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**asdict(self), "accuracy": self.accuracy}


def extract(
    model: GPT,
    questions: Questions,
    *,
    steps: int = 2000,
    batch: int = 48,
    lr: float = 1e-3,
    seed: int = 0,
    device: str = "cpu",
) -> Extraction:
    """Tune a model on questions about half of its people; ask about the other half."""
    taught, asked = halves(questions.source.count, seed)
    lessons = Lessons(questions, tuple(taught.tolist()), steps, batch, seed)
    before = grown(model, questions, seed)
    tuned = tune(model, lessons, lr=lr, device=device)
    return Extraction(
        tuned=answers(tuned, questions, taught),
        held_out=answers(tuned, questions, asked),
        untuned=answers(before, questions, asked),
        memorised=known(nats_of(model), questions.source, asked),
        people=len(asked),
        steps=steps,
    )


def tune(model: GPT, lessons: Lessons, *, lr: float, device: str = "cpu") -> GPT:
    """Return a model that was tuned on lessons; the one given stays as it is."""
    questions, steps = lessons.questions, lessons.steps
    start = grown(model, questions, lessons.seed)
    config = TrainConfig(lr=lr, seed=lessons.seed, weight_decay=0.0, warmup=0.02)
    stepper = Stepper(start.config, [config], device=device)
    with torch.no_grad():
        for name, own in stepper.weights(0).items():
            own.copy_(start.get_parameter(name))
    for step in range(steps):
        inputs, targets = lessons.batch(step)
        share = rate(step, steps, warmup=config.warmup, final=config.final_lr)
        tokens_SBT, targets_SBT = torch.from_numpy(inputs)[None], torch.from_numpy(targets)[None]
        stepper.step(tokens_SBT, targets_SBT, share, step + 1)
    return stepper.load(0)


@torch.no_grad()
def grown(model: GPT, questions: Questions, seed: int) -> GPT:
    """Return a copy of a model with rows for the questions' own words, drawn as others were."""
    held = model.config.vocab
    if held < questions.source.vocab:
        raise InputError(
            f"The model has {held} rows, and the people's texts {questions.source.vocab}.",
            remedy="Ask the model about the people it was taught.",
        )
    rows = max(held, questions.vocab)
    context = max(model.config.context, questions.max_length)
    bigger = GPT(replace(model.config, vocab=rows, context=context))
    draw = torch.Generator().manual_seed(seed)
    std = model.config.init_scale * model.config.width**-0.5
    for name, own in bigger.named_parameters():
        old = model.get_parameter(name)
        own.copy_(_padded(old.detach().cpu(), own.shape, std, draw))
    return bigger.to(next(model.parameters()).device)


def answers(model: GPT, questions: Questions, ids: NDArray[np.int64]) -> dict[str, float]:
    """Return the share of people whose whole value is answered, by attribute."""
    read = nats_of(model)
    parts: Sequence[str] = questions.source.attributes
    found: dict[str, float] = {}
    for place, part in enumerate(parts):
        right = 0.0
        for start in range(0, len(ids), PART):
            texts = questions.texts(ids[start : start + PART], place)
            right += float(tally(texts, *read(texts), len(parts))[2, place])
        found[part] = right / len(ids)
    return found


def _padded(old: Tensor, shape: torch.Size, std: float, draw: torch.Generator) -> Tensor:
    """Return a parameter, with rows drawn anew where it has grown."""
    new = torch.empty(shape).normal_(0.0, std, generator=draw) if old.shape != shape else old
    return new.index_copy(0, torch.arange(len(old)), old) if new is not old else old
