"""Take a layer out of a trained model, and see what it still knows.

Knowledge is not spread so that each of L layers holds its share: near capacity, a model without its
last layer keeps far less than 1 - 1/L of its bits (arXiv 2404.05405, section 8).
"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.experiment import load_folder
from kleiber.knowledge.measure import UNCOUNTED, clipped_bits, sample, score_texts, stored_bits
from kleiber.knowledge.random_strings import RandomStrings
from kleiber.knowledge.reading import nats_of
from kleiber.knowledge.texts import Source
from kleiber.training import GPT, RunFolder
from kleiber.training.extra import check_device

MOST_PEOPLE = 20_000  # to read; of a larger set an even sample


@dataclass(frozen=True)
class Removal:
    """What was stored before and after one layer went; bits of knowledge, not per parameter."""

    layer: int  # from 0
    layers: int
    before: float
    after: float
    after_clipped: float  # without any person below 0: a cut model is sure of what is wrong
    accuracy_before: float  # of values, decoded greedily
    accuracy_after: float

    @property
    def kept(self) -> float:
        """Share of the bits that remain; below 0 where the rest is worse than a guess.

        NaN of a model that stores nothing.
        """
        return self.after / self.before if self.before > 0 else math.nan

    @property
    def spread_evenly(self) -> float:
        """The share that would remain if every layer held as much: 1 - 1/L."""
        return 1 - 1 / self.layers

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "kept": self.kept, "spread_evenly": self.spread_evenly}


def without_layer(model: GPT, layer: int = -1) -> GPT:
    """Return a copy without one layer, the last by default; negative numbers count from the end."""
    layers = len(model.blocks)
    if not -layers <= layer < layers:
        raise UsageError(
            f"There is no layer {layer} in a model of {layers}.",
            remedy=f"Name one of 0 to {layers - 1}; -1 is the last.",
        )
    if layers == 1:
        raise UsageError(
            "The model has one layer; without it nothing is left to read.",
            remedy="Probe a model of two layers or more.",
        )
    shorter = copy.deepcopy(model)
    kept = [block for i, block in enumerate(shorter.blocks) if i != layer % layers]
    shorter.blocks = nn.ModuleList(kept)
    return shorter


def probe_folder(
    folder: RunFolder, layers: list[int] | None = None, *, device: str = "cpu"
) -> list[Removal]:
    """Measure a run's model without each of some layers, one at a time [default: the last]."""
    check_device(device)
    cell, source, model = load_folder(folder)
    if isinstance(source, RandomStrings):
        raise InputError(
            f"'{folder.path}' was taught random strings, and the probe counts bits of people.",
            remedy="Name a run that people were taught in.",
        )
    model = model.to(device)
    shorter = [without_layer(model, layer) for layer in layers or [-1]]
    count = len(model.blocks)
    before, _, right = _bits(model, source, cell.texts)
    found: list[Removal] = []
    for layer, rest in zip(layers or [-1], shorter, strict=True):
        after, clipped, left = _bits(rest, source, cell.texts)
        found.append(Removal(layer % count, count, before, after, clipped, right, left))
    return found


def _bits(model: GPT, source: Source, texts: int) -> tuple[float, float, float]:
    """Return the bits stored, the same with no person below 0, and the values decoded."""
    score = score_texts(nats_of(model), source, sample(source.count, MOST_PEOPLE), texts=texts)
    right = [share for name, share in score.accuracy.items() if name != UNCOUNTED]
    bits, clipped = stored_bits(source, score), clipped_bits(source, score)
    above = clipped["person"] + clipped["diversity"]
    return sum(bits.values()), above, sum(right) / len(right)
