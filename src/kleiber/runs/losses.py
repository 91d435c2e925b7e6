"""The unit of a table's loss: given, in a column, in a column's name, or nats assumed."""

from __future__ import annotations

import polars as pl

from kleiber.errors import UnitError
from kleiber.runs.columns import Choice, normal
from kleiber.runs.notes import Note, listing
from kleiber.runs.readers.raw import Raw
from kleiber.units import NATS, LossUnit

# A uniform guess over 300,000 tokens costs ln 300000 nats: no trained model is worse.
WORST_NATS = 12.6


def decide_unit(
    raw: Raw, unit: str | LossUnit | None, loss: Choice, column: Choice | None, kept: pl.Series
) -> tuple[LossUnit, list[Note]]:
    """Return the unit of the kept rows' loss, and how it was decided.

    Raises UnitError for several units, for one that is no unit of loss, and for bits per byte
    without a ratio.
    """
    stated = _stated(raw, column, kept)
    if unit is not None:
        given = LossUnit.parse(unit)
        return given, _overridden(given, stated)
    if len(stated) > 1:
        said = "; ".join(f"{name} ({raw.places(rows)})" for name, rows in stated.items())
        raise UnitError(
            f"{raw.source} mixes units of loss: {said}.",
            remedy=f"Keep one with --where {column.column if column else 'unit'}=..., or say "
            "--unit for all of them.",
        )
    if stated:
        name = next(iter(stated))
        return _named(name, f"the column '{column.column if column else ''}'"), []
    return _by_name(loss)


def _stated(raw: Raw, column: Choice | None, kept: pl.Series) -> dict[str, pl.Series]:
    """Return the rows of each unit that a unit column states, the most frequent first.

    A column that only may be one (``kind``, ``units``) is believed when one value is a unit.
    """
    if column is None:
        return {}
    cells = raw.frame[column.column].cast(pl.String).str.strip_chars()
    names = cells.filter(kept).drop_nulls().value_counts(sort=True).to_series(0).to_list()
    names = [name for name in names if name]
    if normal(column.column) != "lossunit" and not any(_is_unit(name) for name in names):
        return {}
    return {name: (cells == name).fill_null(False) & kept for name in names}


def _is_unit(name: str) -> bool:
    try:
        LossUnit.parse(name)
    except UnitError as error:
        return "bytes" in error.message
    return True


def _named(name: str, where: str) -> LossUnit:
    try:
        return LossUnit.parse(name)
    except UnitError as error:
        raise UnitError(f"In {where}: {error.message}", remedy=error.remedy) from None


def _overridden(given: LossUnit, stated: dict[str, pl.Series]) -> list[Note]:
    others = [name for name in stated if not _is_unit(name) or _kind(name) != given.kind]
    if not others:
        return []
    return [Note("warning", f"Read as {given}, as asked, though rows say {listing(others)}.")]


def _kind(name: str) -> str:
    try:
        return LossUnit.parse(name).kind
    except UnitError:
        return "bpb"


def _by_name(loss: Choice) -> tuple[LossUnit, list[Note]]:
    name = normal(loss.column)
    if "ppl" in name or "perplexity" in name:
        return LossUnit("ppl"), [
            Note("guessed", f"The loss is perplexity, by its column's name '{loss.column}'.")
        ]
    if "bpb" in name or "bitsperbyte" in name:
        return _named("bpb", f"the column '{loss.column}'"), []
    if "bits" in name:
        return LossUnit("bits"), [
            Note("guessed", f"The loss is in bits, by its column's name '{loss.column}'.")
        ]
    if "nats" in name:
        return NATS, []
    return NATS, [Note("assumed", "The loss is in nats per token (--unit says otherwise).")]


def refuse_perplexity(losses: pl.Series, column: str) -> None:
    """Raise UnitError for an assumed loss that no model would have in nats."""
    median = losses.median()
    if isinstance(median, float) and median > WORST_NATS:
        raise UnitError(
            f"The loss '{column}' looks like perplexity: its median is {median:.3g}, and a "
            f"uniform guess over 300,000 tokens costs {WORST_NATS} nats.",
            remedy="Pass --unit ppl, or --unit nats to insist.",
        )


def to_nats(losses: pl.Series, unit: LossUnit) -> tuple[pl.Series, list[Note]]:
    """Return losses in nats, and a note where they were something else."""
    if unit.kind == "nats":
        return losses, []
    nats = pl.Series(losses.name, unit.to_nats(losses.to_numpy()))
    return nats, [Note("converted", f"The loss from {unit} to nats per token.")]
