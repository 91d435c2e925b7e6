"""kleiber study: a result made again."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def study(
    name: str | None = None,
    /,
    *,
    data: str | None = None,
    out: str | None = None,
    repeats: int | None = None,
    seed: int = 0,
) -> None:
    """Re-make a result on real or simulated runs and print its table; no name lists them.

    Parameters
    ----------
    data
        Folder of the published runs [default: $KLEIBER_DATA or ../shared/data]; of
        the capacity studies, the folder of the runs that they train [default: kleiber-controls,
        kleiber-curve, kleiber-cpu].
    out
        Folder to write the table to, with its command, versions and date.
    repeats
        Repeats of a simulated study [default: 500; 100 for findings].
    seed
        Seed of a simulated study.
    """
    from kleiber.cli.output import say
    from kleiber.errors import InputError, UsageError
    from kleiber.studies import NAMES

    if name is None:
        print("\n".join(f"{known:<20}{said}" for known, said in NAMES.items()))
        return
    if name not in NAMES:
        raise UsageError(
            f"There is no study '{name}'; the studies are {', '.join(NAMES)}.",
            remedy="Use one of those names.",
        )
    if name == "interval-coverage":
        from kleiber.studies.interval_coverage import run as simulate

        table = simulate(repeats=repeats or 500, seed=seed)
    elif name == "findings":
        from kleiber.studies.findings import run as raise_alarms

        table = raise_alarms(faulty=repeats or 100, seed=seed)
    elif name == "capacity-controls":
        from kleiber.studies.capacity_controls import run as train_and_measure

        table = train_and_measure(Path(data or "kleiber-controls"))
    elif name in ("capacity-curve", "capacity-cpu"):
        from kleiber.studies.capacity_curve import run as train_grid

        preset = name.removeprefix("capacity-")
        table = train_grid(Path(data or f"kleiber-{preset}"), preset=preset)
    else:
        folder = Path(data or os.environ.get("KLEIBER_DATA", "../shared/data"))
        if not folder.is_dir():
            raise InputError(
                f"The study '{name}' reads published runs, and there is no folder '{folder}'.",
                remedy="Say where they are with --data DIR.",
            )
        table = importlib.import_module(f"kleiber.studies.{name.replace('-', '_')}").run(folder)
    if out:  # before the table is printed: a reader that leaves early loses nothing
        say(f"wrote {table.write(Path(out))}")
        if name == "capacity-curve":
            for drawn in _draw_capacity(table.extra["runs"], Path(out) / name):
                say(f"drew {drawn}")
    print(table.markdown())


def _draw_capacity(runs: Sequence[Mapping[str, Any]], stem: Path) -> list[Path]:
    """Draw a capacity curve beside its table: bits against parameters, and against R^max."""
    from kleiber.charts import draw_capacity, draw_filling, save_chart
    from kleiber.judging.capacity import fit_plateaus

    plateaus = fit_plateaus(runs)
    charts = {"": draw_capacity(runs, plateaus), "-filling": draw_filling(runs, plateaus)}
    paths = [stem.with_name(f"{stem.name}{which}.svg") for which in charts]
    for chart, path in zip(charts.values(), paths, strict=True):
        save_chart(chart, path)
    return paths
