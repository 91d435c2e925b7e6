"""A second probe: random strings, and how many bits of them a model has by heart.

Morris et al. 2025, "How much do language models memorize?" (arXiv 2505.24832): N strings of t
symbols, each uniform over V, so that a string has H = t log2 V bits and nothing about it can be
inferred. What a model memorises of a string is what it saves in coding it ::

    memorised bits = sum over strings of max(0, H + log2 Pr[string])

There is no name to ask by and no other wording, so this is another quantity than the bits per
parameter of ``measure``, and never to be mixed with it: a model holds more of strings that it meets
again letter by letter (3.5 to 3.8 bits a parameter there) than of facts that it is asked for.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import InputError
from kleiber.knowledge.measure import LN2, Terms, sample, text_sums
from kleiber.knowledge.reading import Nats, nats_of
from kleiber.knowledge.texts import SEPARATOR, Biography, Texts
from kleiber.training import GPT
from kleiber.training.chance import below, draw

SYMBOL = 2  # the kind of a string's tokens
SYMBOLS = 4  # what a draw is for: its first key


@dataclass(frozen=True)
class RandomStrings:
    """N strings of ``length`` symbols, each uniform over ``symbols``; a text is one string."""

    count: int
    length: int = 16
    symbols: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for option, least in (("count", 1), ("length", 1), ("symbols", 2)):
            if getattr(self, option) < least:
                raise InputError(
                    f"{option} is {getattr(self, option)}; at least {least} is needed for a bit.",
                    remedy=f"Set {option} to {least} or more.",
                )

    @property
    def vocab(self) -> int:
        """Rows: the separator and the symbols."""
        return 1 + self.symbols

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of tokens; no token is a name's."""
        return ("other", "name", "symbol")

    @property
    def attributes(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def separator(self) -> int:
        """The token that opens every text."""
        return SEPARATOR

    @property
    def name_bits(self) -> float:
        """Nothing is named."""
        return 0.0

    @property
    def value_bits(self) -> float:
        """H = t log2 V, the bits of one string."""
        return self.length * math.log2(self.symbols)

    @property
    def attribute_bits(self) -> dict[str, float]:
        """None."""
        return {}

    @property
    def diversity_bits(self) -> float:
        """No strings are used twice."""
        return 0.0

    @property
    def entries(self) -> int:
        """There are no dictionaries."""
        return 0

    @property
    def fixed_texts(self) -> int:
        """A string is always the same."""
        return 1

    @property
    def mean_length(self) -> float:
        """Tokens in a text; all are of one length."""
        return float(self.max_length)

    @property
    def length_spread(self) -> float:
        """No text is longer than another."""
        return 0.0

    @property
    def max_length(self) -> int:
        """Tokens in a text, the separator included."""
        return 1 + self.length

    def strangers(self, count: int) -> NDArray[np.int64]:
        """Return the numbers of strings that are never among the trained."""
        return np.arange(self.count, self.count + count)

    def strings(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return the symbols of each string, shape [n, length]."""
        who = np.atleast_1d(np.asarray(ids))[:, None]
        return below(draw(self.seed, SYMBOLS, who, np.arange(self.length)), self.symbols)

    def texts(self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False) -> Texts:
        """Return each string behind a separator, the same at every exposure."""
        strings = self.strings(ids)
        tokens = np.full((len(strings), self.max_length), SEPARATOR, dtype=np.int32)
        tokens[:, 1:] = strings + 1
        kinds = np.full(tokens.shape, SYMBOL, dtype=np.uint8)
        kinds[:, 0] = 0
        slots = np.full(tokens.size, -1, dtype=np.int16)
        starts = np.arange(len(strings) + 1, dtype=np.int64) * self.max_length
        return Texts(tokens.ravel(), kinds.ravel(), slots, starts)

    def decode(self, tokens: ArrayLike) -> str:
        """Return symbols as numbers, the separator as a bar."""
        return " ".join("|" if t == SEPARATOR else str(t - 1) for t in np.asarray(tokens).ravel())

    def biographies(self, ids: ArrayLike, exposures: ArrayLike) -> list[Biography]:
        """Return the strings as numbers with spaces between them."""
        ids = np.atleast_1d(np.asarray(ids))
        shown = np.broadcast_to(exposures, ids.shape)
        found: list[Biography] = []
        for who, exposure, row in zip(ids, shown, self.strings(ids), strict=True):
            text = " ".join(map(str, row.tolist()))
            spans = (("string", 1, 1 + len(text)),)
            found.append(Biography(int(who), int(exposure), f" {text}", {"string": text}, spans))
        return found


@dataclass(frozen=True)
class Memorised:
    """What a model has of random strings; ``memorised_bits_per_param`` is no R."""

    people: int  # strings
    params: int
    memorised_bits_per_param: float
    max_memorised_bits_per_param: float
    standard_error: float  # over strings, where not all were read
    whole: float  # share of strings that greedy decoding gets right at every place
    controls: Terms = field(default_factory=dict[str, float])

    @property
    def share(self) -> float:
        """Memorised over all that there is."""
        return self.memorised_bits_per_param / self.max_memorised_bits_per_param

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {**asdict(self), "share_of_max": self.share}


def memorised(
    model: GPT,
    source: RandomStrings,
    *,
    most_strings: int = 20_000,
    untrained: GPT | None = None,
    controls: bool = True,
) -> Memorised:
    """Measure what a trained model has memorised of its strings.

    Its controls, in bits a parameter of as many strings: all there is ("oracle"), the untrained
    model ("random", about 0), and strings that were never shown ("unseen", about 0).
    """
    ids = sample(source.count, most_strings)
    params = sum(p.numel() for p in model.parameters())
    bits, whole = saved_bits(nats_of(model), source, ids)
    found: Terms = {}
    if controls:
        found["oracle"] = source.count * source.value_bits / params
        for name, other, whom in (
            ("random", untrained, ids),
            ("unseen", model, source.strangers(len(ids))),
        ):
            if other is not None:
                saved, _ = saved_bits(nats_of(other), source, whom)
                found[name] = source.count * float(saved.mean()) / params
    unread = 1 - len(ids) / source.count
    error = float(bits.std(ddof=1)) * math.sqrt(unread / len(ids)) if unread else 0.0
    return Memorised(
        people=source.count,
        params=params,
        memorised_bits_per_param=source.count * float(bits.mean()) / params,
        max_memorised_bits_per_param=source.count * source.value_bits / params,
        standard_error=source.count * error / params,
        whole=float(whole.mean()),
        controls=found,
    )


def saved_bits(
    nats: Nats, source: RandomStrings, ids: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return ``max(0, H + log2 Pr)`` of each string, and whether each is decoded greedily."""
    texts = source.texts(ids, 0)
    each, best = nats(texts)
    wrong = text_sums(texts, (~best).astype(np.float64), texts.kinds == SYMBOL)
    lengths = text_sums(texts, each, texts.kinds == SYMBOL) / LN2
    return np.maximum(0.0, source.value_bits - lengths), wrong == 0
