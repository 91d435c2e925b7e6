"""Public sets by name: from files as published to Runs, one named metric a family.

A set is read from a folder (one that holds the folders of several sets, the set's own, or a
copy of its publisher's repository), else from $KLEIBER_DATA, else from the user's cache,
which ``fetch`` fills. No set ships with the package.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from kleiber.errors import InputError, UnitError, UsageError, ValuesError
from kleiber.runs.notes import Note, listing
from kleiber.runs.sets import (
    chinchilla,
    clark,
    colpret,
    gadre,
    misfitting,
    olmo_ladder,
    open_athena,
    small,
)
from kleiber.runs.sets.fetch import Got, cache_folder, fetch
from kleiber.runs.sets.folder import Folder
from kleiber.runs.sets.record import Collection, Family, File, Part
from kleiber.runs.table import Runs
from kleiber.units import NATS, ParamsAre

__all__ = [
    "COLLECTIONS",
    "Collection",
    "Family",
    "File",
    "Got",
    "cache_folder",
    "collection",
    "cross_entropies",
    "family",
    "fetch",
    "load",
    "values",
]

COLLECTIONS: tuple[Collection, ...] = (
    chinchilla.EPOCH,
    open_athena.SET,
    misfitting.SET,
    gadre.SET,
    olmo_ladder.SET,
    clark.SET,
    small.MULTI_POWER_LAW,
    small.TOY_WIKITEXT,
    chinchilla.KYO_TAKANO,
    small.OBS_SCALING,
    colpret.SET,
    chinchilla.BENCH,
)
# Columns of readings that Runs knows beside run, params, tokens and loss.
_FIELDS = (
    *("family", "recipe", "seed", "step", "flops", "params_nonembed", "unique_tokens", "experts"),
    *("lr", "final", "synthetic"),
)
Place = str | os.PathLike[str] | None


def collection(name: str) -> Collection:
    """Return a set by its name; UsageError that lists the names otherwise."""
    by_name = {one.name: one for one in COLLECTIONS}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=2)
        close = f" (close: {', '.join(near)})" if near else ""
        raise UsageError(
            f"There is no set '{name}'{close}.", remedy=f"The sets are {', '.join(by_name)}."
        )
    return by_name[name]


def family(name: str, family: str) -> Family:
    """Return the record of a set's family; UsageError that lists near names otherwise."""
    there = {one.name: one for one in collection(name).families}
    if family not in there:
        near = difflib.get_close_matches(family, there, n=5, cutoff=0.3) or list(there)
        raise UsageError(
            f"The set {name} has no family '{family}'.",
            remedy=f"Its {len(there)} families are shown by kleiber data list {name}; near are "
            f"{listing(near)}.",
        )
    return there[family]


def values(name: str, family: str | None = None, folder: Place = None) -> pl.DataFrame:
    """Return a set's readings as published, in the published unit: one row a reading.

    Columns are family, metric, unit, run, params, tokens, value, and what the files have of
    step, recipe, seed, flops, epochs, unique_tokens, experts, lr. Unknown numbers are null.
    Raises UsageError for an unknown name, InputError for files that are not there.
    """
    found = collection(name)
    wanted = None if family is None else (_record(name, family).name,)
    tables = [table for _, table in _tables(found, _folder(found, folder), wanted)]
    rows = pl.concat(tables, how="diagonal_relaxed")
    known = pl.DataFrame(
        {
            "family": [one.name for one in found.families],
            "__metric__": [one.metric for one in found.families],
            "unit": [str(one.unit) for one in found.families],
        }
    )
    rows = rows.join(known, on="family", how="left", maintain_order="left")
    metric = pl.col("metric") if "metric" in rows.columns else pl.lit(None, dtype=pl.String)
    rows = rows.with_columns(pl.coalesce(metric, "__metric__").alias("metric"))
    first = ["family", "metric", "unit", "run", "params", "tokens", "value"]
    return rows.select(*first, pl.exclude(*first, "__metric__"))


def load(
    name: str,
    family: str | None = None,
    folder: Place = None,
    *,
    as_published: bool = False,
    params_are: ParamsAre | None = None,
) -> Runs:
    """Return a family of a set as Runs, in nats; without a family all its cross-entropies.

    Parameters
    ----------
    folder
        Where the files are; by default $KLEIBER_DATA, then the cache.
    as_published
        Keep the numbers of another unit as they are, as if they were nats: what a reader who
        does not know the unit gets. A note says so.
    params_are
        What params count, of families whose files do not say it.

    Raises
    ------
    UsageError
        For an unknown set or family, and for ``params_are`` against what the files say.
    UnitError
        For a family that no unit turns into nats, such as accuracies: ``values`` has it.
    InputError
        For files that are not there.
    """
    found = collection(name)
    record = None if family is None else _record(name, family)
    where = _folder(found, folder)
    if record is not None:
        ((_, rows),) = _tables(found, where, (record.name,))
        return _runs(record, rows, where.differs, as_published=as_published, params_are=params_are)
    records = {one.name: one for one in found.families if one.cross_entropy and _is_readable(one)}
    if not records:
        raise UnitError(
            f"The set {name} has no cross-entropy that can be read as nats.",
            remedy="kleiber.runs.collections.values gives its numbers as published.",
        )
    parts = [
        _runs(records[key], rows, where.differs, as_published=as_published, params_are=params_are)
        for _, table in _tables(found, where, tuple(records))
        for (key,), rows in table.group_by("family", maintain_order=True)
    ]
    return parts[0] if len(parts) == 1 else _together(name, parts)


def cross_entropies(
    folder: Place = None,
    *,
    least_sizes: int = 3,
    sets: Sequence[str] | None = None,
    duplicates: bool = False,
    absent: Callable[[str], None] | None = None,
) -> Iterator[tuple[Family, Runs]]:
    """Yield every family of trained models whose values are cross-entropies, with its Runs.

    Families of fewer sizes than ``least_sizes``, and those that another family repeats, are
    left out. Each table is read once. With ``absent``, what of a set is missing or cannot be
    read is passed over and named to it, as is a file that is read but not the published one,
    and only where nothing is left is that an InputError; without, it is one at once.
    """
    none = True
    for found in COLLECTIONS if sets is None else [collection(name) for name in sets]:
        records = {
            one.name: one
            for one in found.families
            if one.cross_entropy
            and _is_readable(one)
            and one.cluster != "synthetic"
            and (duplicates or not one.duplicate_of)
        }
        if not records:
            continue
        for family in _by_family(found, folder, records, least_sizes, absent):
            none = False
            yield family
    if absent is not None and none:
        raise InputError(
            "None of the public sets is there.",
            remedy="Name the folder that holds theirs, or fetch them with kleiber data get.",
        )


def _by_family(
    found: Collection,
    folder: Place,
    records: Mapping[str, Family],
    least_sizes: int,
    absent: Callable[[str], None] | None,
) -> Iterator[tuple[Family, Runs]]:
    """Yield the families of one set that have enough sizes."""
    try:
        where = _folder(found, folder)
    except InputError as error:
        if absent is None:
            raise
        absent(error.message)
        return
    for _, table in _tables(found, where, tuple(records), absent):
        for (key,), rows in table.group_by("family", maintain_order=True):
            if rows["params"].drop_nulls().n_unique() >= least_sizes:
                record = records[str(key)]
                yield record, _runs(record, rows, where.differs, as_published=False)
    if absent is not None:
        for fault in where.differs:
            absent(f"{fault}; what could be read of it was")


def _record(name: str, wanted: str) -> Family:
    return family(name, wanted)


def _is_readable(record: Family) -> bool:
    """Return whether a family has nats: toy_wikitext, for one, lacks sizes."""
    return record.read_as is not None and record.collection != "toy_wikitext"


def _folder(found: Collection, folder: Place) -> Folder:
    """Return the first place that has any file of the set."""
    chosen = [folder] if folder is not None else [os.environ.get("KLEIBER_DATA"), cache_folder()]
    places = [Path(one) for one in chosen if one]
    for place in places:
        candidate = Folder(found.name, place)
        if any(candidate.find(file.path) for file in found.files):
            return candidate
    looked = listing(f"'{place}'" for place in places)
    raise InputError(
        f"The set {found.name} is not in {looked}.",
        remedy=f"Fetch it with kleiber data get {found.name}, or name the folder that has it"
        f"{' in $KLEIBER_DATA' if folder is None else ''}.",
    )


def _tables(
    found: Collection,
    where: Folder,
    wanted: tuple[str, ...] | None,
    absent: Callable[[str], None] | None = None,
) -> Iterator[tuple[Part, pl.DataFrame]]:
    """Yield the readings of each part that has a family that is wanted.

    A part that cannot be read is named to ``absent``, else an InputError.
    """
    for part in found.parts:
        names = [one.name for one in part.families if wanted is None or one.name in wanted]
        one_asked = wanted is not None and len(wanted) == 1
        missing = part.needs and where.find(part.needs) is None
        if not names or (missing and not one_asked):
            continue
        try:
            rows = _read(part, where)
        except InputError as error:
            if absent is None:
                raise
            absent(error.message)
            continue
        if len(names) < len(part.families):
            rows = rows.filter(pl.col("family").is_in(names))
        yield part, rows


def _read(part: Part, where: Folder) -> pl.DataFrame:
    """Return a part's readings; InputError where a changed file defeats its reader."""
    try:
        return part.read(where)
    except InputError:
        raise
    except Exception as error:
        if not where.differs:
            raise
        raise where.broken(error) from None


def _runs(
    record: Family,
    rows: pl.DataFrame,
    differs: Sequence[str],
    *,
    as_published: bool,
    params_are: ParamsAre | None = None,
) -> Runs:
    """Return one family's readings as Runs."""
    known = None if record.params_are == "unknown" else record.params_are
    if params_are not in (None, known) and known:
        raise UsageError(
            f"The params of {record.key} are {known}, and '{params_are}' was said of them.",
            remedy="Leave out --params-are.",
        )
    if record.read_as is None and not as_published:
        why = f" ({record.reason})" if record.reason else ""
        raise UnitError(
            f"{record.key} is in '{record.unit}', which nothing makes nats{why}.",
            remedy="kleiber.runs.collections.values gives its numbers as published.",
        )
    if rows["params"].is_null().all() or rows["tokens"].is_null().all():
        lacks = "params" if rows["params"].is_null().all() else "tokens"
        raise ValuesError(
            f"The files of {record.key} do not say its {lacks}.",
            remedy="kleiber.runs.collections.values gives what they say.",
        )
    kept = [column for column in _FIELDS if column in rows.columns]
    present = [column for column in kept if rows[column].null_count() < rows.height]
    table = rows.select("run", "params", "tokens", pl.col("value").alias("loss"), *present)
    unit = NATS if as_published or record.read_as is None else record.read_as
    runs = Runs.read(
        table,
        unit=unit,
        params_are=known or params_are,
        drop_bad=not record.cross_entropy,
    )
    return replace(
        runs, source=record.key, notes=(*_notes(record, as_published, differs), *runs.notes)
    )


def _notes(record: Family, as_published: bool, differs: Sequence[str]) -> Iterator[Note]:
    for fault in differs:
        yield Note("warning", f"{fault}.")
    if as_published and record.unit != "nats":
        yield Note("warning", f"{record.key} is {record.unit}, kept as published and not in nats.")
    if not record.cross_entropy:
        yield Note("warning", f"{record.key} is no cross-entropy: {record.reason}.")
    if record.apart:
        yield Note("warning", f"{record.key} stands apart: {record.apart}.")
    if record.note:
        yield Note("assumed", f"{record.key}: {record.note}.")


def _together(name: str, parts: list[Runs]) -> Runs:
    """Return several families as one table, in nats, each run named with its family."""
    named = pl.concat_str("family", "run", separator="/").alias("run")
    frame = pl.concat([one.frame.with_columns(named) for one in parts], how="diagonal_relaxed")
    said = dict.fromkeys(note for one in parts for note in one.notes if note.kind != "assumed")
    conventions = {one.params_are for one in parts}
    return Runs(
        frame=frame,
        unit=NATS,
        params_are=parts[0].params_are if len(conventions) == 1 else "unknown",
        notes=tuple(said),
        source=name,
        named=True,
    )
