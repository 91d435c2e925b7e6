"""kleiber know size: bits to parameters, parameters to bits."""

from __future__ import annotations

from kleiber.cli.output import print_json
from kleiber.errors import UsageError


def size(
    *,
    bits: str | None = None,
    people: str | None = None,
    params: str | None = None,
    attributes: str | None = None,
    names: str | None = None,
    exposures: float = 1000,
    bits_per_weight: float | None = None,
    plateau: str | None = None,
    rows: int | None = None,
    json: bool = False,
) -> None:
    """Say how large a model must be for so many bits, or what a model can hold.

    Parameters
    ----------
    bits
        Bits to hold, such as 14e9 or 14B.
    people
        People to hold, such as 1M, in place of bits.
    params
        A model's size, such as 7B: what can it hold?
    attributes
        Choices of each attribute, such as 2,67200,200,300,100,263 [default: these, of bioS].
    names
        Names to choose from [default: 160M].
    exposures
        How often training shows each fact.
    bits_per_weight
        Bits that a weight is stored in, such as 8 for int8.
    plateau
        Your own plateau in bits per parameter, with its interval: 1.9:1.85:1.95.
    rows
        Rows of the vocabulary in use [default: 3275].
    json
        Print one JSON object instead of text.
    """
    from kleiber.cli.options import count_if
    from kleiber.knowledge.shape import VOCABULARY
    from kleiber.knowledge.size import (
        NAMES,
        VALUES,
        held_bits,
        smallest_model,
        value_bits,
    )

    asked = {"--bits": bits, "--people": people, "--params": params}
    given = [name for name, value in asked.items() if value is not None]
    if len(given) != 1:
        raise UsageError(
            f"kleiber know size needs one of {', '.join(asked)}; it got "
            f"{' and '.join(given) or 'none'}.",
            remedy="Ask for example for --bits 14e9.",
        )
    measured = _plateau(plateau)
    shared = {"exposures": exposures, "measured": measured, "bits_per_weight": bits_per_weight}
    if params is not None:
        found = held_bits(count_if(params, "--params") or 0.0, **shared)
    else:
        choices = VALUES if attributes is None else _choices(attributes)
        found = smallest_model(
            count_if(bits, "--bits", "14e9"),
            people=None if people is None else int(count_if(people, "--people", "1M") or 0),
            names=NAMES if names is None else int(count_if(names, "--names", "160M") or 0),
            values=value_bits(choices),
            vocabulary=VOCABULARY if rows is None else rows,
            **shared,
        )
    if json:
        print_json({"schema": "kleiber.size/1", **found.to_dict()})
    else:
        print(found.text())


def _plateau(text: str | None) -> tuple[float, float, float] | None:
    """Return a plateau with its bounds from "1.9:1.85:1.95"; a lone value has none."""
    if text is None:
        return None
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if len(parts) == 1:
        return parts[0], float("nan"), float("nan")
    if len(parts) != 3:
        raise UsageError(
            f"--plateau is '{text}'; a value, or value:lower:upper, is expected.",
            remedy="Give it as 1.9 or 1.9:1.85:1.95.",
        )
    if not parts[1] <= parts[0] <= parts[2]:
        raise UsageError(
            f"--plateau is '{text}': its value does not lie between its bounds.",
            remedy="Give value:lower:upper, such as 1.9:1.85:1.95.",
        )
    return parts[0], parts[1], parts[2]


def _choices(text: str) -> list[int]:
    """Return the sizes of attributes from "2,200,300"."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--attributes is '{text}'; whole numbers with commas are expected.",
            remedy="Give the choices of each attribute, such as 2,67200,200,300,100,263.",
        ) from None
