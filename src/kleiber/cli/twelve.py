"""The twelve results of knowledge capacity on the command line: what to train, or to price."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kleiber.cli.output import say
from kleiber.cli.pricing import Pricing
from kleiber.errors import UsageError

if TYPE_CHECKING:
    from kleiber.studies.table import Table

FOLDER = "kleiber-results"


@Parameter(name="*")
@dataclass(frozen=True)
class Twelve:
    """What is asked of the study of the twelve results."""

    result: int | None = None
    "Of capacity: the number of the result to train, compare and judge, 1 to 12."
    all: Annotated[bool, Parameter(name="--all", negative="")] = False
    "Of capacity: all twelve, one after another, and a report of them."
    preset: str = "cpu"
    "Of capacity: cpu, gpu, or paper, a plan with its price; of crossovers: cpu or gpu."
    device: str | None = None
    "Of capacity and crossovers: where to train, cpu or cuda [default: the preset's]."
    jobs: int | None = None
    "Of capacity, crossovers and paradigms: trainings at once [default: one a core; 4 on a GPU]."


def twelve(asked: Twelve, folder: Path, out: Path | None, pricing: Pricing) -> Table:
    """Make one result, or all of them and their report; at the preset paper, price them."""
    from kleiber.studies.capacity import PLANNED, check_preset

    check_preset(asked.preset)
    if asked.all == (asked.result is not None):
        raise UsageError(
            "--result and --all are both given; one is expected."
            if asked.all
            else "No result is named, of the twelve that there are.",
            remedy="Write kleiber study capacity --result 8, or --all.",
        )
    if asked.preset == PLANNED:
        return _priced(asked, out, pricing)
    if pricing != Pricing():
        raise UsageError(
            f"Prices are given, and the preset {asked.preset} has none: it trains.",
            remedy=f"Leave them out, or write --preset {PLANNED}.",
        )
    return _trained(asked, folder, out)


def report(folder: Path, preset: str) -> Table | None:
    """Return all results side by side, as far as their tables lie in a folder; of a plan none."""
    from kleiber.studies.capacity import PLANNED

    if preset == PLANNED:
        return None
    from kleiber.studies.capacity.report import report as side_by_side

    return side_by_side(folder, preset=preset)


def draw(table: Table, folder: Path) -> Path:
    """Draw a result's ratios beside its table."""
    from kleiber.charts import draw_ratios, save_chart

    path = folder / f"{table.name}.svg"
    save_chart(draw_ratios(table.extra["compared"], title=table.title), path)
    return path


def _trained(asked: Twelve, folder: Path, out: Path | None) -> Table:
    from functools import partial

    from kleiber.cli.know.watch import train_cells
    from kleiber.studies.capacity import NUMBERS, declared
    from kleiber.studies.capacity.report import report as side_by_side
    from kleiber.studies.capacity.scale import scale
    from kleiber.studies.capacity.study import run

    at = scale(asked.preset)
    device = asked.device or at.device
    if device == "cpu" != at.device:
        raise UsageError(
            f"The device is cpu, and the preset {asked.preset} is of models that take weeks there.",
            remedy="Leave --device out and run it where there is an NVIDIA GPU, or take --preset "
            "cpu.",
        )
    make = partial(
        run,
        folder=folder,
        preset=asked.preset,
        jobs=asked.jobs or at.jobs,
        train=partial(train_cells, device=device),
        device=device,
        say=say,
    )
    if asked.result is not None:
        return make(declared(asked.result, asked.preset))
    tables = out or folder / "tables"
    for number in NUMBERS:
        if number not in at.omitted:
            table = make(declared(number, asked.preset))
            say(f"wrote {table.write(tables)}")
            say(f"drew {draw(table, tables)}")
    return side_by_side(tables, preset=asked.preset)


def _priced(asked: Twelve, out: Path | None, pricing: Pricing) -> Table:
    from kleiber.planning.cost import prices
    from kleiber.studies.capacity.price import plan, plan_all, write_presets

    if asked.device is not None or asked.jobs is not None:
        raise UsageError(
            "--device and --jobs are of training, and the preset paper trains nothing.",
            remedy="Leave them out.",
        )
    rates = pricing.prices() or prices()
    if asked.result is None:
        return plan_all(rates)
    table = plan(asked.result, rates)
    if out is not None and table.rows:
        say(f"wrote {write_presets(asked.result, out)}, a preset a run")
    return table
