"""How many bits a data set can hold, and how many a model with given losses must hold.

Of a synthetic data set with N people out of N0 names (Allen-Zhu and Li 2024, Knowledge
Capacity Scaling Laws):

- bioD has K attributes; a value is C chunks, each one of D strings that were drawn for the
  attribute from the T^L strings of L letters of an alphabet of T;
- bioS has pools that are known beforehand, so that a person is one of S0 combinations of values.

Losses are in nats, summed over tokens: p1 of a name, p2 of a person's values (bioS) or of one
attribute's whole value (bioD), p3 of a value's first chunk among the strings of its attribute.
Everything returned is in bits.
"""

from __future__ import annotations

import math
from fractions import Fraction

from kleiber.errors import ValuesError

LN2 = math.log(2.0)
EXACT = (
    500  # chosen things up to which the count is an exact integer; Stirling's error is nil beyond
)
# Stirling's series: ln x! = (x + 1/2) ln x - x + ln(2 pi)/2 + sum of these over x, x^3, x^5, x^7
_SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680)


def log2_choices(things: int, chosen: int) -> float:
    """Return log2 of the binomial C(n, k), to a relative error below 1e-12.

    Up to k = 500 it is the log of the exact integer. Beyond, with r = k/n <= 1/2,
    ``ln C = -k ln r - (n - k) ln(1 - r) - ln(2 pi k (1 - r))/2 + s(n) - s(k) - s(n - k)``,
    s being Stirling's series: the two large terms are positive, so nothing cancels, and
    ``things`` may be an integer that no float can hold. Raises ValuesError for k > n or k < 0.
    """
    if not 0 <= chosen <= things:
        raise ValuesError(
            f"{chosen:,} cannot be chosen without replacement from {_count(things)}.",
            remedy="Choose fewer, or from a larger pool.",
        )
    k = min(chosen, things - chosen)
    if k <= EXACT:
        return math.log2(math.comb(things, k))
    share = k / things
    log_share = math.log(share) if share > 0.0 else math.log(k) - math.log(things)
    # (n - k) ln(1 - r) = k (1 - r) ln(1 - r) / r, which tends to -k for a vast pool
    rest = -k * (1.0 - share) * math.log1p(-share) / share if share > 0.0 else float(k)
    small = 0.5 * (math.log(2.0 * math.pi * k) + math.log1p(-share))
    correction = _series(things) - _series(k) - _series(things - k)
    return (-k * log_share + rest - small + correction) / LN2


def _series(x: int) -> float:
    """Return what Stirling's formula lacks of ln x!."""
    inverse = float(Fraction(1, x)) if x.bit_length() < 1000 else 0.0
    return sum(c * inverse ** (2 * i + 1) for i, c in enumerate(_SERIES))


def _count(count: int) -> str:
    """Return a count as text, a vast one by its power of two."""
    return f"{count:,}" if count.bit_length() < 64 else f"about 2^{count.bit_length() - 1}"


def upper_bios(*, people: int, names: int, value_bits: float) -> float:
    """Return the most bits that bioS holds: ``log2 C(N0, N) + N log2 S0`` (proposition 2.3).

    ``value_bits`` is log2 S0, 47.59 for the published pools. Raises ValuesError where the
    people outnumber the names.
    """
    _positive(people=people, names=names)
    return log2_choices(names, people) + people * value_bits


def upper_biod(
    *,
    people: int,
    names: int,
    attributes: int,
    chunks: int,
    choices: int,
    length: int,
    letters: int,
) -> float:
    """Return the most bits that bioD holds (proposition 2.3).

    ``log2 C(N0, N) + N K C log2 D + K log2 C(T^L, D)``: which names, which chunks, and which
    strings each attribute draws from. Raises ValuesError for more people than names, and for
    more choices than there are strings.
    """
    _positive(
        people=people, names=names, attributes=attributes, chunks=chunks, choices=choices,
        length=length, letters=letters,
    )  # fmt: skip
    which = log2_choices(names, people)
    values = people * attributes * chunks * math.log2(choices)
    return which + values + attributes * log2_choices(letters**length, choices)


def lower_bios(
    *, people: int, names: int, value_bits: float, name_loss: float, value_loss: float
) -> float:
    """Return the bits that a model with these losses must hold of bioS (corollary 3.3).

    ``N log2((N0 - N) / e^p1) + N log2(S0 / e^p2)`` with ``name_loss`` p1 and ``value_loss`` p2,
    the sum over a person's attributes. Nothing is dropped here: for any set W of models,
    ``log2 |W|`` is at least this. It is negative where a model does worse than guessing.
    """
    _positive(people=people, names=names)
    _losses(name_loss=name_loss, value_loss=value_loss)
    return _names(people, names, name_loss) + people * (value_bits - value_loss / LN2)


def lower_biod(
    *,
    people: int,
    names: int,
    attributes: int,
    chunks: int,
    choices: int,
    length: int,
    letters: int,
    name_loss: float,
    value_loss: float,
    diversity_loss: float,
) -> float:
    """Return the bits that a model with these losses must hold of bioD (theorem 3.2).

    ``N log2((N0 - N) / e^p1) + N K log2(D^C / e^p2) + K D log2((T^L - D) / (D e^p3))``.

    The theorem has (1 + o(1)) p3 for p3, and subtracts o(K D) more; both are dropped here, as
    they are in the published bits per parameter. They vanish as N grows over D log N, and
    nothing is claimed where it does not. Where D = T^L there is no choice of strings to
    store, and the last term, which would be minus infinity, is 0: then the strings are known
    beforehand, as in corollary 3.3.
    """
    _positive(
        people=people, names=names, attributes=attributes, chunks=chunks, choices=choices,
        length=length, letters=letters,
    )  # fmt: skip
    _losses(name_loss=name_loss, value_loss=value_loss, diversity_loss=diversity_loss)
    values = people * attributes * (chunks * math.log2(choices) - value_loss / LN2)
    spare = letters**length - choices
    if spare < 0:
        log2_choices(letters**length, choices)  # raises
    strings = 0.0
    if spare:
        each = math.log2(spare) - math.log2(choices) - diversity_loss / LN2
        strings = attributes * choices * each
    return _names(people, names, name_loss) + values + strings


def _names(people: int, names: int, loss: float) -> float:
    """Return the names' term; where every name is taken, which ones are is no knowledge."""
    if people > names:
        log2_choices(names, people)  # raises
    return 0.0 if people == names else people * (math.log2(names - people) - loss / LN2)


def _positive(**counts: int) -> None:
    """Raise a ValuesError for a count below one."""
    for name, count in counts.items():
        if count < 1:
            raise ValuesError(f"{name} is {count}; there is at least one.")


def _losses(**losses: float) -> None:
    """Raise a ValuesError for a loss that no model has."""
    for name, loss in losses.items():
        if not loss >= 0.0:
            raise ValuesError(
                f"{name} is {loss}; a loss is a sum of negative log-probabilities, in nats, and "
                "never below 0."
            )
