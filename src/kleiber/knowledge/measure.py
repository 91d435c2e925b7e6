"""Bits of knowledge that a model stores, by Definitions 4.1 and 4.3 of arXiv 2404.05405.

A model is shown texts in the format it was trained on, and the nats of exactly the name's tokens
and of exactly the values' tokens are summed: p1 a name, p2 a person's values (bioS: all of them
and the pronoun; bioD: all K), p3 a value's first chunk. Then ::

    name bits       N (log2 N0 - p1 / ln 2)
    value bits      N (value bits of a person - p2 / ln 2)
    diversity bits  K (log2 of T^L / D) D - K D p3 / ln 2        bioD only
    R               their sum over all parameters

Sums, never means; a bad model's bits are negative. What a perfect model would have is R^max.
The working city tells the employer, so it is never counted and, where its sentence comes before
the employer's, its nats are added to the employer's; by default no text is of that order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from kleiber.knowledge.texts import NAME, Source, Texts
from kleiber.training import GPT

Nats = Callable[[Texts], tuple[NDArray[np.float64], NDArray[np.bool_]]]
"""Texts to each token's nats and whether it is the most likely one; 0 and True at separators."""

LN2 = math.log(2)
FRESH = 1_000_000  # exposures from here on were never trained on
ROWS = 256  # texts a forward pass
UNCOUNTED = "work_city"


@dataclass(frozen=True)
class Score:
    """Mean nats over people and texts; stored bits follow from it and the source alone."""

    name: float  # p1
    values: float  # p2, summed over a person's values
    first: float  # p3, mean over values; NaN where values are not of chunks
    accuracy: dict[
        str, float
    ]  # share of people whose whole value is decoded greedily, by attribute
    people: int
    texts: int  # a person
    error: float  # standard error of name + values, in nats a person
    clipped_bits: float  # mean over people of max(0, name and value bits)


@dataclass(frozen=True)
class Measurement:
    """Stored bits of one run, split into terms, with controls; R in bits a parameter."""

    people: int
    params: int
    bits_per_param: float
    max_bits_per_param: float
    standard_error: float  # of bits_per_param, over texts
    name_bits: float
    value_bits: float
    diversity_bits: float
    accuracy: float
    accuracy_by_attribute: dict[str, float]
    controls: dict[str, float] = field(default_factory=dict[str, float])
    controls_clipped: dict[str, float] = field(default_factory=dict[str, float])
    texts: int = 0

    @property
    def share(self) -> float:
        """R over R^max."""
        return self.bits_per_param / self.max_bits_per_param

    def to_dict(self) -> dict[str, Any]:
        """Return the measurement as plain values."""
        return {**asdict(self), "share_of_max": self.share}


def measure(
    model: GPT,
    source: Source,
    *,
    texts: int = 4,
    most_people: int = 20_000,
    untrained: GPT | None = None,
    controls: bool = True,
) -> Measurement:
    """Measure what a trained model stores of its people.

    Parameters
    ----------
    texts
        Fresh texts a person; their spread gives the standard error.
    most_people
        People to read at most; of a larger set an even sample, whose spread is in the error.
    untrained
        A model of the same shape before training, for that control.
    controls
        Whether to measure them: an oracle (R = R^max), the untrained model (about 0 or below),
        and strangers (at or below 0; above +.05 means that something leaks).
    """
    ids = _sample(source.count, most_people)
    score = score_texts(nats_of(model), source, ids, texts=texts)
    params = sum(p.numel() for p in model.parameters())
    bits = stored_bits(source, score)
    found: dict[str, float] = {}
    clipped: dict[str, float] = {}
    if controls:
        found["oracle"] = sum(stored_bits(source, oracle(source)).values()) / params
        strangers = source.strangers(_spare_names(source, len(ids)))
        for name, other, whom in (("random", untrained, ids), ("unseen", model, strangers)):
            if other is None or not len(whom):
                continue
            seen = score_texts(nats_of(other), source, whom, texts=1)
            found[name] = sum(stored_bits(source, seen).values()) / params
            clipped[name] = source.count * seen.clipped_bits / params
    accuracy = {k: v for k, v in score.accuracy.items() if k != UNCOUNTED}
    return Measurement(
        people=source.count,
        params=params,
        bits_per_param=sum(bits.values()) / params,
        max_bits_per_param=max_bits(source) / params,
        standard_error=source.count * score.error / LN2 / params,
        name_bits=bits["name"],
        value_bits=bits["value"],
        diversity_bits=bits["diversity"],
        accuracy=float(np.mean(list(accuracy.values()))),
        accuracy_by_attribute=accuracy,
        controls=found,
        controls_clipped=clipped,
        texts=texts,
    )


def stored_bits(source: Source, score: Score) -> dict[str, float]:
    """Return the stored bits of Definition 4.3 by term."""
    diversity = 0.0
    if not math.isnan(score.first):
        strings = _dictionary_entries(source)
        diversity = source.diversity_bits - strings * score.first / LN2
    return {
        "name": source.count * (source.name_bits - score.name / LN2),
        "value": source.count * (source.value_bits - score.values / LN2),
        "diversity": diversity,
    }


def max_bits(source: Source) -> float:
    """Return the numerator of R^max: N log2(N0 / N), all values, the diversity term."""
    name = source.count * (source.name_bits - math.log2(source.count))
    return name + source.count * source.value_bits + source.diversity_bits


def oracle(source: Source) -> Score:
    """Return the score of a perfect model: it knows whom there is, not who comes next."""
    by_chunks = _by_chunks(source)
    accuracy = dict.fromkeys(source.attributes, 1.0)
    known = source.name_bits - math.log2(source.count) + source.value_bits
    return Score(
        name=math.log(source.count),
        values=0.0,
        first=0.0 if by_chunks else math.nan,
        accuracy=accuracy,
        people=source.count,
        texts=1,
        error=0.0,
        clipped_bits=known,
    )


def score_texts(
    nats: Nats,
    source: Source,
    ids: NDArray[np.int64],
    *,
    texts: int = 1,
    employer_first: bool = True,
    add_city: bool = True,
) -> Score:
    """Read texts of some people and return their mean nats.

    ``employer_first=False`` with ``add_city=False`` is the naive reading, in which the working
    city gives the employer away.
    """
    name = np.zeros((texts, len(ids)))
    values = np.zeros((texts, len(ids)))
    first, right = np.zeros(texts), np.zeros((texts, len(source.attributes)))
    for draw in range(texts):
        for part in _parts(len(ids)):
            read = source.texts(ids[part], FRESH + draw, employer_first=employer_first)
            nat, best = nats(read)
            name[draw, part], values[draw, part] = _by_person(source, read, nat, add_city)
            first[draw] += nat[read.kinds == 2].sum() if _by_chunks(source) else 0.0
            right[draw] += _right(source, read, best)
    per_text = name + values
    spread = per_text.mean(axis=1).std(ddof=1) / math.sqrt(texts) if texts > 1 else math.nan
    missing = 1 - len(ids) / source.count if len(ids) < source.count else 0.0
    sampled = per_text.mean(axis=0).std(ddof=1) * math.sqrt(missing / len(ids))
    chunks = len(ids) * len(source.attributes)
    bits = source.name_bits + source.value_bits - per_text.mean(axis=0) / LN2
    return Score(
        name=float(name.mean()),
        values=float(values.mean()),
        first=float(first.mean()) / chunks if _by_chunks(source) else math.nan,
        accuracy={
            attribute: float(share)
            for attribute, share in zip(
                source.attributes, right.mean(axis=0) / len(ids), strict=True
            )
        },
        people=len(ids),
        texts=texts,
        error=math.hypot(spread, sampled),
        clipped_bits=float(np.maximum(bits, 0).mean()),
    )


def nats_of(model: GPT, *, rows: int = ROWS) -> Nats:
    """Return how a model reads texts: teacher-forced, each text by itself after its separator."""
    device = next(model.parameters()).device

    @torch.no_grad()
    def read(texts: Texts) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        nats = np.zeros(len(texts.tokens))
        best = np.ones(len(texts.tokens), dtype=bool)
        lengths = texts.lengths
        for start in range(0, len(texts), rows):
            these = slice(start, min(start + rows, len(texts)))
            wide = int(lengths[these].max())
            inside = np.arange(wide) < lengths[these, None]
            padded = np.zeros(inside.shape, dtype=np.int64)
            whole = slice(texts.starts[these.start], texts.starts[these.stop])
            padded[inside] = texts.tokens[whole]
            tokens_BT = torch.from_numpy(padded).to(device)
            logits_BTV = model(tokens_BT[:, :-1]).float()
            loss_BT = F.cross_entropy(
                logits_BTV.transpose(1, 2), tokens_BT[:, 1:], reduction="none"
            )
            hit_BT = logits_BTV.argmax(-1) == tokens_BT[:, 1:]
            nats[whole] = _shifted(loss_BT.double().cpu().numpy(), 0.0)[inside]
            best[whole] = _shifted(hit_BT.cpu().numpy(), True)[inside]
        return nats, best

    return read


def _by_person(
    source: Source, texts: Texts, nats: NDArray[np.float64], add_city: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each text's nats over its name and over its counted values."""
    starts = texts.starts[:-1]
    name = np.add.reduceat(np.where(texts.kinds == NAME, nats, 0.0), starts)
    counted = texts.kinds > NAME
    if UNCOUNTED in source.kinds:
        city = texts.kinds == source.kinds.index(UNCOUNTED)
        counted &= ~city
        if add_city:
            employer = texts.kinds == source.kinds.index("employer")
            ahead = _first_place(texts, city) < _first_place(texts, employer)
            counted |= city & np.repeat(ahead, texts.lengths)
    return name, np.add.reduceat(np.where(counted, nats, 0.0), starts)


def _right(source: Source, texts: Texts, best: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how many texts have each attribute's whole value decoded greedily.

    Greedy decoding from a true prefix is right exactly if each token of the value is the most
    likely one after the true tokens before it, so one teacher-forced pass tells.
    """
    attributes = len(source.attributes)
    text = np.repeat(np.arange(len(texts)), texts.lengths)
    value = texts.slots >= 0
    cell = text[value] * attributes + texts.slots[value]
    wrong = np.bincount(cell, weights=~best[value], minlength=len(texts) * attributes)
    return (wrong.reshape(len(texts), attributes) == 0).sum(axis=0).astype(float)


def _first_place(texts: Texts, which: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the place of each text's first marked token."""
    places = np.where(which, np.arange(len(which)), len(which))
    return np.minimum.reduceat(places, texts.starts[:-1])


def _shifted(read: NDArray[Any], first: Any) -> NDArray[Any]:
    """Return what was read of each next token at that token's own place."""
    return np.concatenate([np.full((len(read), 1), first), read], axis=1)


def _parts(count: int, size: int = 4096) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _sample(count: int, most: int) -> NDArray[np.int64]:
    """Return all people, or an even sample; who a number is was drawn by hash."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).astype(np.int64)


def _spare_names(source: Source, wanted: int) -> int:
    """Return how many strangers there are, up to those wanted."""
    return max(0, min(wanted, round(2**source.name_bits) - source.count))


def _by_chunks(source: Source) -> bool:
    """Whether values are chunks of strings from sets that the model has to learn (bioD)."""
    return "first" in source.kinds


def _dictionary_entries(source: Source) -> int:
    """Return K D, the strings of all attributes' sets."""
    return len(source.attributes) * int(getattr(source, "D", 0))
