"""The pools that names and values are drawn from, of the paper's sizes or smaller.

Sizes: Allen-Zhu & Li 2024 (arXiv 2404.05405), footnote 9. The lists themselves are our own
(``lists/*.txt``, one value a line; an employer's line ends with its head office's city).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from kleiber.errors import InputError

LISTS = Path(__file__).with_name("lists")
FIRST_YEAR, YEARS = 1900, 200
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
DAYS = 28  # every month has them
PRONOUNS = ("He", "She")


@dataclass(frozen=True)
class Pools:
    """What there is to choose from; ``offices[i]`` is the city of ``employers[i]``."""

    first: tuple[str, ...]
    middle: tuple[str, ...]
    last: tuple[str, ...]
    months: tuple[str, ...]
    days: tuple[str, ...]
    years: tuple[str, ...]
    birth_cities: tuple[str, ...]
    universities: tuple[str, ...]
    majors: tuple[str, ...]
    employers: tuple[str, ...]
    offices: tuple[str, ...]

    def __post_init__(self) -> None:
        for pool in fields(self)[:-1]:
            _check(pool.name, getattr(self, pool.name))
        if len(self.offices) != len(self.employers):
            raise InputError(
                f"{len(self.employers)} employers with {len(self.offices)} head offices.",
                remedy="Give each employer the city of its head office.",
            )

    @classmethod
    def paper(cls, **sizes: int) -> Pools:
        """Return the paper's pools, or of the named ones only the first so many values.

        Names of pools: first, middle, last, months, days, years, birth_cities, universities,
        majors, employers. A pool without at least two values is refused (`InputError`).
        """
        full = _full()
        for pool, size in sizes.items():
            if pool not in full:
                raise InputError(
                    f"there is no pool {pool!r}.", remedy=f"Known pools: {', '.join(full)}."
                )
            if not 2 <= size <= len(full[pool]):
                raise InputError(
                    f"a pool of {size} {pool}: at least 2 values are needed to hold a bit, and "
                    f"the list has {len(full[pool])}.",
                    remedy=f"Set {pool} to a number from 2 to {len(full[pool])}.",
                )
        cut = {pool: values[: sizes.get(pool)] for pool, values in full.items()}
        offices = tuple(office for _, office in _employers()[: sizes.get("employers")])
        return cls(**cut, offices=offices)

    @property
    def name_count(self) -> int:
        """N0, the names there are."""
        return len(self.first) * len(self.middle) * len(self.last)

    @property
    def dates(self) -> int:
        """The birth dates there are."""
        return len(self.months) * len(self.days) * len(self.years)

    @property
    def value_bits(self) -> float:
        """log2 S0: all values and the pronoun; the working city follows from the employer."""
        values = (self.birth_cities, self.universities, self.majors, self.employers, PRONOUNS)
        return math.log2(self.dates) + sum(math.log2(len(pool)) for pool in values)


@cache
def _full() -> dict[str, tuple[str, ...]]:
    """Return every pool at its full size."""
    return {
        "first": _lines("first_names"),
        "middle": _lines("middle_names"),
        "last": _lines("last_names"),
        "months": MONTHS,
        "days": tuple(str(day + 1) for day in range(DAYS)),
        "years": tuple(str(FIRST_YEAR + year) for year in range(YEARS)),
        "birth_cities": _lines("birth_cities"),
        "universities": _lines("universities"),
        "majors": _lines("majors"),
        "employers": tuple(employer for employer, _ in _employers()),
    }


@cache
def _employers() -> tuple[tuple[str, str], ...]:
    """Return every employer with the city of its head office."""
    rows = (line.rpartition("; ") for line in _lines("employers"))
    return tuple((employer, office) for employer, _, office in rows)


def _check(pool: str, values: tuple[str, ...]) -> None:
    """Refuse a pool that holds no bit, the same value twice, or spaces that tokens would lose."""
    if len(values) < 2:
        raise InputError(
            f"a pool of {len(values)} {pool}: at least 2 values are needed to hold a bit.",
            remedy=f"Give {pool} more values.",
        )
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise InputError(
            f"the pool {pool} holds {twice!r} more than once.", remedy="Give each value once."
        )
    for value in values:
        if not value or value != " ".join(value.split()):
            raise InputError(
                f"the pool {pool} holds {value!r}.",
                remedy="Write values of words with one space between them.",
            )


def _lines(name: str) -> tuple[str, ...]:
    return tuple((LISTS / f"{name}.txt").read_text(encoding="utf-8").splitlines())
