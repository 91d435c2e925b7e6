"""Controls of the measure, format by format and term by term, and the leak of the working city.

Small models are trained on few people in each format. Beside what they store stand a perfect model,
the untrained model and strangers; then the employer's bits are read naively, the city told first
and not counted, and as the measure reads them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.studies.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kleiber.knowledge.biographies import Biographies
    from kleiber.knowledge.cell import Cell
    from kleiber.knowledge.pools import Pools
    from kleiber.knowledge.reading import Nats
    from kleiber.training import GPT

PRESET = "bios-mini"
SMALLER = {
    "width": 24, "heads": 3, "batch": 8, "lr": 0.01, "exposures": 300, "compiled": False,
}  # fmt: skip
PEOPLE = {"bioS": 200, "bioS-simple": 200, "bioR": 200, "bioD": 400}
STRINGS = {"K": 4, "C": 2, "D": 32, "L": 2, "T": 32, "name_tokens": 2}
TEXTS = 8  # a person, for the leak
TERMS = ("name", "value", "diversity")
CONTROLS = {
    "oracle": "perfect",
    "random": "untrained",
    "random_clipped": "untrained, none below 0",
    "unseen": "strangers",
    "unseen_clipped": "strangers, none below 0",
}
LEAK = 0.05  # bits a parameter of strangers from which something leaks


def cells() -> dict[str, Cell]:
    """Return the cell of each format."""
    from kleiber.knowledge.preset import preset

    found: dict[str, Cell] = {}
    for name, people in PEOPLE.items():
        strings = {"strings": STRINGS} if name == "bioD" else {}
        (found[name],) = preset(PRESET).cells(people=people, format=name, **SMALLER, **strings)
    return found


def run(folder: Path, *, jobs: int | None = None) -> Table:
    """Train what is not yet trained in the folder, and return the controls of every format."""
    from kleiber.cli.know.watch import train_cells

    wanted = cells()
    places = [folder / name for name in wanted]
    results = train_cells(list(wanted.values()), places, jobs=jobs)
    rows = [row for result in results for row in rows_of(result)]
    told = leak(folder / "bioS")
    return Table(
        name="capacity-controls",
        title="Controls of the measured bits, and the leak of the working city",
        command="kleiber study capacity-controls --out results",
        columns=("format", "who", *TERMS, "sum", "standard error", "accuracy"),
        rows=rows,
        claims=[*_claims(results), *told.claims()],
        notes=(
            "Bits per parameter by term of Definition 4.3. Texts are fresh ones of people that "
            "the model was taught (bioS, bioD) or those it was taught (bioS-simple, bioR). Of "
            "strangers the sum leaves the diversity term out: strings that all people's values "
            "are made of are knowledge, and of nobody. 'None below 0' counts a person, or a "
            "term of a person, as 0 at least; its sum is of whole persons.",
            "bioR is this project's substitute: 40 texts a person from a richer grammar, with "
            "two sentences that tell nothing of the six attributes.",
            *told.notes(),
        ),
        seed=0,
        extra={"runs": results, "leak": told.to_dict()},
    )


def rows_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the trained model and its controls as rows, bits per parameter."""
    params = result["params"]
    trained = {term: result[f"{term}_bits"] / params for term in TERMS}
    rows = [
        {
            "format": result["format"],
            "who": "trained",
            **trained,
            "sum": result["bits_per_param"],
            "standard error": result["standard_error"],
            "accuracy": result["accuracy"],
        }
    ]
    for control, who in CONTROLS.items():
        name = control.removesuffix("_clipped")
        kind = "controls" if name == control else "controls_clipped"
        terms = result["control_terms"][control]
        total = result[kind][name]
        rows.append({"format": result["format"], "who": who, **terms, "sum": total})
    return rows


@dataclass(frozen=True)
class Leak:
    """An employer's bits, of all that there are, as different readings have them."""

    pools: dict[str, tuple[float, float, float]]  # employer, city, employer given the city
    taught: dict[str, float]
    strangers: dict[str, float]
    stored: dict[str, float]  # of all terms, bits per parameter

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        names = ("employer", "city", "employer_given_city")
        pools = {name: dict(zip(names, bits, strict=True)) for name, bits in self.pools.items()}
        return {"pools": pools, "taught": self.taught, "strangers": self.strangers,
                "bits_per_param": self.stored}  # fmt: skip

    def claims(self) -> list[str]:
        """Return what the readings show."""
        _, city, _ = self.pools[PRESET]
        return [
            f"Read naively, the city told first and not counted, the model seems to know "
            f"{self.strangers['naive']:.2f} bits of the employer of people it has never seen, "
            f"of {city:.2f} that the city gives away; with the city's nats added it is "
            f"{self.strangers['city added']:.2f}, with the employer told first "
            f"{self.strangers['employer first']:.2f}.",
            f"Of people it was taught: {self.taught['naive']:.2f} naively, "
            f"{self.taught['city added']:.2f} and {self.taught['employer first']:.2f} closed. "
            f"Over all terms, half of the texts with the city first: "
            f"{self.stored['naive']:.3f} bits per parameter naively, "
            f"{self.stored['city added']:.3f} and {self.stored['employer first']:.3f} closed.",
        ]

    def notes(self) -> list[str]:
        """Return the entropies of the pools."""
        return [
            f"Pools of {name}: the employer has {employer:.2f} bits, of which its city tells "
            f"{city:.2f} and leaves {rest:.2f}."
            for name, (employer, city, rest) in self.pools.items()
        ]


def leak(run: Path) -> Leak:
    """Read the employers of a trained bioS model's people, and of strangers, in three ways."""
    from kleiber.knowledge.biographies import Biographies
    from kleiber.knowledge.experiment import load_folder
    from kleiber.knowledge.measure import score_texts, stored_bits
    from kleiber.knowledge.pools import Pools
    from kleiber.knowledge.reading import nats_of
    from kleiber.training import RunFolder

    _, source, model = load_folder(RunFolder(run))
    assert isinstance(source, Biographies)
    nats, people = nats_of(model), np.arange(source.count)
    ways = {"naive": (False, False), "city added": (False, True), "employer first": (True, True)}
    stored: dict[str, float] = {}
    for way, (ahead, add) in ways.items():
        score = score_texts(nats, source, people, texts=TEXTS, employer_first=ahead, add_city=add)
        stored[way] = sum(stored_bits(source, score).values()) / _params(model)
    pools = {"the paper's sizes": Pools.paper(), PRESET: source.people.pools}
    return Leak(
        pools={name: entropies(one) for name, one in pools.items()},
        taught=employer_bits(nats, source, people),
        strangers=employer_bits(nats, source, source.strangers(source.count)),
        stored=stored,
    )


def entropies(pools: Pools) -> tuple[float, float, float]:
    """Return the bits of an employer, of its city, and of an employer whose city is known."""
    total = len(pools.employers)
    shares = [count / total for count in Counter(pools.offices).values()]
    city = -sum(share * math.log2(share) for share in shares)
    return math.log2(total), city, math.log2(total) - city


def employer_bits(nats: Nats, source: Biographies, ids: NDArray[np.int64]) -> dict[str, float]:
    """Return an employer's bits by reading: of texts with the city first, then the other way."""
    from kleiber.knowledge.measure import FRESH, LN2, city_first, text_sums

    employer, city = (source.kinds.index(part) for part in ("employer", "work_city"))
    found: dict[str, list[NDArray[np.float64]]] = {}
    for draw in range(TEXTS):
        free = source.texts(ids, FRESH + draw)
        ahead = source.texts(ids, FRESH + draw, employer_first=True)
        each, _ = nats(free)
        early = city_first(source, free)
        of_employer = text_sums(free, each, free.kinds == employer)[early]
        of_city = text_sums(free, each, free.kinds == city)[early]
        found.setdefault("naive", []).append(of_employer)
        found.setdefault("city added", []).append(of_employer + of_city)
        each, _ = nats(ahead)
        of_employer = text_sums(ahead, each, ahead.kinds == employer)
        found.setdefault("employer first", []).append(of_employer)
    there = math.log2(len(source.people.pools.employers))
    return {way: there - float(np.concatenate(all_).mean()) / LN2 for way, all_ in found.items()}


def _claims(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return what holds of every format."""
    off = max(abs(one["controls"]["oracle"] / one["max_bits_per_param"] - 1) for one in results)
    strangers = max(one["controls"]["unseen"] for one in results)
    untrained = max(one["controls"]["random"] for one in results)
    shares = ", ".join(f"{one['format']} {one['embedding_share']:.0%}" for one in results)
    said = "nothing leaks" if strangers <= LEAK else "something leaks"
    return [
        f"A perfect model stores R^max to {off:.0e}.",
        f"Strangers are at {strangers:.2f} bits per parameter or below in every format "
        f"({said} up to +{LEAK:g}), untrained models at {untrained:.2f} or below.",
        f"Embeddings as a share of the parameters: {shares}.",
    ]


def _params(model: GPT) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
