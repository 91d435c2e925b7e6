"""The width at which an architecture has so many parameters, and shapes of equal size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kleiber.errors import InputError
from kleiber.training.architectures import architecture
from kleiber.training.config import ModelConfig
from kleiber.training.count import count_params
from kleiber.units import format_count

WIDEST = 1 << 20
FAR = 0.5  # of the number asked for: what is farther off is no answer


@dataclass(frozen=True)
class Sized:
    """An architecture at the admissible width nearest to a number of parameters."""

    name: str
    config: ModelConfig
    asked: float

    @property
    def params(self) -> int:
        """The parameters that it has, all of them."""
        return count_params(self.config)["total"]

    @property
    def active(self) -> int:
        """The parameters that a token passes."""
        return count_params(self.config)["active"]

    @property
    def off(self) -> float:
        """How far its parameters are from what was asked for, as a share of that."""
        return self.params / self.asked - 1

    def __str__(self) -> str:
        """Say the width and what it has, as a study prints it."""
        shape = f"{self.config.layers} x {self.config.width}, {self.config.heads} heads"
        active = f", {self.active:,} active" if self.active != self.params else ""
        return f"{self.name} {shape}: {self.params:,} parameters ({self.off:+.1%}){active}"


def width_for(
    name: str,
    params: float,
    *,
    layers: int,
    vocab: int,
    heads: int | None = None,
    head_size: int | None = None,
    context: int = 1,
    **changes: Any,
) -> Sized:
    """Return the architecture with the width that comes nearest to so many parameters.

    Parameters
    ----------
    params
        All parameters: embedding (an untied head once more), every expert.
    heads, head_size
        One of the two: so many heads of any even size, or heads of one size, as the published
        models have (64). The first gives finer steps of width.
    changes
        Fields that are to be different from the architecture's.

    Raises InputError where no admissible width comes within half of the number.
    """
    if (heads is None) == (head_size is None):
        raise InputError(
            f"heads is {heads} and head_size {head_size}; exactly one is needed.",
            remedy="Give the number of heads, or the channels of each.",
        )
    step = 2 * heads if heads is not None else (head_size or 0)
    if step < 1:
        raise InputError(
            f"No model has heads {heads}, head_size {head_size}.",
            remedy="Give a positive whole number.",
        )
    if not (math.isfinite(params) and params > 0):
        raise InputError(
            f"No model has {params:,} parameters.", remedy="Give a positive number, such as 16_000."
        )

    def at(steps: int) -> Sized:
        width = steps * step
        config = architecture(
            name,
            layers=layers,
            width=width,
            heads=heads if heads is not None else steps,
            vocab=vocab,
            context=context,
            **changes,
        )
        return Sized(name, config, params)

    low, high = 1, max(2, WIDEST // step)  # the count grows with the width, but for mistral's heads
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle).params <= params else (low, middle)
    near = [at(steps) for steps in range(max(1, low - 4), high + 5)]
    best = min(near, key=lambda sized: abs(sized.off))
    if abs(best.off) > FAR:
        which = "narrowest" if best.off > 0 else "widest"
        raise InputError(
            f"No {name} of {layers} layer{'s' if layers > 1 else ''} and {vocab:,} rows has about "
            f"{format_count(params)} parameters; the {which}, of width {best.config.width:,}, has "
            f"{format_count(best.params)}.",
            remedy="Ask for more parameters, fewer layers or smaller heads."
            if best.off > 0
            else "Ask for fewer parameters, or more layers.",
        )
    return best


def equal_shapes(name: str, params: float, depths: Iterable[int], **shape: Any) -> list[Sized]:
    """Return one shape for every depth, each as near to the same number of parameters as it can be.

    ``shape`` is what ``width_for`` takes beside ``layers``.
    """
    return [width_for(name, params, layers=layers, **shape) for layers in depths]
