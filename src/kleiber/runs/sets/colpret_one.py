"""ColPret's files of one or two large models with many metrics: OLMo, K2, Amber, Mamba, IBM's."""

from __future__ import annotations

import polars as pl

from kleiber.runs.sets.colpret_lm import EVAL, NAME, RAW, counts
from kleiber.runs.sets.folder import Folder, number, numbers, unpivoted
from kleiber.runs.sets.manifest import files_of
from kleiber.runs.sets.record import Family, Part, Unit

OLMO_TOKENS_PER_STEP = 4e6
# The exports count checkpoints and steps; the whole runs saw 1.259T and 500B tokens.
AMBER_TOKENS_PER_CHECKPOINT = 1.259e12 / 358
MAMBA_TOKENS_PER_STEP = 5e11 / 176_703
TEXTS = (
    *("4chan", "c4_100_domains", "c4_en", "gab", "ice", "m2d2_s2orc", "m2d2_wiki", "manosphere"),
    *("mc4_en", "pile", "ptb", "twitterAEE", "wikitext_103"),
)
TWIN_PERPLEXITIES = ("c4_100_domains", "c4_en")
SMALL_2 = tuple(text for text in TEXTS if text not in ("m2d2_s2orc", "pile"))
SMALL_3 = (
    *("c4_en", "dolma_books", "dolma_common-crawl", "dolma_pes2o", "dolma_reddit", "dolma_stack"),
    *("dolma_wiki", "ice", "m2d2_s2orc", "wikitext_103"),
)
AMBER_TEXTS = (
    *("ArXiv", "DM Mathematics", "Enron Emails", "EuroParl", "FreeLaw", "Github"),
    *("Gutenberg (PG-19)", "HackerNews", "NIH ExPorter", "PhilPapers", "Pile-CC"),
    *("PubMed Abstracts", "PubMed Central", "StackExchange", "USPTO Backgrounds", "Ubuntu IRC"),
    *("Wikipedia (en)", "average per doc"),
)
TASK_PERPLEXITY = "perplexity of one word that a task asks for, not of a text"
T5 = {"base": 247586304, "large": 783173632, "xl": 2849804288, "xxl": 11135426560}
T5_REASON = "divided by the wrong count: a perplexity of 1.03 to 1.08, and losses below zero"


def _olmo(folder: Folder) -> pl.DataFrame:
    table = folder.table(f"{EVAL}/olmo.csv")
    metrics = [name for name in table.columns if "/" in name]
    name = pl.col("model_name").str.strip_chars()
    wide = table.select(
        name.alias("run"),
        counts("num_params").alias("params"),
        (number("Step") * OLMO_TOKENS_PER_STEP).alias("tokens"),
        *numbers("Step", *metrics),
    ).rename({"Step": "step"})
    long = unpivoted(wide, metrics)
    group = pl.when(pl.col("run").str.contains("Twin")).then(pl.lit("olmo-twin"))
    tasks = pl.col("metric").str.starts_with("downstream/")
    short = pl.when(tasks).then(pl.lit("tasks")).otherwise(pl.col("metric"))
    family = pl.concat_str(group.otherwise(pl.lit("olmo")), short, separator="/")
    rows = long.with_columns(family.alias("family"))
    pile = pl.col("family").is_in(["olmo/pile/CrossEntropyLoss", _olmo_name("pile")])
    joined = rows.filter(pile).with_columns(pl.lit("olmo/pile").alias("family"))
    return pl.concat([rows, joined])


def _olmo_name(text: str, group: str = "olmo", kind: str = "CrossEntropyLoss") -> str:
    return f"{group}/{text}-validation/{kind}"


def _t5(folder: Folder) -> pl.DataFrame:
    metrics = {
        "val_perplexity": "val_perplexity",
        "cross_ent_loss_per_all_target_tokens": "cross_ent_loss_per_all_target_tokens",
        "loss_per_nonpadding_target_token": "loss_per_nonpadding_target_token",
        "accuracy": "accuracy",
    }
    sizes = {name: float(size) for name, size in T5.items()}
    wide = folder.table(f"{EVAL}/t5_pile.csv").select(
        pl.concat_str(pl.lit("pile-t5-"), "model_name").alias("run"),
        pl.col("model_name").replace_strict(sizes, return_dtype=pl.Float64).alias("params"),
        (number("steps") * 1e6).alias("tokens"),
        number("steps").alias("step"),
        *numbers(**metrics),
    )
    family = pl.concat_str(pl.lit("t5-pile/"), "metric").alias("family")
    return unpivoted(wide.filter(pl.col("tokens") > 0), list(metrics)).with_columns(family)


def _mamba(folder: Folder) -> pl.DataFrame:
    return folder.table(f"{EVAL}/llm360Mamba3B.csv").select(
        pl.lit("llm360Mamba").alias("family"),
        pl.lit("LLM360-Mamba3B").alias("run"),
        pl.lit(3e9).alias("params"),
        (number("step") * MAMBA_TOKENS_PER_STEP).alias("tokens"),
        *numbers("step", "lr", value="loss"),
    )


def _k2(folder: Folder) -> pl.DataFrame:
    table = folder.table(f"{EVAL}/K2.csv")
    # Six further columns are of two episodes that diverged and of a last stage.
    metrics = [n for n in table.columns if n.startswith(("k2 training - ", "k2 eval - "))]
    metrics = [name for name in metrics if "__" not in name]
    wide = table.select(
        pl.lit("K2-65B").alias("run"),
        counts("num_params").alias("params"),
        *numbers("flops", *metrics, tokens="tokens_seen", step="Step"),
    )
    loss = pl.col("metric") == "k2 training - lm loss"
    family = pl.when(loss).then(pl.lit("K2/lm loss")).otherwise(pl.lit("K2/tasks"))
    return unpivoted(wide.filter(pl.col("tokens") > 0), metrics).with_columns(
        family.alias("family")
    )


def _amber(folder: Folder) -> pl.DataFrame:
    exports = [one.path for one in files_of(NAME) if "/lm360/Amber/" in one.path]
    tables: list[pl.DataFrame] = []
    for path in exports:
        table = folder.table(path)
        name = table.columns[1]
        kind, _, metric = name.partition(" - ")
        tasks = kind == "downstream_eval"
        tables.append(
            table.select(
                pl.lit("Amber/tasks" if tasks else f"Amber/{metric}").alias("family"),
                pl.lit(metric).alias("metric"),
                pl.lit("Amber").alias("run"),
                pl.lit(6.7e9).alias("params"),
                *numbers(step="Step", value=name),
            )
        )
    rows = pl.concat(tables).filter(pl.col("value").is_not_null() & (pl.col("step") > 0))
    return rows.with_columns((pl.col("step") * AMBER_TOKENS_PER_CHECKPOINT).alias("tokens"))


def _ibm(folder: Folder) -> pl.DataFrame:
    table = folder.table(f"{RAW}/IBM_MoE.csv")
    metrics = [name for name in table.columns if name not in _IBM_NOT]
    wide = table.select(
        pl.concat_str("Model", "data", separator="/").alias("run"),
        pl.col("data").alias("recipe"),
        counts("Params").alias("params"),
        counts("Effective Params").alias("params_active"),
        counts("tokens_seen").alias("tokens"),
        *numbers(*metrics),
    )
    named = pl.col("run").is_not_null() & pl.col("tokens").is_not_null()
    score = ~pl.col("metric").str.contains("ppl|bpb")
    short = pl.when(score).then(pl.lit("tasks")).otherwise(pl.col("metric"))
    family = pl.concat_str(pl.lit("ModuleFormer"), short, separator="/").alias("family")
    return unpivoted(wide.filter(named), metrics).with_columns(family)


_IBM_NOT = ("Model", "data", "Params", "Effective Params", "tokens_seen", "Tokenizer")


def _opt_tasks(folder: Folder) -> pl.DataFrame:
    table = folder.table(f"{EVAL}/opt.csv")
    metrics = [name for name in table.columns if name.startswith("bigbench")]
    wide = table.select(
        pl.lit("OPT/tasks").alias("family"),
        pl.concat_str(pl.lit("OPT-"), "size").alias("run"),
        counts("size").alias("params"),
        *numbers("tokens", "flops", *metrics, step="steps"),
    )
    return unpivoted(wide, metrics)


def _language(folder: Folder) -> pl.DataFrame:
    table = folder.table(f"{EVAL}/revisiting_lang.csv")
    task = pl.col("Task")
    short = pl.when(pl.col("Domain") == "BB").then(pl.lit("BB"))
    return table.select(
        pl.concat_str(pl.lit("revisiting-"), short.otherwise(pl.col("Domain"))).alias("family"),
        task.alias("metric"),
        pl.concat_str("Domain", "Model", separator="-").alias("run"),
        pl.when(pl.col("Domain") != "NMT").then(counts("Model")).alias("params"),
        pl.lit(None, dtype=pl.Float64).alias("tokens"),
        *numbers(examples="Seen Examples", value="Loss"),
        (pl.col("Training") == "1").alias("split_train"),
    )


def _vision(folder: Folder) -> pl.DataFrame:
    table = folder.table(f"{EVAL}/revisiting_vision.csv")
    return table.select(
        pl.lit("revisiting-vision").alias("family"),
        pl.col("Task").alias("metric"),
        pl.col("Model").alias("run"),
        pl.lit(None, dtype=pl.Float64).alias("params"),
        pl.lit(None, dtype=pl.Float64).alias("tokens"),
        *numbers(examples="Seen Examples", value="Loss"),
        (pl.col("Training") == "1").alias("split_train"),
    )


def _family(
    name: str,
    metric: str,
    unit: Unit,
    cluster: str,
    reason: str = "",
    *,
    duplicate_of: str = "",
    note: str = "",
) -> Family:
    return Family(
        *(NAME, name, metric, unit, cluster, "curves", not reason, reason),
        duplicate_of=duplicate_of,
        note=note,
    )


def _olmo_families() -> tuple[Family, ...]:
    def loss(name: str, duplicate_of: str = "", note: str = "") -> Family:
        unit: Unit = "perplexity" if name.endswith("Perplexity") else "nats"
        return _family(name, name, unit, "olmo", duplicate_of=duplicate_of, note=note)

    texts = [text for text in TEXTS if text not in ("pile",)]
    twin = [text for text in TEXTS if text not in TWIN_PERPLEXITIES]
    joined = "the 1B's pile with the 7B's pile-validation, which the file names apart"
    return (
        _family("olmo/pile", "pile", "nats", "olmo", note=joined),
        loss("olmo/pile/CrossEntropyLoss", f"{NAME}/olmo/pile"),
        loss(_olmo_name("pile"), f"{NAME}/olmo/pile"),
        *(loss(_olmo_name(text)) for text in texts),
        *(
            loss(_olmo_name(text, kind="Perplexity"), f"{NAME}/{_olmo_name(text)}")
            for text in TEXTS
        ),
        *(loss(_olmo_name(f"v2-small-{text}")) for text in SMALL_2 if text != "4chan"),
        loss(_olmo_name("v2-small-m2d2_s2orc")),
        loss(_olmo_name("v2-small-4chan")),
        loss(
            _olmo_name("v2-small-4chan", kind="Perplexity"),
            f"{NAME}/{_olmo_name('v2-small-4chan')}",
        ),
        loss(_olmo_name("v2-small-pile", kind="Perplexity")),
        *(loss(_olmo_name(f"v3-small-{text}")) for text in SMALL_3),
        *(loss(_olmo_name(text, "olmo-twin")) for text in twin),
        *(loss(_olmo_name(text, "olmo-twin", "Perplexity")) for text in TWIN_PERPLEXITIES),
        _family("olmo/tasks", "10 tasks", "accuracy", "olmo", "task accuracies"),
        _family("olmo-twin/tasks", "6 tasks", "accuracy", "olmo", "task accuracies"),
    )


PARTS = (
    Part(_olmo, _olmo_families()),
    Part(
        _t5,
        (
            _family("t5-pile/val_perplexity", "validation", "perplexity", "t5", T5_REASON),
            _family(
                "t5-pile/cross_ent_loss_per_all_target_tokens", "training", "nats", "t5", T5_REASON
            ),
            _family(
                "t5-pile/loss_per_nonpadding_target_token", "training", "nats", "t5", T5_REASON
            ),
            _family("t5-pile/accuracy", "training accuracy", "accuracy", "t5", "an accuracy"),
        ),
    ),
    Part(_mamba, (_family("llm360Mamba", "training loss", "nats", "llm360", note="one size"),)),
    Part(
        _k2,
        (
            _family("K2/lm loss", "training loss", "nats", "llm360", note="one size"),
            _family("K2/tasks", "5 tasks", "accuracy in %", "llm360", "task accuracies"),
        ),
    ),
    Part(
        _amber,
        (
            *(
                _family(f"Amber/{text}", f"perplexity on {text}", "perplexity", "llm360")
                for text in AMBER_TEXTS
            ),
            _family("Amber/tasks", "22 tasks", "accuracy in %", "llm360", "task accuracies"),
        ),
    ),
    Part(
        _ibm,
        (
            _family(
                "ModuleFormer/wikitext ppl",
                "wikitext perplexity",
                "perplexity",
                "ModuleFormer",
                note="per word; six architectures, three tokenizers",
            ),
            _family(
                "ModuleFormer/wikitext bpb",
                "wikitext bits per byte",
                "bits per byte",
                "ModuleFormer",
                duplicate_of=f"{NAME}/ModuleFormer/wikitext ppl",
            ),
            _family(
                "ModuleFormer/lambada_openai ppl",
                "LAMBADA perplexity",
                "perplexity",
                "ModuleFormer",
                TASK_PERPLEXITY,
            ),
            _family(
                "ModuleFormer/tasks", "18 tasks", "accuracy in %", "ModuleFormer", "task accuracies"
            ),
        ),
    ),
    Part(
        _opt_tasks,
        (_family("OPT/tasks", "6 BIG-bench tasks", "accuracy in %", "OPT", "task accuracies"),),
    ),
    Part(
        _language,
        (
            _family(
                *("revisiting-LM", "val_loss", "unknown", "revisiting"),
                "scaled to end below 1, by what is not said; no tokens",
            ),
            _family(
                *("revisiting-NMT", "log_perplexity", "unknown", "revisiting"),
                "of translations, scaled; no params and no tokens",
            ),
            _family(
                *("revisiting-BB", "10 BIG-bench tasks", "unknown", "revisiting"),
                "losses of tasks; no tokens",
            ),
        ),
    ),
    Part(
        _vision,
        (
            _family(
                *("revisiting-vision", "12 image tasks", "error rate", "revisiting"),
                "errors on images; no params and no tokens",
            ),
        ),
    ),
)
