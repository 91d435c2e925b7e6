"""ColPret's scaled sets as its code reads them: models, tokens, and values in its units.

"loss" columns are taken as they are, OPT's perplexities among them; columns named perplexity
become log2; a row of several losses is their mean.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from kleiber.errors import InputError
from kleiber.runs.collections import collection
from kleiber.runs.sets.folder import Folder, number
from kleiber.studies.guide.procedure import Model, ScaledSet
from kleiber.units import parse_count

Reader = Callable[[Path], list[ScaledSet]]

EPOCHS = (1, 2, 3, 4, 5, 7, 14, 44)
PYTHIA = {  # set: the group of its figures
    "pythia": "pythia",
    "pythia-deduped": "pythia",
    "pythia-v0": "pythia-v0",
    "pythia-deduped-v0": "pythia-v0",
}

# The set pythia-deduped of the figures has three models more than the suite, and a 6.9B that
# differs: the v0 runs' LAMBADA under older names (70M was 19M, 410M 350M, 1.4B 1.3B) and, at
# 6.9B, under the same. Read so, 37 of the 40 one-model cells of these rows agree to .35 of a
# point; no other run of the suite does. The files of those evaluations are not in our copy.
OLDER_SET = "pythia-deduped"
OLDER_NAMES = (
    ("70m", "pythia-19m-deduped", 19e6),
    ("410m", "pythia-350m-deduped", 350e6),
    ("1.4b", "pythia-1.3b-deduped", 1.3e9),
    ("6.9b", "pythia-6.9b-deduped-v1", 6.9e9),
)


def read_sets(data: Path) -> tuple[dict[str, ScaledSet], dict[str, str]]:
    """Return the sets whose files are there, by name, and why each other one is not."""
    found: dict[str, ScaledSet] = {}
    absent: dict[str, str] = {}
    for names, reader in READERS:
        try:
            found.update({one.name: one for one in reader(data)})
        except InputError as error:
            absent.update(dict.fromkeys(names, f"file absent: {error.message}"))
    return found, absent


def _one(name: str, group: str, rows: pl.DataFrame) -> ScaledSet:
    """Return rows (model, params, tokens, value) as a set; rows without a value are dropped."""
    clean = rows.drop_nulls(["tokens", "value", "params"]).filter(pl.col("tokens") != 0)
    models = [
        Model(
            name=str(key),
            params=float(part["params"][0]),
            tokens=part["tokens"].to_numpy().astype(np.float64),
            values=part["value"].to_numpy().astype(np.float64),
        )
        for (key,), part in clean.sort("model", "tokens", maintain_order=True).group_by(
            "model", maintain_order=True
        )
    ]
    return ScaledSet(name, group, tuple(sorted(models, key=lambda one: one.params)))


def _part(data: Path, family: str) -> pl.DataFrame:
    """Return the readings of a family and of those that are read with it."""
    for part in collection("colpret").parts:
        if family in {one.name for one in part.families}:
            return part.read(Folder("colpret", data)).rename({"run": "model"})
    raise KeyError(family)


def _table(data: Path, family: str) -> pl.DataFrame:
    return _part(data, family).filter(pl.col("family") == family)


def _opt(data: Path) -> list[ScaledSet]:
    # Tokens are steps by an assumed batch, by size; the value is a perplexity called loss.
    batch = (
        pl.when(pl.col("params") < 1e9)
        .then(5e5)
        .when(pl.col("params") < 6e9)
        .then(1e6)
        .when(pl.col("params") < 10e9)
        .then(2e6)
        .when(pl.col("params") < 60e9)
        .then(4e6)
        .otherwise(2e6)
    )
    return [_one("OPT", "OPT", _table(data, "OPT").with_columns(tokens=pl.col("step") * batch))]


def _gpt3(data: Path) -> list[ScaledSet]:
    return [_one("gpt3", "gpt3", _table(data, "gpt3/val_loss"))]


def _t5(data: Path) -> list[ScaledSet]:
    rows = _table(data, "t5-pile/val_perplexity")
    return [_one("t5-pile", "t5-pile", rows.with_columns(pl.col("value").log(2)))]


def _red_pajama(data: Path) -> list[ScaledSet]:
    rows = _table(data, "redPajama").with_columns(pl.col("tokens").floor())
    return [_one("redPajama", "pythia", rows)]


def _datablations(data: Path) -> list[ScaledSet]:
    rows = _part(data, "GPT2-c4-1ep")
    return [
        _one(f"GPT2-{text}-{epochs}.0", "GPT2", part)
        for text in ("c4", "oscar")
        for epochs in EPOCHS
        if len(part := rows.filter(pl.col("family") == f"GPT2-{text}-{epochs}ep"))
    ]


def _chinchilla(data: Path) -> list[ScaledSet]:
    # Sizes of digitised points, rounded to 10M, are taken as the models.
    size = pl.col("params").floor().map_elements(lambda x: round(x, -7), return_dtype=pl.Float64)
    rows = _table(data, "chinchilla").with_columns(params=size)
    rows = rows.with_columns(
        tokens=pl.col("flops") / 6 / pl.col("params"),
        model=pl.concat_str(pl.lit("chin"), pl.col("params").cast(pl.Int64).cast(pl.String)),
    )
    return [_one("chinchilla", "Gopher", rows)]


def _olmo(data: Path) -> list[ScaledSet]:
    wide = Folder("colpret", data).table("original/aggregated_eval/olmo.csv")
    losses = [number(name) for name in wide.columns if "CrossEntropyLoss" in name]
    size = pl.col("num_params").map_elements(parse_count, return_dtype=pl.Float64)
    rows = wide.filter(pl.col("model_name") != "OLMo-7B-Twin-2T").select(
        pl.col("model_name").alias("model"),
        size.alias("params"),
        (number("Step") * 4e6).alias("tokens"),
        pl.mean_horizontal(*losses).alias("value"),
    )
    return [_one("olmo", "olmo", rows)]


def _pythia(data: Path) -> list[ScaledSet]:
    rows = _part(data, "pythia/lambada_openai ppl")
    lambada = rows.filter(pl.col("metric") == "lambada_openai ppl")
    found: list[ScaledSet] = []
    for name, group in PYTHIA.items():
        parts = [f"{name}/lambada_openai ppl", f"{name}/wikitext word_perplexity"]
        # A checkpoint that was evaluated twice counts twice: only losses of one row are averaged.
        mean = (
            rows.filter(pl.col("family").is_in(parts))
            .with_columns(time=pl.int_range(pl.len()).over("model", "metric", "tokens"))
            .group_by("model", "params", "tokens", "time", maintain_order=True)
            .agg(pl.col("value").log(2).mean())
            .drop("time")
        )
        if name == OLDER_SET:
            mean = pl.concat([mean, *(_older(lambada, *one) for one in OLDER_NAMES)])
        found.append(_one(name, group, mean))
    return found


def _older(lambada: pl.DataFrame, size: str, name: str, params: float) -> pl.DataFrame:
    """Return a v0 run's LAMBADA under the name that it has in the set."""
    run = lambada.filter(pl.col("model") == f"pythia-{size}-deduped-v0")
    return run.select(
        pl.lit(name).alias("model"),
        pl.lit(params).alias("params"),
        "tokens",
        pl.col("value").log(2),
    )


READERS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (("OPT",), _opt),
    (("gpt3",), _gpt3),
    (("t5-pile",), _t5),
    (("redPajama",), _red_pajama),
    (tuple(f"GPT2-{t}-{e}.0" for t in ("c4", "oscar") for e in EPOCHS), _datablations),
    (("chinchilla",), _chinchilla),
    (("olmo",), _olmo),
    (tuple(PYTHIA), _pythia),
)
