"""Questions about people: what a model knows, asked for in words that it was not taught in.

After Allen-Zhu & Li 2024 (arXiv 2404.05405, figure 10): a trained model is tuned on questions about
half of the people and asked about the other half. An answer is right where every token of it is the
likeliest after the question and the true tokens before it. bioS and its kin are asked ::

    What is the birth city of Anya Briar Forger?

and bioD by one token for "what is", the attribute's, and the name's: the other way round than its
texts have them. Words that no biography has get rows of their own behind the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import UsageError
from kleiber.knowledge.biographies import VALUE, Biographies
from kleiber.knowledge.packing import IGNORED, Batch, check_step
from kleiber.knowledge.people import ATTRIBUTES
from kleiber.knowledge.pieces import EMPTY, OPENING, Table
from kleiber.knowledge.strings import Strings
from kleiber.knowledge.texts import NAME, SEPARATOR, Texts
from kleiber.training.chance import draw, permute

HALVES, ASKED = 120, 121  # what a draw is for, its first key
QUESTION = " What is the {} of"


@dataclass(frozen=True)
class Plan:
    """All pieces of questions, where each list of them begins, and the most tokens of one."""

    table: Table
    begin: dict[str, int]
    longest: int


@dataclass(frozen=True)
class Questions:
    """A question for each person and attribute; made when asked for."""

    source: Biographies | Strings

    @property
    def vocab(self) -> int:
        """Rows of the source, and of words that only questions have."""
        if isinstance(self.source, Strings):
            return self.source.vocab + 1
        return 1 + len(self._plan.table.keys)

    @property
    def max_length(self) -> int:
        """Tokens in the longest question with its answer, the separator included."""
        if isinstance(self.source, Strings):
            return 3 + self.source.name_tokens + self.source.C * self.source.L
        return self._plan.longest

    def texts(self, ids: ArrayLike, attributes: ArrayLike) -> Texts:
        """Return each person's question about an attribute, by its number, and the answer."""
        people, asked = np.broadcast_arrays(
            np.atleast_1d(np.asarray(ids, dtype=np.int64)), np.asarray(attributes, dtype=np.int64)
        )
        if isinstance(self.source, Strings):
            return _of_strings(self.source, people, asked)
        return self._of_people(self.source, people, asked)

    def chance(self, ids: ArrayLike) -> dict[str, float]:
        """Return the most that answers get right which are the same for all these people.

        The share of the commonest value, by attribute: no answer that ignores the name does better.
        """
        people = np.asarray(ids, dtype=np.int64)
        if isinstance(self.source, Strings):
            values = self.source.values(people)
        else:
            values = self.source.people.values(people)[:, :, None]
        found: dict[str, float] = {}
        for place, part in enumerate(self.source.attributes):
            _, counts = np.unique(values[:, place], axis=0, return_counts=True)
            found[part] = int(counts.max()) / len(people)
        return found

    @cached_property
    def _plan(self) -> Plan:
        """All pieces of questions, tokenised; made once."""
        assert isinstance(self.source, Biographies)
        people, pools = self.source.people, self.source.people.pools
        lists = {
            "lead": [QUESTION.format(part.replace("_", " ")) for part in ATTRIBUTES],
            "mark": ["?"],
            "first": [f" {name}" for name in pools.first],
            "middle": [f" {name}" for name in pools.middle],
            "last": [f" {name}" for name in pools.last],
            "month": [f" {month}" for month in pools.months],
            "day": [f" {day}," for day in pools.days],
            "birth_date": [f" {year}" for year in pools.years],
            "birth_city": [f" {value}" for value in pools.birth_cities],
            "university": [f" {value}" for value in pools.universities],
            "major": [f" {value}" for value in pools.majors],
            "employer": [f" {value}" for value in pools.employers],
            "work_city": [f" {value}" for value in people.cities],
        }
        texts, kinds, begin = ["", ""], [0, 0], dict[str, int]()
        for part, words in lists.items():
            begin[part] = len(texts)
            texts += words
            kinds += [_kind(part)] * len(words)
        encoded = self.source.tokenizer.encode(texts)
        keys = self.source.plan.table.keys
        new = {key for piece in encoded for key, _, _ in piece} - set(keys)
        keys = (*keys, *sorted(new, key=str))
        rows = {key: row for row, key in enumerate(keys, start=1)}
        lengths = np.array([len(piece) for piece in encoded], dtype=np.int64)
        lengths[OPENING] = 1
        tokens = [SEPARATOR, *(rows[key] for piece in encoded for key, _, _ in piece)]
        starts = np.concatenate(([0, 0, 1], 1 + np.cumsum(lengths[2:])[:-1]))
        told = np.repeat(kinds, lengths).astype(np.uint8)
        table = Table(np.array(tokens, dtype=np.int32), told, starts, lengths, keys)
        most = {
            part: int(lengths[begin[part] : begin[part] + len(words)].max())
            for part, words in lists.items()
        }
        dated = most["month"] + most["day"] + most["birth_date"]
        answer = max(dated, *(most[part] for part in ATTRIBUTES))
        asking = sum(most[part] for part in ("lead", "first", "middle", "last", "mark"))
        return Plan(table, begin, 1 + asking + answer)

    def _of_people(
        self, source: Biographies, people: NDArray[np.int64], asked: NDArray[np.int64]
    ) -> Texts:
        begin = self._plan.begin
        pools, values = source.people.pools, source.people.values(people)
        rest, values[:, 0] = np.divmod(values[:, 0], len(pools.years))
        month, day = np.divmod(rest, len(pools.days))
        names = source.people.names(people)
        pieces = np.full((len(people), 9), EMPTY, dtype=np.int32)
        pieces[:, 0] = OPENING
        pieces[:, 1] = begin["lead"] + asked
        for place, part in enumerate(("first", "middle", "last")):
            pieces[:, 2 + place] = begin[part] + names[:, place]
        pieces[:, 5] = begin["mark"]
        dated = asked == 0
        pieces[dated, 6] = begin["month"] + month[dated]
        pieces[dated, 7] = begin["day"] + day[dated]
        starts = np.array([begin[part] for part in ATTRIBUTES])
        pieces[:, 8] = starts[asked] + values[np.arange(len(people)), asked]
        tokens, kinds, edges = self._plan.table.lay(pieces)
        slots = np.where(kinds >= VALUE, kinds.astype(np.int16) - VALUE, -1).astype(np.int16)
        return Texts(tokens, kinds, slots, edges)


@dataclass(frozen=True)
class Lessons:
    """Batches of questions about some people; only the answer's tokens are to be predicted."""

    questions: Questions
    people: tuple[int, ...]
    steps: int
    batch_size: int
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("people", len(self.people)), ("batch", self.batch_size)):
            if value < 1:
                raise UsageError(
                    f"{name} to ask about: {value}; at least 1 is needed.",
                    remedy=f"Set {name} to 1 or more.",
                )

    def batch(self, step: int) -> Batch:
        """Return the inputs and the targets of a step, both of shape [batch_size, width]."""
        check_step(step, self.steps)
        attributes = len(self.questions.source.attributes)
        count = len(self.people) * attributes
        turns, places = np.divmod(step * self.batch_size + np.arange(self.batch_size), count)
        pairs = np.empty_like(places)
        for turn in np.unique(turns):
            here = turns == turn
            pairs[here] = permute(int(draw(self.seed, ASKED, turn)), places[here], count)
        who, asked = np.divmod(pairs, attributes)
        texts = self.questions.texts(np.asarray(self.people)[who], asked)
        width = self.questions.max_length - 1
        inside = np.arange(width + 1) < texts.lengths[:, None]
        rows = np.zeros(inside.shape, dtype=np.int64)
        targets = np.full(inside.shape, IGNORED, dtype=np.int64)
        rows[inside] = texts.tokens
        targets[inside] = np.where(texts.slots >= 0, texts.tokens, IGNORED)
        return rows[:, :-1], targets[:, 1:]


def halves(count: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the people to tune on and those to ask about, each in order; nobody is in both."""
    if count < 2:
        raise UsageError(
            f"{count} people cannot be halved.", remedy="Teach at least 2 people to ask about one."
        )
    shuffled = permute(int(draw(seed, HALVES)), np.arange(count), count)
    return np.sort(shuffled[: count // 2]), np.sort(shuffled[count // 2 :])


def _kind(part: str) -> int:
    if part in ("first", "middle", "last"):
        return NAME
    if part in ("month", "day"):
        part = ATTRIBUTES[0]
    return VALUE + ATTRIBUTES.index(part) if part in ATTRIBUTES else 0


def _of_strings(source: Strings, people: NDArray[np.int64], asked: NDArray[np.int64]) -> Texts:
    """Return questions of bioD: separator, "what is", attribute, name, value."""
    n, wide = len(people), source.C * source.L
    head = 3 + source.name_tokens
    tokens = np.empty((n, head + wide), dtype=np.int32)
    tokens[:, 0] = SEPARATOR
    tokens[:, 1] = source.vocab
    tokens[:, 2] = asked + source.T + 1
    tokens[:, 3:head] = source.names(people) + 1
    chunks = source.values(people)[np.arange(n), asked]
    tokens[:, head:] = source.dictionary[asked[:, None], chunks].reshape(n, wide) + 1
    kinds = np.zeros(tokens.shape, dtype=np.uint8)
    kinds[:, 3:head], kinds[:, head:] = NAME, VALUE
    slots = np.full(tokens.shape, -1, dtype=np.int16)
    slots[:, head:] = asked[:, None]
    return Texts(tokens.ravel(), kinds.ravel(), slots.ravel(), np.arange(n + 1) * (head + wide))
