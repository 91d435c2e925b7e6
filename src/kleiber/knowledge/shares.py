"""What a training's data are made of, as settings say it: shares of windows, and who is in them.

Two ways to say it. A *mix* is useful data and junk::

    mix = { junk = "fresh", useful = 1, junk_parts = 7, token = true }

*Domains* are several kinds of documents, the name of its domain in front of each::

    domains = [
        { name = "library.example", people = "useful", parts = 1 },
        { name = "chatter.example", people = "fresh", parts = 4 },
        { name = "slogans.example", people = "repeated", parts = 3 },
    ]

``fresh`` is a new person in every text, never seen again; ``repeated`` is max(8, N / 100) persons
over and over; a number is so many persons. Allen-Zhu & Li 2024 (arXiv 2404.05405, section 10) mix
1 part useful data with 7 parts junk, of 100M persons or of 1000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.settings import check_names

MIX: dict[str, Any] = {"junk": "fresh", "useful": 1, "junk_parts": 7, "token": False}
"""Settings of a mix, with what they are where nothing is said."""

DOMAIN = ("name", "people", "parts")
USEFUL, FRESH, REPEATED = "useful", "fresh", "repeated"
FEWEST, PART = 8, 100  # repeated persons: at least so many, and one for so many useful ones


@dataclass(frozen=True)
class Share:
    """So many parts of the windows, and whose biographies they hold."""

    label: str
    parts: int
    people: str | int
    marked: bool = False

    @property
    def useful(self) -> bool:
        """Whether these are the people who are measured."""
        return self.people == USEFUL

    def persons(self, taught: int, shown: int) -> int:
        """Return how many persons so many junk texts are of, beside so many useful people."""
        if self.people == FRESH:
            return shown
        return max(FEWEST, taught // PART) if self.people == REPEATED else int(self.people)


def full_mix(mix: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mix with every setting said, or none; raises for one that means nothing."""
    if not mix:
        return {}
    check_names(mix, MIX, ())
    found = {**MIX, **mix}
    _check_people("mix.junk", found["junk"], (FRESH, REPEATED))
    for name in ("useful", "junk_parts"):
        _check_parts(f"mix.{name}", found[name])
    if not isinstance(found["token"], bool):
        raise InputError(
            f"mix.token is {found['token']!r}; true or false is expected.",
            remedy="Correct mix.token.",
        )
    return found


def shares_of(mix: Mapping[str, Any], domains: Sequence[Mapping[str, Any]]) -> tuple[Share, ...]:
    """Return the shares that settings say, useful ones first; none where all data are useful."""
    if mix and domains:
        raise UsageError(
            "mix and domains are both given; at most one is expected.",
            remedy="Say junk as a domain of its own, or leave domains out.",
        )
    if mix:
        said = full_mix(mix)
        useful = Share("useful", said["useful"], USEFUL, said["token"])
        found = (useful, Share("junk", said["junk_parts"], said["junk"]))
    else:
        found = tuple(_domain(place, one) for place, one in enumerate(domains, 1))
    labels = [share.label for share in found]
    if len(set(labels)) < len(labels):
        raise InputError(
            f"Two domains have one name: {', '.join(labels)}.",
            remedy="Give each domain a name of its own.",
        )
    found = tuple(share for share in found if share.parts)
    parts = sum(share.parts for share in found)
    if (mix or domains) and not any(share.useful for share in found):
        raise UsageError(
            f"A mix of 0 parts useful data and {parts} parts junk leaves nobody to learn.",
            remedy="Give useful data at least 1 part.",
        )
    return tuple(sorted(found, key=lambda share: not share.useful))


def useful_share(shares: Sequence[Share]) -> float:
    """Return the useful part of all windows."""
    parts = sum(share.parts for share in shares)
    return sum(share.parts for share in shares if share.useful) / parts if parts else 1.0


def said(shares: Sequence[Share]) -> str:
    """Return shares in a few letters, for a folder's name: "1useful+token-7fresh"."""
    mark = {True: "+token", False: ""}
    return "-".join(f"{share.parts}{share.people}{mark[share.marked]}" for share in shares)


def _domain(place: int, content: Mapping[str, Any]) -> Share:
    """Return one domain's share."""
    check_names(content, DOMAIN, DOMAIN)
    name = content["name"]
    if not (isinstance(name, str) and name and name == "".join(name.split())):
        raise InputError(
            f"The name of domain {place} is {name!r}; a word is expected.",
            remedy='Write it as in name = "library.example".',
        )
    _check_people(f"people of {name}", content["people"], (USEFUL, FRESH, REPEATED))
    _check_parts(f"parts of {name}", content["parts"])
    return Share(name, content["parts"], content["people"], marked=True)


def _check_people(what: str, given: Any, words: Sequence[str]) -> None:
    """Refuse what is neither one of the words nor a number of persons."""
    if given in words or (isinstance(given, int) and not isinstance(given, bool) and given >= 1):
        return
    raise InputError(
        f"{what} is {given!r}; {', '.join(words)} or a number of persons is expected.",
        remedy=f"Correct {what}.",
    )


def _check_parts(what: str, given: Any) -> None:
    """Refuse parts that are no whole number."""
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise InputError(
            f"{what} is {given!r}; a whole number of parts is expected.", remedy=f"Correct {what}."
        )
