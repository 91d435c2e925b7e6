"""IsoFLOP points of six studies, gathered by Open Athena."""

from __future__ import annotations

import polars as pl

from kleiber.runs.sets.folder import Folder, numbers
from kleiber.runs.sets.record import Collection, Family, Part

NAME = "open_athena_isoflop"
OWN_UNIT = "the unit of the figure it was read from, about 0.7 to 0.9, which its paper does not say"


def _read(folder: Folder) -> pl.DataFrame:
    rows = folder.table("extract/isoflops.csv")
    condition = pl.col("condition").replace("", None)
    return rows.select(
        pl.concat_str(["source", "dataset", condition], separator="/", ignore_nulls=True).alias(
            "family"
        ),
        pl.Series("run", [f"row-{i}" for i in range(1, rows.height + 1)]),
        pl.col("dataset").alias("recipe"),
        *numbers("params", "tokens", flops="budget", value="loss"),
    )


def _family(
    name: str, cluster: str, duplicate_of: str = "", note: str = "", reason: str = ""
) -> Family:
    return Family(
        *(NAME, name, "loss", "unknown" if reason else "nats", cluster, "finals", not reason),
        reason=reason,
        duplicate_of=duplicate_of,
        note=note,
    )


SET = Collection(
    name=NAME,
    title="IsoFLOP points: Chinchilla, Llama 3, three Marin data recipes, (Mis)Fitting",
    repository="Open-Athena/scaling-law-analysis",
    commit="3e0656e",
    licence="none stated",
    cite="Open Athena 2026, scaling-law-analysis (arXiv 2603.22339)",
    good_for="IsoFLOP designs, approach 2 against a direct fit, three recipes on one ladder.",
    beware="Llama 3 is there twice, as digitised and with its exponential undone, in a unit of its "
    "own. A point is read off a parabola's curve at a fixed budget: runs are finished ones.",
    parts=(
        Part(
            _read,
            (
                _family(
                    "epochai_chinchilla/massivetext",
                    "chinchilla",
                    duplicate_of="epoch_chinchilla/chinchilla",
                ),
                _family("ml_scalefit/massivetext", "chinchilla", note="Apple's digitisation"),
                _family("llama_3/llama_3/raw_loss", "llama_3", note=OWN_UNIT),
                _family(
                    "llama_3/llama_3/exp_loss",
                    "llama_3",
                    reason="the exponential of raw_loss",
                    duplicate_of=f"{NAME}/llama_3/llama_3/raw_loss",
                ),
                _family("marin_202603/comma", "marin", note="Paloma macro loss"),
                _family("marin_202603/dclm", "marin", note="Paloma macro loss"),
                _family("marin_202603/nemotron", "marin", note="Paloma macro loss"),
                _family(
                    "misfitting/fineweb_c4",
                    "misfitting",
                    note="isoFLOP points taken from the set misfitting",
                ),
            ),
        ),
    ),
    counts={"rows": 947, "runs": 947, "families": 8},
)
