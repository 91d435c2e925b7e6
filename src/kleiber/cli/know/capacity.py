"""kleiber know capacity: a grid of models, their bits, and the plateau."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.cli.know.options import Changes
from kleiber.cli.know.screen import bits_of
from kleiber.cli.output import command, print_json, say
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.judging.capacity import Plateau


def capacity(
    *,
    preset: str = "cpu",
    out: str = "kleiber-capacity",
    seeds: int | None = None,
    changes: Changes | None = None,
    jobs: int | None = None,
    device: str = "cpu",
    glances: int = 0,
    level: float = 0.9,
    json: bool = False,
) -> None:
    """Train and measure a preset's grid, and fit the plateau of bits per parameter.

    Finished runs in the folder are kept and unfinished ones go on, so the same command resumes.

    Parameters
    ----------
    preset
        A preset's name, or a TOML file of your own.
    out
        Folder of the runs, the table, the picture and the page.
    seeds
        Seeds of every cell; each has people, order and initialisation of its own.
    jobs
        Trainings at once [default: one a core].
    device
        Where to train: cpu or cuda.
    glances
        Measurements on the way, to watch the bits rise.
    level
        Coverage of the intervals.
    json
        Print one JSON object instead of text.
    """
    from kleiber.cli.know.watch import train_cells
    from kleiber.judging.capacity import fit_plateaus
    from kleiber.knowledge.preset import preset as named

    chosen = named(preset)
    asked = changes or Changes()
    cells = asked.sized(chosen.cells(seeds=seeds, **asked.settings()), quiet=json)
    folder = Path(out)
    if (folder / "run.json").exists():
        raise InputError(
            f"'{folder}' holds a run, not a grid of runs; nothing was changed.",
            remedy="Name another folder, or measure that run with kleiber know measure.",
        )
    folders = [folder / cell.name for cell in cells]
    rows = train_cells(cells, folders, jobs=jobs, device=device, glances=glances, quiet=json)
    sizes = {(row["people"], row["params"]) for row in rows}
    people = all("bits_per_param" in row for row in rows)  # random strings have no such law
    plateaus = fit_plateaus(rows, level=level) if people else ()
    written = _leave(folder, rows, plateaus, level=level, quiet=json)
    if json:
        print_json(
            {
                "schema": "kleiber.capacity/1",
                "preset": chosen.name,
                "runs": rows,
                **(_plateau_of(plateaus) if plateaus and len(sizes) > 1 else {}),
                "command": command(),
            }
        )
        return
    print(table(rows))
    if len(sizes) > 1:
        for plateau in plateaus:
            print(plateau.text())
    say(f"wrote {', '.join(map(str, written))}")


def table(rows: list[dict[str, Any]]) -> str:
    """Return measured runs as lines, seeds of one cell with their mean and spread."""
    head = (
        f"{'people':>8}{'params':>10}{'exposures':>10}{'steps':>9}{'seed':>5}"
        f"{'bits/param':>12}{'of data':>9}{'correct':>9}{'unseen':>8}{'random':>8}"
    )
    nothing = float("nan")
    lines: list[str] = []
    for row in rows:
        bits, most = bits_of(row) or (nothing, nothing)
        controls, right = row["controls"], row.get("accuracy", row.get("whole", nothing))
        lines.append(
            f"{row['people']:>8,}{row['params']:>10,}{row['exposures']:>10,}{row['steps']:>9,}"
            f"{row['seed']:>5}{bits:>12.3f}{most:>9.2f}{right:>9.1%}"
            f"{controls.get('unseen', nothing):>8.2f}{controls.get('random', nothing):>8.2f}"
        )
    return "\n".join([head, *lines, *_means(rows), *_diverged(rows)])


def _diverged(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line for every run that ended below where it began."""
    found: list[str] = []
    for row in rows:
        bits, began = (bits_of(row) or (0.0, 0.0))[0], row["controls"].get("random")
        if began is not None and bits < min(2 * began, began - 0.5):
            found.append(
                f"{row['run']} ended far below the untrained model ({bits:.2f} against "
                f"{began:.2f}): it diverged, so this measures no capacity; lower --lr"
            )
    return found


def _means(rows: list[dict[str, Any]]) -> list[str]:
    """Return the mean over seeds of every cell that has several."""
    import numpy as np

    cells: dict[tuple[int, int, int, int], list[float]] = {}
    for row in rows:
        cell = (row["people"], row["params"], row["exposures"], row["steps"])
        cells.setdefault(cell, []).append((bits_of(row) or (np.nan, np.nan))[0])
    return [
        f"mean of {len(bits)} seeds at {people:,} people, {params:,} params, {exposures:,} "
        f"exposures, {steps:,} steps: {np.mean(bits):.3f} bits/param, standard deviation "
        f"{np.std(bits, ddof=1):.3f}"
        for (people, params, exposures, steps), bits in cells.items()
        if len(bits) > 1
    ]


def _plateau_of(plateaus: tuple[Plateau, ...]) -> dict[str, Any]:
    """Return the plateau at most exposures, and all of them where there are several."""
    found: dict[str, Any] = {"plateau": plateaus[0].to_dict()}
    if len(plateaus) > 1:
        found["plateaus"] = [plateau.to_dict() for plateau in plateaus]
    return found


def _leave(
    folder: Path,
    rows: list[dict[str, Any]],
    plateaus: tuple[Plateau, ...],
    *,
    level: float,
    quiet: bool,
) -> list[Path]:
    """Write the table as JSON lines, and the picture and the page where they can be drawn.

    Rows that an earlier grid left in the folder stay, and are drawn with these.
    """
    import json

    from kleiber.errors import KleiberError
    from kleiber.fitting.store import plain
    from kleiber.judging.capacity import fit_plateaus

    table, picture, page = (folder / f"capacity.{kind}" for kind in ("jsonl", "svg", "html"))
    earlier = _earlier(table, {row["run"] for row in rows})
    rows = rows + earlier
    lines = "".join(json.dumps(plain(row)) + "\n" for row in rows)
    table.write_text(lines, encoding="utf-8")
    for old in (picture, page):  # of other rows than these
        old.unlink(missing_ok=True)
    if not all("bits_per_param" in row for row in rows):
        return [table]
    if earlier:
        plateaus = fit_plateaus(rows, level=level)
    try:
        from kleiber.charts.capacity import draw_capacity
        from kleiber.charts.save import save_chart
        from kleiber.reporting.capacity import write_capacity

        save_chart(draw_capacity(rows, plateaus), picture)
        write_capacity(rows, page, plateaus, command=command())
    except KleiberError as error:  # an extra is missing, or there is nothing to draw
        if not quiet:
            say(f"no picture: {error}")
        return [path for path in (table, picture) if path.exists()]
    return [table, picture, page]


def _earlier(table: Path, names: set[str]) -> list[dict[str, Any]]:
    """Return the rows of a table that are of other runs; a torn line is left out."""
    import json

    found: list[dict[str, Any]] = []
    for line in table.read_text(encoding="utf-8").splitlines() if table.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and row.get("run") not in names:
            found.append(row)
    return found
