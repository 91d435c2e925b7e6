"""ColPret's own files of language-model losses, read as published."""

from __future__ import annotations

import json
from functools import partial

import polars as pl

from kleiber.errors import InputError
from kleiber.runs.sets.folder import Folder, number, numbers, unpivoted
from kleiber.runs.sets.record import Family, Part, Points
from kleiber.units import ParamsAre, parse_count

NAME = "colpret"
EVAL = "original/aggregated_eval"
RAW = "original/raw_data"
EPOCHS = (1, 2, 3, 4, 5, 7, 14, 44)
GPT3_SIZES = {
    **{"small": "125M", "medium": "350M", "large": "760M", "xl": "1.3B", "2.7b": "2.7B"},
    **{"6.7b": "6.7B", "13b": "13B", "175b": "175B"},
}
GZIP = ("0.12", "0.23", "0.33", "0.45", "0.61")
OVERTRAIN = ("c4_original", "rpj", "rw_original")
OVERTRAIN_LOSSES = (
    *("openlm", "c4_val", "paloma_c4_en", "paloma_dolma_100_programing_languages"),
    *("paloma_falcon-refinedweb", "paloma_ptb", "paloma_redpajama", "val_de-en_100"),
)


def counts(column: str) -> pl.Expr:
    """Return a text column of counts such as 2.8B as numbers, null where it is no count."""

    def one(text: str) -> float | None:
        try:
            return parse_count(text)
        except InputError:
            return None

    return pl.col(column).map_elements(one, return_dtype=pl.Float64)


def _chinchilla(folder: Folder) -> pl.DataFrame:
    rows = folder.table(f"{RAW}/chinchila_extracted.csv").select(
        numbers(params="Model Size", flops="Training FLOP", value="loss")
    )
    return rows.with_columns(
        (pl.col("flops") / (6 * pl.col("params"))).alias("tokens"),
        pl.lit("chinchilla").alias("family"),
        pl.Series("run", [f"row-{i}" for i in range(1, rows.height + 1)]),
    )


def _datablations(folder: Folder) -> pl.DataFrame:
    rows = folder.table(f"{EVAL}/datablations_losses.csv")
    family = pl.concat_str(
        pl.lit("GPT2-"), "data", pl.lit("-"), "epochs", pl.lit("ep"), separator=""
    )
    return rows.select(
        family.alias("family"),
        pl.concat_str(family, "num_params", separator="-").alias("run"),
        pl.col("data").alias("recipe"),
        counts("num_params").alias("params"),
        *numbers("epochs", tokens="token_num", unique_tokens="tokens_per_epoch", value="loss"),
    )


def _contour(folder: Folder) -> pl.DataFrame:
    rows = folder.table(f"{EVAL}/datablations_contour_losses.csv")
    # The file's tokens_per_epoch is 1.5e9 in every row; epochs and tokens are right.
    return rows.select(
        pl.lit("GPT2-contour").alias("family"),
        pl.concat_str(
            pl.lit("GPT2-"), pl.col("model_args").str.extract(r"'name': '([^']+)'")
        ).alias("run"),
        pl.col("data").alias("recipe"),
        *numbers("epochs", "flops", params="num_params", tokens="token_num", value="openLM_loss"),
        (number("token_num") / number("epochs")).alias("unique_tokens"),
    )


def _code(folder: Folder) -> pl.DataFrame:
    rows = folder.table(f"{EVAL}/datablations_code_losses.csv")
    # The column Seed is no seed: 1 is the loss on text, 2 the loss of the same run on code.
    metric = pl.when(pl.col("Seed") == "1").then(pl.lit("text")).otherwise(pl.lit("code"))
    share = pl.concat_str(pl.col("epochs"), pl.lit("% text"), separator="")
    return rows.select(
        pl.concat_str(pl.lit("GPT2-c4py/"), metric).alias("family"),
        pl.concat_str(pl.lit("GPT2-c4py"), "num_params", share, separator="-").alias("run"),
        share.alias("recipe"),
        counts("num_params").alias("params"),
        *numbers(tokens="token_num", value="loss"),
    )


def _gpt3(folder: Folder) -> pl.DataFrame:
    sizes = {name: parse_count(size) for name, size in GPT3_SIZES.items()}
    wide = folder.table(f"{RAW}/gpt3/extracted.csv").select(
        pl.concat_str(pl.lit("GPT3-"), "model").alias("run"),
        pl.col("model").replace_strict(sizes, return_dtype=pl.Float64).alias("params"),
        (number("step") * 1e9).alias("tokens"),
        *numbers("train_loss", "val_loss"),
    )
    family = pl.concat_str(pl.lit("gpt3/"), "metric").alias("family")
    return unpivoted(wide, ["train_loss", "val_loss"]).with_columns(family)


def _opt(folder: Folder) -> pl.DataFrame:
    return folder.table(f"{EVAL}/opt_trajectories.csv").select(
        pl.lit("OPT").alias("family"),
        pl.concat_str(pl.lit("OPT-"), "model_size").alias("run"),
        counts("model_size").alias("params"),
        # Columns num_token and flops are decimal logarithms.
        (10 ** number("num_token")).alias("tokens"),
        (10 ** number("flops")).alias("flops"),
        *numbers(step="steps", value="ppl"),
    )


def _red_pajama(folder: Folder) -> pl.DataFrame:
    tables = [
        folder.table(f"{RAW}/redPajama/{size}.csv", names=["tokens", "value"]).select(
            pl.lit("redPajama").alias("family"),
            pl.lit(f"redPajama-{size}").alias("run"),
            pl.lit(parse_count(size)).alias("params"),
            (number("tokens") * 1e9).alias("tokens"),
            number("value"),
        )
        for size in ("2.4B", "6.7B")
    ]
    return pl.concat(tables)


def _gzip(folder: Folder) -> pl.DataFrame:
    text = folder.content(f"{RAW}/gzip/results_new.jsonl").decode()
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    return pl.DataFrame(
        [
            {
                "family": f"gzip-{row['dataset_name'].lstrip('/')}",
                "run": f"{row['dataset_name'].lstrip('/')}-{row['model_size']}-{row['token_ct']}",
                "params": float(row["model_size"]),
                "tokens": float(row["token_ct"]) * row["num_epochs"],
                "unique_tokens": float(row["token_ct"]),
                "epochs": float(row["num_epochs"]),
                "value": float(row["valid_loss"][-1]),
            }
            for row in rows
        ]
    )


def overtrain(folder: Folder, prefix: str, what: str) -> pl.DataFrame:
    """Return the finals of one kind of column: ``loss_`` by evaluation, ``err_`` by task."""
    table = folder.table(f"{RAW}/overtrain/overtrain_downstreams.csv")
    columns = [
        name
        for name in table.columns
        if name.startswith(prefix) and not name.startswith(("loss_upper", "loss_lower"))
    ]
    wide = table.select(
        pl.col("name").alias("run"),
        pl.col("dataset_name").alias("recipe"),
        *numbers("flops", params="N", tokens="D"),
        *(number(column).alias(column.removeprefix(prefix)) for column in columns),
    )
    long = unpivoted(wide, [column.removeprefix(prefix) for column in columns])
    kind = pl.col("metric") if what == "loss" else pl.lit(what)
    family = pl.concat_str(pl.lit("overtrain-"), "recipe", pl.lit("/"), kind)
    return long.with_columns(family.alias("family"))


def _nats(
    name: str,
    cluster: str,
    points: Points,
    metric: str = "validation loss",
    *,
    params_are: ParamsAre = "unknown",
    duplicate_of: str = "",
    apart: str = "",
    note: str = "",
) -> Family:
    return Family(
        *(NAME, name, metric, "nats", cluster, points),
        params_are=params_are,
        duplicate_of=duplicate_of,
        apart=apart,
        note=note,
    )


GZIP_APART = "up to 1.4B parameters on under 10M tokens: the parameters have no use"
PARTS = (
    Part(
        _chinchilla,
        (
            _nats(
                "chinchilla",
                "chinchilla",
                "finals",
                duplicate_of="epoch_chinchilla/chinchilla",
            ),
        ),
    ),
    Part(
        _datablations,
        tuple(
            _nats(
                f"GPT2-{data}-{epochs}ep",
                "datablations",
                "curves",
                note="epochs of the whole run; unique_tokens are those of one epoch",
            )
            for data in ("c4", "oscar")
            for epochs in EPOCHS
        ),
    ),
    Part(
        _contour,
        (_nats("GPT2-contour", "datablations", "finals", note="1 to 660 epochs of C4 together"),),
    ),
    Part(
        _code,
        tuple(
            _nats(
                f"GPT2-c4py/{what}",
                "datablations",
                "curves",
                f"validation loss on {what}",
                note="one size, nine mixtures of C4 and Python",
            )
            for what in ("text", "code")
        ),
    ),
    Part(
        _gpt3,
        (
            _nats("gpt3/train_loss", "gpt3", "curves", "training loss"),
            _nats("gpt3/val_loss", "gpt3", "curves", note="read off a figure"),
        ),
    ),
    Part(
        _opt,
        (
            Family(
                *(NAME, "OPT", "validation perplexity", "perplexity", "OPT", "curves"),
                note="perplexity as published; upstream calls it loss",
            ),
        ),
    ),
    Part(
        _red_pajama,
        (_nats("redPajama", "redPajama", "curves", "training loss", note="read off a figure"),),
    ),
    Part(
        _gzip,
        tuple(
            _nats(f"gzip-gzipscale-{rate}-10M", "gzip", "finals", apart=GZIP_APART) for rate in GZIP
        ),
    ),
    Part(
        partial(overtrain, prefix="loss_", what="loss"),
        tuple(
            _nats(
                f"overtrain-{data}/{loss}",
                "gadre",
                "finals",
                f"loss on {loss}",
                params_are="total",
                duplicate_of=f"gadre_overtraining/{data}/{loss}",
            )
            for data in OVERTRAIN
            for loss in OVERTRAIN_LOSSES
        ),
    ),
    Part(
        partial(overtrain, prefix="err_", what="tasks"),
        tuple(
            Family(
                *(NAME, f"overtrain-{data}/tasks", "48 tasks", "error rate", "gadre", "finals"),
                cross_entropy=False,
                reason="task errors",
            )
            for data in OVERTRAIN
        ),
    ),
)
