"""One cell of a capacity experiment: who is taught, to what model, how long, from what seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from typing import Any

from kleiber.errors import UsageError
from kleiber.knowledge.biographies import FORMS, Biographies
from kleiber.knowledge.corpus import read_corpus
from kleiber.knowledge.mixture import Mixture, marked, mixture
from kleiber.knowledge.packing import Windows
from kleiber.knowledge.people import People
from kleiber.knowledge.pools import Pools
from kleiber.knowledge.random_strings import RandomStrings
from kleiber.knowledge.rewritten import Rewritten
from kleiber.knowledge.settings import (
    check_above_zero,
    check_at_least_one,
    check_kinds,
    check_names,
)
from kleiber.knowledge.shares import Share, full_mix, said, shares_of
from kleiber.knowledge.strings import Strings
from kleiber.knowledge.texts import Source
from kleiber.knowledge.tokens import BytePairs, Tokenizer, Words
from kleiber.training.architectures import architecture, changes
from kleiber.training.config import ModelConfig, TrainConfig

USUAL = "gpt2"
RATIO = 4  # hidden width of GPT-2's MLP over the model's
LATER: dict[str, Any] = {  # settings that runs before them lack: left out where they say nothing
    "mix": {}, "domains": [], "corpus": {}, "architecture": USUAL, "changed": {},
}  # fmt: skip
EXPERTS = ("experts", "top_k", "capacity", "test_capacity", "balance")
CHANGED = (  # fields of a model that ``changed`` may say, of those that the cell does not
    *("rope_base", "mlp", "activation", "norm", "biases", "tied", "kv_heads"),
    *EXPERTS,
)
REWRITTEN = "rewritten"
FORMATS = ("bioD", *FORMS, "random", REWRITTEN)
FILES = ("texts", "people")  # of a corpus
SIZES = {"length", "symbols"}  # of random strings; the rest of ``strings`` is bioD's
STRINGS = ("K", "C", "D", "L", "T", "name_tokens", "name_pool", "length", "symbols")
COUNTS = ("people", "exposures", "layers", "width", "heads", "batch", "texts")
READ = 5000  # people whose texts byte pairs are learnt from
LIGHT = 200  # tokens a step up to which cells are stacked
LIGHT_TEXT = 20  # tokens of a text that has its window to itself, about


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Everything that decides a run; equal cells end in equal weights.

    ``exposures`` may be any number from 1. ``mix`` and ``domains`` say what is shown besides
    (``knowledge.shares``); ``corpus``, of the format rewritten, names its two files, texts and
    people (``knowledge.corpus``). ``pools`` are the sizes that differ from the paper's
    (biographies), ``strings`` the sizes of bioD (K, C, D, L, T, name_tokens) or of random strings
    (length, symbols). ``lr`` is the peak rate, or ``lr_times_width`` over the width. ``tokens`` is
    "words", "trained:ROWS" for byte pairs learnt from the texts, or "bytes:VOCABULARY:MERGES" with
    GPT-2's two files. ``architecture`` is one of ``training.architectures``, ``changed`` what is
    other than there (tied, experts, ...), ``mlp_ratio`` the architecture's own where it is None.
    """

    people: int
    exposures: float
    layers: int
    width: int
    heads: int
    batch: int
    seed: int = 0
    format: str = "bioD"
    pools: dict[str, int] = field(default_factory=dict[str, int])
    strings: dict[str, int] = field(default_factory=dict[str, int])
    templates: int | None = None
    tokens: str = "words"
    context: int | None = None
    mlp_ratio: float | None = None
    init_scale: float = 0.6
    lr: float | None = None
    lr_times_width: float | None = None
    weight_decay: float | None = None
    decay_over_run: float | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-6
    clip: float = 1.0
    warmup: float = 0.02
    final_lr: float = 0.0
    precision: str = "fp32"
    compiled: bool | None = None
    texts: int = 4  # fresh texts a person, to measure
    mix: dict[str, Any] = field(default_factory=dict[str, Any])
    domains: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    corpus: dict[str, str] = field(default_factory=dict[str, str])
    architecture: str = USUAL
    changed: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Refuse what cannot be taught."""
        given = vars(self)
        check_kinds(given, {one.name: str(one.type) for one in fields(self)})
        object.__setattr__(self, "betas", tuple(self.betas))
        if self.exposures == int(self.exposures):
            object.__setattr__(self, "exposures", int(self.exposures))
        object.__setattr__(self, "mix", full_mix(self.mix))
        object.__setattr__(self, "domains", [dict(one) for one in self.domains])
        check_names(self.strings, STRINGS, ())
        check_names(self.changed, CHANGED, ())
        self._check_experts()
        if self.mlp_ratio == self._own_ratio():
            object.__setattr__(self, "mlp_ratio", None)
        check_at_least_one(given, COUNTS)
        check_above_zero(given, ("lr", "lr_times_width", "init_scale", "clip", "mlp_ratio"))
        if self.seed < 0:
            raise UsageError(f"The seed is {self.seed}.", remedy="A seed is 0 or more.")
        if self.format not in FORMATS:
            raise UsageError(
                f"There is no format '{self.format}'.", remedy=f"Formats: {', '.join(FORMATS)}."
            )
        if self.shares and self.format in ("random", REWRITTEN):
            raise UsageError(
                f"mix or domains are given, and the format is {self.format}: no junk can be made.",
                remedy="Mix people whom kleiber makes, in any other format.",
            )
        check_names(self.corpus, FILES, FILES if self.format == REWRITTEN else ())
        if self.corpus and self.format != REWRITTEN:
            raise UsageError(
                f"A corpus is given, and the format is {self.format}.",
                remedy=f"Set format to {REWRITTEN}, or leave the corpus out.",
            )
        if (self.lr is None) == (self.lr_times_width is None):
            raise UsageError(
                f"lr is {self.lr} and lr_times_width {self.lr_times_width}; exactly one is needed.",
                remedy="Give the peak rate itself, or its product with the width.",
            )

        if self.weight_decay is not None and self.decay_over_run is not None:
            raise UsageError(
                f"weight_decay is {self.weight_decay} and decay_over_run {self.decay_over_run}; "
                "at most one is expected.",
                remedy="Give the decay itself, or its product with the peak rate and the steps.",
            )

    @classmethod
    def of(cls, content: dict[str, Any]) -> Cell:
        """Return the cell of plain values, or raise for a name that no cell has or one it lacks."""
        needed = [one.name for one in fields(cls) if _has_no_default(one)]
        check_names(content, (one.name for one in fields(cls)), needed)
        return cls(**content)

    @property
    def name(self) -> str:
        """A folder's name: what differs between the cells of a grid."""
        taught = f"N{self.people}-E{self.exposures}"
        mixed = f"-{said(self.shares)}" if self.shares else ""
        other = "" if self.architecture == USUAL else f"-{self.architecture}"
        other += "".join(f"-{name}-{value}" for name, value in sorted(self.changed.items()))
        return f"{taught}{other}-{self.layers}x{self.width}-b{self.batch}{mixed}-s{self.seed}"

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        return self.lr if self.lr is not None else (self.lr_times_width or 0.0) / self.width

    @property
    def shares(self) -> tuple[Share, ...]:
        """What the windows are shared among; nothing where all are useful."""
        return shares_of(self.mix, self.domains)

    def to_dict(self) -> dict[str, Any]:
        """Return the cell as plain values; what older runs know nothing of, only where it is said.

        So a folder from before a setting was there is still the same run's.
        """
        values = {**asdict(self), "mlp_ratio": self.mlp_ratio or self._own_ratio()}
        return {n: v for n, v in values.items() if n not in LATER or v != LATER[n]}

    def source(self) -> Source:
        """Return the people and their texts; a seed has people of its own."""
        if self.format == "bioD":
            sizes = {name: size for name, size in self.strings.items() if name not in SIZES}
            return marked(Strings(self.people, **sizes, seed=self.seed), self.shares)
        if self.format == "random":
            sizes = {name: size for name, size in self.strings.items() if name in SIZES}
            return RandomStrings(self.people, **sizes, seed=self.seed)
        if self.format == REWRITTEN:
            corpus = read_corpus(self.corpus["texts"], self.corpus["people"])
            tokenizer = self._tokenizer(lambda: (one.text for one in corpus.texts))
            return Rewritten(corpus, self.people, tokenizer, self.seed)
        people = People(Pools.paper(**self.pools), self.people, self.seed)
        words = Biographies(people, self.format, Words(), self.templates)
        read = range(min(self.people, READ))
        tokenizer = self._tokenizer(lambda: (one.text for one in words.biographies(read, 0)))
        return marked(Biographies(people, self.format, tokenizer, self.templates), self.shares)

    def model(self, source: Source) -> ModelConfig:
        """Return the model's shape, with the rows that the texts use."""
        window = source.max_length - 1 if self.context is None else self.context
        given = {} if self.mlp_ratio is None else {"mlp_ratio": self.mlp_ratio}
        return architecture(
            self.architecture,
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            vocab=source.vocab,
            context=max(window, source.max_length),
            init_scale=self.init_scale,
            **given,
            **self.changed,
        )

    def training(self, steps: int) -> TrainConfig:
        """Return the settings of a training of so many steps."""
        decay = self.weight_decay
        if decay is None:
            decay = (self.decay_over_run or 0.0) / (self.rate * steps)
        return TrainConfig(
            lr=self.rate,
            seed=self.seed,
            weight_decay=decay,
            betas=self.betas,
            eps=self.eps,
            clip=self.clip,
            warmup=self.warmup,
            final_lr=self.final_lr,
            precision=self.precision,
            compiled=self.compiled,
        )

    def batches(self, source: Source) -> Windows | Mixture:
        """Return the batches that show every person ``exposures`` times, junk among them if any."""
        shown = {
            "exposures": self.exposures,
            "batch": self.batch,
            "context": self.context,
            "seed": self.seed,
        }
        if self.shares:
            return mixture(source, self.shares, **shown)
        return Windows(source, **shown)

    def _check_experts(self) -> None:
        """Refuse settings of experts for a model that has none: they would change nothing."""
        mlp = self.changed.get("mlp", changes(self.architecture).get("mlp"))
        idle = [name for name in EXPERTS if name in self.changed]
        if idle and mlp != "experts":
            raise UsageError(
                f"changed says {', '.join(idle)}, and {self.architecture} has no experts.",
                remedy="Take the architecture gpt2-moe, or leave that out.",
            )

    def _own_ratio(self) -> float:
        """Return the MLP's ratio of the architecture; raises for one that there is not."""
        return changes(self.architecture).get("mlp_ratio", RATIO)

    def _tokenizer(self, texts: Callable[[], Iterable[str]]) -> Tokenizer:
        kind, _, files = self.tokens.partition(":")
        if kind == "words":
            return Words()
        vocabulary, _, merges = files.partition(":")
        if kind == "bytes" and vocabulary and merges:
            return BytePairs.from_files(vocabulary, merges)
        if kind == "trained" and files.isdecimal():
            return BytePairs.train(texts(), int(files))
        raise UsageError(
            f"There are no tokens '{self.tokens}'.",
            remedy="Use words, trained:ROWS for byte pairs learnt from the texts, or "
            "bytes:VOCABULARY:MERGES with the paths of GPT-2's two files.",
        )


def stacks(cells: Sequence[Cell]) -> list[list[int]]:
    """Return which cells train together: light ones that differ in seed, rate or decay alone.

    A step of few tokens spends its time on being a step, which a stack does once for all; a step
    of many does not, and its seeds are better trained side by side.
    """
    groups: dict[str, list[int]] = {}
    for number, cell in enumerate(cells):
        light = cell.batch * (cell.context or LIGHT_TEXT) <= LIGHT
        alone = "" if light else f"{number}"
        own: dict[str, Any] = {"lr": 1.0, "lr_times_width": None, "seed": 0}
        shape = replace(cell, **own, weight_decay=None, decay_over_run=None)
        groups.setdefault(f"{shape}{alone}", []).append(number)
    return list(groups.values())


def _has_no_default(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING
