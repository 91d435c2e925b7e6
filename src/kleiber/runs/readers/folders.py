"""Run folders as our own trainer leaves them: ``run.json``, ``points.jsonl``, at the end ``done``.

They are read as files like anybody's: params and seed from ``run.json``, the readings (step,
tokens, loss in nats, lr) from ``points.jsonl``. A folder without ``done`` is a run that has not
ended, and none of its points is its final one.

A rung of a ladder also says its recipe, its exact FLOPs and the text held out. Its loss is the
one on that text, so that the readings between two looks at it are no points; the loss in training
is ``train_loss``. Where ``failed.json`` lies, the loss was no number in the end.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from kleiber.errors import InputError
from kleiber.runs.notes import Note, counted, listing
from kleiber.runs.readers.jsonrows import records_frame
from kleiber.runs.readers.raw import Raw, located, together

RECORD, POINTS, DONE, FAILED = "run.json", "points.jsonl", "done", "failed.json"
READ = ("step", "tokens", "loss", "lr")  # of each point
WATCHED = {"attention_max": "attention_logit_max", "grad_rms": "grad_rms"}  # where it says them
HELDOUT, TRAINING = "heldout_loss", "train_loss"


def run_folders(path: str) -> list[Path]:
    """Return the run folders at or under a path, none where there are none."""
    root = Path(path)
    if not root.is_dir():
        return []
    return sorted(record.parent for record in root.rglob(RECORD) if record.is_file())


def read_folders(path: str, folders: list[Path]) -> Raw:
    """Return the points of run folders as one table, a run each.

    Raises InputError for a file that cannot be read, and where no run has a point yet.
    """
    root = Path(path)
    raws: list[Raw] = []
    unread: list[str] = []
    unfinished: list[str] = []
    failed: list[str] = []
    for folder in folders:
        name = folder.name if folder == root else str(folder.relative_to(root))
        rows = _rows(folder, name)
        done = (folder / DONE).exists() and not (folder / FAILED).exists()
        if (folder / FAILED).exists():
            failed.append(name)
        elif not done:
            unfinished.append(name)
        if not rows:
            unread.append(name)
            continue
        rows[-1]["final"] = done
        frame = records_frame(rows, source=str(folder))
        raws.append(located(frame, list(range(1, len(rows) + 1)), source=name, file=name))
    if not raws:
        raise InputError(
            f"'{path}' holds {counted(len(folders), 'run')} and no point yet.",
            remedy="Wait for the first checkpoint.",
        )
    raw = together(raws)
    notes = [
        Note("warning", f"{_have(names)} {what}: {listing(names, limit=3)}.")
        for names, what in (
            (unfinished, "not ended; what they read so far has no final point"),
            (unread, "no points yet; left out"),
            (failed, "failed, their loss no number; what they read before has no final point"),
        )
        if names
    ]
    return replace(raw.with_frame(raw.frame, *notes), source=path, params_are="total")


def _have(names: list[str]) -> str:
    """Return "1 run has", "2 runs have"."""
    return f"{counted(len(names), 'run')} {'has' if len(names) == 1 else 'have'}"


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return a run's points with what its record says of it."""
    record = _json(folder / RECORD, whole=True)[0]
    missing = [key for key in ("params", "seed") if key not in record]
    if missing:
        raise InputError(
            f"'{folder / RECORD}' says no {', '.join(missing)}, so it is not a run of ours.",
            remedy="Leave that folder out.",
        )
    known = {"run": name, "params": record["params"], "seed": record["seed"]}
    body = record.get("params_by_group", {}).get("body")
    if body is not None:
        known["params_nonembed"] = body
    taught = record.get("cell")
    if isinstance(taught, dict):  # losses on other people are of another family
        known["family"] = (
            f"{taught.get('format')} {taught.get('people')} people x {taught.get('exposures')}"
        )
    points = _json(folder / POINTS) if (folder / POINTS).exists() else []
    shared = {**known, **_of_rung(record), "loss_unit": "nats", "final": False}
    each = record.get("exact_flops_per_token")
    return [
        {**shared, **({"flops": each * point["tokens"]} if each else {}), **point}
        for point in _read(points)
    ]


def _of_rung(record: dict[str, Any]) -> dict[str, Any]:
    """Return what a rung's record says of all its points, nothing of other runs."""
    rung, text = record.get("rung"), record.get("text")
    if not (isinstance(rung, dict) and isinstance(text, dict)):
        return {}
    found = {"recipe": record.get("recipe"), "eps": rung.get("eps")}
    if {"steps", "batch", "context"} <= rung.keys():
        found["planned_tokens"] = rung["steps"] * rung["batch"] * rung["context"]
    found |= {key: text[key] for key in ("validation_set", "unique_tokens") if key in text}
    return found


def _read(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the points whose loss is a number; those with a loss on held-out text, if any has."""
    held = [point for point in points if HELDOUT in point]
    found: list[dict[str, Any]] = []
    for point in held or points:
        row = {key: point.get(key) for key in READ}
        if held:
            row |= {"loss": point[HELDOUT], TRAINING: point.get("loss")}
        row |= {field: point[key] for key, field in WATCHED.items() if key in point}
        if row["loss"] is None or math.isfinite(row["loss"]):
            found.append(row)
    return found


def _json(path: Path, *, whole: bool = False) -> list[dict[str, Any]]:
    """Return a file's objects: the one that it is, or one a line."""
    try:
        text = path.read_text(encoding="utf-8")
        found = [json.loads(text)] if whole else [json.loads(line) for line in text.splitlines()]
    except (ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"'{path}' cannot be read: {reason.rstrip('.')}.",
            remedy="Leave that folder out, or train the run again.",
        ) from None
    if not all(isinstance(one, dict) for one in found):
        raise InputError(f"'{path}' holds no object.", remedy="Leave that folder out.")
    return found
