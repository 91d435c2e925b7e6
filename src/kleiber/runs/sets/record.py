"""What is known of a public set before it is read: its source, its files, its families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from kleiber.units import ParamsAre

if TYPE_CHECKING:
    import polars as pl

    from kleiber.runs.sets.folder import Folder

# What a value is, as its publisher wrote it down.
Unit = Literal[
    "nats",
    "perplexity",
    "bits per byte",
    "accuracy",
    "accuracy in %",
    "error rate",
    "score",
    "unknown",
]
Points = Literal["finals", "curves"]
# How a unit becomes nats: --unit's name for it, or None where nothing makes it nats.
READ_AS: Mapping[Unit, str | None] = {
    **{"nats": "nats", "perplexity": "ppl", "bits per byte": None, "accuracy": None},
    **{"accuracy in %": None, "error rate": None, "score": None, "unknown": None},
}


@dataclass(frozen=True)
class Family:
    """Runs that differ in params and tokens alone, under one named metric in one unit.

    ``unit`` is the published one. ``cross_entropy`` is whether the value, in nats, is the
    cross-entropy of a text, and ``reason`` why not. Families of one ``cluster`` are near
    duplicates: their errors are one piece of evidence. ``duplicate_of`` names the family
    (``collection/family``) that has the same numbers. ``apart`` says why a cross-entropy is
    averaged apart from others. ``points`` are "finals", one decayed reading a run, or
    "curves", readings during a schedule of which only the last is decayed. A table of scores
    has several metrics in one family, and no Runs.
    """

    collection: str
    name: str
    metric: str
    unit: Unit
    cluster: str
    points: Points
    cross_entropy: bool = True
    reason: str = ""
    params_are: ParamsAre = "unknown"
    duplicate_of: str = ""
    apart: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.cross_entropy == bool(self.reason):
            raise ValueError(f"{self.name}: a reason belongs to what is no cross-entropy")

    @property
    def key(self) -> str:
        """Return ``collection/family``, which names it among all sets."""
        return f"{self.collection}/{self.name}"

    @property
    def read_as(self) -> str | None:
        """Return the unit that Runs reads it as, None for what has no nats."""
        return READ_AS[self.unit]


@dataclass(frozen=True)
class File:
    """One file of a set: its place in a set's folder and in the publisher's repository.

    ``published`` is empty for a file that was made from the repository's and is not in it.
    """

    path: str
    published: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Part:
    """Families that are read together from some of a set's files.

    ``read`` returns one row a reading: family, run, params, tokens and value, then what the
    files have of metric, step, recipe, seed, flops, params_nonembed, unique_tokens, epochs,
    experts, lr, final and synthetic. Unknown numbers are null. ``needs`` is a file that is in
    no repository: where it is not in the folder either, the part is left out of the whole set.
    """

    read: Callable[[Folder], pl.DataFrame]
    families: tuple[Family, ...]
    needs: str = ""


@dataclass(frozen=True)
class Collection:
    """A public set: where it is from, what may be done with it, what it holds."""

    name: str
    title: str
    repository: str
    commit: str
    licence: str
    cite: str
    good_for: str
    beware: str
    parts: tuple[Part, ...]
    counts: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def families(self) -> tuple[Family, ...]:
        """Return every family of the set, in the order of its files."""
        return tuple(family for part in self.parts for family in part.families)

    @property
    def units(self) -> tuple[str, ...]:
        """Return the units of the set, in the order of its families."""
        return tuple(dict.fromkeys(family.unit for family in self.families))

    @property
    def files(self) -> tuple[File, ...]:
        """Return the files that the readers need, with sizes and checksums."""
        from kleiber.runs.sets.manifest import files_of

        return files_of(self.name)

    def address(self, file: File) -> str:
        """Return where the publisher serves a file, "" where it is in no repository."""
        if not (self.repository and file.published):
            return ""
        root = f"https://raw.githubusercontent.com/{self.repository}/{self.commit}"
        return f"{root}/{quote(file.published)}"
