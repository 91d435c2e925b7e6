"""What the guide's analysis got wrong: what it said, what the data say, what kleiber does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kleiber.errors import InputError
from kleiber.studies.guide import evidence
from kleiber.studies.guide.published import Published
from kleiber.studies.guide.published_sets import read_sets


@dataclass(frozen=True)
class Defect:
    """One fault: what was said, what the data say, the numbers, what is done instead.

    ``numbers`` is empty and ``found`` says what is absent where files are.
    """

    name: str
    said: str
    found: str
    instead: str
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class _Finding:
    """How a defect is made: the sets it needs, and what computes it."""

    name: str
    said: str
    instead: str
    needs: tuple[str, ...]
    compute: Callable[[evidence.Evidence], tuple[str, evidence.Numbers]]


def defects(data: Path, published: Published) -> tuple[Defect, ...]:
    """Return every defect with its evidence; one whose files are absent says so."""
    sets, absent = read_sets(data)
    errors = {one.name: evidence.by_number(one) for one in sets.values() if one.in_averages}
    kept = {name: one for name, one in errors.items() if one}
    seen = evidence.Evidence(data, sets, published, kept)
    found: list[Defect] = []
    for one in FINDINGS:
        lacks = [name for name in one.needs if name not in sets]
        try:
            if lacks:
                text, numbers = f"not made: {absent.get(lacks[0], lacks[0])}", {}
            else:
                text, numbers = one.compute(seen)
        except InputError as error:
            text, numbers = f"not made: file absent: {error.message}", {}
        found.append(Defect(one.name, one.said, text, one.instead, numbers))
    return tuple(found)


FINDINGS = (
    _Finding(
        "OPT's unit",
        "OPT 175B is predicted with errors of 37, 25 and 15 %",
        "a perplexity is refused as nats, and is read as its logarithm when it is declared",
        ("OPT",),
        evidence.opt_units,
    ),
    _Finding(
        "Pythia's unit",
        "Pythia's losses are noisy; one bad model can ruin a fit",
        "task perplexities stand apart from cross-entropies, with the reason",
        ("pythia",),
        evidence.pythia_units,
    ),
    _Finding(
        "T5's unit",
        "borrowing (A, alpha) fails for encoder-decoders",
        "a value that no cross-entropy can have is refused before any law is fitted",
        ("t5-pile",),
        evidence.t5_units,
    ),
    _Finding(
        "unbounded floor",
        "five free parameters from one start",
        "exact fits from many starts, with a prior on the floor or a finding that it is not fixed",
        (),
        evidence.no_floor,
    ),
    _Finding(
        "seed noise",
        "4 % is about the best, since seeds differ by up to 3.5 %",
        "the spread of seeds is measured where there are seeds; errors are held against it",
        (),
        evidence.seeds,
    ),
    _Finding(
        "mid-schedule points",
        "checkpoints of training help as they are",
        "decayed ends first, checkpoints at a small weight, runs as the unit",
        (),
        evidence.mid_schedule,
    ),
    _Finding(
        "few families",
        "8 and more models: under 3 %",
        "the number of clusters stands beside every mean; digitised points are no models",
        ("chinchilla",),
        evidence.few_families,
    ),
    _Finding(
        "errors that ignore the floor",
        "an absolute relative error of 4 % separates many choices",
        "the signed error, and the error of the part above the floor, beside it",
        (),
        evidence.reducible,
    ),
    _Finding(
        "other families at other numbers",
        "the error falls with the number of models; five are a safe minimum",
        "rows are compared on the same clusters",
        (),
        evidence.different_families,
    ),
)
