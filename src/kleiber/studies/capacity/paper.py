"""The published grid of the twelve results (arXiv 2404.05405, sections 4 to 10, appendices A to E).

Batches, decays and rates are those of the appendices. What is not published is chosen here and
marked so in ``UNKNOWN``: which models were trained on how many people (here: those of a ladder of
the published shapes that put R^max between two bounds), the sizes of bioD, and which rate of
several was best (each is a run). Steps follow from the exposures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kleiber.knowledge.cell import Cell
from kleiber.knowledge.size import bios_bits

UNKNOWN = (
    "Not published, and chosen here: which models were taught how many people (all of a ladder of "
    "the published shapes with R^max from .5 to 5 at 1000 exposures, .5 to 3 at fewer), and the "
    "sizes of bioD (one of K, C, D, L, T at a time). Each learning rate that was tried is a run, "
    "each run has one seed. Words are tokens (2,947 rows, not 3,275), and steps follow from the "
    "exposures: the published step counts are about twice as many up to 200,000 people.",
)
LADDER = (  # layers and heads of 64 channels: 1M to .7B parameters
    *((2, 2), (4, 2), (7, 2), (4, 3), (3, 4), (5, 4), (6, 4), (8, 4), (6, 6), (8, 6), (6, 8)),
    *((8, 8), (10, 8), (16, 8), (12, 12), (6, 20), (6, 24), (20, 16), (24, 16), (25, 20), (36, 20)),
)
ROWS = 3275
MANY, FEW = (0.5, 5.0), (0.5, 3.0)  # R^max of the models that are trained


@dataclass(frozen=True)
class Taught:
    """Settings of the appendices for so many people: batch, decay, rates."""

    batch: int
    decay: float
    rates: Sequence[float]


K, M = 1_000, 1_000_000
LONG: Mapping[int, Taught] = {  # 1000 exposures, GPT-2: one rate
    10 * K: Taught(24, 0.02, (1e-3,)), 20 * K: Taught(48, 0.02, (1e-3,)),
    50 * K: Taught(96, 0.02, (1e-3,)), 100 * K: Taught(192, 0.02, (1e-3,)),
    200 * K: Taught(192, 0.02, (1e-3,)), 500 * K: Taught(192, 0.01, (5e-4,)),
    M: Taught(192, 0.01, (5e-4,)), 2 * M: Taught(1536, 0.005, (3e-4,)),
    5 * M: Taught(1536, 0.002, (3e-4,)), 10 * M: Taught(1536, 0.001, (3e-4,)),
}  # fmt: skip
SHORT: Mapping[int, Taught] = {  # 100 exposures, GPT-2
    50 * K: Taught(12, 0.01, (1e-3,)), 100 * K: Taught(24, 0.01, (1e-3,)),
    200 * K: Taught(48, 0.01, (1e-3,)), 500 * K: Taught(96, 0.01, (5e-4,)),
    M: Taught(192, 0.01, (5e-4,)), 2 * M: Taught(384, 0.01, (3e-4, 5e-4, 1e-3)),
    5 * M: Taught(768, 0.01, (3e-4, 5e-4)), 10 * M: Taught(1024, 0.01, (2e-4, 3e-4, 5e-4)),
    20 * M: Taught(1536, 0.002, (2e-4, 3e-4, 5e-4)),
}  # fmt: skip
TRIED_LONG = {  # LLaMA and Mistral at 1000 exposures: up to 200K, 1M, 10M people
    200 * K: (5e-4, 1e-3, 2e-3), M: (2e-4, 3e-4, 5e-4), 10 * M: (3e-4, 5e-4, 1e-3),
}  # fmt: skip
TRIED_SHORT = {200 * K: (3e-4, 5e-4, 1e-3), M: (2e-4, 3e-4, 5e-4), 20 * M: (3e-4, 5e-4, 1e-3)}
QUARTER_SHORT = {200 * K: (5e-4, 1e-3), M: (3e-4, 5e-4), 20 * M: (3e-4, 5e-4, 1e-3)}
EXPERTS_LONG = {200 * K: (1e-3, 2e-3), M: (5e-4, 1e-3), 2 * M: (2e-3,), 10 * M: (5e-4,)}
EXPERTS_SHORT = {
    200 * K: (1e-3, 2e-3, 5e-3), 500 * K: (1e-3, 2e-3), M: (5e-4, 1e-3, 2e-3),
    2 * M: (5e-4, 1e-3), 5 * M: (3e-4, 5e-4, 1e-3),
}  # fmt: skip
FRESH = {"junk": 100 * M, "junk_parts": 7}  # persons, as published
Junk = tuple[float, Mapping[str, Any], Sequence[int], Mapping[int, Sequence[float]]]
JUNK: Mapping[str, Junk] = {
    # exposures, mix, batches at 50K, 100K, 200K, 500K (and 1M) people, rates up to so many people
    "fresh, 100": (100, FRESH, (12, 24, 48, 192, 192), TRIED_SHORT),
    "fresh, 300": (300, FRESH, (96, 192, 192, 192), {M: (3e-4, 5e-4, 1e-3)}),
    "fresh, 600": (600, FRESH, (384, 384, 384, 768), {M: (3e-4, 5e-4, 1e-3)}),
    "fresh, 1000": (1000, FRESH, (384, 768, 1536), {M: (5e-4, 1e-3)}),
    "repeated, 100": (
        100, {"junk": 1000, "junk_parts": 7}, (12, 24, 96, 192, 192),
        {100 * K: (3e-4, 5e-4), 200 * K: (3e-4, 5e-4, 1e-3), 500 * K: (3e-4, 5e-4), M: (3e-4,)},
    ),
    "token, 100": (100, {**FRESH, "token": True}, (12, 24, 96, 192, 192), TRIED_SHORT),
    "token, 300": (
        300, {**FRESH, "token": True}, (96, 192, 192, 384), {M: (3e-4, 5e-4, 1e-3)},
    ),
}  # fmt: skip
JUNK_PEOPLE = (50 * K, 100 * K, 200 * K, 500 * K, M)
BASE = {"K": 5, "C": 1, "D": 1000, "L": 2, "T": 1000}
FORMS: Mapping[str, Sequence[int]] = {  # of bioD: the published spans of each, the rest as in BASE
    "K": (1, 2, 10, 20, 50), "C": (5, 20, 50), "D": (10, 100, 10_000), "L": (1, 10, 50),
    "T": (50, 200, 5000, 40_000),
}  # fmt: skip
SHARED: Mapping[str, Any] = {"context": 512, "final_lr": 0.1, "precision": "bf16"}


@dataclass(frozen=True)
class Planned:
    """One run of the plan, and what it is called there."""

    arm: str
    cell: Cell


def planned(number: int) -> list[Planned]:
    """Return the runs of a result; none for result 8, whose weights are those of 1 and 3."""
    return list(PLANS[number]())


def _cells(
    arm: str,
    table: Mapping[int, Taught],
    exposures: float,
    *,
    tried: Mapping[int, Sequence[float]] | None = None,
    **settings: Any,
) -> Iterator[Planned]:
    """Yield a run for every number of people, model and rate; ``tried``: rates up to so many."""
    bounds = MANY if exposures == 1000 else FEW
    for people, taught in table.items():
        rates = taught.rates if tried is None else _up_to(tried, people)
        for layers, heads in shapes(bios_bits(people), bounds):
            for rate in rates:
                cell = Cell.of(
                    {
                        "people": people,
                        "exposures": exposures,
                        "layers": layers,
                        "width": 64 * heads,
                        "heads": heads,
                        "batch": taught.batch,
                        "lr": rate,
                        "weight_decay": taught.decay,
                        "format": "bioS",
                        **SHARED,
                        **settings,
                    }
                )
                yield Planned(arm, cell)  # fmt: skip


def shapes(bits: float, bounds: tuple[float, float]) -> list[tuple[int, int]]:
    """Return the models of the ladder that so many bits fill to between two R^max, or nearest."""
    low, high = bounds
    fits = [one for one in LADDER if low <= bits / params(*one) <= high]
    return fits or [min(LADDER, key=lambda one: abs(bits / params(*one) - high))]


def params(layers: int, heads: int) -> int:
    """Return the parameters of a published GPT-2: L (12 d^2 + 13 d) + V d + 2 d."""
    d = 64 * heads
    return layers * (12 * d * d + 13 * d) + ROWS * d + 2 * d


def _up_to(tried: Mapping[int, Sequence[float]], people: int) -> Sequence[float]:
    return next(rates for most, rates in tried.items() if people <= most)


def _part(table: Mapping[int, Taught], most: int) -> dict[int, Taught]:
    return {people: taught for people, taught in table.items() if people <= most}


def _one() -> Iterator[Planned]:
    yield from _cells("gpt2", LONG, 1000)


def _two() -> Iterator[Planned]:
    yield from _cells("one text", LONG, 1000, format="bioS-simple")
    yield from _cells("rewritten", _part(LONG, M), 1000, format="bioR")


def _three() -> Iterator[Planned]:
    sizes = [BASE, *({**BASE, name: size} for name, each in FORMS.items() for size in each)]
    for size in sizes:
        strings = {**size, "name_tokens": 3 if size["T"] > 200 else 4}  # names enough for all
        people, bits = _strings_people(strings)
        said = ", ".join(f"{name} {strings[name]}" for name in "KCDLT")
        for layers, heads in shapes(bits, (1.0, 5.0)):
            cell = Cell.of(
                {
                    "people": people,
                    "exposures": 1000,
                    "layers": layers,
                    "width": 64 * heads,
                    "heads": heads,
                    "batch": 192,
                    "lr": 5e-4,
                    "weight_decay": 0.01,
                    "format": "bioD",
                    "strings": strings,
                    **SHARED,
                }
            )
            yield Planned(said, cell)  # fmt: skip


def _strings_people(strings: Mapping[str, int]) -> tuple[int, float]:
    """Return people who, with their strings, have about 20M bits, and the bits: 10M parameters."""
    from kleiber.knowledge.measure import max_bits

    def bits(people: int) -> float:
        return max_bits(Cell.of({
            "people": people, "exposures": 1, "layers": 1, "width": 64, "heads": 1, "batch": 1,
            "lr": 1e-3, "strings": dict(strings),
        }).source())  # fmt: skip

    counts = [round(20 * K * 2**half) for half in range(7)]
    people = min(counts, key=lambda count: abs(bits(count) - 20e6))
    return people, bits(people)


def _four() -> Iterator[Planned]:
    yield from _cells("gpt2", SHORT, 100)


def _five() -> Iterator[Planned]:
    for name in ("llama", "llama-tied", "mistral"):
        yield from _cells(name, LONG, 1000, tried=TRIED_LONG, architecture=name)
    for name in ("gpt2-quarter", "gpt2-nomlp"):
        yield from _cells(name, LONG, 1000, architecture=name)


def _six() -> Iterator[Planned]:
    for name in ("llama", "mistral", "gpt2-nomlp"):
        yield from _cells(name, SHORT, 100, tried=TRIED_SHORT, architecture=name)
    yield from _cells("gpt2-quarter", SHORT, 100, tried=QUARTER_SHORT, architecture="gpt2-quarter")


def _seven() -> Iterator[Planned]:
    for name in ("llama-tied", "gpt2-gated"):
        yield from _cells(name, SHORT, 100, tried=TRIED_SHORT, architecture=name)
    for name in ("llama-standard", "llama-gelu"):
        yield from _cells(name, SHORT, 100, architecture=name)


def _nine() -> Iterator[Planned]:
    experts: dict[str, Any] = {"architecture": "gpt2-moe", "changed": {"experts": 32}}
    yield from _cells("32 experts, 1000", LONG, 1000, tried=EXPERTS_LONG, **experts)
    few = _part(SHORT, 5 * M)
    yield from _cells("32 experts, 100", few, 100, tried=EXPERTS_SHORT, **experts)


def _junk(*names: str) -> Iterator[Planned]:
    for name in names:
        exposures, mix, batches, tried = JUNK[name]
        table = {
            people: Taught(batch, 0.005 if people >= 500 * K else 0.01, ())
            for people, batch in zip(JUNK_PEOPLE, batches, strict=False)
        }
        yield from _cells(name, table, exposures, tried=tried, mix=dict(mix))


PLANS = {
    1: _one, 2: _two, 3: _three, 4: _four, 5: _five, 6: _six, 7: _seven, 8: lambda: iter(()),
    9: _nine,
    10: lambda: _junk("fresh, 100", "fresh, 300", "fresh, 600", "fresh, 1000"),
    11: lambda: _junk("repeated, 100"),
    12: lambda: _junk("token, 100", "token, 300"),
}  # fmt: skip
REUSED = {
    8: "The weights of results 1 and 3 are rounded: nothing is trained.",
    4: "What 1000 exposures store is of result 1.",
    2: "Fresh texts are of result 1.", 5: "GPT-2 is of result 1.", 6: "GPT-2 is of result 4.",
    7: "GPT-2 is of result 4.", 9: "GPT-2 is of results 1 and 4.",
    10: "Clean data are of result 4.", 11: "Clean data are of result 4.",
    12: "Clean data are of result 4, junk without the token of result 10.",
}  # fmt: skip
