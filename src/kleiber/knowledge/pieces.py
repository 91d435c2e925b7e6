"""The pieces that biographies are made of, each tokenised once, in flat tables.

Pieces are cut at spaces, so that laying their tokens end to end gives the tokens of the text. What
is glued to a value up to the next space (the stop behind "Acme Tools Inc.", a possessive ``'s``) is
tokenised with it, once for each value and each such tail. A token that holds characters of the
value and others belongs to the value, and so does a space alone before it: that the value's first
letters did not join the space tells of the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.knowledge.grammar import Template
from kleiber.knowledge.texts import SEPARATOR, ragged
from kleiber.knowledge.tokens import Tokenizer

EMPTY, OPENING = 0, 1
"""The piece without tokens and the piece that is the separator."""


@dataclass(frozen=True)
class Table:
    """All pieces: piece i is the ``lengths[i]`` tokens from ``starts[i]`` on.

    Tokens are rows, counted densely over what occurs in any piece; row 0 is the separator, row r
    is what the tokenizer calls ``keys[r - 1]``.
    """

    tokens: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    keys: tuple[Any, ...]

    def lay(
        self, pieces: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int64]]:
        """Lay pieces end to end, one text a row; return tokens, kinds and starts of texts."""
        lengths = self.lengths[pieces]
        starts = np.zeros(len(pieces) + 1, dtype=np.int64)
        np.cumsum(lengths.sum(axis=1), out=starts[1:])
        index = ragged(self.starts[pieces.ravel()], lengths.ravel())
        return self.tokens[index], self.kinds[index], starts


@dataclass
class Builder:
    """Collects pieces of text with what they tell, and tokenises them all at once."""

    texts: list[str] = field(default_factory=lambda: ["", ""])
    told: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0), (0, 0)])

    def add(self, texts: Sequence[str], kind: int = 0, tail: str = "") -> int:
        """Add pieces, each with a tail that tells nothing; return the first one's number."""
        first = len(self.texts)
        self.texts += [text + tail for text in texts]
        self.told += [(kind, len(text)) for text in texts]
        return first

    def table(self, tokenizer: Tokenizer) -> Table:
        """Tokenise every piece and count rows over what occurs."""
        encoded = tokenizer.encode(self.texts)
        keys = sorted({key for piece in encoded for key, _, _ in piece})
        rows = {key: row for row, key in enumerate(keys, start=1)}
        tokens, kinds = [SEPARATOR], [0]
        starts, lengths = [], []
        for piece, (kind, end) in zip(encoded, self.told, strict=True):
            starts.append(len(tokens))
            lengths.append(len(piece))
            tokens += [rows[key] for key, _, _ in piece]
            kinds += [kind if start < end else 0 for _, start, _ in piece]
        starts[OPENING], lengths[OPENING] = 0, 1
        return Table(
            np.array(tokens, dtype=np.int32),
            np.array(kinds, dtype=np.uint8),
            np.array(starts, dtype=np.int64),
            np.array(lengths, dtype=np.int64),
            tuple(keys),
        )


@dataclass(frozen=True)
class Sentences:
    """Where the pieces of one attribute's sentences stand in the table.

    Template t is piece ``lead + t``, the value's words, and piece ``rest + t``; the value v with
    its glued tail is piece ``value[t] + v``.
    """

    templates: tuple[Template, ...]
    lead: int
    rest: int
    value: NDArray[np.int64]
    size: int


def sentences(
    builder: Builder, templates: tuple[Template, ...], values: Sequence[str], kind: int
) -> Sentences:
    """Add the pieces of an attribute's sentences; ``values`` are its last or only words."""
    lead = builder.add([template.lead for template in templates])
    rest = builder.add([template.rest for template in templates])
    words = [f" {value}" for value in values]
    tails = dict.fromkeys(template.tail for template in templates) if words else {}
    first = {tail: builder.add(words, kind, tail) for tail in tails}
    value = np.array([first.get(template.tail, EMPTY) for template in templates])
    return Sentences(templates, lead, rest, value, len(words))
