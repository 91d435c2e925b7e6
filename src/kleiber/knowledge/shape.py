"""The GPT-2 that is just large enough: a published kind of shape for a number of parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from kleiber.errors import ValuesError
from kleiber.training.config import ModelConfig
from kleiber.training.count import count_params

VOCABULARY = 3275  # GPT-2's tokens that the published biographies use
HEAD = 64
SHALLOWEST, FLATTEST, STEEPEST = 2, 1 / 3, 4.0  # layers at least, and layers a head
LARGEST = 1e18  # parameters: a model of more has no shape worth a search


@dataclass(frozen=True)
class Shape:
    """A GPT-2 of the published kind: heads of 64, tied embeddings, no table of positions."""

    layers: int
    width: int
    params: int
    vocabulary: int

    @property
    def embedding_share(self) -> float:
        """The part of the parameters that are rows of the vocabulary."""
        return self.vocabulary * self.width / self.params


def gpt2_params(layers: int, width: int, vocabulary: int = VOCABULARY) -> int:
    """Return the published count: ``L (12 d^2 + 13 d) + V d + 2 d``, embeddings tied."""
    shape = ModelConfig(layers=layers, width=width, heads=1, vocab=vocabulary, context=1)
    return count_params(shape)["total"]


def nearest_shape(params: float, vocabulary: int = VOCABULARY) -> Shape:
    """Return the smallest GPT-2 of at least so many parameters, with heads of 64.

    Depth is 2 layers or more, and from a third of the heads to four times the heads, which
    spans the published shapes (2-20 to 16-4) and those of large models (96 layers, 192 heads).

    Raises ValuesError for more than a million trillion parameters.
    """
    check_amount("params", params)
    if params > LARGEST:
        raise ValuesError(
            f"No model has {params:.3g} parameters; shapes are found up to {LARGEST:.0e}.",
            remedy="Ask for fewer parameters, or for fewer bits to hold.",
        )
    return min(_shapes(params, vocabulary), key=lambda shape: (shape.params, -shape.layers))


def _shapes(params: float, vocabulary: int) -> Iterator[Shape]:
    """Yield for every width the shallowest shape that reaches the count."""
    heads = 0
    while True:
        heads += 1
        width = HEAD * heads
        flattest = max(SHALLOWEST, math.ceil(FLATTEST * heads))
        one = gpt2_params(1, width, vocabulary)
        block = gpt2_params(2, width, vocabulary) - one
        wanted = math.ceil((params - (one - block)) / block)
        layers = max(flattest, wanted)
        if layers <= max(SHALLOWEST, STEEPEST * heads):
            yield Shape(layers, width, gpt2_params(layers, width, vocabulary), vocabulary)
        if wanted <= flattest and layers == flattest and heads > 1:
            return  # wider ones are only larger


def check_amount(name: str, value: float) -> None:
    """Raise a ValuesError for what is no positive amount."""
    if not (math.isfinite(value) and value > 0):
        raise ValuesError(f"{name} is {value}; it must be positive and finite.")
