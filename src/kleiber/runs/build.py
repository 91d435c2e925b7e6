"""From a raw table to Runs: every step of reading, in its order."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kleiber.errors import ColumnError, KleiberError, UsageError
from kleiber.runs.columns import Choice, choice_notes, parse_columns, resolve
from kleiber.runs.counts import Cells, cells_of, count_cells, guess_params_are
from kleiber.runs.ends import finished
from kleiber.runs.losses import decide_unit, refuse_perplexity, to_nats
from kleiber.runs.meta import join_meta
from kleiber.runs.named import SET, set_of
from kleiber.runs.naming import name_runs
from kleiber.runs.notes import Note, counted, listing
from kleiber.runs.readers.raw import RUN, Raw
from kleiber.runs.table import Runs
from kleiber.runs.values import (
    Fault,
    booleans,
    drop_faults,
    faults_of,
    numbers,
    unlike_numbers,
)
from kleiber.runs.where import Where, apply_where
from kleiber.units import PARAMS_ARE, LossUnit, ParamsAre, parse_count

_NUMERIC = (
    *("flops", "step", "params_nonembed", "planned_tokens", "unique_tokens", "experts", "lr"),
    *("attention_logit_max", "grad_rms", "eps"),
)
_TEXT = ("family", "recipe", "seed", "validation_set")
_TRUTH = ("final", "synthetic")
# Columns named by numbers: this many, and the first line is a row and no header.
_NUMBERED = 2


def build_runs(
    raw: Raw,
    *,
    columns: str | Mapping[str, str] | None = None,
    unit: str | LossUnit | None = None,
    params_are: ParamsAre | None = None,
    meta: object = None,
    where: Where = None,
    drop_bad: bool = False,
) -> Runs:
    """Return the validated table of a raw one; see Runs.read for the options and errors."""
    if params_are is not None and params_are not in PARAMS_ARE:
        raise UsageError(
            f"'{params_are}' is no way to count params.",
            remedy=f"Use --params-are {', '.join(PARAMS_ARE)}.",
        )
    given = parse_columns(columns)
    raw, named = name_runs(apply_where(raw, where), given)
    raw = join_meta(raw, meta)
    chosen = resolve(_without_constants(given, raw.columns), raw.columns)
    chosen.pop("run", None)
    loss = _loss_choice(raw, chosen)
    params, tokens, notes = count_cells(raw, chosen, given)
    losses = cells_of(raw, loss, counts=False)
    core = {"params": params, "tokens": tokens, "loss": losses}
    kept, nats, found, said = _checked(raw, core, unit, loss, chosen, drop_bad=drop_bad)
    counted_as, how = _params_convention(params_are or raw.params_are, params.column)
    frame, extra = _frame(raw, core, nats, chosen, kept)
    return Runs(
        frame=frame,
        unit=found,
        params_are=counted_as,
        notes=(*raw.notes, *choice_notes(chosen), *notes, *how, *said, *extra, *_sizes_note(frame)),
        source=raw.source,
        named=named,
    )


def _without_constants(given: Mapping[str, str], columns: list[str]) -> dict[str, str]:
    """Drop params and tokens that are a count and no column: one value for every row."""
    return {
        field: name
        for field, name in given.items()
        if field not in ("params", "tokens") or name in columns or not _is_count(name)
    }


def _is_count(text: str) -> bool:
    try:
        parse_count(text)
    except KleiberError:
        return False
    return True


def _loss_choice(raw: Raw, chosen: Mapping[str, Choice]) -> Choice:
    if "loss" not in chosen:
        if sum(map(_is_count, raw.columns)) >= _NUMBERED:
            raise ColumnError(
                f"{raw.source} begins with numbers ({listing(raw.columns, limit=4)}) where a "
                "header belongs.",
                remedy="Put a first line with the columns' names, such as run,params,tokens,loss.",
            )
        public = set_of(raw.source)
        known = f", or read a family of the public set with {SET}{public}/FAMILY" if public else ""
        raise ColumnError(
            f"{raw.source} has no column for the loss; its columns are: "
            f"{listing(raw.columns, limit=20)}.",
            remedy=f"Name it with --columns loss=NAME{known}.",
        )
    return chosen["loss"]


def _params_convention(given: ParamsAre | None, column: str) -> tuple[ParamsAre, list[Note]]:
    if given is not None:
        return given, []
    guessed = guess_params_are(column)
    if guessed == "unknown":
        said = "It is not said whether params count embeddings (--params-are says it)."
        return guessed, [Note("assumed", said)]
    return guessed, [Note("guessed", f"params are {guessed}, by the column's name '{column}'.")]


def _checked(
    raw: Raw,
    core: Mapping[str, Cells],
    unit: str | LossUnit | None,
    loss: Choice,
    chosen: Mapping[str, Choice],
    *,
    drop_bad: bool,
) -> tuple[pl.Series, pl.Series, LossUnit, list[Note]]:
    """Return the mask of rows kept, every row's loss in nats, the unit, and what was said."""
    faults = [
        fault
        for field, cells in core.items()
        for fault in faults_of(field, cells.column, cells.values, cells.odd)
    ]
    usable = core["loss"].values.is_not_null()
    for fault in faults:
        usable = usable & ~fault.rows
    found, said = decide_unit(raw, unit, loss, chosen.get("loss_unit"), usable)
    losses = core["loss"].values
    if found.kind == "ppl":
        low = (losses <= 1).fill_null(False) & (losses > 0).fill_null(False)
        if low.any():
            faults.append(Fault(low, "a perplexity of 1 or less", "loss", bad=True))
    elif unit is None and found.kind == "nats":
        refuse_perplexity(losses.filter(usable), loss.column)
    shown = {field: cells.raw for field, cells in core.items()}
    kept, left_out = drop_faults(raw, faults, shown, drop_bad=drop_bad)
    nats, converted = to_nats(losses, found)
    return kept, nats, found, [*said, *converted, *left_out]


def _frame(
    raw: Raw,
    core: Mapping[str, Cells],
    nats: pl.Series,
    chosen: Mapping[str, Choice],
    kept: pl.Series,
) -> tuple[pl.DataFrame, list[Note]]:
    """Return the canonical table, with ``final`` and ``fraction`` of each run worked out."""
    frame = pl.DataFrame(
        [
            raw.frame[RUN].alias("run"),
            core["params"].values.alias("params"),
            core["tokens"].values.alias("tokens"),
            nats.alias("loss"),
        ]
    )
    notes: list[Note] = []
    for field in (*_TEXT, *_NUMERIC, *_TRUTH):
        if field in chosen:
            series, said = _optional(raw, field, chosen[field])
            frame = frame.with_columns(series.alias(field))
            notes += said
    lost = frame.filter(~kept & unlike_numbers(core["loss"].raw) & (pl.col("tokens") > 0))
    frame, ends = finished(frame.filter(kept), lost)
    return frame, [*notes, *ends]


def _optional(raw: Raw, field: str, choice: Choice) -> tuple[pl.Series, list[Note]]:
    if field in _TEXT:
        parts = [pl.col(name).cast(pl.String).str.strip_chars() for name in choice.columns]
        joined = raw.frame.select(pl.concat_str(parts, separator="/").alias(field))
        return joined.to_series().replace("", None), []
    cells = raw.frame[choice.column]
    values, odd = booleans(cells) if field in _TRUTH else numbers(cells, counts=True)
    if not odd.any():
        return values, []
    said = f"{field}: {counted(int(odd.sum()), 'cell')} not understood and left empty: "
    return values, [Note("warning", f"{said}{raw.places(odd, cells)}.")]


def _sizes_note(frame: pl.DataFrame) -> list[Note]:
    """Warn of run names that several sizes share: names of a family, not of runs."""
    sizes = frame.group_by("run", maintain_order=True).agg(pl.col("params").n_unique())
    several = sizes.filter(pl.col("params") > 1)["run"].to_list()
    if not several:
        return []
    said = f"{counted(len(several), 'run')} with several sizes: {listing(several, limit=3)}; "
    return [Note("warning", f"{said}name runs by --columns run=A+B.")]
