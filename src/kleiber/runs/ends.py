"""Where each run ends: its last point, unless it stands short of its plan or diverged.

A run whose loss is no number from some point on has diverged: what it read before is no end. A
table that a data frame wrote may have NaN where nothing was evaluated, so that NaN counts only
where an evaluation is missed: where the losses stop by at least one of their own intervals, and
before :data:`NEARLY` of the run.
"""

from __future__ import annotations

import polars as pl

from kleiber.runs.notes import Note, counted, listing

NEARLY = 0.98  # of the planned tokens: a run that stands there has ended


def finished(frame: pl.DataFrame, lost: pl.DataFrame) -> tuple[pl.DataFrame, list[Note]]:
    """Add which row ends each run, unless told, and each row's share of its run's tokens.

    A run that stands before its planned tokens has not ended, nor has one that diverged, and the
    shares are of all their tokens. ``lost`` are the rows (run, params, tokens) whose loss is
    written and no number.
    """
    step = "step" if "step" in frame.columns else "tokens"
    ordered = frame.with_row_index("__i__").sort("tokens", step, "params", "loss")
    last = ordered.group_by("run").agg(pl.col("__i__").last())["__i__"]
    ends = frame.with_row_index("__i__")["__i__"].is_in(last.to_list())
    total = pl.col("tokens").max().over("run")
    if "planned_tokens" in frame.columns:
        planned = pl.col("planned_tokens").max().over("run").fill_null(0.0)
        ends = ends & frame.select(total >= NEARLY * planned).to_series()
        total = pl.when(total >= NEARLY * planned).then(total).otherwise(planned)
    stopped = diverged(frame, lost)
    if stopped:
        ends = ends & ~frame["run"].is_in(list(stopped))
        whole = pl.col("run").replace_strict(stopped, default=0.0, return_dtype=pl.Float64)
        total = pl.max_horizontal(total, whole)
    told = "final" in frame.columns
    if told:
        untold = pl.col("final").is_null().all().over("run")
        final = pl.when(untold).then(ends).otherwise(pl.col("final").fill_null(False))
    else:
        final = pl.lit(ends)
    done = frame.with_columns(final.alias("final"), (pl.col("tokens") / total).alias("fraction"))
    return done, [*_diverged_note(done, stopped), *([] if told else _short_note(done, stopped))]


def diverged(frame: pl.DataFrame, lost: pl.DataFrame) -> dict[str, float]:
    """Return the runs whose losses stop being numbers before their end, and their tokens.

    A name that several sizes share is of no one run.
    """
    if not lost.height:
        return {}
    found: dict[str, float] = {}
    behind = dict(lost.group_by("run").agg(pl.col("tokens").max()).iter_rows())
    both = pl.concat([frame.select("run", "params"), lost.select("run", "params")])
    sizes = dict(both.group_by("run").agg(pl.col("params").drop_nulls().n_unique()).iter_rows())
    for (run,), rows in frame.filter(pl.col("run").is_in(list(behind))).group_by("run"):
        name = str(run)
        seen = rows["tokens"].unique().sort()
        stand, end = float(seen[-1]), float(behind[name])
        apart = seen.diff().drop_nulls().quantile(0.5, "lower") or 0.0
        missed = end - stand >= 0.999 * apart
        if sizes[name] == 1 and stand < NEARLY * end and missed:
            found[name] = end
    return found


def _diverged_note(frame: pl.DataFrame, stopped: dict[str, float]) -> list[Note]:
    """Warn of runs whose losses stop being numbers."""
    runs = frame.filter(pl.col("run").is_in(list(stopped)))
    each = runs.group_by("run", maintain_order=True).agg(
        pl.col("fraction").max(), pl.col("final").any()
    )
    texts = [f"{run} after {share:.0%}" for run, share, final in each.iter_rows() if not final]
    if not texts:
        return []
    said = f"{counted(len(texts), 'run')} diverged, with no number for a loss to the end: "
    return [Note("warning", f"{said}{listing(texts, limit=3)}; no final point of them.")]


def _short_note(frame: pl.DataFrame, stopped: dict[str, float]) -> list[Note]:
    """Warn of runs that stand before their planned tokens."""
    if "planned_tokens" not in frame.columns:
        return []
    short = ~pl.col("final").any().over("run") & ~pl.col("run").is_in(list(stopped))
    names = frame.filter(short)["run"].unique(maintain_order=True).to_list()
    if not names:
        return []
    said = f"{counted(len(names), 'run')} short of the planned tokens, so not ended: "
    return [Note("warning", f"{said}{listing(names, limit=3)}; no final point of them.")]
