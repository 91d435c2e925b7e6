"""The capacity curve's models at 8, 6, 5, 4 and 3 bits a weight: bits kept, values right.

The first seed of every cell of a folder is read from its weights, as it is and rounded by GPTQ (a
scale a channel; embedding, norms and biases in float, as in AutoGPTQ). Of each reading there are
the bits per parameter and, attribute by attribute, the share of values that are right and their
bits: the pairs of the accuracy-to-bits curve. Minutes on one core. The folder is only read; what
was read of a run is kept in another, so that the same command goes on where it was stopped.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.errors import InputError
from kleiber.judging.readings import NOTHING
from kleiber.studies.table import Table

if TYPE_CHECKING:
    from kleiber.training import RunFolder

NAME = "capacity-roundings"
SEED = 0  # seeds of a cell are one run to the law, and their roundings differ little (result 8)
BITS = (8, 6, 5, 4, 3)
FULL, ROOM = 2.5, 1.5  # bits asked for: what over the first, and under the second, is said
COLUMNS = (
    *("exposures", "params", "people", "R^max", "steps", "bits a weight", "R", "kept", "accuracy"),
)


def run(folder: Path, kept: Path, *, progress: Any = None) -> Table:
    """Round the finished runs of the folder whose readings are not kept yet; return the table."""
    from kleiber.training import RunFolder

    places = [RunFolder(path) for path in sorted(folder.glob(f"N*-s{SEED}"), key=_order)]
    places = [place for place in places if place.done]
    if not places:
        raise InputError(
            f"There is no finished run in '{folder}'.",
            remedy="Train some with kleiber study capacity-curve, or name another with --data.",
        )
    rows: list[dict[str, Any]] = []
    for number, place in enumerate(places):
        if progress is not None:
            progress(f"{number + 1} of {len(places)}: {place.path.name}")
        rows += _kept(place, kept / f"{place.path.name}.json")
    return tabulate(rows)


def _kept(folder: RunFolder, path: Path) -> list[dict[str, Any]]:
    """Return a run's readings from the file they are kept in, made where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(readings(folder)), encoding="utf-8")
        partial.replace(path)
    return json.loads(path.read_text(encoding="utf-8"))


def readings(folder: RunFolder, bits: Sequence[int] = BITS) -> list[dict[str, Any]]:
    """Return a run as it is and at each number of bits a weight: bits stored, and each attribute.

    ``attributes`` holds [bits that there are, bits stored, share of values right] of each.
    """
    from kleiber.knowledge.accuracy import known
    from kleiber.knowledge.experiment import load_folder
    from kleiber.knowledge.measure import measure
    from kleiber.knowledge.quantize.calibrate import calibration
    from kleiber.knowledge.quantize.grid import Grid
    from kleiber.knowledge.quantize.model import Rounding, quantize
    from kleiber.knowledge.reading import nats_of

    cell, source, model = load_folder(folder)
    texts = calibration(source, context=cell.context)
    kept = folder.read_json("capacity.json")
    names = ("run", "format", "people", "params", "exposures", "seed", "layers", "width", "steps")
    about = {name: kept[name] for name in (*names, "lr", "embedding_share")}
    found: list[dict[str, Any]] = []
    for width in (None, *bits):
        read = model
        if width is not None:
            read = quantize(model, Rounding(grid=Grid(bits=width), method="gptq"), texts).model
        stored = measure(read, source, texts=cell.texts, controls=False)
        each = known(nats_of(read), source, np.arange(source.count), texts=cell.texts)
        found.append(
            {
                **about,
                "bits_per_param": stored.bits_per_param,
                "max_bits_per_param": stored.max_bits_per_param,
                "accuracy": stored.accuracy,
                **({} if width is None else {"method": "gptq", "bits": width}),
                "attributes": [[one.most_bits, one.bits, one.whole] for one in each],
            }
        )
    return found


def tabulate(readings: Sequence[Mapping[str, Any]]) -> Table:
    """Return the readings as a table, each beside what the same run stores in float."""
    floats = {one["run"]: one["bits_per_param"] for one in readings if "bits" not in one}
    rows = [_row(one, floats[one["run"]]) for one in sorted(readings, key=_place)]
    return Table(
        name=NAME,
        title="What models of the capacity curve keep in fewer bits a weight",
        command=f"kleiber study {NAME} --out results",
        columns=COLUMNS,
        rows=rows,
        claims=_claims(rows),
        notes=(
            "R is bits per parameter by Definition 4.3 of arXiv 2404.05405, of one seed; kept is R "
            "over that of the float weights (bits a weight: -), below 0 where a rounded model "
            f"misleads itself, unknown where those store {NOTHING} or less. GPTQ with act-order, "
            "symmetric, a scale a channel, calibrated on 1,000 texts; embedding, norms, biases "
            "stay in float.",
        ),
        extra={"runs": list(readings)},
    )


def _place(one: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a reading's place in the table: most exposures first, float before fewer bits."""
    return -one["exposures"], one["params"], one["people"], one["steps"], -one.get("bits", 99)


def _row(one: Mapping[str, Any], before: float) -> dict[str, Any]:
    stored = one["bits_per_param"]
    return {
        **{name: one[name] for name in ("exposures", "params", "people", "steps", "accuracy")},
        "R^max": one["max_bits_per_param"],
        "bits a weight": one.get("bits"),
        "R": stored,
        "kept": stored / before if before > NOTHING else math.nan,
    }


def _claims(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what models keep at each number of bits at most exposures, full ones and others."""
    most = max(row["exposures"] for row in rows)
    said: list[str] = []
    for width in BITS:
        own = [r for r in rows if r["exposures"] == most and r["bits a weight"] == width]
        full = [r["kept"] for r in own if r["R^max"] > FULL]
        room = [r["kept"] for r in own if r["R^max"] < ROOM]
        if full and room:
            said.append(
                f"At {width} bits a weight, {most:,} exposures: full models (asked for over {FULL} "
                f"bits a parameter, {len(full)} of them) keep {_span(full)} of what they store, "
                f"models with room (asked for less than {ROOM}, {len(room)}) {_span(room)}."
            )
    return said


def _span(shares: Sequence[float]) -> str:
    """Return the least and the most of some shares, one number where they are the same."""
    low, high = f"{min(shares):.1%}", f"{max(shares):.1%}"
    return low if low == high else f"{low} to {high}"


def _order(path: Path) -> tuple[float, list[int]]:
    """Return a run's place: most exposures first, then by the numbers in its name."""
    numbers = [int(part) for part in re.findall(r"\d+", path.name)]
    return -numbers[1] if len(numbers) > 1 else 0.0, numbers
