"""Counts, losses and compute: every unit the package accepts, and what each one means.

Counts are raw numbers inside the package (1.5e9 parameters, never 1.5); losses are nats per
token. The names a user may write are here and nowhere else::

    counts   1.5B  125M  2k  1T  1.5e9  1_000_000  1,000,000
    losses   nats  bits  ppl  bpb:BYTES_PER_TOKEN
    params   total  nonembedding  active  unknown
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import UnitError, ValuesError

ParamsAre = Literal["total", "nonembedding", "active", "unknown"]
PARAMS_ARE: tuple[ParamsAre, ...] = ("total", "nonembedding", "active", "unknown")

UnitKind = Literal["nats", "bits", "ppl", "bpb"]

LN2 = math.log(2.0)

_NUMBER = re.compile(
    r"(?P<digits>[+-]?(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*|(?=\.\d))(?:\.\d*)?)"
    r"(?:[eE](?P<exponent>[+-]?\d+))?\s*(?P<suffix>[A-Za-z]*)"
)
_POWERS = {
    **{"": 0, "k": 3, "m": 6, "mn": 6, "million": 6},
    **{"b": 9, "bn": 9, "g": 9, "billion": 9, "t": 12, "tn": 12, "trillion": 12},
}
_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))

_KINDS: dict[str, UnitKind] = {
    **dict.fromkeys(("nats", "nat", "natspertoken", "lossnats", "lossnatstrain"), "nats"),
    **dict.fromkeys(("bits", "bit", "bitspertoken", "lossbits"), "bits"),
    **dict.fromkeys(("ppl", "perplexity"), "ppl"),
    **dict.fromkeys(("bpb", "bitsperbyte"), "bpb"),
}


def parse_count(value: object) -> float:
    """Return a count of parameters, tokens or FLOPs as a raw number: ``"1.5B"`` is 1.5e9.

    Accepts ints and floats, and text with an optional suffix k, M, B (or G) or T, with an
    exponent, and with thousands set apart by commas or underscores.

    Raises
    ------
    ValuesError
        For text that is no number, and for negative, infinite or NaN values.
    UnitError
        For a suffix that is not known.
    """
    if isinstance(value, (bool, np.bool_)):
        raise ValuesError(f"{value} is no count.", remedy="Write a count as 1.5B, 125M or 1.5e9.")
    if isinstance(value, (int, float)):
        count = float(value)
    else:
        count = _count_of_text(str(value).strip())
    if not math.isfinite(count) or count < 0:
        raise ValuesError(f"{value} is no count: a count is finite and not negative.")
    return count


def _count_of_text(text: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValuesError(
            f"'{text}' is no count.", remedy="Write a count as 1.5B, 125M, 2k, 1.5e9 or 1,000,000."
        )
    suffix = match["suffix"]
    if suffix.lower() not in _POWERS:
        raise UnitError(
            f"'{text}' ends in the unknown suffix '{suffix}'.", remedy="Use k, M, B or T."
        )
    digits = match["digits"].replace(",", "").replace("_", "")
    # Built as decimal text, so that 1.1B is the double nearest to 1.1e9.
    return float(f"{digits}e{int(match['exponent'] or 0) + _POWERS[suffix.lower()]}")


def format_count(count: float) -> str:
    """Return a count in three significant digits with its suffix: 1.5e9 is ``"1.5B"``."""
    if not math.isfinite(count):
        return str(count)
    rounded = float(f"{count:.3g}")
    if abs(rounded) >= 1e15:
        return f"{rounded:.3g}".replace("e+", "e")
    for scale, suffix in _SUFFIXES:
        if abs(rounded) >= scale:
            return f"{_plain(rounded / scale)}{suffix}"
    return _plain(rounded)


def _plain(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"


@dataclass(frozen=True)
class LossUnit:
    """The unit of a loss; ``bytes_per_token`` is NaN except for bits per byte."""

    kind: UnitKind
    bytes_per_token: float = math.nan

    @classmethod
    def parse(cls, text: str | LossUnit) -> LossUnit:
        """Return the unit that a text names: nats, bits, ppl or bpb:BYTES_PER_TOKEN.

        Raises UnitError for any other name, and for bits per byte without a ratio above 0.
        """
        if isinstance(text, LossUnit):
            return text
        name, _, ratio = text.strip().partition(":")
        kind = _KINDS.get(re.sub(r"[^a-z]", "", name.lower()))
        if kind is None:
            raise UnitError(
                f"'{text}' is no unit of loss.",
                remedy="Use --unit nats, bits, ppl or bpb:BYTES_PER_TOKEN.",
            )
        if kind == "bpb":
            return cls(kind, _bytes_per_token(text, ratio))
        if ratio:
            raise UnitError(f"'{text}': {kind} takes no ratio.", remedy=f"Use --unit {kind}.")
        return cls(kind)

    def __str__(self) -> str:
        return f"bpb:{self.bytes_per_token:g}" if self.kind == "bpb" else self.kind

    def to_nats(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return losses of this unit in nats per token; NaN where a perplexity is not above 0."""
        x = np.asarray(values, dtype=np.float64)
        if self.kind == "ppl":
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(x > 0, np.log(x), np.nan)
        return x * self._nats_per_unit

    def from_nats(self, nats: ArrayLike) -> NDArray[np.float64]:
        """Return losses in nats per token in this unit."""
        x = np.asarray(nats, dtype=np.float64)
        return np.exp(x) if self.kind == "ppl" else x / self._nats_per_unit

    @property
    def _nats_per_unit(self) -> float:
        if self.kind == "nats":
            return 1.0
        return LN2 if self.kind == "bits" else LN2 * self.bytes_per_token


NATS = LossUnit("nats")


def _bytes_per_token(text: str, ratio: str) -> float:
    try:
        value = float(ratio)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UnitError(
            f"'{text}': bits per byte become nats per token only with the tokeniser's mean "
            "number of bytes a token.",
            remedy="Use --unit bpb:BYTES_PER_TOKEN, such as bpb:4.2.",
        )
    return value


def to_nats(values: ArrayLike, unit: str | LossUnit) -> NDArray[np.float64]:
    """Return losses in nats per token: bits times ln 2, log of ppl, bpb times ln 2 times bytes."""
    return LossUnit.parse(unit).to_nats(values)


def from_nats(nats: ArrayLike, unit: str | LossUnit) -> NDArray[np.float64]:
    """Return losses in nats per token in another unit."""
    return LossUnit.parse(unit).from_nats(nats)


@overload
def flops_6nd(params: float, tokens: float) -> float: ...
@overload
def flops_6nd(params: NDArray[np.float64], tokens: NDArray[np.float64]) -> NDArray[np.float64]: ...
def flops_6nd(
    params: float | NDArray[np.float64], tokens: float | NDArray[np.float64]
) -> float | NDArray[np.float64]:
    """Return training FLOPs by the convention C = 6 N D (Kaplan et al. 2020, section 2.1).

    It leaves attention over the context out, and is too low for small models with a large
    vocabulary when params are without embeddings.
    """
    return 6.0 * params * tokens
