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
    print(table.markdown())
    if out:
        say(f"wrote {table.write(Path(out))}")
        if name == "capacity-curve":
            say(f"drew {_draw_capacity(table.extra['runs'], Path(out) / f'{name}.svg')}")


def _draw_capacity(runs: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Draw a capacity curve beside its table."""
    from kleiber.charts.capacity import draw_capacity
    from kleiber.charts.save import save_chart
    from kleiber.judging.capacity import fit_plateaus

    save_chart(draw_capacity(runs, fit_plateaus(runs)), path)
    return path
