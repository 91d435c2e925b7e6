"""bioS and its kin: six sentences a person, as text and as tokens.

The formats of Allen-Zhu & Li 2024 (arXiv 2404.05405, section 2.2), with sentences of our own:

``bioS``
    fresh sentences in a fresh order at every exposure;
``bioS-simple``
    one fixed text a person;
``bioR``
    a substitute for the paper's bioR, whose texts were written by a large language model: 40 fixed
    texts a person from a grammar twice as rich, each with two sentences that tell nothing of the
    person's attributes and that are drawn anew for each text.

The first sentence has the full name, the others He or She. A text begins with a space.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import UsageError
from kleiber.knowledge.grammar import DISTRACTORS, Template, templates
from kleiber.knowledge.lengths import Lengths, lengths
from kleiber.knowledge.people import ATTRIBUTES, People
from kleiber.knowledge.pieces import OPENING, Builder, Sentences, Table, sentences
from kleiber.knowledge.pools import PRONOUNS
from kleiber.knowledge.texts import NAME, SEPARATOR, Biography, Texts
from kleiber.knowledge.tokens import Tokenizer, Words
from kleiber.training.chance import below, draw, order

FORMS = ("bioS", "bioS-simple", "bioR")
REWRITES = 40
PRONOUN, VALUE = 2, 3  # kinds: the first pronoun of a text, the first attribute
ORDERS, SENTENCES = 2, 3  # what a draw is for: its first key; people's have the first two
EMPLOYER, WORK_CITY = ATTRIBUTES.index("employer"), ATTRIBUTES.index("work_city")

# The pieces of a sentence, in a row: the subject's three, lead, the value's three, rest.
LEAD, DATE, LAST_WORDS, REST, WIDTH = 3, 4, 6, 7, 8


@dataclass(frozen=True)
class Plan:
    """Where everything stands in the table of pieces."""

    table: Table
    names: tuple[int, int, int]
    first_pronoun: int
    pronoun: int
    months: int
    days: int
    sentences: tuple[Sentences, ...]


@dataclass(frozen=True)
class Choices:
    """What a batch of texts is to say: templates in the sentences' own order, and their places."""

    ids: NDArray[np.int64]
    exposures: NDArray[np.int64]
    templates: NDArray[np.int64]
    order: NDArray[np.int64]


@dataclass(frozen=True)
class Biographies:
    """Biographies of people in one of three forms; ``templates`` keeps the first so many a part."""

    people: People
    form: str = "bioS"
    tokenizer: Tokenizer = field(default_factory=Words)
    templates: int | None = None

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise UsageError(
                f"there is no form {self.form!r}.", remedy=f"Known forms: {', '.join(FORMS)}."
            )
        _ = self.grammar

    @property
    def count(self) -> int:
        """People who are trained on."""
        return self.people.count

    @property
    def vocab(self) -> int:
        """Rows: the separator and every token that a sentence with some value can have."""
        return 1 + len(self.plan.table.keys)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of tokens; of the pronouns, only a text's first counts."""
        return ("other", "name", "pronoun", *ATTRIBUTES)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the attributes."""
        return ATTRIBUTES

    @property
    def separator(self) -> int:
        """The token that opens every text."""
        return SEPARATOR

    @property
    def name_pool(self) -> int:
        """N0, the names there are."""
        return self.people.pools.name_count

    @property
    def name_bits(self) -> float:
        """log2 N0."""
        return math.log2(self.name_pool)

    @property
    def value_bits(self) -> float:
        """log2 S0, with the pronoun and without the working city."""
        return self.people.pools.value_bits

    @property
    def attribute_bits(self) -> dict[str, float]:
        """log2 of each pool; the working city's is its entropy, and no part of ``value_bits``."""
        return self.people.attribute_bits

    @property
    def diversity_bits(self) -> float:
        """The pools count as known beforehand (Definition 4.1)."""
        return 0.0

    @property
    def entries(self) -> int:
        """None: all values are known beforehand."""
        return 0

    @property
    def fixed_texts(self) -> int:
        """Texts of a person: one in bioS-simple, 40 in bioR, a fresh one an exposure in bioS."""
        return {"bioS": 0, "bioS-simple": 1, "bioR": REWRITES}[self.form]

    @property
    def mean_length(self) -> float:
        """Tokens in a text on average over all people that the pools can make."""
        return self.lengths.mean

    @property
    def length_spread(self) -> float:
        """Standard deviation of a text's tokens, over the same."""
        return self.lengths.spread

    @property
    def max_length(self) -> int:
        """Tokens in the longest text that can occur."""
        return self.lengths.longest

    def strangers(self, count: int) -> NDArray[np.int64]:
        """Return the ids of people who are never among the trained."""
        return self.people.strangers(count)

    def texts(self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False) -> Texts:
        """Return one text a person; ``employer_first`` keeps the working city from telling it."""
        chosen = self.choose(ids, exposures, employer_first=employer_first)
        tokens, kinds, starts = self.plan.table.lay(self._pieces(chosen))
        return Texts(tokens, kinds, SLOTS[kinds], starts)

    def decode(self, tokens: ArrayLike) -> str:
        """Return tokens as text, a line for each separator after the first token."""
        keys = self.plan.table.keys
        rows = np.asarray(tokens).ravel()
        parts = np.split(rows, np.flatnonzero(rows == SEPARATOR))
        lines = [self.tokenizer.text([keys[row - 1] for row in part if row]) for part in parts]
        return "\n".join(lines[1:] if not len(parts[0]) else lines)

    def biographies(
        self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False
    ) -> list[Biography]:
        """Return the same texts as strings, with the truth and where it stands."""
        chosen = self.choose(ids, exposures, employer_first=employer_first)
        names, values = self.people.names(chosen.ids), self.people.values(chosen.ids)
        pronouns = self.people.pronouns(chosen.ids)
        return [
            self._write(chosen, i, names[i], PRONOUNS[pronouns[i]], values[i])
            for i in range(len(chosen.ids))
        ]

    def choose(
        self, ids: ArrayLike, exposures: ArrayLike, *, employer_first: bool = False
    ) -> Choices:
        """Choose templates and the order of sentences for each person at each exposure."""
        ids = np.atleast_1d(np.asarray(ids, dtype=np.int64))
        shown = np.broadcast_to(np.asarray(exposures, dtype=np.int64), ids.shape)
        turn = {"bioS": shown, "bioS-simple": np.zeros_like(shown), "bioR": shown % REWRITES}
        keys = (ids[:, None], turn[self.form][:, None], np.arange(len(self.grammar)))
        sizes = np.array([len(part) for part in self.grammar])
        chosen = below(draw(self.people.seed, SENTENCES, *keys), sizes)
        places = order(draw(self.people.seed, ORDERS, *keys))
        if employer_first:
            places = _employer_first(places)
        return Choices(ids, shown, chosen, places)

    @cached_property
    def grammar(self) -> tuple[tuple[Template, ...], ...]:
        """The templates of each sentence: the six attributes', then the distractors'."""
        rich = self.form == "bioR"
        told = [templates(part, more=rich, limit=self.templates) for part in ATTRIBUTES]
        return (*told, *(templates(part) for part in DISTRACTORS * rich))

    @cached_property
    def plan(self) -> Plan:
        """All pieces, tokenised; made once."""
        pools, builder = self.people.pools, Builder()
        names = (
            builder.add([f" {name}" for name in pools.first], NAME),
            builder.add([f" {name}" for name in pools.middle], NAME),
            builder.add([f" {name}" for name in pools.last], NAME),
        )
        first_pronoun = builder.add([f" {pronoun}" for pronoun in PRONOUNS], PRONOUN)
        pronoun = builder.add([f" {pronoun}" for pronoun in PRONOUNS])
        months = builder.add([f" {month}" for month in pools.months], VALUE)
        days = builder.add([f" {day}," for day in pools.days], VALUE)
        last_words = (
            pools.years,
            pools.birth_cities,
            pools.universities,
            pools.majors,
            pools.employers,
            self.people.cities,
            *[()] * len(DISTRACTORS),
        )
        parts = tuple(
            sentences(builder, part, words, VALUE + place)
            for place, (part, words) in enumerate(zip(self.grammar, last_words, strict=False))
        )
        table = builder.table(self.tokenizer)
        return Plan(table, names, first_pronoun, pronoun, months, days, parts)

    @cached_property
    def lengths(self) -> Lengths:
        """How long texts are: mean, spread, longest; exact."""
        plan = self.plan
        pools = self.people.pools
        sizes = (len(pools.first), len(pools.middle), len(pools.last))
        spans = [*zip(plan.names, sizes, strict=True), (plan.months, len(pools.months))]
        spans += [(plan.days, len(pools.days))]
        pronouns = [(plan.pronoun, len(PRONOUNS))] * (len(plan.sentences) - 1)
        return lengths(
            plan.table.lengths, spans, pronouns, plan.sentences, EMPLOYER, self.people.office
        )

    def _pieces(self, chosen: Choices) -> NDArray[np.int32]:
        """Return the pieces of each text in order, shape [n, 1 + WIDTH * sentences]."""
        plan, pools = self.plan, self.people.pools
        n, count = chosen.order.shape
        values = self.people.values(chosen.ids)
        rest, year = np.divmod(values[:, 0], len(pools.years))
        month, day = np.divmod(rest, len(pools.days))
        values[:, 0] = year

        body = np.zeros((n, count, WIDTH), dtype=np.int32)
        for place, part in enumerate(plan.sentences):
            template = chosen.templates[:, place]
            body[:, place, LEAD] = part.lead + template
            body[:, place, REST] = part.rest + template
            if part.size:
                body[:, place, LAST_WORDS] = part.value[template] + values[:, place]
        body[:, 0, DATE] = plan.months + month
        body[:, 0, DATE + 1] = plan.days + day

        body = np.take_along_axis(body, chosen.order[:, :, None], axis=1)
        pronoun = self.people.pronouns(chosen.ids)
        body[:, 0, :LEAD] = self.people.names(chosen.ids) + np.array(plan.names)
        body[:, 1, 0] = plan.first_pronoun + pronoun
        body[:, 2:, 0] = plan.pronoun + pronoun[:, None]
        opening = np.full((n, 1), OPENING, dtype=np.int32)
        return np.concatenate([opening, body.reshape(n, count * WIDTH)], axis=1)

    def _write(
        self,
        chosen: Choices,
        i: int,
        name: NDArray[np.int64],
        pronoun: str,
        values: NDArray[np.int64],
    ) -> Biography:
        """Write one text and note where its parts stand."""
        pools, words = self.people.pools, self.people.words(values)
        first, middle, last = name.tolist()
        called = f"{pools.first[first]} {pools.middle[middle]} {pools.last[last]}"
        text, spans = "", []
        for place, s in enumerate(chosen.order[i].tolist()):
            subject = pronoun if place else called
            if place < 2:
                spans.append(
                    (("name", "pronoun")[place], len(text) + 1, len(text) + 1 + len(subject))
                )
            text += f" {subject}"
            template = self.grammar[s][chosen.templates[i, s]]
            value = words[ATTRIBUTES[s]] if s < len(ATTRIBUTES) else ""
            if value:
                start = len(text) + len(template.lead) + 1
                spans.append((ATTRIBUTES[s], start, start + len(value)))
            text += template.write(value)
        truth = {"name": called, "pronoun": pronoun, **words}
        return Biography(int(chosen.ids[i]), int(chosen.exposures[i]), text, truth, tuple(spans))


SLOTS = np.array([-1] * VALUE + list(range(len(ATTRIBUTES))), dtype=np.int16)
"""The attribute of each kind of token."""


def _employer_first(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Exchange the employer's and the working city's sentences where the city comes first."""
    rank = np.argsort(places, axis=1)
    swap = rank[:, EMPLOYER] > rank[:, WORK_CITY]
    exchange = np.arange(places.shape[1])
    exchange[[EMPLOYER, WORK_CITY]] = WORK_CITY, EMPLOYER
    return np.where(swap[:, None], exchange[places], places)
