"""Knowledge extraction: tune a trained model on questions, ask it about people it was not asked of.

What a model can complete is not yet what it can be asked for: people whose facts it saw in ever new
words can be asked about, people of a single text cannot (Allen-Zhu & Li 2023, arXiv 2309.14316). As
there, tuning adds matrices of low rank to a model whose own weights stay (``lowrank``); where all
are tuned, fewer people can be asked about who were not tuned on (study ``capacity-extraction``).
What the questions' own words need is added as fresh rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.accuracy import Known, known, tally
from kleiber.knowledge.biographies import Biographies
from kleiber.knowledge.experiment import load_folder
from kleiber.knowledge.lowrank import Ranks, Watch, tune_low_rank
from kleiber.knowledge.measure import PART, UNCOUNTED
from kleiber.knowledge.questions import Lessons, Questions, halves
from kleiber.knowledge.reading import nats_of
from kleiber.knowledge.settings import check_above_zero, check_at_least_one
from kleiber.knowledge.strings import Strings
from kleiber.knowledge.views import Marked
from kleiber.training import GPT, RunFolder
from kleiber.training.config import TrainConfig
from kleiber.training.extra import check_device
from kleiber.training.schedule import rate
from kleiber.training.step import Stepper

LOW_RANK, ALL = "low-rank", "all"
RATES = {LOW_RANK: 3e-3, ALL: 1e-3}  # peak learning rates by what is tuned


@dataclass(frozen=True)
class Extraction:
    """Shares of people who are answered rightly, by attribute, and what the same texts knew."""

    tuned: dict[str, float]  # about people of the questions tuned on
    held_out: dict[str, float]  # about the others
    untuned: dict[str, float]  # about the others, before tuning
    chance: dict[str, float]  # of the others, the most that one answer for everybody gets right
    memorised: list[Known]  # the others' biographies, before tuning
    people_tuned: int
    people: int  # held out
    steps: int

    @property
    def accuracy(self) -> float:
        """Mean over attributes of the people held out; a working city is its employer's."""
        return mean(self.held_out)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, with the means over attributes."""
        whole = {one.attribute: one.whole for one in self.memorised}
        counted = [one for one in self.memorised if one.attribute != UNCOUNTED]
        return {
            **asdict(self),
            "accuracy": self.accuracy,
            "accuracy_tuned": mean(self.tuned),
            "accuracy_untuned": mean(self.untuned),
            "accuracy_chance": mean(self.chance),
            "accuracy_in_texts": mean(whole),
            "bits_in_texts": sum(one.bits for one in counted),
            "most_bits_in_texts": sum(one.most_bits for one in counted),
        }


def extract_folder(
    folder: RunFolder,
    *,
    steps: int = 1500,
    batch: int = 48,
    lr: float | None = None,
    seed: int = 0,
    tuning: str = LOW_RANK,
    device: str = "cpu",
    watch: Watch | None = None,
) -> Extraction:
    """Tune the trained model of a run's folder on questions, and ask it; the folder stays.

    See :func:`extract`. Raises InputError for a run whose people no questions can be made about.
    """
    _check(steps, batch, lr, seed, tuning)
    check_device(device)
    cell, source, model = load_folder(folder)
    if isinstance(source, Marked):
        raise InputError(
            f"'{folder.path}' was taught texts with a token or a domain's name in front, and "
            "questions have none.",
            remedy="Name a run without --token and domains.",
        )
    if not isinstance(source, Biographies | Strings):
        raise InputError(
            f"'{folder.path}' was taught texts of the format {cell.format}, about which no "
            "questions can be made.",
            remedy="Name a run that was taught bioD, bioS, bioS-simple or bioR.",
        )
    model = model.to(device)
    return extract(
        model, Questions(source), steps=steps, batch=batch, lr=lr, seed=seed, tuning=tuning,
        watch=watch,
    )  # fmt: skip


def extract(
    model: GPT,
    questions: Questions,
    *,
    steps: int = 1500,
    batch: int = 48,
    lr: float | None = None,
    seed: int = 0,
    tuning: str = LOW_RANK,
    ranks: Ranks | None = None,
    watch: Watch | None = None,
) -> Extraction:
    """Tune a model on questions about half of its people; ask about the other half.

    Parameters
    ----------
    steps, batch
        Steps of tuning, and questions a step.
    lr
        Peak rate [default: 3e-3 for low-rank additions, 1e-3 where all is tuned].
    seed
        Of who is held out, of the questions' order, of the new rows and additions.
    tuning
        "low-rank", or "all" for every parameter.
    ranks
        Of the additions.
    watch
        Hears of every step.
    """
    _check(steps, batch, lr, seed, tuning)
    taught, asked = halves(questions.source.count, seed)
    lessons = Lessons(questions, tuple(taught.tolist()), steps, batch, seed)
    before = grown(model, questions, seed)
    rate_ = RATES[tuning] if lr is None else lr
    if tuning == LOW_RANK:
        old = model.config.vocab
        tuned = tune_low_rank(
            before, lessons, old=old, lr=rate_, ranks=ranks, seed=seed, watch=watch
        )
    else:
        tuned = tune(model, lessons, lr=rate_, watch=watch)
    return Extraction(
        tuned=answers(tuned, questions, taught),
        held_out=answers(tuned, questions, asked),
        untuned=answers(before, questions, asked),
        chance=questions.chance(asked),
        memorised=known(nats_of(model), questions.source, asked),
        people_tuned=len(taught),
        people=len(asked),
        steps=steps,
    )


def tune(model: GPT, lessons: Lessons, *, lr: float, watch: Watch | None = None) -> GPT:
    """Return a model all of which was tuned on lessons; the one given stays as it is."""
    questions, steps = lessons.questions, lessons.steps
    start = grown(model, questions, lessons.seed)
    config = TrainConfig(lr=lr, seed=lessons.seed, weight_decay=0.0, warmup=0.02)
    stepper = Stepper(start.config, [config], device=str(next(model.parameters()).device))
    with torch.no_grad():
        for name, own in stepper.weights(0).items():
            own.copy_(start.get_parameter(name))
    for step in range(steps):
        inputs, targets = lessons.batch(step)
        share = rate(step, steps, warmup=config.warmup, final=config.final_lr)
        tokens_SBT, targets_SBT = torch.from_numpy(inputs)[None], torch.from_numpy(targets)[None]
        losses_S = stepper.step(tokens_SBT, targets_SBT, share, step + 1)
        if watch is not None:
            watch(step + 1, losses_S[0].item())
    return stepper.load(0)


def mean(shares: dict[str, float]) -> float:
    """Return the mean over the attributes that count: a working city is its employer's."""
    return float(np.mean([share for part, share in shares.items() if part != UNCOUNTED]))


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


def _check(steps: int, batch: int, lr: float | None, seed: int, tuning: str) -> None:
    """Refuse settings that nothing can be tuned with."""
    check_at_least_one({"steps": steps, "batch": batch}, ("steps", "batch"))
    check_above_zero({"lr": lr}, ("lr",))
    if seed < 0:
        raise UsageError(f"The seed is {seed}.", remedy="A seed is 0 or more.")
    if tuning not in RATES:
        raise UsageError(
            f"There is no tuning '{tuning}'; there are {' and '.join(RATES)}.",
            remedy="Use one of them.",
        )
