"""Gadre et al.: 104 models of three data sets trained far beyond the optimum."""

from __future__ import annotations

import polars as pl

from kleiber.runs.sets.folder import Folder, number, numbers, unpivoted
from kleiber.runs.sets.record import Collection, Family, Part

NAME = "gadre_overtraining"
DATA = ("c4_original", "rpj", "rw_original")
# The loss of the set's column, by the part of the column's name that tells it from the others.
LOSSES = {
    "openlm": "val_tok_mult/openlm/",
    "c4_val": "/c4_val/",
    "paloma_c4_en": "/paloma_c4_en/",
    "paloma_dolma_100_programing_languages": "/paloma_dolma_100_programing_languages/",
    "paloma_falcon-refinedweb": "/paloma_falcon-refinedweb/",
    "paloma_ptb": "/paloma_ptb/",
    "paloma_redpajama": "/paloma_redpajama/",
    "val_de-en_100": "/de-en/",
}


def _losses(folder: Folder) -> pl.DataFrame:
    rows = folder.table("models_losses_wide.csv")
    columns = {
        loss: next(c for c in rows.columns if c.startswith("loss|") and mark in c)
        for loss, mark in LOSSES.items()
    }
    wide = rows.select(
        pl.col("name").alias("run"),
        pl.col("dataset").alias("recipe"),
        *numbers("lr", params="n_params", params_nonembed="n_params_no_embed", tokens="d_tokens"),
        *numbers(**columns),
    )
    family = pl.concat_str(["recipe", "metric"], separator="/").alias("family")
    return unpivoted(wide, list(LOSSES)).with_columns(family)


def _tasks(folder: Folder) -> pl.DataFrame:
    models = folder.table("models_losses_wide.csv").select(
        pl.col("name").alias("run"),
        pl.col("dataset").alias("recipe"),
        *numbers(params="n_params", tokens="d_tokens"),
    )
    run = pl.col("eval_file").str.strip_prefix("evaluation_").str.strip_suffix("_heavy")
    rows = folder.table("downstream_evals.csv").select(
        run.alias("run"), "metric", number("value").alias("value")
    )
    family = pl.concat_str(["recipe", pl.lit("tasks")], separator="/").alias("family")
    return rows.join(models, on="run", how="left", maintain_order="left").with_columns(family)


SET = Collection(
    name=NAME,
    title="Over-trained models of OpenLM",
    repository="mlfoundations/scaling",
    commit="a003c4913793ac2ae7ef87b28ecb562955d026d5",
    licence="MIT",
    cite="Gadre et al. 2024, Language models scale reliably with over-training and on downstream "
    "tasks",
    good_for="Tokens per parameter from 5 to 640; eight losses of the same models; three recipes.",
    beware="24 families of the same 104 models are one piece of evidence. ColPret has the same "
    "losses. The two tables gather the repository's JSON files, one a model.",
    parts=(
        Part(
            _losses,
            tuple(
                Family(
                    *(NAME, f"{data}/{loss}", f"loss on {loss}", "nats", "gadre", "finals"),
                    params_are="total",
                )
                for data in DATA
                for loss in LOSSES
            ),
        ),
        Part(
            _tasks,
            tuple(
                Family(
                    *(NAME, f"{data}/tasks", "46 tasks", "accuracy", "gadre", "finals", False),
                    reason="task accuracies",
                    params_are="total",
                )
                for data in DATA
            ),
        ),
    ),
    counts={"rows": 832, "runs": 104, "losses": 8, "tasks": 46, "task rows": 4784},
)
