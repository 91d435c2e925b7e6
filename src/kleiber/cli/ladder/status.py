"""kleiber ladder status: what is done, running, failed and left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kleiber.cli.output import print_json
from kleiber.errors import InputError, UsageError

if TYPE_CHECKING:
    from kleiber.judging.compare.collapse import Left
    from kleiber.launching.ladder import Standing
    from kleiber.recipes.rung import Rung

STATES = ("done", "running", "stopped", "failed", "missing")


def status(
    path: str,
    /,
    *,
    out: Annotated[str | None, Parameter(name=("--out", "-o"))] = None,
    json: bool = False,
) -> None:
    """Say what is done, running, failed and left, and about how long the rest takes.

    A rung whose loss curve leaves that of the others is said, also before its end.

    Parameters
    ----------
    path
        The folder that a ladder was trained in, or the ladder's TOML file.
    out
        The folder, where a file was named.
    json
        Print one JSON object instead of text.
    """
    from kleiber.launching.expect import seconds_left

    rungs, folder = _named(path, out)
    odd = _leaving(folder)
    standings = [_standing(rung, folder) for rung in rungs]
    left = seconds_left(standings)
    counts = {state: sum(one.state == state for one in standings) for state in STATES}
    if json:
        print_json(
            {
                "schema": "kleiber.ladder-status/1",
                **counts,
                "seconds_left": left,
                "rungs": [one.to_dict() for one in standings],
                "leaving": [asdict(one) for one in odd],
            }
        )
    else:
        print(text(standings, counts, left))
        for one in odd:
            print(f"  odd       {one}")


def text(standings: Sequence[Standing], counts: dict[str, int], left: float | None) -> str:
    """Return how far each rung is, then the whole."""
    from kleiber.cli.screen import duration

    wide = max(len(one.rung.name) for one in standings)
    lines: list[str] = []
    for one in standings:
        said = one.why
        if one.state == "done":
            said = f"loss {one.loss:.4f} nats, {duration(one.seconds)}"
        elif one.state in ("running", "stopped"):
            said = f"{one.share:.0%} of {one.rung.steps:,} steps"
        lines.append(f"{one.rung.name:<{wide}}  {one.state:<8} {said}".rstrip())
    total = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    still = sum(counts[state] for state in ("running", "stopped", "missing"))
    if still:
        total += f"; {'unknown time' if left is None else f'about {duration(left)}'} left, one "
        total += "after the other"
    return "\n".join([*lines, total])


def _named(path: str, out: str | None) -> tuple[Sequence[Rung], Path]:
    """Return the rungs and the folder of what was named."""
    from kleiber.launching.index import read_index
    from kleiber.recipes.ladder import ladder

    if Path(path).is_dir():
        if out is not None:
            raise UsageError(
                f"'{path}' is a ladder's folder already, and --out names another.",
                remedy="Leave --out out, or name the ladder's file.",
            )
        return read_index(Path(path)), Path(path)
    made = ladder(path)
    if out is None:
        raise UsageError(
            f"'{path}' is a ladder's file; it does not say where it was trained.",
            remedy="Name the folder with --out.",
        )
    return made.rungs, Path(out)


def _leaving(folder: Path) -> Sequence[Left]:
    """Return the rungs whose loss curve leaves that of the others, finished or not."""
    from kleiber.judging.compare.collapse import leaving
    from kleiber.runs import Runs

    try:
        return leaving(Runs.read(folder))
    except InputError:  # no rung has a point yet, or a folder is torn and said above
        return []


def _standing(rung: Rung, folder: Path) -> Standing:
    """Return how far a rung is; a folder that cannot be read is that rung's failure alone."""
    from kleiber.launching.ladder import Standing, standing

    try:
        return standing(rung, folder)
    except InputError as error:
        return Standing(rung, "failed", why=str(error))
