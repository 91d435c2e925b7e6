"""kleiber know train: one model, one set of people, one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from kleiber.cli.know.options import Changes, only
from kleiber.cli.output import print_json, say
from kleiber.errors import UsageError

SHOWN = 10  # of the texts left out
WINDOW = 128  # tokens, for texts of one's own: they differ in length


def train(
    *,
    out: Annotated[str, Parameter(name=("--out", "-o"))],
    preset: str = "cpu",
    seed: int = 0,
    changes: Changes | None = None,
    rewritten: str | None = None,
    table: str | None = None,
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
    rewritten
        Biographies that a language model of yours wrote: JSON lines of person (or name) and text.
    table
        Their people: CSV or JSON with a name and a column for each attribute.
    device
        Where to train: cpu or cuda.
    glances
        Measurements on the way, to watch the bits rise.
    json
        Print one JSON object instead of text.
    """
    from dataclasses import replace

    from kleiber.cli.know.capacity import table as as_table
    from kleiber.cli.know.watch import train_cells
    from kleiber.knowledge.preset import preset as named

    asked = changes or Changes()
    settings = _corpus(rewritten, table, quiet=json) | asked.settings()
    cells = asked.sized(named(preset).cells(seeds=1, **settings), quiet=json)
    cell = replace(only(cells, "train"), seed=seed)
    if rewritten is not None and cell.context is None:
        cell = replace(cell, context=WINDOW)
    (row,) = train_cells([cell], [Path(out)], device=device, glances=glances, quiet=json)
    if json:
        print_json({"schema": "kleiber.capacity-run/1", **row})
    else:
        print(as_table([row]))


def _corpus(texts: str | None, people: str | None, *, quiet: bool) -> dict[str, Any]:
    """Return the settings of rewritten biographies; say which texts were left out, and why."""
    if texts is None and people is None:
        return {}
    if texts is None or people is None:
        raise UsageError(
            "--rewritten and --table belong together, and one of them is missing.",
            remedy="Give the texts and the table of their people.",
        )
    from kleiber.knowledge.corpus import read_corpus
    from kleiber.knowledge.spans import first_of

    corpus = read_corpus(texts, people)
    if not quiet:
        for line in (corpus.summary(), *first_of(corpus.problems, SHOWN)):
            say(line)
    files = {"texts": texts, "people": people}
    return {"format": "rewritten", "people": len(corpus.told), "corpus": files}
