"""The sentences that tell an attribute: our own, about fifty each, written as alternatives.

A line of ``templates/*.txt`` such as ``{name} (works|has a job) at {value}.`` stands for all its
choices. Every sentence opens with the slot of the name, which He or She may take, and is otherwise
free of gender ("their"); a value stands behind a space, since pieces of text are told apart at
spaces. Lines below ``# more`` belong to the richer grammar of the rewrites only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

from kleiber.errors import UsageError

TEMPLATES = Path(__file__).with_name("templates")
DISTRACTORS = ("hobbies", "habits")
CHOICE = re.compile(r"\(([^()]*)\)")
SENTENCE = re.compile(
    r"\{name\}(?P<lead> [^{}]*?)(?: \{value\}(?P<tail>[^\s{}]*)(?P<rest>[^{}]*))?"
)


@dataclass(frozen=True)
class Template:
    """A sentence after its subject: ``lead``, a space, the value with ``tail`` glued on, ``rest``.

    A sentence without a value is all lead.
    """

    lead: str
    tail: str
    rest: str

    def write(self, value: str) -> str:
        """Return the sentence after its subject, telling a value."""
        return f"{self.lead} {value}{self.tail}{self.rest}" if value else self.lead


def expand(line: str) -> list[str]:
    """Return every sentence that a line of alternatives stands for."""
    parts = CHOICE.split(line)  # what stands between choices, then a choice, and so on
    choices = [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]
    sentences = ("".join(chosen) for chosen in product(*choices))
    return [re.sub(r" +(?=[ .,])", "", sentence) for sentence in sentences]


@cache
def templates(
    attribute: str, *, more: bool = False, limit: int | None = None
) -> tuple[Template, ...]:
    """Return an attribute's sentences, one of each line by turns, so that the first few differ.

    ``more`` adds the lines of the richer grammar; ``limit`` keeps the first so many.
    """
    text = (TEMPLATES / f"{attribute}.txt").read_text(encoding="utf-8")
    plain, _, richer = text.partition("# more\n")
    lines = [expand(line) for line in (plain + richer * more).splitlines()]
    longest = max(map(len, lines))
    turns = [line[turn] for turn in range(longest) for line in lines if turn < len(line)]
    if limit is not None and not 1 <= limit <= len(turns):
        raise UsageError(
            f"{limit} templates for {attribute}; there are {len(turns)}.",
            remedy=f"Set templates to a number from 1 to {len(turns)}.",
        )
    return tuple(_template(sentence) for sentence in turns[:limit])


def _template(sentence: str) -> Template:
    match = SENTENCE.fullmatch(sentence)
    if match is None:
        raise ValueError(f"not a sentence of the grammar: {sentence!r}")
    return Template(match["lead"], match["tail"] or "", match["rest"] or "")
