"""kleiber data: public sets of training runs by name."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from kleiber.cli.output import command, print_json, say

if TYPE_CHECKING:
    from kleiber.runs.sets.compare import Compared
    from kleiber.runs.sets.record import Collection


def data(
    action: Literal["list", "get", "compare"] = "list",
    name: str | None = None,
    /,
    *,
    source: Annotated[str | None, Parameter(name="--from")] = None,
    out: str | None = None,
    json: bool = False,
) -> None:
    """List the public sets or the families of one, get one, or compare ColPret's two forms.

    Parameters
    ----------
    action
        list, get or compare.
    name
        A set, such as colpret.
    source
        A local copy instead of the public address: a folder of sets, of one, or a clone.
    out
        Folder to put the set in [default: the user's cache]; for compare a file to write.
    json
        Print one JSON object instead of text.
    """
    if action == "get":
        _get(name, source, out, json=json)
    elif action == "compare":
        _compare(name, source, out, json=json)
    elif name is None:
        _list(json=json)
    else:
        _families(name, json=json)


def _list(*, json: bool) -> None:
    from kleiber.runs.collections import COLLECTIONS

    if json:
        print_json(
            {
                "schema": "kleiber.data-list/1",
                "sets": [_record(one) for one in COLLECTIONS],
                "command": command(),
            }
        )
        return
    rows = [
        (
            one.name,
            f"{one.counts['rows']:,}",
            f"{one.counts['runs']:,}",
            str(len(one.families)),
            one.licence.split(";")[0],
            ", ".join(one.units),
        )
        for one in COLLECTIONS
    ]
    _print_table(("set", "rows", "runs", "families", "licence", "units as published"), rows)
    print("\nkleiber data list NAME shows its families, kleiber data get NAME fetches it")


def _families(name: str, *, json: bool) -> None:
    from kleiber.runs.collections import collection

    found = collection(name)
    if json:
        print_json(
            {
                "schema": "kleiber.data-families/1",
                **_record(found),
                "families": [
                    {
                        "name": one.name,
                        "metric": one.metric,
                        "unit": one.unit,
                        "cluster": one.cluster,
                        "points": one.points,
                        "cross_entropy": one.cross_entropy,
                        "reason": one.reason,
                        "duplicate_of": one.duplicate_of,
                        "apart": one.apart,
                        "note": one.note,
                    }
                    for one in found.families
                ],
                "command": command(),
            }
        )
        return
    print(f"{found.title}\n{found.cite}\nlicence: {found.licence}\nbeware: {found.beware}\n")
    rows = [
        (
            one.name,
            one.unit,
            "yes" if one.cross_entropy else "no",
            one.points,
            one.reason or one.apart or _same(one.duplicate_of) or one.note,
        )
        for one in found.families
    ]
    _print_table(("family", "unit", "cross-entropy", "points", "note"), rows)


def _same(duplicate_of: str) -> str:
    return f"same numbers as {duplicate_of}" if duplicate_of else ""


def _get(name: str | None, source: str | None, out: str | None, *, json: bool) -> None:
    from kleiber.errors import UsageError
    from kleiber.runs.collections import COLLECTIONS, collection, fetch
    from kleiber.runs.sets.fetch import said

    if name is None:
        raise UsageError(
            "kleiber data get needs the name of a set.",
            remedy=f"The sets are {', '.join(one.name for one in COLLECTIONS)}.",
        )
    got = fetch(collection(name), source, out)
    if json:
        print_json(
            {
                "schema": "kleiber.data-get/1",
                "set": name,
                "folder": str(got.folder),
                "written": list(got.written),
                "kept": list(got.kept),
                "left_out": [{"file": file, "reason": why} for file, why in got.left_out],
                "command": command(),
            }
        )
        return
    for file, why in got.left_out:
        say(f"left-out: {file}: {why}")
    print(said(got))


def _compare(name: str | None, source: str | None, out: str | None, *, json: bool) -> None:
    from kleiber.errors import UsageError
    from kleiber.runs.collections import cache_folder
    from kleiber.runs.sets.compare import compare
    from kleiber.runs.sets.folder import Folder

    if name not in (None, "colpret"):
        raise UsageError(
            f"'{name}' has one form only.", remedy="Write kleiber data compare colpret."
        )
    found = compare(Folder("colpret", Path(source) if source else cache_folder()))
    if out:
        _write(found, Path(out))
        say(f"wrote {out}")
    if json:
        rows = [one.to_dict() for one in found]
        print_json({"schema": "kleiber.data-compare/1", "families": rows, "command": command()})
        return
    rows = [
        (one.family, f"{one.tidy_rows:,}", f"{one.original_rows:,}", one.difference or "equal")
        for one in found
    ]
    _print_table(("family", "tidy rows", "original rows", "difference"), rows)


def _write(found: tuple[Compared, ...], target: Path) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("family", "tidy_rows", "original_rows", "difference"))
        for one in found:
            lines.writerow((one.family, one.tidy_rows, one.original_rows, one.difference))


def _record(found: Collection) -> dict[str, object]:
    """Return a set without its families as plain data."""
    return {
        "name": found.name,
        "title": found.title,
        "repository": found.repository,
        "commit": found.commit,
        "licence": found.licence,
        "cite": found.cite,
        "good_for": found.good_for,
        "beware": found.beware,
        "counts": dict(found.counts),
        "families": len(found.families),
        "units": list(found.units),
        "files": len(found.files),
        "bytes": sum(file.size for file in found.files),
    }


def _print_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print aligned columns; those of numbers to the right."""
    widths = [max(len(line[i]) for line in (head, *rows)) for i in range(len(head))]
    for line in (head, *rows):
        cells = [
            cell.rjust(width) if rows and rows[0][i][:1].isdigit() else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
