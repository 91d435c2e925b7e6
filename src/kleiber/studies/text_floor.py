"""A fitted floor against the truth: ladders on languages whose entropy is known exactly.

A small transformer is trained at seven widths, two seeds each, on a Markov chain. To the held-out
losses L = E + A / N^alpha is fitted, and E is held against the chain's entropy, which no fit is
told. Tokens grow with the parameters, so one power stands for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kleiber.errors import InputError
from kleiber.fitting import fit
from kleiber.launching.ladder import train_ladder
from kleiber.recipes import Ladder, Rung
from kleiber.runs import Runs
from kleiber.studies.table import Book, Table
from kleiber.training.folder import RunFolder

COMMAND = "kleiber study text-floor --out results"
LANGUAGES = ("markov:128:1:0", "markov:128:1:1", "markov:128:1:2")
LEVEL = 0.9
NARROW = 16  # widths up to here end well above the floor
LADDER: dict[str, Any] = {
    "recipe": "nanodo-paper",
    "seeds": 2,
    "changes": {
        "tokenizer": "none",
        "vocab": 128,
        "context": 32,
        "head_size": 4,
        "batch": 16,
        "tokens": "200*P",
        "lr": "0.1/D",
        "warmup": 0.1,
        "weight_decay": 0.0,
        "final_lr": 0.02,
    },
    "scales": {"D": [4, 8, 12, 16, 20, 24, 32], "L": 1},
}


class LadderTrainer(Protocol):
    """What trains rungs: :func:`train_ladder`, or one that shows it on a screen."""

    def __call__(
        self, rungs: Sequence[Rung], out: Path, *, jobs: int | None = None
    ) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
        """Return the finished runs, and why others failed by their names."""
        ...


def rungs_of(language: str) -> tuple[Rung, ...]:
    """Return the ladder of a language."""
    name = language.replace(":", "-")
    changes = {**LADDER["changes"], "text": language}
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
        "width": rung.width,
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
    inside = sum(one["inside"] for one in floors)
    seconds = sum(one["cpu seconds"] for rows in found.values() for one in rows)
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
                    "Without the largest widths, whose loss is near the floor, that of "
                    f"{sum(one['inside below'] for one in floors)} of {len(floors)}.",
                ],
                notes=(
                    "Nats a token. entropy: what the best model comes to in windows of this "
                    "context, computed and told to no fit. E: fitted with E + A / N^alpha to the "
                    "last held-out loss of every run, with its 90 % interval. above: how far the "
                    "mean loss of the narrowest and of the widest models lies above the entropy. "
                    f"E below: fitted to the widths up to {NARROW} alone. Losses are less what the "
                    "language itself makes of the held-out windows, plus its entropy, which moves "
                    f"all of a language alike. {seconds / 60:.0f} minutes of training in all.",
                ),
                seed=0,
            ),
            Table(
                name="text-floor-rungs",
                title="The rungs, means of two seeds",
                command=COMMAND,
                columns=("language", "width", "params", "tokens", "loss", "apart", "above"),
                rows=[one for language, rows in found.items() for one in means(language, rows)],
            ),
        ]
    )


def floor(language: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the fitted floor of one language, of all widths and of the lower ones."""
    truth = rows[0]["entropy"]
    whole = _fitted(rows)
    below = _fitted([one for one in rows if one["width"] <= NARROW])
    ends = means(language, rows)
    return {
        "language": language,
        "entropy": truth,
        "E": whole["E"],
        "interval": f"{whole['lower']:.4f} to {whole['upper']:.4f}",
        "inside": whole["lower"] <= truth <= whole["upper"],
        "alpha": whole["alpha"],
        "above, narrowest": ends[0]["above"],
        "above, widest": ends[-1]["above"],
        "E below": below["E"],
        "interval below": f"{below['lower']:.4f} to {below['upper']:.4f}",
        "inside below": below["lower"] <= truth <= below["upper"],
    }


def means(language: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each width's mean loss, how far its seeds are apart, and how far it is to go."""
    found: list[dict[str, Any]] = []
    for width in sorted({one["width"] for one in rows}):
        here = [one for one in rows if one["width"] == width]
        losses = [one["loss"] for one in here]
        found.append(
            {
                "language": language,
                "width": width,
                "params": here[0]["params"],
                "tokens": here[0]["tokens"],
                "loss": float(np.mean(losses)),
                "apart": max(losses) - min(losses),
                "above": float(np.mean(losses)) - here[0]["entropy"],
            }
        )
    return found


def _fitted(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the floor and the exponent of a power law in params, with the floor's interval."""
    kept = [{key: one[key] for key in ("run", "params", "tokens", "loss", "seed")} for one in rows]
    found = fit(Runs.read(kept, unit="nats", params_are="total"), "params-power-floor")
    bounds = found.interval("E", LEVEL)
    return {**found.values, "lower": bounds.lower, "upper": bounds.upper}
