"""kleiber know train: one model, one set of people, one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kleiber.cli.know.options import Changes, only
from kleiber.cli.output import print_json


def train(
    *,
    out: Annotated[str, Parameter(name=("--out", "-o"))],
    preset: str = "cpu",
    seed: int = 0,
    changes: Changes | None = None,
    device: str = "cpu",
    glances: int = 10,
    json: bool = False,
) -> None:
    """Teach one model one set of people and measure it; the same command resumes.

    Parameters
    ----------
    out
        The run's folder.
    preset
        A preset's name, or a TOML file of your own.
    seed
        Seed of the people, their order and the initialisation.
    device
        Where to train: cpu or cuda.
    glances
        Measurements on the way, to watch the bits rise.
    json
        Print one JSON object instead of text.
    """
    from dataclasses import replace

    from kleiber.cli.know.capacity import table
    from kleiber.cli.know.watch import train_cells
    from kleiber.knowledge.preset import preset as named

    settings = (changes or Changes()).settings()
    cell = replace(only(named(preset).cells(seeds=1, **settings), "train"), seed=seed)
    (row,) = train_cells([cell], [Path(out)], device=device, glances=glances, quiet=json)
    if json:
        print_json({"schema": "kleiber.capacity-run/1", **row})
    else:
        print(table([row]))
