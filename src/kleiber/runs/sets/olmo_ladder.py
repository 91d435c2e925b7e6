"""The OLMo ladder: 30 runs of five sizes as tracker exports, and the 7B that they predict."""

from __future__ import annotations

import polars as pl

from kleiber.runs.sets.folder import Folder, number, numbers, unpivoted
from kleiber.runs.sets.record import Collection, Family, Part, Unit

NAME = "olmo_ladder"
SIZES = {
    "190M": 190354176,
    "370M": 371262464,
    "760M": 758220288,
    "1B": 1279395840,
    "3B": 3169537280,
}
LENGTHS = ("0.5xC", "1xC", "1xC-rerun", "2xC", "5xC", "10xC")
TARGET_PARAMS = 6887575552
LOSSES = (
    *("c4_en", "dolma_books", "dolma_common-crawl", "dolma_pes2o", "dolma_reddit", "dolma_stack"),
    *("dolma_wiki", "ice", "m2d2_s2orc", "pile", "wikitext_103"),
)
TASKS = (
    *("mmlu_stem_val", "mmlu_humanities_val", "mmlu_social_sciences_val", "mmlu_other_val"),
    *("mmlu_stem_test", "mmlu_humanities_test", "mmlu_social_sciences_test", "mmlu_other_test"),
    *("hellaswag_val", "arc_easy_val", "arc_easy_test", "arc_challenge_val", "arc_challenge_test"),
    *("boolq_val", "csqa_val", "openbookqa_val", "openbookqa_test", "piqa_val", "socialiqa_val"),
    "winogrande_val",
)
_SCORES: dict[str, tuple[Unit, str]] = {
    "downstream": ("accuracy", "task accuracies"),
    "downstream_soft": ("score", "probabilities of right answers"),
    "downstream_soft_log": ("score", "log-probabilities of right answers"),
}


def file_of(size: str, length: str) -> str:
    """Return the file of one run."""
    return f"data/ladder-runs/{size}-{length}.csv"


def _runs(folder: Folder) -> pl.DataFrame:
    tables = [
        _readings(folder.table(file_of(size, length))).with_columns(
            pl.lit(f"{size}-{length}").alias("run"),
            pl.lit(float(params)).alias("params"),
            pl.lit("rerun" if length.endswith("rerun") else "first").alias("seed"),
        )
        for size, params in SIZES.items()
        for length in LENGTHS
    ]
    return pl.concat(tables, how="diagonal")


def _readings(table: pl.DataFrame) -> pl.DataFrame:
    """Return a tracker's export with one row a metric and a reading."""
    metrics = [column for column in table.columns if column.startswith("eval/")]
    wide = table.select(
        *numbers(step="_step", tokens="throughput/total_tokens", lr="optim/learning_rate_group0"),
        *(number(column).alias(column.removeprefix("eval/")) for column in metrics),
    )
    long = unpivoted(wide, [column.removeprefix("eval/") for column in metrics])
    first = pl.col("metric").str.split("/").list.first()
    scores = first.is_in(list(_SCORES))
    return long.with_columns(pl.when(scores).then(first).otherwise(_short()).alias("family"))


def _short() -> pl.Expr:
    """Return a family's name: ``c4_en`` for its loss, ``bpb/piqa_val`` for a task's bits."""
    return (
        pl.col("metric")
        .str.replace(r"-validation/CrossEntropyLoss$", "")
        .str.replace(r"^downstream_bpb/(.*)_rc_5shot_bpb$", "bpb/$1")
    )


def _target(folder: Folder) -> pl.DataFrame:
    table = folder.table("data/ladder-runs/peteish7_eval_anneal.csv")
    columns = [f"eval/{loss}-validation/CrossEntropyLoss" for loss in LOSSES]
    wide = table.select(
        number("throughput/total_tokens").alias("tokens"),
        *(number(old).alias(new) for old, new in zip(columns, LOSSES, strict=True)),
    )
    return unpivoted(wide, list(LOSSES)).with_columns(
        pl.concat_str(pl.lit("target-7B"), "metric", separator="/").alias("family"),
        pl.lit("peteish7").alias("run"),
        pl.lit(float(TARGET_PARAMS)).alias("params"),
    )


def _family(name: str, metric: str, unit: Unit, reason: str = "", note: str = "") -> Family:
    points = "finals" if name.startswith("target") else "curves"
    return Family(
        *(NAME, name, metric, unit, NAME, points, not reason),
        reason=reason,
        params_are="total",
        note=note,
    )


SET = Collection(
    name=NAME,
    title="The OLMo ladder, 190M to 3B, and its 7B",
    repository="allenai/OLMo-ladder",
    commit="67a3f44",
    licence="Apache-2.0",
    cite="Bhagia et al. 2024, Establishing Task Scaling Laws via Compute-Efficient Model Ladders",
    good_for="Finished runs of 0.5 to 10 times Chinchilla's tokens, each with its curve; repeats "
    "of the five 1xC runs; eleven losses of the same runs.",
    beware="Points within a run are in mid-schedule: use finals. Bits per byte are of the right "
    "answers of tasks, not of text. The eleven losses are one piece of evidence.",
    parts=(
        Part(
            _runs,
            (
                *(_family(loss, f"cross-entropy on {loss}", "nats") for loss in LOSSES),
                *(
                    _family(
                        f"bpb/{task}",
                        f"bits per byte on {task}",
                        "bits per byte",
                        "bits per byte of the right answers of a task, not of a text",
                    )
                    for task in TASKS
                ),
                *(
                    _family(name, "20 tasks", unit, reason)
                    for name, (unit, reason) in _SCORES.items()
                ),
            ),
        ),
        Part(
            _target,
            tuple(
                _family(
                    f"target-7B/{loss}",
                    f"cross-entropy on {loss}",
                    "nats",
                    note="the annealed 7B on 3.95T tokens, to compare a prediction with",
                )
                for loss in LOSSES
            ),
        ),
    ),
    counts={"rows": 110_639, "runs": 30, "metrics": 31, "sizes": 5},
)
