"""Clark et al.: routed and dense models of six sizes, to 512 experts."""

from __future__ import annotations

import polars as pl

from kleiber.runs.sets.folder import Folder, number, numbers
from kleiber.runs.sets.record import Collection, Family, Part

NAME = "routing_clark2022"
TOKENS_PER_STEP = 524_288
PLAIN_FREQUENCY = 0.5
EXPERTS = (2, 4, 8, 16, 32, 64, 128, 256, 512)
ROUTERS = ("Hash", "RL-R", "S-Base")
# Settings beside the plain ones (every second layer routed, one expert a token).
VARIANTS = (
    *("Dense/flops x2", "Dense/flops x4"),
    *(f"S-Base-{e}/k={k}" for e in (8, 64, 256) for k in (2, 4)),
    *(
        f"{router}-{e}/every {f}"
        for router in ("Hash", "S-Base")
        for e in (8, 64, 256)
        for f in ("0.0833", "0.125", "0.25", "1")
    ),
)


def _read(folder: Folder) -> pl.DataFrame:
    table = folder.table("curves.csv.gz")
    router, experts, k = pl.col("router_type"), pl.col("num_experts"), pl.col("k")
    share = number("routing_frequency")
    plain = pl.when(router == "Dense").then(router)
    plain = plain.otherwise(pl.concat_str(router, experts, separator="-"))
    text = share.round(4).cast(pl.String).str.replace(r"\.0$", "")
    family = (
        pl.when((router == "Dense") & (number("flop_increase") > 1))
        .then(pl.concat_str(plain, pl.lit("/flops x"), k))
        .when(number("k") > 1)
        .then(pl.concat_str(plain, pl.lit("/k="), k))
        .when(share != PLAIN_FREQUENCY)
        .then(pl.concat_str(plain, pl.lit("/every "), text))
        .otherwise(plain)
    )
    return table.select(
        family.alias("family"),
        pl.concat_str(pl.lit("hyper-"), "hyper_id").alias("run"),
        "seed",
        *numbers("step", experts="num_experts", params="dense_parameter_count"),
        (number("step") * TOKENS_PER_STEP).alias("tokens"),
        (number("step") * number("flops_per_step")).alias("flops"),
        number("total_parameter_count").alias("params_total"),
        number("loss_validation").alias("value"),
    )


def _family(name: str, note: str = "") -> Family:
    return Family(
        *(NAME, name, "validation loss", "nats", "clark", "curves"), params_are="active", note=note
    )


SET = Collection(
    name=NAME,
    title="Routed language models, dense to 512 experts",
    repository="google-deepmind/scaling_laws_for_routing",
    commit="42da0c392b127df2c01fa7b705f72396050d05e5",
    licence="data CC-BY 4.0, code Apache-2.0",
    cite="Clark et al. 2022, Unified Scaling Laws for Routed Language Models",
    good_for="Mixtures of experts under three routers; seeds of one dense size.",
    beware="params are those of the dense model beneath, which a token meets; params_total counts "
    "every expert. All saw the same 131B tokens, so that only params vary among finals. Five "
    "further losses of the same runs are in the file and not read.",
    parts=(
        Part(
            _read,
            (
                _family("Dense", note="four seeds at 132M"),
                *(_family(f"{router}-{e}") for router in ROUTERS for e in EXPERTS),
                *(_family(name, note="a variant of one to three sizes") for name in VARIANTS),
            ),
        ),
    ),
    counts={"rows": 5799, "runs": 223, "families": 28},
)
