"""What can be asked for: people of ever new texts against people of one text each.

At every exposure a person's text is written anew, sentences and their order (bioS), or it is the
one text the person has (bioS-simple). One text is memorised sooner, so it is compared with fresh
ones at equal exposures, and with twice as many, where both are memorised. Each trained model is
tuned on questions about half of its people and asked about the others, by low-rank additions and by
tuning everything. Published: Allen-Zhu & Li 2023 (arXiv 2309.14316), where people of one text are
memorised and cannot be asked for, and people of several rewritten ones can.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.launching import Trainer, train_cells
from kleiber.studies.capacity.estimate import estimate
from kleiber.studies.capacity.ratios import paired_ratio
from kleiber.studies.table import Table
from kleiber.training.machine import cores

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell

PRESET, SEEDS = "bios-mini", 3
FORMS = {"fresh": "bioS", "one text": "bioS-simple"}
ONE = ("one text", 200)
FRESH = (("fresh", 200), ("fresh", 400))
POOLS = {
    **{"first": 20, "middle": 20, "last": 50, "years": 20},
    **dict.fromkeys(("birth_cities", "universities", "majors", "employers"), 20),
}
SETTINGS: dict[str, Any] = {
    "people": 400, "width": 48, "heads": 4, "lr": 0.005, "weight_decay": 0.01,
    "pools": POOLS,
}  # fmt: skip
TUNINGS: dict[str, dict[str, Any]] = {
    "low-rank": {"steps": 1500, "batch": 48, "lr": 3e-3},
    "all": {"steps": 1500, "batch": 48, "lr": 1e-3},
}
KEPT = "extraction-{}.json"  # beside a run's weights, so that an answered run is not tuned again
SHARES = {
    "held out": "accuracy",
    "chance": "accuracy_chance",
    "tuned on": "accuracy_tuned",
    "untuned": "accuracy_untuned",
    "in their texts": "accuracy_in_texts",
}


def cells() -> dict[str, Cell]:
    """Return a cell for each arm and seed, by the name of its folder."""
    from kleiber.knowledge.preset import preset

    return {
        f"{texts.replace(' ', '-')}-{exposures}-{cell.seed}": cell
        for texts, exposures in (*FRESH, ONE)
        for cell in preset(PRESET).cells(
            seeds=SEEDS, format=FORMS[texts], exposures=exposures, **SETTINGS
        )
    }


def run(
    folder: Path,
    *,
    jobs: int | None = None,
    train: Trainer = train_cells,
    progress: Callable[[str], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Table:
    """Train what is not yet trained in the folder, ask every model, and return the comparison.

    ``progress`` hears how far a tuning is, ``say`` what is to train before anything starts.
    """
    wanted = cells()
    places = [folder / name for name in wanted]
    todo = estimate(list(wanted.values()), places, device="cpu", at_once=jobs or cores())
    say(f"{todo}. Then each is tuned on questions, in {len(TUNINGS)} ways.")
    results = [
        {**result, "run": place.name}
        for place, result in zip(
            places, train(list(wanted.values()), places, jobs=jobs), strict=True
        )
    ]
    texts_of = {form: texts for texts, form in FORMS.items()}
    rows: list[dict[str, Any]] = []
    details: list[dict[str, Any]] = []
    for cell, place, result in zip(wanted.values(), places, results, strict=True):
        for tuning in TUNINGS:
            found = asked(place, tuning, cell.seed, progress)
            rows.append(
                {
                    "exposures": cell.exposures,
                    "texts": texts_of[cell.format],
                    "tuned": tuning,
                    "seed": cell.seed,
                    **{column: found[name] for column, name in SHARES.items()},
                    "bits/param": result["bits_per_param"],
                }
            )
            details.append({"run": place.name, "tuning": tuning, "seed": cell.seed, **found})
    return Table(
        name="capacity-extraction",
        title="Knowledge extraction: texts written anew against one text a person",
        command="kleiber study capacity-extraction --out results",
        columns=("exposures", "texts", "tuned", "seed", *SHARES, "bits/param"),
        rows=rows,
        claims=claims(rows),
        notes=notes(results, details),
        seed=0,
        extra={"runs": results, "extractions": details, "tunings": TUNINGS},
    )


def asked(
    place: Path, tuning: str, seed: int, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Return what a run's model answers once tuned, read where the same was asked before."""
    from kleiber.knowledge.extraction import extract_folder
    from kleiber.training import RunFolder

    folder, name = RunFolder(place), KEPT.format(tuning)
    settings = {**TUNINGS[tuning], "seed": seed, "tuning": tuning}
    if (place / name).exists():
        held = folder.read_json(name)
        if held.get("settings") == settings:
            return held["found"]

    def watch(step: int, loss: float) -> None:
        if progress is not None:
            share = step / settings["steps"]
            progress(f"{place.name}, tuned {tuning}: {share:.0%}, loss {loss:.3f} nats")

    found = extract_folder(folder, **settings, watch=watch).to_dict()
    folder.write_json(name, {"settings": settings, "found": found})
    return found


def claims(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what could be asked of each arm of fresh texts beside one text, and how sure it is."""
    said: list[str] = []
    for tuning, arm in itertools.product(TUNINGS, FRESH):
        fresh, one = (_of(rows, *which, tuning) for which in (arm, ONE))
        over, under = ([row["held out"] for row in which] for which in (fresh, one))
        ratio = paired_ratio(over, under)
        low, high = ratio.range
        shown = "shown" if low > 1 else "opposite" if high < 1 else "not shown"
        said.append(
            f"Tuned {tuning}: of people held out, {_spread(fresh, 'held out')} of answers are "
            f"right where texts were written anew at {arm[1]:,} exposures, and "
            f"{_spread(one, 'held out')} where each person had one text, {ONE[1]:,} times; any one "
            f"answer for all gets at most {_spread(fresh, 'chance')}. The ratio, paired by seed, "
            f"is {ratio}: the published contrast is {shown}."
        )
    known = [_spread(_of(rows, *arm, "low-rank"), "in their texts") for arm in (ONE, *FRESH)]
    said.append(
        "It is not for want of memory: of the values in the same people's texts, "
        f"{known[0]} are completed in the arm of one text, "
        + " and ".join(
            f"{share} of fresh ones at {exposures:,} exposures"
            for share, (_, exposures) in zip(known[1:], FRESH, strict=True)
        )
        + "."
    )
    return said


def notes(
    results: Sequence[Mapping[str, Any]], details: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    """Return what the columns mean and what was trained."""
    first, held = results[0], details[0]
    spent = [result["cpu_seconds"] for result in results if "cpu_seconds" in result]
    time = f"; {min(spent):.0f} to {max(spent):.0f} CPU seconds a training" if spent else ""
    return (
        f"{first['people']:,} people, {first['params']:,} parameters ({first['layers']} layers of "
        f"width {first['width']}){time}. Every model is tuned on questions about "
        f"{held['people_tuned']:,} people and asked about the other {held['people']:,}.",
        "Shares are means over five attributes; a working city follows from its employer and does "
        "not count. 'In their texts': values of the people held out, completed greedily in their "
        "biographies before tuning; fresh texts where texts are written anew, else the one that "
        "was trained on. 'Chance': the share of the commonest value among the people held out.",
        "'low-rank' adds matrices of rank 4 to queries and values and tunes the rows of words that "
        "only questions have; 'all' tunes every weight. The published test tunes low-rank "
        "additions with another on the embedding for 75,000 steps, of far larger models.",
    )


def _of(
    rows: Sequence[Mapping[str, Any]], texts: str, exposures: int, tuning: str
) -> list[Mapping[str, Any]]:
    """Return the rows of one arm and tuning, a seed each."""
    asked_for = (texts, exposures, tuning)
    return [row for row in rows if (row["texts"], row["exposures"], row["tuned"]) == asked_for]


def _spread(rows: Sequence[Mapping[str, Any]], column: str) -> str:
    """Return the mean of a share and the least and the most of it."""
    shares = [row[column] for row in rows]
    return f"{np.mean(shares):.1%} ({min(shares):.1%} to {max(shares):.1%})"
