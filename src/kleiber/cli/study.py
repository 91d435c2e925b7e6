"""kleiber study: a result made again."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kleiber.cli.pricing import Pricing
from kleiber.cli.twelve import FOLDER, Twelve, draw, report, twelve
from kleiber.errors import UsageError

if TYPE_CHECKING:
    from kleiber.studies.table import Book, Table

RESULTS = "capacity"
TRAINED = (
    *("capacity-cpu", "capacity-curve", "capacity-exposures", "capacity-roundings"),
    "capacity-law",
    *("capacity-controls", "capacity-extraction"),
)
OF_LADDERS = ("paradigms", "crossovers", "text-floor")


def study(
    name: str | None = None,
    /,
    *,
    data: Annotated[str | None, Parameter(name=("--data", "--from"))] = None,
    out: str | None = None,
    as_published: bool = False,
    repeats: int | None = None,
    seed: int = 0,
    results: Twelve | None = None,
    pricing: Pricing | None = None,
    json: bool = False,
) -> None:
    """Re-make a result on real or simulated runs and print its table; no name lists them.

    Parameters
    ----------
    data
        Folder of the published runs [default: $KLEIBER_DATA or
        ../shared/data]; of a study that trains, of its runs
        [default: named like kleiber-curve, and of capacity
        kleiber-results]; of capacity-roundings, of the runs to
        round [default: kleiber-curve]; of capacity-law, of the
        tables [default: results].
    out
        Folder to write the table to, with its command, versions and date.
    as_published
        Of the guide: only its printed cells, made again by its own procedure.
    repeats
        Repeats of a simulated study [default: 500; 100 for findings, 250 a
        row for crossover-detector].
    seed
        Seed of a simulated study.
    json
        Print one JSON object instead of text.
    """
    from kleiber.cli.output import command, print_json, say
    from kleiber.studies import NAMES
    from kleiber.studies.table import Table

    if name is None:
        print("\n".join(f"{known:<20}{said}" for known, said in NAMES.items()))
        return
    if name not in NAMES:
        raise UsageError(
            f"There is no study '{name}'; the studies are {', '.join(NAMES)}.",
            remedy="Use one of those names.",
        )
    if as_published and name != "guide":
        raise UsageError(
            f"--as-published is of the study 'guide', and '{name}' was asked for.",
            remedy="Leave it out, or write kleiber study guide --as-published.",
        )
    asked, rates = results or Twelve(), pricing or Pricing()
    _check_asked(name, asked, rates)
    table = (
        twelve(asked, Path(data or FOLDER), Path(out) if out else None, rates)
        if name == RESULTS
        else _trained(name, data)
        if name in TRAINED
        else _of_ladders(name, data, asked)
        if name in OF_LADDERS
        else _simulated(name, repeats, seed)
        if name in ("interval-coverage", "findings", "crossover-detector")
        else _of_runs(name, data, as_published)
    )
    if out:  # before the table is printed: a reader that leaves early loses nothing
        say(f"wrote {table.write(Path(out))}")
        side_by_side = report(Path(out), asked.preset) if name == RESULTS else None
        if side_by_side is not None and not asked.all:
            say(f"wrote {side_by_side.write(Path(out))}")
        if name == RESULTS and isinstance(table, Table) and "compared" in table.extra:
            say(f"drew {draw(table, Path(out))}")
        for drawn in _draw(name, table.extra, Path(out) / name):
            say(f"drew {drawn}")
    if json:
        # The table's own command is the one of results/; here it is the one that was typed.
        content = {**table.content(), "command": command()}
        print_json({"schema": "kleiber.study/1", "study": name, **content})
    else:
        print(table.markdown())


def _simulated(name: str, repeats: int | None, seed: int) -> Table:
    """Make a study that draws its runs from a known law."""
    if name == "interval-coverage":
        from kleiber.studies.interval_coverage import run as simulate

        return simulate(repeats=repeats or 500, seed=seed)
    if name == "crossover-detector":
        from kleiber.studies.crossover_detector import run as cross

        return cross(repeats=repeats or 250, seed=seed, progress=_progress)
    from kleiber.studies.findings import run as raise_alarms

    return raise_alarms(faulty=repeats or 100, seed=seed)


def _trained(name: str, data: str | None) -> Table | Book:
    """Make a study that trains its runs, in a folder that it goes on in."""
    from kleiber.cli.know.watch import train_cells
    from kleiber.cli.output import say

    if name == "capacity-law":
        from kleiber.studies.capacity_law import run as fit_law

        return fit_law(Path(data or "results"))
    if name == "capacity-roundings":
        from kleiber.studies.capacity_roundings import run as round_all

        folder = Path(data or "kleiber-curve")
        kept = Path(f"{folder.resolve()}-roundings" if data else "kleiber-roundings")
        return round_all(folder, kept, progress=_progress)
    preset = name.removeprefix("capacity-")
    folder = Path(data or f"kleiber-{preset}")
    if preset == "controls":
        from kleiber.studies.capacity_controls import run as train_and_measure

        return train_and_measure(folder, train=train_cells)
    if preset == "extraction":
        from kleiber.studies.capacity_extraction import run as train_and_ask

        return train_and_ask(folder, train=train_cells, progress=_progress, say=say)
    from kleiber.studies.capacity_curve import run as train_grid

    return train_grid(folder, preset=preset, train=train_cells)


def _check_asked(name: str, asked: Twelve, rates: Pricing) -> None:
    """Refuse options of another study."""
    if name == RESULTS:
        return
    if name == "crossovers":
        asked = replace(asked, preset=Twelve.preset, device=None, jobs=None)
    if name in ("paradigms", "text-floor"):
        asked = replace(asked, jobs=None)
    if asked != Twelve() or rates != Pricing():
        raise UsageError(
            "--result, --all and prices are of the study 'capacity', --preset and --device also of "
            "'crossovers', --jobs also of 'paradigms' and 'text-floor', "
            f"and '{name}' was asked for.",
            remedy=f"Leave them out, or write kleiber study {RESULTS} --result 8.",
        )


def _of_ladders(name: str, data: str | None, asked: Twelve) -> Book:
    """Make a study that trains ladders, in a folder that it goes on in."""
    from kleiber.cli.ladder.screen import trained

    if name == "paradigms":
        from kleiber.studies.paradigms.study import run as turn_dials

        return turn_dials(Path(data or "kleiber-paradigms"), jobs=asked.jobs, train=trained)
    if name == "text-floor":
        from kleiber.studies.text_floor import run as find_floors

        return find_floors(Path(data or "kleiber-floor"), jobs=asked.jobs, train=trained)
    from kleiber.studies.crossovers.cases import cases
    from kleiber.studies.crossovers.study import name_of
    from kleiber.studies.crossovers.study import run as cross_ladders

    declared = cases(asked.preset)
    return cross_ladders(
        Path(data or f"kleiber-{name_of(declared)}"),
        declared,
        jobs=asked.jobs,
        train=partial(trained, device=asked.device or declared.device),
        progress=_progress,
    )


def _of_runs(name: str, data: str | None, as_published: bool) -> Table | Book:
    """Make a study of published runs."""
    from kleiber.errors import InputError

    folder = Path(data or os.environ.get("KLEIBER_DATA", "../shared/data"))
    if not folder.is_dir():
        raise InputError(
            f"The study '{name}' reads published runs, and there is no folder '{folder}'.",
            remedy="Say where they are with --data DIR (or --from DIR), or in $KLEIBER_DATA.",
        )
    if name == "guide":
        from kleiber.studies.guide.study import run

        return run(folder, as_published=as_published, progress=_progress)
    return importlib.import_module(f"kleiber.studies.{name.replace('-', '_')}").run(folder)


def _progress(step: str) -> None:
    """Show where a long study is on one line of a terminal; a log is left alone."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{step[:76]}", end="", file=sys.stderr, flush=True)


def _draw(name: str, extra: Mapping[str, Any], stem: Path) -> list[Path]:
    """Draw what a study has to show beside its table."""
    from kleiber.charts import draw_capacity, draw_filling, draw_promises, save_chart
    from kleiber.judging.capacity import fit_plateaus

    charts: dict[str, Any] = {}
    if name == "plan":
        charts[""] = draw_promises(extra["calibration"])
    elif name == "capacity-curve":
        plateaus = fit_plateaus(extra["runs"])
        charts[""] = draw_capacity(extra["runs"], plateaus)
        charts["-filling"] = draw_filling(extra["runs"], plateaus)
    elif name in OF_LADDERS and "drawn" in extra:
        charts = _of_ladders_drawn(name, extra["drawn"])
    elif name == "capacity-law":
        from kleiber.charts.knowledge import drawings

        charts = drawings(extra["drawn"])
    paths = [stem.with_name(f"{stem.name}{which}.svg") for which in charts]
    for chart, path in zip(charts.values(), paths, strict=True):
        save_chart(chart, path)
    return paths


def _of_ladders_drawn(name: str, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return the charts of a study of ladders by the end of their files' names."""
    from kleiber.charts import draw_difference, draw_paradigm

    if name == "paradigms":
        return {
            f"-{which}": draw_paradigm(
                one["rows"], dial=one["dial"], said=one["said"], title=one["title"]
            )
            for which, one in drawn.items()
        }
    return {
        f"-{which.lower()}": draw_difference(
            one["rows"], a=one["a"], b=one["b"], crossing=one["crossing"], title=one["title"],
            known=one.get("known"),
        )
        for which, one in drawn.items()
    }  # fmt: skip
