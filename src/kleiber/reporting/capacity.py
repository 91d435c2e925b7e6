"""The page of a measured capacity: the plateau, its picture, what speaks against it, the data."""

from __future__ import annotations

import base64
import csv
import io
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.judging.capacity import Plateau, fit_plateaus
from kleiber.judging.stored import Stored, stored_rows
from kleiber.laws import CAPACITY
from kleiber.reporting.extra import environment, require
from kleiber.reporting.figures import figure
from kleiber.reporting.frame import check_target, frame, write_whole
from kleiber.reporting.glossary import CAPACITY_TERMS, code_entries
from kleiber.reporting.headline import strip, trust
from kleiber.reporting.text import DASH, Shown, equation, minus, shown, span
from kleiber.reporting.values import METHODS
from kleiber.units import format_count

if TYPE_CHECKING:
    from kleiber.judging import Finding

FIRST, MOST = 200, 2000  # rows in full, rows on the page; the file has them all
TABLE = "kleiber-capacity.csv"
COLUMNS = ("people", "params", "exposures", "seed", "bits_per_param", "max_bits_per_param",
           "embedding_share", "steps")  # fmt: skip
UNKNOWN = "the results do not tell it"
NO_INTERVAL = "too few runs for an interval"
AGAIN = (
    'python -c "import csv; from kleiber.judging import fit_plateaus; '
    f"rows = list(csv.DictReader(open('{TABLE}'))); "
    'print(*(one.text() for one in fit_plateaus(rows)), sep=chr(10))"'
)


def capacity_page(
    rows: Iterable[Mapping[str, Any]],
    plateau: Plateau | Sequence[Plateau] | None = None,
    *,
    command: str = "",
    title: str = "",
    source: str = "",
    date: str = "",
) -> str:
    """Return capacity results as one HTML page that asks nothing of any network.

    Parameters
    ----------
    rows
        As :func:`kleiber.judging.stored.stored_rows` takes them.
    plateau
        One plateau, or one for each count of exposures; None fits them.
    command
        The command line that makes the results again.
    date
        When the page was made; now, if none is given.

    Raises
    ------
    MissingExtraError
        Where jinja2, altair or vl-convert is not installed.
    """
    require()
    given = [dict(row) for row in rows]
    table = stored_rows(given)
    found = _plateaus(given, plateau)
    findings = _findings(found)
    top = _headline(table, found, findings)
    versions = f"kleiber {metadata.version('kleiber')}, Python {platform.python_version()}"
    return (
        environment()
        .get_template("capacity.html")
        .render(
            title=title or top["title"],
            source=source or "capacity results",
            headline=top,
            law=equation(CAPACITY.equation),
            picture=_picture(given, found),
            plateaus=[_row(one) for one in found],
            how=_how(found),
            findings=findings,
            problems=(),
            data=_data(table),
            again={
                "command": command,
                "fit": AGAIN,
                "versions": versions,
                "date": date or datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
                "seed": ", ".join(dict.fromkeys(str(_seed(one)) for one in found)),
                "source": source,
            },
            terms=CAPACITY_TERMS,
            codes=code_entries(findings),
            **frame(),
        )
    )


def write_capacity(
    rows: Iterable[Mapping[str, Any]],
    path: str | Path,
    plateau: Plateau | Sequence[Plateau] | None = None,
    **options: Any,
) -> Path:
    """Write the page of capacity results to a file, whole or not at all.

    Options are those of :func:`capacity_page`. Raises UsageError for a name that does not end
    in .html, and where the file cannot be written.
    """
    target = check_target(path)
    return write_whole(target, capacity_page(rows, plateau, **options))


def _plateaus(
    rows: list[dict[str, Any]], plateau: Plateau | Sequence[Plateau] | None
) -> tuple[Plateau, ...]:
    """Return the plateaus, most exposures first."""
    if plateau is None:
        return fit_plateaus(rows)
    many = (plateau,) if isinstance(plateau, Plateau) else tuple(plateau)
    return tuple(sorted(many, key=lambda one: -one.exposures))


def _findings(found: Sequence[Plateau]) -> tuple[Finding, ...]:
    """Return the findings of every plateau, in the order of their codes."""
    every = [finding for one in found for finding in one.findings]
    return tuple(sorted(dict.fromkeys(every), key=lambda finding: finding.code))


def _headline(
    table: Sequence[Stored], found: Sequence[Plateau], findings: Sequence[Finding]
) -> dict[str, Any]:
    """Return the first thing a reader sees: the plateau at the most exposures."""
    top = found[0]
    bar = strip(top.value, top.lower, top.upper)
    if bar is not None:
        bar["texts"] |= {"lower": f"{top.lower:.2f}", "upper": f"{top.upper:.2f}"}
    told = {
        "label": f"plateau at {top.exposures:,.0f} exposures",
        "value": shown(top.value, UNKNOWN, ".2f"),
        "interval": span(top.lower, top.upper, NO_INTERVAL, ".2f"),
        "of": f"{top.level:.0%} interval of the plateau",
        "strip": bar,
    }
    return {
        "eyebrow": "Measured capacity",
        "title": "Bits of knowledge per parameter",
        "unit": "bits per parameter",
        "term": "plateau",
        **(told if top.known else _fullest(table, top)),
        "sentence": _sentence(found),
        "trust": trust(findings),
        "facts": _facts(table),
    }


def _fullest(table: Sequence[Stored], top: Plateau) -> dict[str, Any]:
    """Return what is known where the plateau is not: the most that a model stored."""
    mine = [row for row in table if row.exposures == top.exposures]
    cells = {row.cell: [one.bits for one in mine if one.cell == row.cell] for row in mine}
    most = max(cells.values(), key=lambda bits: sum(bits) / len(bits))
    spread = f", {min(most):.2f} to {max(most):.2f}" if len(most) > 1 else ""
    return {
        "label": f"the most that a model stored, at {top.exposures:,.0f} exposures",
        "value": shown(sum(most) / len(most), UNKNOWN, ".2f"),
        "interval": None,
        "of": minus(f"{f'mean of {len(most)} seeds' if spread else 'one seed'}{spread}"),
        "strip": None,
    }


def _sentence(found: Sequence[Plateau]) -> str:
    """Return what is to be said beside the number: why unknown, or the other plateaus."""
    top, *others = found
    said = [] if top.known else [f"The plateau is unknown: {top.status}."]
    for one in others:
        interval = span(one.lower, one.upper, "", ".2f")
        value = f"{one.value:.2f} bits" if one.known else "unknown"
        within = f" ({interval.text})" if one.known and not interval.why else ""
        said.append(f"At {one.exposures:,.0f} exposures it is {value}{within}.")
    said.append("Published GPT-2 models store about 2 bits at 1,000 exposures and 1 at 100.")
    return minus(" ".join(said))


def _facts(table: Sequence[Stored]) -> list[dict[str, Any]]:
    """Return the few numbers by which a measurement is judged at a glance."""
    params = sorted({row.params for row in table})
    people = sorted({row.people for row in table})
    fullest = max(row.demand / row.bits if row.bits > 0 else math.inf for row in table)
    spans = [
        format_count(low) if low == high else f"{format_count(low)} to {format_count(high)}"
        for low, high in ((params[0], params[-1]), (people[0], people[-1]))
    ]
    return [
        {"label": "runs", "value": shown(len(table), "", ",d"), "unit": "models measured"},
        {"label": "sizes", "value": shown(len(params), "", ",d"), "unit": f"{spans[0]} parameters"},
        {"label": "data sets", "value": shown(len(people), "", ",d"), "unit": f"{spans[1]} people"},
        {
            "label": "fullest model",
            "value": shown(fullest, "a model stored nothing", ".2f"),
            "unit": "times what it stores was demanded",
        },
    ]


def _picture(rows: list[dict[str, Any]], found: Sequence[Plateau]) -> dict[str, Any]:
    """Return the figure of bits stored against parameters."""
    from kleiber.charts.capacity import dot_rows, draw_capacity

    dots = dot_rows([row for row in stored_rows(rows) if row.bits > 0])
    names = ("crowd", "size", "seen", "seeds", "held", "each", "share")
    heads = ["people", "params", "exposures", "seeds", "bits stored", "bits per param", "of all"]
    law = "Coloured lines: the capacity law. " if any(one.known for one in found) else ""
    return figure(
        "capacity",
        draw_capacity(rows, found),
        {
            "heads": heads,
            "rows": [[dot[name] for name in names] for dot in dots],
            "note": "Means over seeds. The runs are in the table of the data.",
        },
        caption=f"{law}Dotted: all there is to know of so many people.",
    )


def _row(one: Plateau) -> dict[str, Any]:
    """Return one plateau as the table shows it."""
    return {
        "exposures": f"{one.exposures:,.0f}",
        "value": shown(one.value, UNKNOWN, ".3f"),
        "interval": span(one.lower, one.upper, NO_INTERVAL, ".3f") if one.known else Shown(DASH),
        "share": shown(one.share, "", ".3f"),
        "sharpness": shown(one.sharpness, "", ".2f"),
        "n": f"{one.n:,}",
        "cells": f"{one.cells:,}",
        "seeds": f"{one.seeds:,}",
        "status": minus(one.status),
    }


def _how(found: Sequence[Plateau]) -> str:
    """Return how the intervals were made."""
    methods = dict.fromkeys(METHODS[one.method] for one in found if one.method in METHODS)
    said = f"Intervals: {'; '.join(methods)}. " if methods else ""
    return f"{said}The seeds of one model on one data set are one run, their mean."


def _seed(one: Plateau) -> int | str:
    """Return the seed of a plateau's fit."""
    return one.fit.seed if one.fit is not None else "–"


def _data(table: Sequence[Stored]) -> dict[str, Any]:
    """Return the results as rows of text with their raw values, and the file of them."""
    rows = [
        {
            "run": f"{row.people:,} people, seed {row.seed}",
            "cells": [
                (format_count(row.params), f"{row.params:.9g}"),
                (f"{row.exposures:,.0f}", f"{row.exposures:.9g}"),
                (minus(f"{row.bits:.3f}"), f"{row.bits:.9g}"),
                (f"{row.demand:.3f}", f"{row.demand:.9g}"),
                (minus(f"{100 * row.bits / row.demand:.1f}"), ""),
            ],
        }
        for row in table[:MOST]
    ]
    content = base64.b64encode(_csv(table).encode()).decode()
    return {
        "heads": [
            ("params", ""),
            ("exposures", ""),
            ("stored", "bits per param"),
            ("demanded", "bits per param"),
            ("share", "%"),
        ],
        "first": rows[:FIRST],
        "rest": rows[FIRST:],
        "total": f"{len(table):,}",
        "shown": f"{len(rows):,}" if len(rows) < len(table) else "",
        "href": f"data:text/csv;charset=utf-8;base64,{content}",
        "file": TABLE,
    }


def _csv(table: Sequence[Stored]) -> str:
    """Return the results as a table that reads back digit by digit; the unknown is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in table:
        known = ("" if math.isnan(v) else repr(v) for v in (row.embedding_share, row.steps))
        writer.writerow(
            [row.people, repr(row.params), repr(row.exposures), row.seed, repr(row.bits),
             repr(row.demand), *known]
        )  # fmt: skip
    return out.getvalue()
