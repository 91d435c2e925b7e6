"""What a reader says about its own work: each guess, conversion and omission is a note."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

NoteKind = Literal["guessed", "converted", "left-out", "assumed", "warning"]


@dataclass(frozen=True)
class Note:
    """One sentence about how a table was read."""

    kind: NoteKind
    message: str

    def to_dict(self) -> dict[str, str]:
        """Return the note as a plain dictionary."""
        return {"kind": self.kind, "message": self.message}


def listing(items: Iterable[object], *, limit: int = 5) -> str:
    """Return the first few items as text, and how many more there are."""
    texts = [str(item) for item in items]
    more = len(texts) - limit
    return ", ".join(texts[:limit]) + (f" and {more:,} more" if more > 0 else "")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 row``, ``2,400 rows``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
