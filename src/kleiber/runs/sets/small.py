"""Three sets whose files leave out what a law needs: tokens, sizes, or a loss."""

from __future__ import annotations

import polars as pl

from kleiber.runs.sets.folder import Folder, number, numbers, unpivoted
from kleiber.runs.sets.record import Collection, Family, Part

SIZES = (25, 100, 400)
SCHEDULES = (
    *("constant_24000", "constant_72000", "cosine_24000", "cosine_72000", "wsd_20000_24000"),
    *("wsdcon_18", "wsdcon_3", "wsdcon_9", "wsdld_20000_24000"),
)
TOY = "wandb_export_wikitext.csv"
BENCHMARKS = (
    *("MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"),
)


def _multi_power_law(folder: Folder) -> pl.DataFrame:
    tables = [
        folder.table(f"loss_curve_repo/csv_{size}/{schedule}.csv").select(
            pl.lit(schedule).alias("family"),
            pl.lit(f"{size}M-{schedule}").alias("run"),
            pl.lit(size * 1e6).alias("params"),
            pl.lit(schedule).alias("recipe"),
            *numbers("step", "lr", tokens="step", value="loss"),
        )
        for size in SIZES
        for schedule in SCHEDULES
    ]
    return pl.concat(tables)


def _toy(folder: Folder) -> pl.DataFrame:
    table = folder.table(TOY)
    means = [name for name in table.columns if name.endswith("avg_loss")]
    wide = table.select(number("Step").alias("tokens"), *(number(one).alias(one) for one in means))
    return unpivoted(wide, means).select(
        pl.lit("wikitext").alias("family"),
        pl.col("metric").str.extract(r"(k_is_\d+)").alias("run"),
        pl.lit(None, dtype=pl.Float64).alias("params"),
        "tokens",
        "value",
    )


def _scores(folder: Folder) -> pl.DataFrame:
    table = folder.table("base_llm_benchmark_eval.csv")
    wide = table.select(
        pl.lit("benchmarks").alias("family"),
        pl.col("Model").alias("run"),
        pl.col("Model Family").alias("recipe"),
        (number("Model Size (B)") * 1e9).alias("params"),
        (number("Pretraining Data Size (T)") * 1e12).alias("tokens"),
        (number("FLOPs (1E21)") * 1e21).alias("flops"),
        *numbers(*BENCHMARKS),
    )
    return unpivoted(wide, list(BENCHMARKS))


MULTI_POWER_LAW = Collection(
    name="multi_power_law",
    title="Loss curves under nine learning-rate schedules",
    repository="thu-yao-01-luo/MultiPowerLaw",
    commit="8da9f19",
    licence="MIT",
    cite="Luo et al. 2025, A Multi-Power Law for Loss Curve Prediction Across Learning Rate "
    "Schedules",
    good_for="What a schedule does to a curve.",
    beware="The files count steps and not tokens, so tokens are steps here: good within the set, "
    "not beside another. Points are in mid-schedule.",
    parts=(
        Part(
            _multi_power_law,
            tuple(
                Family(
                    *("multi_power_law", schedule, "loss", "nats", "multi_power_law", "curves"),
                    apart="tokens are steps, and the target is a schedule",
                    note="tokens are counted in steps",
                )
                for schedule in SCHEDULES
            ),
        ),
    ),
    counts={"rows": 6265, "runs": 27, "families": 9, "sizes": 3},
)
TOY_WIKITEXT = Collection(
    name="toy_wikitext",
    title="A raw tracker export of toy models",
    repository="haileyschoelkopf/toy-scaling-laws",
    commit="c7ab11e5860114af7aa1f5f1a1b047f9acfdb0b6",
    licence="Apache-2.0",
    cite="Schoelkopf, toy-scaling-laws",
    good_for="The shape of a messy export.",
    beware="The export does not say the sizes: give them with --meta.",
    parts=(
        Part(
            _toy,
            (
                Family(
                    *("toy_wikitext", "wikitext", "test loss", "nats", "toy_wikitext", "curves"),
                    note="params are not in the file: k_is_K names a width",
                ),
            ),
        ),
    ),
    counts={"rows": 100, "runs": 10},
)
OBS_SCALING = Collection(
    name="obs_scaling",
    title="Benchmark scores of public models",
    repository="ryoungj/ObsScaling",
    commit="4d6e1e43fd2635d04654aa77d1df9d5266ea0382",
    licence="Apache-2.0",
    cite="Ruan et al. 2024, Observational Scaling Laws and the Predictability of LM Performance",
    good_for="Scores against compute over many families of models.",
    beware="No loss at all. Tokens are unknown for some models.",
    parts=(
        Part(
            _scores,
            (
                Family(
                    *("obs_scaling", "benchmarks", "8 benchmarks", "accuracy", "obs_scaling"),
                    points="finals",
                    cross_entropy=False,
                    reason="benchmark scores",
                ),
            ),
        ),
    ),
    counts={"rows": 1144, "runs": 148, "benchmarks": 8},
)
