"""One law for all capacity results: its parameters, forms that lost, cells left out, published.

Reads whatever capacity tables lie in the folder (``results``), trains nothing, and leaves runs out
that it is not of, with the number of them. The accuracy-to-bits curve beside it is of the readings
of ``capacity-roundings``: each attribute of each model, between the two bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.judging.knowledge import ENDLESS, FLOOR, Knowledge, fit_cells
from kleiber.judging.left_cells import Left, left_out, rms
from kleiber.judging.readings import Cell, cells_of, readings_of, told_apart
from kleiber.laws.knowledge import FLOAT
from kleiber.studies.capacity_accuracy import claims as accuracy_claims
from kleiber.studies.capacity_accuracy import drawn as accuracy_drawn
from kleiber.studies.capacity_accuracy import pairs_of
from kleiber.studies.capacity_accuracy import table as accuracy_table
from kleiber.studies.capacity_rows import Gathered, gather
from kleiber.studies.table import Book, Table

NAME = "capacity-law"
COMMAND = f"kleiber study {NAME} --out results"
ONE = "one factor of an architecture, whatever the exposures"
STARTS = 3  # of each fit without a cell; the fit to all has ten
FORMS: dict[str, dict[str, Any]] = {
    "as fitted": {},
    "rounding takes a share whatever was learnt": {"rounding": "share"},
    "rounding lowers the plateau": {"rounding": "plateau"},
    "rounding takes as much from models with room": {"fix": {"room": 0.0}},
    "plateau a power of exposures": {"growth": "power"},
    "half as many exposures do for every size": {"fix": {"hastening": 0.0}},
    "exposures E / (E + half)": {"fix": {"steepness": 1.0}},
    "plateau the same for every size": {"fix": {"size": 0.0}},
}
PUBLISHED: tuple[tuple[str, float, float, str], ...] = (
    ("plateau at 1000 exposures", 1000.0, FLOAT, "2.0 (result 1)"),
    ("plateau at 100 exposures", 100.0, FLOAT, "1.0 (result 4)"),
    ("plateau at 1000 exposures, 8 bits a weight", 1000.0, 8.0, "2.0, no loss (result 8)"),
    ("plateau at 1000 exposures, 4 bits a weight", 1000.0, 4.0, "0.7 (result 8)"),
)


def run(folder: Path) -> Book:
    """Fit the law to the tables of the folder, and return it with all that it is judged by."""
    from kleiber.training.extra import require

    require()  # the accuracy's bounds live beside the measure
    gathered = gather(folder)
    plain = cells_of(readings_of(gathered.rows))
    cells = told_apart(plain)
    law = fit_cells(cells)
    tried = {
        name: left_out(cells, starts=STARTS, **_possible(form, law)) for name, form in FORMS.items()
    }
    tried[ONE] = left_out(plain, starts=STARTS)
    pairs = pairs_of(gathered.rows)
    compared = _compared(law)
    first = _parameters(law, gathered, tried["as fitted"], compared, accuracy_claims(pairs))
    tables = [first, _forms(tried, law.reference), compared, _cells(law, tried["as fitted"])]
    tables += [accuracy_table(pairs)] if pairs else []
    extra = {"law": law.to_dict(), "tables_read": list(gathered.tables), "left_out": gathered.left}
    return Book(tables, extra={**extra, "drawn": _drawn(law, pairs)})


def _possible(form: Mapping[str, Any], law: Knowledge) -> dict[str, Any]:
    """Return a form with no value held twice."""
    fix = {name: at for name, at in form.get("fix", {}).items() if name not in law.held}
    return {**form, "fix": fix} if "fix" in form else dict(form)


def _parameters(
    law: Knowledge,
    gathered: Gathered,
    left: Sequence[Left],
    compared: Table,
    more: Sequence[str],
) -> Table:
    """Return the law's parameters with their intervals, and all claims."""
    rows = [
        {
            "parameter": name,
            "value": value,
            "lower": law.lower[name],
            "upper": law.upper[name],
            "cells": _told_by(law, name),
            "meaning": law.held.get(name, law.law.parameters[law.law.index(name)].meaning),
        }
        for name, value in law.values.items()
    ]
    return Table(
        name=NAME,
        title="One law over size, demand, exposures, bits a weight and architecture",
        command=COMMAND,
        columns=("parameter", "value", "lower", "upper", "cells", "meaning"),
        rows=rows,
        claims=[
            *_claims(law, left, compared),
            *more,
            *(f"{name} is unknown: {why}." for name, why in law.held.items()),
        ],
        notes=[*_notes(law), *_left_notes(law, gathered)],
        seed=0,
    )


def _claims(law: Knowledge, left: Sequence[Left], compared: Table) -> list[str]:
    """Return how well the law holds, on what it was fitted to and on cells left out."""
    points = sum(len(cell.bits) for cell in law.cells)
    own = [one for one in left if one.cell.architecture == law.reference and not one.floored]
    inside = sum(one.inside for one in own)
    return [
        f"Fitted to {law.runs} runs: {len(law.cells)} cells of one model, data and exposures, "
        f"with {points} readings in float and rounded; {law.off:.3f} bits per parameter root mean "
        f"square. {law.status[0].upper()}{law.status[1:]}.",
        f"Each cell of {law.reference} predicted from the others: {rms(own):.3f} bits per "
        f"parameter root mean square; {inside} of {len(own)} readings within the {law.level:.0%} "
        "interval. No other cell tells the factor of an architecture that has one alone.",
        *(
            f"{row['what']}: {row['ours']:.2f} ({row['lower']:.2f} to {row['upper']:.2f}) at "
            f"{row['params']:,} parameters; published at millions and more: {row['published']}."
            for row in compared.rows
        ),
    ]


def _notes(law: Knowledge) -> list[str]:
    """Return how the parameters are to be read, and what the law is not of."""
    sizes = [cell.params for cell in law.cells]
    return [
        f"{law.law.equation}; full = R0 / plateau there, learnt = the share that exposures give. "
        f"Intervals at {law.level:.0%} over cells, {law.method}. Architectures are factors of the "
        f"plateau beside {law.reference} of two layers, at 1000 exposures or at those they are "
        "named by; where one cell tells a factor, its interval is as wide as cells lie about the "
        "law. Of a cell trained several times the most steps and the best peak rate count.",
        "The published numbers are of models a hundred to ten thousand times as large: beside "
        "ours, never mixed in. size and hastening are powers over the sizes trained here "
        f"({min(sizes):,.0f} to {max(sizes):,.0f} parameters) and say nothing of larger ones.",
        f"{law.floored} readings store less than {FLOOR} and are counted as that: a law of a "
        "logarithm has no bits below 0, which models of 3 bits a weight do. No error counts them.",
    ]


def _told_by(law: Knowledge, name: str) -> int:
    """Return how many cells a parameter rests on."""
    if name in law.architectures:
        return sum(cell.architecture == name for cell in law.cells)
    if name in ("margin", "fall", "room"):
        return sum(min(cell.bits) < FLOAT for cell in law.cells)
    return sum(cell.architecture == law.reference for cell in law.cells)


def _left_notes(law: Knowledge, gathered: Gathered) -> list[str]:
    """Return what was read, what was left out, and what other depths store beside the law."""
    said = [f"Tables read: {', '.join(gathered.tables)}."]
    if gathered.left:
        reasons = "; ".join(f"{count} {why}" for why, count in gathered.left.items())
        said.append(f"Runs left out: {reasons}.")
    beside: list[str] = []
    for cell in cells_of(readings_of(gathered.other_depths)) if gathered.other_depths else ():
        value = law.bits(cell.params, cell.demand, exposures=cell.exposures)["value"]
        beside.append(f"{cell.name}: {cell.bits[FLOAT]:.2f} ({float(value):.2f})")
    if beside:
        said.append(
            "Other depths in bits per parameter, and in brackets what the law of two layers would "
            f"have: {'; '.join(beside)}."
        )
    return said


def _forms(tried: Mapping[str, Sequence[Left]], reference: str) -> Table:
    """Return every form's error on cells that it had not seen."""
    rows = [
        {
            "form": name,
            reference: rms(own),
            "float": rms([one for one in own if one.weight_bits == FLOAT]),
            "rounded": rms([one for one in own if one.weight_bits != FLOAT]),
            "below 1000 exposures": rms([one for one in own if one.cell.exposures < 1000]),
            "cells": len({id(one.cell) for one in own}),
            "other architectures": rms([one for one in left if one not in own]),
            "their cells": len({id(one.cell) for one in left if one not in own}),
        }
        for name, left in tried.items()
        for own in ([one for one in left if one.cell.architecture == reference],)
    ]
    best = min(rows, key=lambda row: row[reference])
    return Table(
        name="forms",
        title="Forms compared, each cell predicted from the others",
        command=COMMAND,
        columns=(
            *("form", reference, "float", "rounded", "below 1000 exposures", "cells"),
            *("other architectures", "their cells"),
        ),
        rows=rows,
        claims=[
            f"Least error on cells of {reference}: {best['form']}, {best[reference]:.3f} bits per "
            "parameter."
        ],
        notes=(
            "Root mean square errors in bits per parameter; a cell counts once, with its roundings "
            "left out with it. A cell that alone has its architecture cannot be predicted and is "
            "not tried. With one factor for all exposures, those trained at 1000 and at fewer are "
            "each predicted from the other: that error says how far one factor holds for both.",
        ),
    )


def _compared(law: Knowledge) -> Table:
    """Return the law at the largest size of the reference beside published numbers."""
    seen = {cell.exposures for cell in law.cells}
    widths = {width for cell in law.cells for width in cell.bits}
    params = max(c.params for c in law.cells if c.architecture == law.reference)
    rows: list[dict[str, Any]] = []
    for what, exposures, width, published in PUBLISHED:
        if exposures not in seen or width not in widths:
            continue
        said = law.bits(params, exposures=exposures, weight_bits=width, architecture=law.reference)
        value, lower, upper = (float(said[name]) for name in ("value", "lower", "upper"))
        rows.append(
            {"what": what, "params": round(params), "ours": value, "lower": max(lower, 0.0),
             "upper": upper, "published": published}
        )  # fmt: skip
    return Table(
        name="published",
        title="Beside published numbers, of far larger models",
        command=COMMAND,
        columns=("what", "params", "ours", "lower", "upper", "published"),
        rows=rows,
    )


def _cells(law: Knowledge, left: Sequence[Left]) -> Table:
    """Return every reading with what the law says of it, fitted and left out."""
    unseen = {(id(one.cell), one.weight_bits): one.said for one in left}
    rows = [
        {
            "architecture": cell.architecture,
            "params": round(cell.params),
            "people": cell.people,
            "exposures": cell.exposures,
            "bits a weight": None if width == FLOAT else width,
            "R^max": cell.demand,
            "R": stored,
            "sd": cell.spread[width],
            "law": float(
                law.bits(
                    cell.params,
                    cell.demand,
                    exposures=cell.exposures,
                    weight_bits=width,
                    architecture=cell.architecture,
                )["value"]
            ),
            "law without it": unseen.get((id(cell), width)),
        }
        for cell in sorted(law.cells, key=_order)
        for width, stored in cell.bits.items()
    ]
    return Table(
        name="cells",
        title="Every cell, measured and by the law",
        command=COMMAND,
        columns=(
            *("architecture", "params", "people", "exposures", "bits a weight", "R^max", "R"),
            *("sd", "law", "law without it"),
        ),
        rows=rows,
    )


def _order(cell: Cell) -> tuple[Any, ...]:
    return cell.architecture, -cell.exposures, cell.params, cell.demand


def _drawn(law: Knowledge, pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the pictures show: the law's curves, and the readings as dots."""
    own = [cell for cell in law.cells if cell.architecture == law.reference]
    sizes = sorted({cell.params for cell in own})
    seen = sorted({cell.exposures for cell in own})
    widths = sorted({width for cell in own for width in cell.bits if width < FLOAT})
    learning, rounding = [], []
    across = np.geomspace(min(seen) / 1.5, max(seen) * 1.5, 60)
    for params in sizes:
        said = law.bits(params, ENDLESS, exposures=across, architecture=law.reference)
        columns = (across, said["value"], said["lower"], said["upper"])
        learning += [
            {"params": params, "exposures": e, "bits": v, "lower": max(low, 0.0), "upper": up}
            for e, v, low, up in np.stack(columns, axis=1).tolist()
        ]
    states = {
        "full": (1000.0, ENDLESS),
        "with room": (1000.0, 1.0),
        "at 100 exposures": (100.0, ENDLESS),
    }
    fine = np.linspace(min(widths), max(widths), 60) if widths else np.empty(0)
    for state, (exposures, demand) in states.items():
        if not widths or exposures not in seen:
            continue
        given = {"exposures": exposures, "architecture": law.reference}
        whole = law.bits(sizes[-1], demand, **given)["value"]
        kept = law.bits(sizes[-1], demand, weight_bits=fine, **given)["value"] / whole
        rounding += [
            {"state": state, "width": w, "kept": k}
            for w, k in zip(fine.tolist(), kept.tolist(), strict=True)
        ]
    return {
        "learning": learning,
        "learnt": [
            {"params": c.params, "exposures": c.exposures, "bits": c.bits[FLOAT],
             "full": c.demand > 2.5, "people": c.people}
            for c in own if c.demand > 1.5 and FLOAT in c.bits
        ],
        "rounding": rounding,
        "rounded": [
            {"state": state, "width": width, "kept": max(bits, 0.0) / c.bits[FLOAT],
             "params": c.params}
            for c in own for state in (_state(c),) if state
            for width, bits in c.bits.items() if width < FLOAT and FLOAT in c.bits
        ],
        "accuracy": accuracy_drawn(pairs),
    }  # fmt: skip


def _state(cell: Cell) -> str | None:
    """Return what a rounded cell is drawn as; None of one that lies between."""
    if cell.exposures == 100.0:
        return "at 100 exposures"
    if cell.exposures != 1000.0:
        return None
    return "full" if cell.demand > 2.5 else "with room" if cell.demand < 1.5 else None
