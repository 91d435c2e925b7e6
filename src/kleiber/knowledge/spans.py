"""Where a text that somebody else wrote tells a person's values, and whether it can be read.

A model's bits are read from the tokens of the name and of each value at their first sight, so a
text is only good where that sight is certain and nothing gives it away before:

``missing``    the value is nowhere
``ambiguous``  it cannot be told which words are it: another value is the same, or encloses it
``leak``       a word of it that few other values have stands before it
``wrong``      another's value, or another's name, is told

Words are compared without regard to case. A date is found in whatever order its month, day and year
are written, the month in words (or all in digits as 1996-10-02).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from kleiber.knowledge.pools import MONTHS

PROBLEMS = ("missing", "ambiguous", "leak", "wrong")
PRONOUN = "pronoun"
PRONOUN_FORMS = {"he": "he|him|his|himself", "she": "she|her|hers|herself"}
TELLING = 0.5  # a word that fewer of an attribute's values have tells of the value
SMALL = {"the", "and", "for"}
WORDS = re.compile(r"\w+")
LONG = re.compile(r"[^\W\d]{3,}|\d{4}")  # a day of the month alone tells little, and stands often
DATE = re.compile(
    r"(?P<y>\d{4})-(?P<m>\d\d?)-(?P<d>\d\d?)"
    r"|(?P<month>[A-Z][a-z]+) (?P<day>\d\d?),? (?P<year>\d{4})"
    r"|(?P<day2>\d\d?) (?P<month2>[A-Z][a-z]+),? (?P<year2>\d{4})"
)

Span = tuple[int, int]


@dataclass(frozen=True)
class Problem:
    """What is wrong with one text: which part of whom, and why."""

    kind: str
    person: str
    part: str
    why: str
    line: int = 0

    def __str__(self) -> str:
        """Return the problem as a line."""
        return f"line {self.line}: {self.person}, {self.part}: {self.kind}; {self.why}"


@dataclass(frozen=True)
class Finder:
    """Finds parts in texts; ``pools`` are all values of each part, the names among them."""

    pools: Mapping[str, Sequence[str]]

    def find(self, text: str, truth: Mapping[str, str]) -> tuple[dict[str, Span], list[Problem]]:
        """Return where each part of the truth first stands, and what is wrong with the text."""
        person = truth["name"]
        places = {part: _places(part, value, text) for part, value in truth.items()}
        found: dict[str, Span] = {}
        problems: list[Problem] = []
        for part, value in truth.items():
            others = {other: places[other] for other in truth if other != part}
            kind, why = _unclear(value, places[part], others, truth)
            if kind:
                problems.append(Problem(kind, person, part, why))
            else:
                found[part] = next(
                    one for one in places[part] if not _enclosed(one, others.values())
                )
        told = [span for spans in places.values() for span in spans]
        bare = _masked(text, told)
        for part, (start, _) in found.items():
            word = self._leaked(part, truth[part], bare[:start])
            if word:
                why = f'"{word}" stands before "{truth[part]}"'
                problems.append(Problem("leak", person, part, why))
        for part in truth:
            other = self._other(part, bare)
            if other:
                why = f'"{other}" is told, the truth is "{truth[part]}"'
                problems.append(Problem("wrong", person, part, why))
        return found, problems

    def _leaked(self, part: str, value: str, before: str) -> str:
        """Return a word of the value that stands before it and tells of it, or nothing."""
        if part == PRONOUN:
            return ""
        seen = set(WORDS.findall(before if date_of(value) else before.casefold()))
        words = LONG.findall(value if date_of(value) else value.casefold())
        return next((word for word in words if word in seen and self._tells(part, word)), "")

    def _tells(self, part: str, word: str) -> bool:
        """Return whether few of a part's values have a word."""
        pool = self.pools[part]
        having = self._shares[part].get(word.casefold(), 0)
        return word.casefold() not in SMALL and (len(pool) < 3 or having < TELLING * len(pool))

    @cached_property
    def _shares(self) -> dict[str, dict[str, int]]:
        """How many values of each part have each word."""
        counts: dict[str, dict[str, int]] = {}
        for part, pool in self.pools.items():
            ours = counts.setdefault(part, {})
            for value in pool:
                for word in set(WORDS.findall(value.casefold())):
                    ours[word] = ours.get(word, 0) + 1
        return counts

    def _other(self, part: str, bare: str) -> str:
        """Return a value of somebody else that a text tells, or nothing; case counts here."""
        if part == PRONOUN:
            return ""
        if any(map(date_of, self.pools[part][:1])):
            return next((m[0] for m in DATE.finditer(bare) if date_of(m[0])), "")
        first = self._first_words[part]
        for word in WORDS.finditer(bare):
            for value in first.get(word[0], ()):
                end = word.start() + len(value)
                if bare.startswith(value, word.start()) and not bare[end : end + 1].isalnum():
                    return value
        return ""

    @cached_property
    def _first_words(self) -> dict[str, dict[str, list[str]]]:
        """The values of each part by their first word."""
        found: dict[str, dict[str, list[str]]] = {}
        for part, pool in self.pools.items():
            ours = found.setdefault(part, {})
            for value in pool:
                if start := WORDS.match(value):
                    ours.setdefault(start[0], []).append(value)
        return found


@lru_cache(maxsize=65_536)
def date_of(value: str) -> tuple[int, str, int] | None:
    """Return day, month and year of a value that is a date, or None."""
    match = DATE.fullmatch(value)
    if match is None:
        return None
    if match["y"]:
        number = int(match["m"])
        month = MONTHS[number - 1] if 1 <= number <= len(MONTHS) else ""
    else:
        month = match["month"] or match["month2"]
    if month not in MONTHS:
        return None
    day = match["d"] or match["day"] or match["day2"]
    year = match["y"] or match["year"] or match["year2"]
    return int(day), month, int(year)


@lru_cache(maxsize=65_536)
def pattern(part: str, value: str) -> re.Pattern[str]:
    """Return what finds a value, in any case and any format of a date."""
    date = date_of(value)
    if date:
        day, month, year = date
        m = f"(?:{month}|{month[:3]}\\.?)"
        d = f"0?{day}(?:st|nd|rd|th)?"
        iso = f"{year}-0?{MONTHS.index(month) + 1}-0?{day}"
        ways = f"{m} (?:the )?{d},? (?:of )?{year}|{d} (?:of )?{m},? (?:of )?{year}|{iso}"
    elif part == PRONOUN:
        ways = PRONOUN_FORMS.get(value.casefold(), re.escape(value))
    else:
        ways = re.escape(value)
    return re.compile(rf"(?<!\w)(?:{ways})(?!\w)", re.IGNORECASE)


def _places(part: str, value: str, text: str) -> list[Span]:
    return [match.span() for match in pattern(part, value).finditer(text)]


def _unclear(
    value: str,
    places: Sequence[Span],
    others: Mapping[str, Sequence[Span]],
    truth: Mapping[str, str],
) -> tuple[str, str]:
    """Return why it is not clear where a value stands, or nothing."""
    same = [other for other in others if truth[other].casefold() == value.casefold()]
    if not places:
        return "missing", f'"{value}" is not in the text'
    if same:
        return "ambiguous", f'{same[0]} is "{value}" too'
    within = [
        other for other, spans in others.items() if any(_enclosed(one, [spans]) for one in places)
    ]
    if all(_enclosed(one, others.values()) for one in places):
        return "ambiguous", f'"{value}" only stands within {within[0]}'
    crossing = [
        other
        for other, spans in others.items()
        for a, b in spans
        if any(a < start < b < end or start < a < end < b for start, end in places)
    ]
    return ("ambiguous", f'"{value}" runs into {crossing[0]}') if crossing else ("", "")


def _enclosed(one: Span, others: Iterable[Sequence[Span]]) -> bool:
    """Return whether a place lies within another part's, which is longer."""
    start, end = one
    wider = (span for spans in others for span in spans if span[1] - span[0] > end - start)
    return any(a <= start and end <= b for a, b in wider)


def _masked(text: str, spans: Sequence[Span]) -> str:
    """Return a text with blanks where spans are."""
    letters = list(text)
    for start, end in spans:
        letters[start:end] = " " * (end - start)
    return "".join(letters)


def by_kind(problems: Iterable[Problem]) -> dict[str, int]:
    """Return how many problems there are of each kind, those that there are."""
    kinds = [problem.kind for problem in problems]
    return {kind: kinds.count(kind) for kind in PROBLEMS if kind in kinds}


def first_of(problems: Sequence[Problem], most: int) -> Iterator[str]:
    """Return the first few problems as lines, and how many more there are."""
    yield from map(str, problems[:most])
    if len(problems) > most:
        yield f"and {len(problems) - most:,} more"
