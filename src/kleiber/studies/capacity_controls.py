"""Controls of the measure, format by format and term by term, and the leak of the working city.

Small models are trained on few people in each format. Beside what they store stand a perfect model,
the untrained model and strangers; then the employer's bits are read naively, the city told first
and not counted, and as the measure reads them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.launching import Trainer, train_cells
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
MANY, FEW_TIMES = 5000, 8  # people and exposures of a model that learns offices, and nobody
TWO = ("months", "days", "years", "birth_cities", "universities", "majors")
OFFICES = {  # so that a small model comes to know them within a minute
    "templates": 1, "width": 32, "heads": 4, "weight_decay": 0.01,
    "pools": {"first": 20, "middle": 20, "last": 50, "employers": 52, **dict.fromkeys(TWO, 2)},
}  # fmt: skip
STRINGS = {"K": 4, "C": 2, "D": 32, "L": 2, "T": 32, "name_tokens": 2}
TEXTS, READ = 4, 400  # a person and people at most, for the leak
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
    """Return the cell of each format, and "crowd": bioS of more people than the model can know."""
    from kleiber.knowledge.preset import preset

    found: dict[str, Cell] = {}
    for name, people in PEOPLE.items():
        changes: dict[str, Any] = {**SMALLER, "people": people, "format": name}
        if name == "bioD":
            changes["strings"] = STRINGS
        (found[name],) = preset(PRESET).cells(**changes)
    crowd: dict[str, Any] = {"people": MANY, "exposures": FEW_TIMES, **OFFICES}
    found["crowd"] = replace(found["bioS"], **crowd)
    return found


def run(folder: Path, *, jobs: int | None = None, train: Trainer = train_cells) -> Table:
    """Train what is not yet trained in the folder, and return the controls of every format."""
    wanted = cells()
    places = [folder / name for name in wanted]
    results = train(list(wanted.values()), places, jobs=jobs)[: len(PEOPLE)]
    rows = [row for result in results for row in rows_of(result)]
    told, known = leak(folder / "crowd"), leak(folder / "bioS")
    return Table(
        name="capacity-controls",
        title="Controls of the measured bits, and the leak of the working city",
        command="kleiber study capacity-controls --out results",
        columns=("format", "who", *TERMS, "sum", "standard error", "accuracy"),
        rows=rows,
        claims=[*_claims(results), *told.claims(), known.difference()],
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
        extra={"runs": results, "leak": told.to_dict(), "leak_few_people": known.to_dict()},
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
        """Return what the readings show of a model that knows offices, and hardly a person."""
        employer, city, _ = self.pools[PRESET]
        return [
            f"The leak: a model that saw {MANY:,} people {FEW_TIMES} times, too many to know any, "
            f"read with the city first and its nats not counted, seems to know "
            f"{self.taught['naive']:.2f} of the employer's {employer:.2f} bits, and of strangers "
            f"{self.strangers['naive']:.2f}; the city gives {city:.2f} away. Closed, it knows "
            f"{self.taught['city added']:.2f} (the city's nats added) or "
            f"{self.taught['employer first']:.2f} (the employer first), and of strangers "
            f"{self.strangers['city added']:.2f} or {self.strangers['employer first']:.2f}.",
            f"Over all terms of that model, half of the texts with the city first: "
            f"{self.stored['naive']:.3f} bits per parameter naively, "
            f"{self.stored['city added']:.3f} and {self.stored['employer first']:.3f} closed.",
        ]

    def difference(self) -> str:
        """Return how far the two ways to close the leak differ where people are half known."""
        return (
            f"Where people are half known, the two closed readings differ: "
            f"{self.taught['employer first']:.2f} bits of an employer told first, "
            f"{self.taught['city added']:.2f} of a city and then its employer; of all terms "
            f"{self.stored['employer first']:.3f} and {self.stored['city added']:.3f} bits per "
            "parameter. A fact asked for at another place is another fact to a small model."
        )

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
    from kleiber.knowledge.measure import sample, score_texts, stored_bits
    from kleiber.knowledge.pools import Pools
    from kleiber.knowledge.reading import nats_of
    from kleiber.training import RunFolder

    _, source, model = load_folder(RunFolder(run))
    assert isinstance(source, Biographies)
    nats, people = nats_of(model), sample(source.count, READ)
    ways = {"naive": (False, False), "city added": (False, True), "employer first": (True, True)}
    stored: dict[str, float] = {}
    for way, (ahead, add) in ways.items():
        score = score_texts(nats, source, people, texts=TEXTS, employer_first=ahead, add_city=add)
        stored[way] = sum(stored_bits(source, score).values()) / _params(model)
    pools = {"the paper's sizes": Pools.paper(), PRESET: source.people.pools}
    return Leak(
        pools={name: entropies(one) for name, one in pools.items()},
        taught=employer_bits(nats, source, people),
        strangers=employer_bits(nats, source, source.strangers(len(people))),
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
