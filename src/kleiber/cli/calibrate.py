"""kleiber calibrate: learn a prior from past families, and earn its intervals on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from kleiber.cli.options import Reading
from kleiber.cli.output import command, print_json, say, say_notes

if TYPE_CHECKING:
    from kleiber.judging.leave_out import Case
    from kleiber.judging.teach import Taught


def calibrate(
    files: Annotated[
        list[str] | None, Parameter(help="Tables of your own past families; a file is a source.")
    ] = None,
    /,
    *,
    folder: Annotated[str | None, Parameter(name="--from")] = None,
    onto: Literal["bundled", "nothing"] = "bundled",
    reading: Reading | None = None,
    out: str | None = None,
    json: bool = False,
) -> None:
    """Learn a prior, leave every source out in turn, and print how the intervals did.

    Without tables: the public sets, which makes the bundled prior again. The file that --out
    writes is what kleiber predict --prior takes.

    Parameters
    ----------
    folder
        Folder of the public sets, to learn from instead of the bundled prior.
    onto
        What your own families are added to: the bundled prior, or nothing.
    out
        File to write the prior and its calibration to.
    json
        Print one JSON object instead of text.
    """
    from kleiber.errors import UsageError
    from kleiber.fitting.bundle import bundle
    from kleiber.judging.coverage import report, rows_of
    from kleiber.judging.leave_out import Case
    from kleiber.judging.teach import add, teach

    if out and not (Path(out).parent.is_dir() and not Path(out).is_dir()):
        raise UsageError(
            f"'{out}' is a folder, or lies in one that does not exist.",
            remedy="Name a file, such as --out prior.json.",
        )
    if not files and folder is None:
        raise UsageError(
            "There is nothing to learn from: neither tables nor --from were given.",
            remedy="Give tables of past families, or --from the folder of the public sets.",
        )
    names = [Path(file).stem for file in files or ()]
    for twice in {name for name in names if names.count(name) > 1}:
        raise UsageError(
            f"Two tables are named '{twice}'; a file is a source and needs a name of its own.",
            remedy="Rename one, or join them where they are of one source.",
        )
    cases: list[Case] = []
    if folder is not None:
        from kleiber.runs.witnesses import witnesses

        found = witnesses(folder, absent=lambda message: say(f"not there: {message}"))
        cases += [Case.of(family.key, family.cluster, runs.points()) for family, runs in found]
    own = [case for file in files or () for case in _own(file, reading)]
    made = {"command": command()}
    taught: Taught = (
        add(bundle(), own, made)
        if own and folder is None and onto == "bundled"
        else teach([*cases, *own], made, "own" if own else "bundled")
    )
    if out:
        say(f"wrote {taught.bundle.write(Path(out))}")
    if json:
        content = {"schema": "kleiber.calibrate/1", **rows_of(taught), "command": command()}
        print_json(content)
    else:
        print(report(taught))


def _own(file: str, reading: Reading | None) -> list[Case]:
    """Return the families of one table; the table is their source."""
    from kleiber.judging.leave_out import Case

    runs = (reading or Reading()).read([file])
    say_notes(runs)
    source = Path(file).stem
    names = runs.families or (source,)
    many = len(names) > 1
    return [
        Case.of(
            f"{source}/{name}" if many else name,
            source,
            (runs.select(family=name) if runs.families else runs).points(),
        )
        for name in names
    ]
