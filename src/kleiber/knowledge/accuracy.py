"""How bits and accuracy go together: both from one reading of the same texts.

A value that a model names first among all it could be is *right*. How many bits that is depends on
what the model knows of the values it gets wrong. For values that are one of V, all equally likely,
and a model whose probabilities hold, of accuracy q ::

    log2 V - h(q) - (1 - q) log2(V - 1)  <=  bits of a value  <=  log2 V + log2 q

below by Fano's inequality (h is the entropy of a coin; what is missed is spread over all others),
above because the mean logarithm of a probability is at most that of the mean. Between the two lies
``all_or_none``: a share of the values known for certain, the others not at all.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.knowledge.measure import FRESH, LN2, PART
from kleiber.knowledge.reading import Nats
from kleiber.knowledge.texts import Source, Texts


@dataclass(frozen=True)
class Known:
    """What is known of one attribute, a person on average."""

    attribute: str
    most_bits: float
    bits: float  # most_bits less the nats of the value; below 0 for a model that misleads itself
    first: float  # share of people whose value's first token is the likeliest
    whole: float  # share of whose value every token is
    all_or_none: float  # bits if the whole accuracy came of values known for certain or not at all

    def to_dict(self) -> dict[str, float | str]:
        """Return it as plain values."""
        return asdict(self)


def known(nats: Nats, source: Source, ids: NDArray[np.int64], *, texts: int = 1) -> list[Known]:
    """Read texts of some people; return accuracy and bits of each attribute.

    Texts are read as ``measure`` reads them, with the employer ahead of the working city where the
    order is ours; the city's own bits are then about none, since it follows.
    """
    texts = min(texts, source.fixed_texts) if source.fixed_texts else texts
    sums = np.zeros((3, len(source.attributes)))
    for draw in range(texts):
        for start in range(0, len(ids), PART):
            some = ids[start : start + PART]
            read = source.texts(some, FRESH + draw, employer_first=not source.fixed_texts)
            sums += tally(read, *nats(read), len(source.attributes))
    return _known(source, sums / (texts * len(ids)))


def tally(
    texts: Texts, nats: NDArray[np.float64], best: NDArray[np.bool_], attributes: int
) -> NDArray[np.float64]:
    """Return sums over texts: nats, first tokens right, whole values right; shape [3, attributes].

    Of a text only the attributes that it has count.
    """
    owner = np.repeat(np.arange(len(texts)), texts.lengths)
    where = np.flatnonzero(texts.slots >= 0)
    cell = owner[where] * attributes + texts.slots[where]
    cells, first = np.unique(cell, return_index=True)
    size = len(texts) * attributes
    wrong = np.bincount(cell, weights=~best[where], minlength=size)
    spent = np.bincount(cell, weights=nats[where], minlength=size)
    found = np.zeros((3, size))
    found[0] = spent
    found[1, cells] = best[where][first]
    found[2, cells] = wrong[cells] == 0
    return found.reshape(3, len(texts), attributes).sum(axis=1)


def all_or_none(accuracy: float, bits: float) -> float:
    """Return the bits of a value where a share k is known and the rest guessed at.

    ``accuracy = k + (1 - k) / V`` and ``bits = k log2 V``.
    """
    chance = 2.0**-bits
    return bits * (accuracy - chance) / (1 - chance) if bits > 0 else 0.0


def bounds(accuracy: float, bits: float) -> tuple[float, float]:
    """Return the fewest and the most bits of a value that a model of this accuracy can have."""
    others = 2.0**bits - 1
    missed = 1 - accuracy
    coin = -sum(p * math.log2(p) for p in (accuracy, missed) if p > 0)
    spread = missed * math.log2(others) if missed > 0 and others > 0 else 0.0
    highest = bits + math.log2(accuracy) if accuracy > 0 else -math.inf
    return bits - coin - spread, highest


def _known(source: Source, means: NDArray[np.float64]) -> list[Known]:
    found: list[Known] = []
    for place, attribute in enumerate(source.attributes):
        most = source.attribute_bits[attribute]
        nats, first, whole = means[:, place].tolist()
        found.append(
            Known(attribute, most, most - nats / LN2, first, whole, all_or_none(whole, most))
        )
    return found
