"""Make ``ladder.csv``, the sample that ships with the package, from the runs that it is of.

``python -m kleiber.samples.make_ladder FOLDER`` trains ``ladder.toml`` in a folder, what is done
there left as it is, and writes its readings of held-out text: a row a checkpoint, losses to four
decimals. The same folder gives the same bytes. Nothing imports this file, so that the sample
costs whoever reads it no trainer.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

from kleiber.errors import InputError
from kleiber.launching.ladder import standing, train_ladder
from kleiber.recipes import Rung, ladder
from kleiber.samples import LADDER, LADDER_FILE
from kleiber.training.folder import RunFolder

COLUMNS = ("run", "recipe", "seed", "params", "tokens", "flops", "step", "loss", "lr")
Cell = str | int


def ladder_csv(folder: Path) -> str:
    """Return the text of the sample, read from a folder where its ladder was trained.

    Raises InputError for a rung that is not done there, or is another than the ladder file's.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for rung in ladder(LADDER_FILE).rungs:
        writer.writerows(_rows(rung, folder))
    return text.getvalue()


def _rows(rung: Rung, folder: Path) -> list[tuple[Cell, ...]]:
    """Return a rung's readings of held-out text, a row each."""
    now = standing(rung, folder)
    if now.state != "done":
        raise InputError(
            f"{rung.name} is {now.state} in '{folder}'.",
            remedy=f"Train it: python -m kleiber.samples.make_ladder {folder}",
        )
    run = RunFolder(folder / rung.name)
    record = run.record()
    params, each = record["params"], int(record["exact_flops_per_token"])
    return [
        (
            *(rung.name, rung.recipe, rung.seed, params, point["tokens"], each * point["tokens"]),
            *(point["step"], f"{point['heldout_loss']:.4f}", f"{point['lr']:.4g}"),
        )
        for point in run.points()
        if "heldout_loss" in point
    ]


def main(folder: Path) -> int:
    """Train what is not done in a folder, and write the sample beside this file."""
    _, errors = train_ladder(ladder(LADDER_FILE).rungs, folder)
    for name, error in errors.items():
        print(f"{name}: {error['message']}", file=sys.stderr)
    if errors:
        return 1
    LADDER.write_text(ladder_csv(folder), encoding="utf-8")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m kleiber.samples.make_ladder FOLDER")
    sys.exit(main(Path(sys.argv[1])))
