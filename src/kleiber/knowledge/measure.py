"""Bits of knowledge that a model stores, by Definitions 4.1 and 4.3 of arXiv 2404.05405.

A model is shown texts in the format it was trained on, and the nats of exactly the name's tokens
and of exactly the values' tokens are summed: p1 a name, p2 a person's values (bioS: all of them
and the pronoun; bioD: all K), p3 a value's first chunk. Then ::

    name bits       N (log2 N0 - p1 / ln 2)
    value bits      N (value bits of a person - p2 / ln 2)
    diversity bits  K (log2 of T^L / D) D - K D p3 / ln 2        bioD only
    R               their sum over all parameters

Sums, never means; a bad model's bits are negative. What a perfect model would have is R^max.
The working city tells the employer, so it is never counted: texts are read with the employer's
sentence first or, where a person's texts are fixed, as they were taught, and then a city that comes
first is read as a part of the employer (log2 263 is H(city) + H(employer | city)).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.knowledge.reading import Nats, nats_of
from kleiber.knowledge.texts import NAME, Source, Texts
from kleiber.training import GPT

LN2 = math.log(2)
FRESH = 1_000_000  # exposures from here on were never trained on; a multiple of bioR's 40
PART = 4096  # texts made at a time
UNCOUNTED = "work_city"
Terms = dict[str, float]


@dataclass(frozen=True)
class Score:
    """Mean nats over people and texts; stored bits follow from it and the source alone."""

    name: float  # p1
    values: float  # p2, summed over a person's values
    first: float  # p3, mean over values; NaN where values are not of chunks
    accuracy: Terms  # share of people whose whole value is decoded greedily, by attribute
    people: int
    texts: int  # a person
    error_bits: float  # standard error of all people's stored bits
    clipped: Terms  # bits a person without any below 0: of names, of values, of both together


@dataclass(frozen=True)
class Measurement:
    """Stored bits of one run, split into terms, with controls; R in bits a parameter.

    ``controls`` are sums, ``control_terms`` the same split into name, value and diversity, all in
    bits a parameter. In ``controls_clipped``, and in the terms that end in ``_clipped``, no person
    counts below 0.
    """

    people: int
    params: int
    bits_per_param: float
    max_bits_per_param: float
    standard_error: float  # of bits_per_param, over texts
    name_bits: float
    value_bits: float
    diversity_bits: float
    accuracy: float
    accuracy_by_attribute: Terms
    controls: Terms = field(default_factory=dict[str, float])
    controls_clipped: Terms = field(default_factory=dict[str, float])
    control_terms: dict[str, Terms] = field(default_factory=dict[str, Terms])
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
        Texts a person, fresh ones where the format has them; their spread gives the standard error.
    most_people
        People to read at most; of a larger set an even sample, whose spread is in the error.
    untrained
        A model of the same shape before training, for that control.
    controls
        Whether to measure them: an oracle (R = R^max), the untrained model (about 0 or below),
        and strangers (at or below 0; above +.05 means that something leaks).
    """
    ids = sample(source.count, most_people)
    score = score_texts(nats_of(model), source, ids, texts=texts)
    params = sum(p.numel() for p in model.parameters())
    bits = stored_bits(source, score)
    accuracy = {k: v for k, v in score.accuracy.items() if k != UNCOUNTED}
    found = _controls(model, source, ids, untrained) if controls else {}
    terms = {name: _over(one, params) for name, one in found.items()}
    clipped = [name for name in terms if name.endswith("_clipped")]
    together = {name: terms[name].pop("person") for name in clipped}
    return Measurement(
        people=source.count,
        params=params,
        bits_per_param=sum(bits.values()) / params,
        max_bits_per_param=max_bits(source) / params,
        standard_error=score.error_bits / params,
        name_bits=bits["name"],
        value_bits=bits["value"],
        diversity_bits=bits["diversity"],
        accuracy=float(np.mean(list(accuracy.values()))),
        accuracy_by_attribute=accuracy,
        controls={name: _total(name, one) for name, one in terms.items() if name not in clipped},
        controls_clipped={name.removesuffix("_clipped"): v for name, v in together.items()},
        control_terms=terms,
        texts=score.texts,
    )


def stored_bits(source: Source, score: Score) -> Terms:
    """Return the stored bits of Definition 4.3 by term."""
    diversity = 0.0
    if source.entries:
        diversity = source.diversity_bits - source.entries * score.first / LN2
    return {
        "name": source.count * (source.name_bits - score.name / LN2),
        "value": source.count * (source.value_bits - score.values / LN2),
        "diversity": diversity,
    }


def clipped_bits(source: Source, score: Score) -> Terms:
    """Return the stored bits without anything below 0: by term, and of each person as a whole."""
    bits = {name: source.count * each for name, each in score.clipped.items()}
    return {**bits, "diversity": max(0.0, stored_bits(source, score)["diversity"])}


def max_bits(source: Source) -> float:
    """Return the numerator of R^max: N log2(N0 / N), all values, the diversity term."""
    name = source.count * (source.name_bits - math.log2(source.count))
    return name + source.count * source.value_bits + source.diversity_bits


def oracle(source: Source) -> Score:
    """Return the score of a perfect model: it knows whom there is, not who comes next."""
    name = source.name_bits - math.log2(source.count)
    return Score(
        name=math.log(source.count),
        values=0.0,
        first=0.0 if source.entries else math.nan,
        accuracy=dict.fromkeys(source.attributes, 1.0),
        people=source.count,
        texts=1,
        error_bits=0.0,
        clipped={
            "name": name,
            "value": source.value_bits,
            "person": name + source.value_bits,
        },
    )


def score_texts(
    nats: Nats,
    source: Source,
    ids: NDArray[np.int64],
    *,
    texts: int = 1,
    employer_first: bool | None = None,
    add_city: bool = True,
) -> Score:
    """Read texts of some people and return their mean nats.

    ``employer_first`` None puts the employer first unless a person's texts are fixed.
    ``employer_first=False`` with ``add_city=False`` is the naive reading, in which the working
    city gives the employer away.
    """
    ahead = not source.fixed_texts if employer_first is None else employer_first
    texts = min(texts, source.fixed_texts) if source.fixed_texts else texts
    name, values, first = np.zeros((3, texts, len(ids)))
    right = np.zeros(len(source.attributes))
    for draw in range(texts):
        for part in _parts(len(ids)):
            read = source.texts(ids[part], FRESH + draw, employer_first=ahead)
            nat, best = nats(read)
            name[draw, part] = text_sums(read, nat, read.kinds == NAME)
            values[draw, part] = text_sums(read, nat, _counted(source, read, add_city))
            if source.entries:
                first[draw, part] = text_sums(read, nat, read.kinds == source.kinds.index("first"))
            right += _right(source, read, best)
    first /= max(1, len(source.attributes))
    each = name + values + first * source.entries / source.count
    return Score(
        name=float(name.mean()),
        values=float(values.mean()),
        first=float(first.mean()) if source.entries else math.nan,
        accuracy=dict(zip(source.attributes, (right / (texts * len(ids))).tolist(), strict=True)),
        people=len(ids),
        texts=texts,
        error_bits=source.count * _error(each, source) / LN2,
        clipped=_clipped(source, name.mean(axis=0), values.mean(axis=0)),
    )


def sample(count: int, most: int) -> NDArray[np.int64]:
    """Return all people, or an even sample; who a number is was drawn by hash."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).astype(np.int64)


def _controls(
    model: GPT, source: Source, ids: NDArray[np.int64], untrained: GPT | None
) -> dict[str, Terms]:
    """Return the bits of every control by term, those of models also without any below 0."""
    found = {"oracle": stored_bits(source, oracle(source))}
    strangers = source.strangers(_spare_names(source, len(ids)))
    for name, other, whom in (("random", untrained, ids), ("unseen", model, strangers)):
        if other is not None and len(whom):
            score = score_texts(nats_of(other), source, whom)
            found[name] = stored_bits(source, score)
            found[f"{name}_clipped"] = clipped_bits(source, score)
    return found


def _total(control: str, terms: Terms) -> float:
    """Return a control's sum.

    The strings that values are made of are the same for strangers, and a model that knows them
    leaks nothing: the diversity term of "unseen" is shown, and not counted.
    """
    left_out = terms["diversity"] if control == "unseen" else 0.0
    return sum(terms.values()) - left_out


def _over(bits: Terms, params: int) -> Terms:
    return {name: value / params for name, value in bits.items()}


def text_sums(
    texts: Texts, nats: NDArray[np.float64], which: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return each text's nats over the marked tokens."""
    return np.add.reduceat(np.where(which, nats, 0.0), texts.starts[:-1])


def _counted(source: Source, texts: Texts, add_city: bool) -> NDArray[np.bool_]:
    """Mark the tokens of values that count: all but the working city's, unless it tells."""
    counted = texts.kinds > NAME
    if UNCOUNTED not in source.kinds:
        return counted
    city = texts.kinds == source.kinds.index(UNCOUNTED)
    if not add_city:
        return counted & ~city
    return counted & ~(city & ~np.repeat(city_first(source, texts), texts.lengths))


def city_first(source: Source, texts: Texts) -> NDArray[np.bool_]:
    """Return whether each text tells the working city before the employer."""
    city, employer = (
        np.where(texts.kinds == source.kinds.index(part), np.arange(len(texts.kinds)), 2**62)
        for part in (UNCOUNTED, "employer")
    )
    starts = texts.starts[:-1]
    return np.minimum.reduceat(city, starts) < np.minimum.reduceat(employer, starts)


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


def _error(nats: NDArray[np.float64], source: Source) -> float:
    """Return the standard error of a mean over people and texts, both maybe not all there are.

    ``nats`` is [texts, people]. NaN where one text was read of many, or one person.
    """
    texts, people = nats.shape
    unread = 1 - texts / source.fixed_texts if source.fixed_texts else 1.0
    missing = max(0.0, 1 - people / source.count)
    error = 0.0
    for means, share in ((nats.mean(axis=1), unread), (nats.mean(axis=0), missing)):
        if share:
            spread = float(means.std(ddof=1)) if len(means) > 1 else math.nan
            error = math.hypot(error, spread * math.sqrt(share / len(means)))
    return error


def _clipped(source: Source, name: NDArray[np.float64], values: NDArray[np.float64]) -> Terms:
    """Return the mean bits a person, none below 0, of the nats of people's names and values."""
    of_name = source.name_bits - name / LN2
    of_values = source.value_bits - values / LN2
    kept = {"name": of_name, "value": of_values, "person": of_name + of_values}
    return {term: float(np.maximum(bits, 0).mean()) for term, bits in kept.items()}


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, count, PART):
        yield slice(start, min(start + PART, count))


def _spare_names(source: Source, wanted: int) -> int:
    """Return how many strangers there are, up to those wanted."""
    return max(0, min(wanted, round(2**source.name_bits) - source.count))
