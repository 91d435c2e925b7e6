"""Synthetic people: a name that no other has, and values drawn uniformly from the pools.

Person i's name is where a keyed permutation of all N0 names sends i, so names are without
replacement and persons ``count`` and above are strangers. Names and values are computed when
asked for, from the seed and the person's number: people take no memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import InputError
from kleiber.knowledge.pools import PRONOUNS, Pools
from kleiber.training.chance import below, draw, permute

ATTRIBUTES = ("birth_date", "birth_city", "university", "major", "employer", "work_city")

NAMES, VALUES = 0, 1  # what a draw is for: its first key


@dataclass(frozen=True)
class People:
    """N people, by number; ``seed`` decides who is called what and all values."""

    pools: Pools
    count: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"{self.count} people.", remedy="Ask for at least 1 person.")
        if self.count > self.pools.name_count:
            raise InputError(
                f"more people than names: {self.count} people, {self.pools.name_count} names.",
                remedy="Ask for fewer people, or take larger pools of names.",
            )

    def strangers(self, count: int) -> NDArray[np.int64]:
        """Return the ids of people who are never among the trained."""
        if self.count + count > self.pools.name_count:
            raise InputError(
                f"{count} strangers beside {self.count} people need {self.count + count} names; "
                f"the pools make {self.pools.name_count}.",
                remedy="Ask for fewer strangers, or take larger pools of names.",
            )
        return np.arange(self.count, self.count + count)

    def names(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return which first, middle and last name each person has, shape [n, 3]."""
        number = permute(int(draw(self.seed, NAMES)), np.asarray(ids), self.pools.name_count)
        rest, last = np.divmod(number, len(self.pools.last))
        first, middle = np.divmod(rest, len(self.pools.middle))
        return np.stack([first, middle, last], axis=-1)

    def pronouns(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return which pronoun each person has, an index into ``PRONOUNS``."""
        return self._draw(ids, len(ATTRIBUTES), len(PRONOUNS))

    def values(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return which value of each attribute a person has, shape [n, 6].

        A birth date is ``(month * days + day) * years + year``; a working city, the place of the
        employer's head office in ``cities``.
        """
        pools = self.pools
        sizes = (pools.dates, *map(len, (pools.birth_cities, pools.universities, pools.majors)))
        columns = [self._draw(ids, place, size) for place, size in enumerate(sizes)]
        employer = self._draw(ids, 4, len(pools.employers))
        return np.stack([*columns, employer, self.office[employer]], axis=-1)

    @cached_property
    def cities(self) -> tuple[str, ...]:
        """The different cities of head offices."""
        return tuple(dict.fromkeys(self.pools.offices))

    @cached_property
    def office(self) -> NDArray[np.int64]:
        """Which of ``cities`` each employer's head office is in."""
        place = {city: i for i, city in enumerate(self.cities)}
        return np.array([place[city] for city in self.pools.offices])

    @cached_property
    def attribute_bits(self) -> dict[str, float]:
        """Bits of each attribute by itself."""
        pools = self.pools
        sizes = (pools.birth_cities, pools.universities, pools.majors, pools.employers)
        shares = np.bincount(self.office) / len(self.office)
        city = float(-(shares * np.log2(shares)).sum())
        bits = [math.log2(pools.dates), *(math.log2(len(pool)) for pool in sizes), city]
        return dict(zip(ATTRIBUTES, bits, strict=True))

    def words(self, values: ArrayLike) -> dict[str, str]:
        """Return one person's row of ``values`` in words."""
        date, birth_city, university, major, employer, city = np.asarray(values).tolist()
        return {
            "birth_date": "{} {}, {}".format(*self.date(date)),
            "birth_city": self.pools.birth_cities[birth_city],
            "university": self.pools.universities[university],
            "major": self.pools.majors[major],
            "employer": self.pools.employers[employer],
            "work_city": self.cities[city],
        }

    def date(self, number: int) -> tuple[str, str, str]:
        """Return a birth date's month, day and year."""
        pools = self.pools
        rest, year = divmod(number, len(pools.years))
        month, day = divmod(rest, len(pools.days))
        return pools.months[month], pools.days[day], pools.years[year]

    def _draw(self, ids: ArrayLike, attribute: int, size: int) -> NDArray[np.int64]:
        return below(draw(self.seed, VALUES, ids, attribute), size)
