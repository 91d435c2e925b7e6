"""A fitted floor against the truth: runs on languages whose entropy is known exactly.

A small transformer is trained on ever more tokens of a language, three seeds each. To the held-out
losses L = E + B / T^beta is fitted, and E is held against the language's entropy, which no fit is
told. The model can hold each of the languages, so that what it lacks is what it was not shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.errors import InputError
from kleiber.fitting import fit
from kleiber.launching.ladder import LadderTrainer, train_ladder
from kleiber.recipes import Ladder, Rung
from kleiber.runs import Runs
from kleiber.studies.table import Book, Table
from kleiber.training.folder import RunFolder
from kleiber.training.text.languages import language_of

COMMAND = "kleiber study text-floor --out results"
LANGUAGES = (
    *("pairs:1000:2:1", "pairs:1000:2:2", "pairs:1000:2:3"),
    *("zipf:512:1", "zipf:512:1.4", "markov:64:1:1", "markov:64:1:2"),
)
LAW, LEVEL = "tokens-power-floor", 0.9
TOKENS = tuple(2**power for power in range(14, 20))
FEW = 4  # of these, from below, that a floor is fitted to once more
LADDER: dict[str, Any] = {
    "recipe": "nanodo-paper",
    "seeds": 3,
    "changes": {
        "tokenizer": "none",
        "context": 16,
        "head_size": 8,
        "batch": 8,
        "lr": 0.03,
        "betas": [0.9, 0.999],
        "warmup": 0.1,
        "weight_decay": 0.0,
        "final_lr": 0.02,
    },
    "scales": {"D": 32, "L": 1, "tokens": list(TOKENS)},
}


def rungs_of(language: str) -> tuple[Rung, ...]:
    """Return the ladder of a language."""
    name = language.replace(":", "-")
    changes = {**LADDER["changes"], "text": language, "vocab": language_of(language).vocab}
    content = {**LADDER, "name": name, "changes": changes}
    return Ladder.of(content, name=name, source="the study text-floor").rungs


def run(folder: Path, *, jobs: int | None = None, train: LadderTrainer = train_ladder) -> Book:
    """Train what is not yet trained in the folder, and return floors beside the truth.

    Raises InputError where a rung could not be trained.
    """
    ladders = {language: rungs_of(language) for language in LANGUAGES}
    every = [rung for rungs in ladders.values() for rung in rungs]
    _, errors = train(every, folder, jobs=jobs)
    for name, why in errors.items():
        raise InputError(f"{name}: {why['message']}", remedy=why["remedy"])
    return tabulate(
        {name: [row(folder, rung) for rung in rungs] for name, rungs in ladders.items()}
    )


def row(folder: Path, rung: Rung) -> dict[str, Any]:
    """Return a finished rung: its size, its loss, and the truth about its text.

    ``loss`` is free of the held-out windows' luck: it is the measured one less what the language
    itself makes of these windows, plus its entropy.
    """
    place = RunFolder(folder / rung.name)
    record, last = place.record(), place.points()[-1]
    text = record["text"]
    return {
        "run": rung.name,
        "params": record["params"],
        "tokens": last["tokens"],
        "seed": rung.seed,
        "measured": last["heldout_loss"],
        "loss": last["heldout_loss"] - text["heldout_entropy"] + text["entropy"],
        "entropy": text["entropy"],
        "cpu seconds": last["seconds"],
    }


def tabulate(found: Mapping[str, Sequence[dict[str, Any]]]) -> Book:
    """Return the floors as the first table, the rungs as the second."""
    floors = [floor(language, rows) for language, rows in found.items()]
    inside, below = (sum(one[name] for one in floors) for name in ("inside", "inside below"))
    stacks = {(name, one["tokens"]): one for name, rows in found.items() for one in rows}
    seconds = sum(one["cpu seconds"] for one in stacks.values())  # a stack's are all its seeds'
    return Book(
        [
            Table(
                name="text-floor",
                title="Fitted floors and the entropy of the language",
                command=COMMAND,
                columns=tuple(floors[0]),
                rows=floors,
                claims=[
                    f"The 90 % interval of the floor holds the entropy of {inside} of "
                    f"{len(floors)} languages.",
                    f"Of the {FEW} smallest numbers of tokens alone, that of {below} of "
                    f"{len(floors)}.",
                ],
                notes=(
                    "Nats a token. entropy: what the best model comes to in windows of this "
                    "context, computed and told to no fit. E: fitted with E + B / T^beta to the "
                    "last held-out loss of every run, with its 90 % interval. above: how far the "
                    "mean loss of the fewest and of the most tokens lies above the entropy. "
                    f"E below: fitted to the {FEW} smallest T. Losses are less what the language "
                    "itself makes of the held-out windows, plus its entropy, which moves all of a "
                    "language alike. Zipf and Markov text is learned by one power of T, near 1. Of "
                    "pairs the turns and the keys' frequencies are learned as fast and the keys' "
                    "values by a power of .5, so that one power is not enough, and a floor fitted "
                    "with it lies too high. Rate and betas were chosen on pairs:1000:2:0, which is "
                    f"not here. {seconds / 60:.0f} minutes of training in all.",
                ),
                seed=0,
            ),
            Table(
                name="text-floor-rungs",
                title="The rungs, means of three seeds",
                command=COMMAND,
                columns=("language", "params", "tokens", "loss", "spread", "above"),
                rows=[one for language, rows in found.items() for one in means(language, rows)],
                notes=("spread: the standard deviation of the seeds.",),
            ),
        ]
    )


def floor(language: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the fitted floor of one language, of all tokens and of the fewest."""
    truth = rows[0]["entropy"]
    few = sorted({one["tokens"] for one in rows})[:FEW]
    whole = _fitted(rows)
    below = _fitted([one for one in rows if one["tokens"] in few])
    ends = means(language, rows)
    return {
        "language": language,
        "entropy": truth,
        "E": whole["E"],
        "interval": f"{whole['lower']:.4f} to {whole['upper']:.4f}",
        "inside": whole["lower"] <= truth <= whole["upper"],
        "beta": whole["beta"],
        "above, fewest": ends[0]["above"],
        "above, most": ends[-1]["above"],
        "E below": below["E"],
        "interval below": f"{below['lower']:.4f} to {below['upper']:.4f}",
        "inside below": below["lower"] <= truth <= below["upper"],
    }


def means(language: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the mean loss at each number of tokens, the seeds' spread, and how far it is to go."""
    found: list[dict[str, Any]] = []
    for tokens in sorted({one["tokens"] for one in rows}):
        here = [one for one in rows if one["tokens"] == tokens]
        losses = [one["loss"] for one in here]
        found.append(
            {
                "language": language,
                "params": here[0]["params"],
                "tokens": tokens,
                "loss": float(np.mean(losses)),
                "spread": float(np.std(losses, ddof=1)),
                "above": float(np.mean(losses)) - here[0]["entropy"],
            }
        )
    return found


def _fitted(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the floor and the exponent of a power law in tokens, with the floor's interval."""
    kept = [{key: one[key] for key in ("run", "params", "tokens", "loss", "seed")} for one in rows]
    found = fit(Runs.read(kept, unit="nats", params_are="total"), LAW)
    bounds = found.interval("E", LEVEL)
    return {**found.values, "lower": bounds.lower, "upper": bounds.upper}
