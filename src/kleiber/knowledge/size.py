"""How large a model must be to hold so many bits, and how many bits a model of a size holds.

The arithmetic is one division; what makes the answer right or wrong is the plateau, the bits
per parameter of an over-filled model. It is taken from the caller's own measurement, or from
published ones, and what nobody has measured is NaN with a note.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kleiber.errors import UsageError, ValuesError
from kleiber.knowledge.shape import HEAD, VOCABULARY, Shape, check_amount, nearest_shape
from kleiber.units import format_count

NAMES = 400 * 400 * 1000  # the published pools: first, middle and last names
VALUES = (2, 12 * 28 * 200, 200, 300, 100, 263)  # pronoun, date, city, university, major, employer
MUCH_EMBEDDING = 0.2

SOURCE = "Allen-Zhu and Li 2024, Knowledge Capacity Scaling Laws"
MANY, FEW = 1000.0, 100.0  # exposures that were published
AT_MANY, AT_FEW, AT_INT4 = 2.0, 1.0, 0.7  # bits a parameter: results 1, 4 and 8
HELD = "at 1,000 exposures published models held 91 to 98 % of data of 1.8 bits a parameter"

Measured = tuple[float, float, float]
"""A plateau of one's own, in bits a parameter: value, lower, upper."""


@dataclass(frozen=True)
class Density:
    """Bits a parameter with an interval (NaN where none is known), and where they come from."""

    value: float
    lower: float
    upper: float
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Size:
    """A model and what it holds: one of ``params`` and ``bits`` was asked about, one follows.

    Intervals are the plateau's own carried over; NaN where the plateau has none.
    """

    asked: Literal["bits", "params"]
    bits: float
    bits_lower: float
    bits_upper: float
    params: float
    params_lower: float
    params_upper: float
    density: Density
    exposures: float
    bits_per_weight: float | None
    people: int | None
    shape: Shape | None
    notes: tuple[str, ...]

    def text(self) -> str:
        """Return the answer as lines that a person reads."""
        lines = [self._answer(), ""]
        lines += [f"  plateau  {_density_line(self.density, self.exposures)}"]
        if self.shape is not None:
            lines += [f"  shape    {_shape_line(self.shape)}"]
        lines += [f"  note     {note}" for note in self.notes]
        return "\n".join(lines)

    def _answer(self) -> str:
        """Return the answer as one line."""
        who = f" of {self.people:,} people" if self.people is not None else ""
        if self.asked == "bits":
            held = f"{_unit(self.bits, 'bit')}{who}"
            if math.isnan(self.params):
                return f"To hold {held}: the size is unknown, because the plateau is."
            span = _span(self.params_lower, self.params_upper, "parameters")
            return f"To hold {held}: at least {_unit(self.params, 'parameter')}{span}."
        if math.isnan(self.bits):
            return f"{_unit(self.params, 'parameter')} hold an unknown number of bits{who}."
        span = _span(self.bits_lower, self.bits_upper, "bits")
        return f"{_unit(self.params, 'parameter')} hold {_unit(self.bits, 'bit')}{span}."

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data; the unknown is None."""
        plain = asdict(self)
        if self.shape is not None:
            plain["shape"]["embedding_share"] = self.shape.embedding_share
        return _without_nan(plain)


def value_bits(choices: Sequence[int] = VALUES) -> float:
    """Return the bits of one person's values, ``log2 S0``: 47.59 for the published pools."""
    if not choices or any(count < 1 for count in choices):
        raise ValuesError(
            f"The attributes have {', '.join(map(str, choices)) or 'no'} values; each has at least "
            "one.",
            remedy="Give the number of values of every attribute, such as 200,300,100.",
        )
    return sum(math.log2(count) for count in choices)


def bios_bits(people: int, *, names: int = NAMES, values: float | None = None) -> float:
    """Return the bits that people demand: ``N log2(N0/N) + N log2 S0``, the maximum of R times P.

    ``values`` is log2 S0, that of the published pools where it is None.
    """
    return _named(people, names) + people * (value_bits() if values is None else values)


def biod_bits(
    people: int,
    *,
    names: int = NAMES,
    attributes: int,
    chunks: int,
    choices: int,
    length: int,
    letters: int,
) -> float:
    """Return bioD's demand: ``N log2(N0/N) + N K C log2 D + K D log2(T^L / D)``."""
    each = length * math.log2(letters) - math.log2(choices)
    if each < -1e-9:
        raise ValuesError(
            f"{choices:,} values cannot be drawn from the {letters}^{length} strings there are.",
            remedy="Give fewer values, longer ones, or a larger alphabet.",
        )
    said = people * attributes * chunks * math.log2(choices)
    return _named(people, names) + said + attributes * choices * max(each, 0.0)


def _named(people: int, names: int) -> float:
    """Return the bits of which names the people have."""
    if not 1 <= people <= names:
        raise ValuesError(
            f"{people:,} people cannot have different names out of {names:,}.",
            remedy="Give fewer people, or larger pools of names.",
        )
    return people * math.log2(names / people)


def published_density(exposures: float = MANY, bits_per_weight: float | None = None) -> Density:
    """Return the published bits a parameter of an over-filled GPT-2; NaN where there are none.

    2 at 1000 exposures and 1 at 100 (results 1 and 4), a line in log exposures between them;
    8-bit weights lose nothing and 4-bit ones leave 0.7 at 1000 exposures (result 8).
    """
    _check(exposures, bits_per_weight)
    value, notes = _by_exposures(exposures)
    value, more = _by_weight(value, exposures, bits_per_weight)
    between = exposures not in (FEW, MANY) and math.isfinite(value)
    source = f"{'between published values' if between else 'published'}: {SOURCE}"
    return Density(value, math.nan, math.nan, source, (*notes, *more))


def _by_exposures(exposures: float) -> tuple[float, list[str]]:
    """Return the plateau at so many exposures of each fact, and what must be said of it."""
    count = f"{exposures:,.0f} exposures"
    if not FEW <= exposures <= MANY:
        return math.nan, [
            f"no plateau was published at {count}, only at 100 and 1,000: measure your own"
        ]
    share = math.log(exposures / FEW) / math.log(MANY / FEW)
    value = AT_FEW + (AT_MANY - AT_FEW) * share
    if 0.0 < share < 1.0:
        return value, [
            f"{value:.2f} bits at {count} is an interpolation, a line in the log of exposures "
            "between 1 bit at 100 and 2 bits at 1,000; nobody published it"
        ]
    return value, []


def _by_weight(
    value: float, exposures: float, bits_per_weight: float | None
) -> tuple[float, list[str]]:
    """Return the plateau that weights of so many bits leave, and what must be said of it."""
    if bits_per_weight is None or bits_per_weight >= 16 or math.isnan(value):
        return value, []
    if bits_per_weight == 8:
        return value, ["int8 after training lost nothing that was seen (published, GPTQ)"]
    if bits_per_weight == 4 and exposures == MANY:
        return AT_INT4, ["int4 after training left 0.7 bits a parameter (published, GPTQ)"]
    return math.nan, [
        f"no plateau was published for weights of {bits_per_weight:g} bits at {exposures:,.0f} "
        "exposures, only for 8 bits, and for 4 at 1,000: measure your own"
    ]


def _measured(measured: Measured, bits_per_weight: float | None) -> Density:
    """Return the caller's own plateau, refused where no weight could hold it."""
    value, lower, upper = measured
    if not (math.isfinite(value) and value > 0):
        raise ValuesError(f"A plateau of {value} bits a parameter is none that a model has.")
    if bits_per_weight is not None and value > bits_per_weight:
        raise ValuesError(
            f"A plateau of {value:g} bits a parameter is more than the {bits_per_weight:g} bits "
            "that a weight has.",
            remedy="Measure the plateau with weights of that width.",
        )
    notes = () if bits_per_weight is None else (f"measured with {bits_per_weight:g}-bit weights",)
    return Density(value, lower, upper, "your measurement", notes)


def smallest_model(
    bits: float | None = None,
    *,
    people: int | None = None,
    names: int = NAMES,
    values: float | None = None,
    exposures: float = MANY,
    measured: Measured | None = None,
    bits_per_weight: float | None = None,
    vocabulary: int = VOCABULARY,
) -> Size:
    """Return the smallest model whose plateau covers so many bits, or so many people.

    Parameters
    ----------
    bits, people
        What it is to hold: bits, or people with names of a pool (``names``) and ``values`` bits
        each (:func:`bios_bits`). One of the two.
    exposures
        How often each fact is seen in training; published plateaus reach from 100 to 1000.
    measured
        A plateau of your own, (value, lower, upper) in bits a parameter, in place of those.
    bits_per_weight
        The width that weights are stored at; with ``measured``, that at which it was measured.
    vocabulary
        The rows of the embedding, for the shape.
    """
    if (bits is None) == (people is None):
        raise UsageError(
            "A size is asked for with a number of bits or of people: one of the two.",
            remedy="Give bits=14e9 (--bits 14e9) or people=1_000_000 (--people 1M).",
        )
    held = bios_bits(people, names=names, values=values) if people is not None else float(bits or 0)
    check_amount("bits", held)
    density = _density(exposures, measured, bits_per_weight)
    params = held / density.value
    shape = nearest_shape(params, vocabulary) if math.isfinite(params) else None
    notes = list(density.notes)
    if measured is None and math.isfinite(params):
        notes.append(
            f"a plateau is what an over-filled model holds, not a size at which all is held: {HELD}"
        )
    if shape is not None and shape.embedding_share > MUCH_EMBEDDING:
        notes.append(
            f"{shape.embedding_share:.0%} of this shape is its {vocabulary:,} vocabulary rows, "
            "which hold few facts: plateaus were measured on larger models"
        )
    return Size(
        asked="bits",
        bits=held,
        bits_lower=math.nan,
        bits_upper=math.nan,
        params=params,
        params_lower=held / density.upper,
        params_upper=held / density.lower,
        density=density,
        exposures=exposures,
        bits_per_weight=bits_per_weight,
        people=people,
        shape=shape,
        notes=tuple(notes),
    )


def held_bits(
    params: float,
    *,
    exposures: float = MANY,
    measured: Measured | None = None,
    bits_per_weight: float | None = None,
) -> Size:
    """Return the bits that a model of so many parameters holds: 7B hold 14B at 2 bits each."""
    check_amount("params", params)
    density = _density(exposures, measured, bits_per_weight)
    return Size(
        asked="params",
        bits=params * density.value,
        bits_lower=params * density.lower,
        bits_upper=params * density.upper,
        params=params,
        params_lower=math.nan,
        params_upper=math.nan,
        density=density,
        exposures=exposures,
        bits_per_weight=bits_per_weight,
        people=None,
        shape=None,
        notes=density.notes,
    )


def _density(exposures: float, measured: Measured | None, bits_per_weight: float | None) -> Density:
    """Return the plateau to divide by."""
    _check(exposures, bits_per_weight)
    if measured is None:
        return published_density(exposures, bits_per_weight)
    return _measured(measured, bits_per_weight)


def _check(exposures: float, bits_per_weight: float | None) -> None:
    """Raise a ValuesError for exposures or weights that mean nothing."""
    check_amount("exposures", exposures)
    if bits_per_weight is not None:
        check_amount("bits_per_weight", bits_per_weight)


def _unit(amount: float, unit: str) -> str:
    """Return an amount in three digits with its unit."""
    return f"{format_count(amount)} {unit}{'' if amount == 1 else 's'}"


def _span(lower: float, upper: float, unit: str) -> str:
    """Return an interval in brackets, nothing where it is unknown."""
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return ""
    return f" ({format_count(lower)} to {format_count(upper)} {unit})"


def _density_line(density: Density, exposures: float) -> str:
    """Return the plateau with its unit, its interval and its source."""
    if math.isnan(density.value):
        return f"unknown at {exposures:,.0f} exposures"
    span = _span(density.lower, density.upper, "bits")
    at = f"at {exposures:,.0f} exposures"
    return f"{density.value:.3g} bits a parameter{span} {at} ({density.source})"


def _shape_line(shape: Shape) -> str:
    """Return the shape with its counts."""
    heads = shape.width // HEAD
    return (
        f"GPT-2 of {shape.layers:,} layers, width {shape.width:,} ({heads:,} "
        f"head{'s' if heads > 1 else ''}): "
        f"{format_count(shape.params)} parameters with {shape.vocabulary:,} vocabulary rows "
        f"({shape.embedding_share:.1%} of them)"
    )


def _without_nan(value: Any) -> Any:
    """Return plain data with None for NaN, which JSON does not have."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return value
