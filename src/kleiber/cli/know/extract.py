"""kleiber know extract: what a trained model can be asked for, not only complete."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kleiber.cli.output import print_json
from kleiber.cli.screen import Screen, Shown

if TYPE_CHECKING:
    from kleiber.knowledge.extraction import Extraction

READINGS = 100  # on the way, of the mean loss since the last
COLUMNS = ("held out", "tuned on", "untuned", "chance", "in their texts", "bits there")


def extract(
    run: str,
    /,
    *,
    steps: int = 1500,
    batch: int = 48,
    lr: float | None = None,
    seed: int = 0,
    tune: Literal["low-rank", "all"] = "low-rank",
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Tune a trained model on questions about half of its people, and ask about the other half.

    The run's folder stays as it is.

    Parameters
    ----------
    run
        Folder of a run that kleiber know train or capacity trained.
    steps
        Steps of tuning.
    batch
        Questions a step.
    lr
        Peak learning rate [default: 0.003 for low-rank, 0.001 for all].
    seed
        Seed of who is held out, and of the questions' order.
    tune
        What is tuned: low-rank additions to queries and values, or all weights.
    device
        Where to tune: cpu or cuda.
    json
        Print one JSON object instead of text.
    """
    from kleiber.training import RunFolder
    from kleiber.training.extra import require

    require()
    from kleiber.knowledge.extraction import extract_folder

    screen = Screen([Shown("questions", 1.0)], quiet=json)
    try:
        found = extract_folder(
            RunFolder(Path(run)),
            steps=steps,
            batch=batch,
            lr=lr,
            seed=seed,
            tuning=tune,
            device=device,
            watch=_Watch(screen, steps),
        )
    finally:
        screen.close()
    if json:
        head = {"schema": "kleiber.extraction/1", "run": Path(run).name}
        print_json({**head, "seed": seed, "tuning": tune, **found.to_dict()})
    else:
        print(report(found))


class _Watch:
    """Tells the screen of every hundredth of the steps."""

    def __init__(self, screen: Screen, steps: int) -> None:
        self.screen, self.steps = screen, steps
        self.began, self.nats, self.since = time.monotonic(), 0.0, 0

    def __call__(self, step: int, loss: float) -> None:
        self.nats, self.since = self.nats + loss, self.since + 1
        if step % max(1, self.steps // READINGS) and step < self.steps:
            return
        left = (time.monotonic() - self.began) / step * (self.steps - step)
        event = {"step": step, "steps": self.steps, "loss": self.nats / self.since}
        self.screen.show(0, {**event, "seconds_left": left})
        self.nats, self.since = 0.0, 0


def report(found: Extraction) -> str:
    """Return what was answered as text: the share held out, beside what it can be compared with."""
    said = found.to_dict()
    rows = [
        (known.attribute, *shares, known.whole, f"{known.bits:.1f} of {known.most_bits:.1f}")
        for known in found.memorised
        for shares in [
            [part[known.attribute] for part in (found.held_out, found.tuned, found.untuned)]
            + [found.chance[known.attribute]]
        ]
    ]
    names = ("", "_tuned", "_untuned", "_chance", "_in_texts")
    bits = f"{said['bits_in_texts']:.1f} of {said['most_bits_in_texts']:.1f}"
    rows.append(("all that count", *(said[f"accuracy{name}"] for name in names), bits))
    return "\n".join(
        [
            f"{said['accuracy']:.1%} of questions answered rightly about {found.people:,} people "
            "held out;",
            f"{said['accuracy_chance']:.1%} is the most of any one answer for all. Tuned on "
            f"{found.people_tuned:,} others, {found.steps:,} steps.",
            "",
            _line("", *COLUMNS),
            *(_line(name, *map(_cell, cells)) for name, *cells in rows),
            "",
            "held out, untuned, chance, texts and bits: of the people held out; a working city",
            "follows from its employer and does not count; bits are of a person's values",
        ]
    )


def _line(name: str, *cells: str) -> str:
    widths = (len(column) + 2 for column in COLUMNS[:-1])
    shares = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False))
    return f"{name:<16}{shares}{cells[-1]:>15}"


def _cell(value: Any) -> str:
    return f"{value:.1%}" if isinstance(value, float) else str(value)
