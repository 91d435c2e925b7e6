"""(Mis)Fitting: 240 runs of eleven sizes, several learning rates, counts both ways."""

from __future__ import annotations

import polars as pl

from kleiber.runs.sets.folder import Folder, numbers
from kleiber.runs.sets.record import Collection, Family, Part, Points

NAME = "misfitting"
RUN = ("model", "total_steps", "peak_lr", "sweep")


def _read(folder: Folder) -> pl.DataFrame:
    checkpoints = _rows(folder, "scaling_results.csv").with_columns(family=pl.lit("checkpoints"))
    finals = _rows(folder, "scaling_results_last_ckpt_only.csv").with_columns(
        pl.lit("finals").alias("family"),
        # 16 of the 240 settings have two to four finals: a name of settings is not enough.
        pl.concat_str("run", pl.int_range(pl.len()).over("run"), separator="#").alias("run"),
    )
    best = (
        finals.sort("value", maintain_order=True)
        .unique(["params", "tokens"], keep="first", maintain_order=True)
        .sort("params", "tokens")
        .with_columns(family=pl.lit("best"))
    )
    return pl.concat([checkpoints, finals, best])


def _rows(folder: Folder, file: str) -> pl.DataFrame:
    return folder.table(file).select(
        pl.concat_str(RUN, separator="/").alias("run"),
        *numbers(
            params="N",
            params_nonembed="N_no_emb",
            tokens="D",
            flops="C",
            step="current_steps",
            lr="peak_lr",
            value="loss",
        ),
    )


def _family(name: str, points: Points, note: str) -> Family:
    return Family(NAME, name, "C4 loss", "nats", NAME, points, params_are="total", note=note)


SET = Collection(
    name=NAME,
    title="(Mis)Fitting's own runs, 12M to 1B",
    repository="hadasah/scaling_laws",
    commit="1f3708c0a12df0effb0ee906b1da5f9f0ff4f4f1",
    licence="none stated",
    cite="Li et al. 2025, (Mis)Fitting: A Survey of Scaling Laws",
    good_for="What the parameter count with and without embeddings, the choice of checkpoints and "
    "the learning rate do to a fit.",
    beware="Checkpoints are in mid-schedule; most learning rates are not the best one.",
    parts=(
        Part(
            _read,
            (
                _family("checkpoints", "curves", "every checkpoint, every learning rate"),
                _family("finals", "finals", "the last checkpoint of each run"),
                _family("best", "finals", "the lowest final loss of each params and tokens"),
            ),
        ),
    ),
    counts={"rows": 4852, "runs": 240, "finals": 261, "sizes": 11},
)
