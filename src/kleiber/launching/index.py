"""``ladder.json`` in a ladder's folder: which rungs there should be, whether begun or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kleiber.errors import InputError, UsageError
from kleiber.recipes.rung import Rung
from kleiber.training.folder import RunFolder

INDEX = "ladder.json"


def save_index(name: str, rungs: Sequence[Rung], out: Path) -> None:
    """Write a ladder's rungs into its folder, beside those of other ladders that lie there.

    The folder is made where it is missing. A rung of an earlier ladder that has begun stays as it
    is where one of the same name differs: that one is refused when it comes to be trained.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"'{out}' is a file, and a ladder needs a folder.", remedy="Name another.")
    out.mkdir(parents=True, exist_ok=True)
    before = {rung.name: rung for rung in read_index(out)} if (out / INDEX).exists() else {}
    begun = {held for held in before if (out / held / "run.json").exists()}
    kept = [before[rung.name] if rung.name in begun else rung for rung in rungs]
    new = {rung.name for rung in rungs}
    kept = [rung for rung in before.values() if rung.name not in new] + kept
    RunFolder(out).write_json(INDEX, {"name": name, "rungs": [rung.to_dict() for rung in kept]})


def read_index(out: Path) -> list[Rung]:
    """Return the rungs that a ladder's folder should hold."""
    path = out / INDEX
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return [Rung.of(one) for one in held["rungs"]]
    except FileNotFoundError:
        raise UsageError(
            f"'{out}' has no {INDEX}, so no ladder was trained there.",
            remedy="Name the --out of kleiber ladder run, or the ladder's file with --out.",
        ) from None
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise InputError(
            f"'{path}' cannot be read: {str(error).rstrip('.')}.",
            remedy="Remove it and start kleiber ladder run again, which writes it.",
        ) from None
