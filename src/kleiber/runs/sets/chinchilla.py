"""Four tables of the Chinchilla figure: Epoch AI's, kyo-takano's, and two of benchmarks."""

from __future__ import annotations

import polars as pl

from kleiber.runs.sets.folder import Folder, numbers
from kleiber.runs.sets.record import Collection, Family, Part

CITE = "Hoffmann et al. 2022, Training Compute-Optimal Large Language Models, figure 4"


def _epoch(folder: Folder) -> pl.DataFrame:
    rows = folder.table("svg_extracted_data.csv").select(
        numbers(params="Model Size", flops="Training FLOP", value="loss")
    )
    return _finals(rows.with_columns(tokens=pl.col("flops") / (6 * pl.col("params"))), "chinchilla")


def _kyo_takano(folder: Folder) -> pl.DataFrame:
    columns = numbers(params="N", tokens="D", flops="C", value="loss")
    return _finals(folder.table("df.csv").select(columns), "chinchilla")


def _bench(folder: Folder) -> pl.DataFrame:
    made = folder.table("points.csv").select(
        numbers(params="N", tokens="D", flops="C", value="loss")
    )
    real = folder.table("points_epoch_real.csv").select(
        numbers(params="N", tokens="D", value="loss")
    )
    return pl.concat(
        [
            _finals(made, "points").with_columns(synthetic=pl.lit(True)),
            _finals(real, "points_epoch_real").with_columns(synthetic=pl.lit(False)),
        ],
        how="diagonal",
    )


def _finals(rows: pl.DataFrame, family: str) -> pl.DataFrame:
    """Return rows as finished runs of one family, named by their place in the file."""
    names = [f"row-{i}" for i in range(1, rows.height + 1)]
    return rows.with_columns(pl.lit(family).alias("family"), pl.Series("run", names))


def _family(collection: str, name: str, duplicate_of: str = "", note: str = "") -> Family:
    cluster = "synthetic" if name == "points" else "chinchilla"
    return Family(
        *(collection, name, "loss", "nats", cluster, "finals"), duplicate_of=duplicate_of, note=note
    )


EPOCH = Collection(
    name="epoch_chinchilla",
    title="Chinchilla, digitised by Epoch AI",
    repository="epoch-research/analyzing-chinchilla",
    commit="92258837425e1b5f2851d624287f0120583a3d0e",
    licence="none stated",
    cite=f"Besiroglu et al. 2024, Chinchilla Scaling: A replication attempt; points from {CITE}",
    good_for="The law that everybody quotes; published fits to compare with.",
    beware="Read off a figure. The replication drops the 5 highest losses. Tokens are "
    "flops / (6 params).",
    parts=(
        Part(
            _epoch,
            (
                _family(
                    "epoch_chinchilla", "chinchilla", note="245 points of a figure, one final each"
                ),
            ),
        ),
    ),
    counts={"rows": 245, "runs": 245},
)
KYO_TAKANO = Collection(
    name="kyo_takano_chinchilla",
    title="Chinchilla, filtered, of the chinchilla package",
    repository="kyo-takano/chinchilla",
    commit="75e5858",
    licence="Apache-2.0",
    cite=CITE,
    good_for="A table of C, N, D and loss, as packages like it.",
    beware="The points of epoch_chinchilla again, fewer of them.",
    parts=(
        Part(
            _kyo_takano,
            (
                _family(
                    "kyo_takano_chinchilla",
                    "chinchilla",
                    duplicate_of="epoch_chinchilla/chinchilla",
                ),
            ),
        ),
    ),
    counts={"rows": 234, "runs": 234},
)
BENCH = Collection(
    name="bench",
    title="The two point sets of the fitting benchmark",
    repository="",
    commit="",
    licence="made for this project; the real points as epoch_chinchilla",
    cite="points.csv: E 1.82, A 482, alpha 0.3478, B 2085, beta 0.3658, 1 % noise, seed 0",
    good_for="Comparing programs on the same points, with a known truth.",
    beware="points.csv is synthetic: the loss is generated, the design is Chinchilla's.",
    parts=(
        Part(
            _bench,
            (
                _family("bench", "points", note="generated from a known law: no model was trained"),
                _family(
                    "bench",
                    "points_epoch_real",
                    duplicate_of="epoch_chinchilla/chinchilla",
                    note="240 points: the 5 highest losses dropped",
                ),
            ),
        ),
    ),
    counts={"rows": 480, "runs": 480},
)
