"""Families that only ColPret's tidy table has: Pythia and its neighbours, and BiMix."""

from __future__ import annotations

import io

import polars as pl

from kleiber.errors import InputError
from kleiber.runs.sets.colpret_lm import NAME
from kleiber.runs.sets.colpret_one import TASK_PERPLEXITY
from kleiber.runs.sets.folder import Folder
from kleiber.runs.sets.record import Family, Part

TIDY = "tidy.parquet"
PYTHIA = (
    *("pythia", "pythia-deduped", "pythia-v0", "pythia-deduped-v0", "pythia-0.25MtokBS"),
    *("pythia-0.5MtokBS", "pythia-1MtokBS", "pythia-bf16", "pythia-deduped-baseline"),
    *("pythia-deduped-intervention", "pythia-deduped-long-intervention"),
    *("opt-lmeval", "bloom-lmeval"),
)
WITH_WIKITEXT = ("pythia-v0", "pythia-deduped-v0")
PILE = (
    *("ArXiv", "BookCorpus2", "Books3", "DM Mathematics", "Enron Emails", "EuroParl", "FreeLaw"),
    *("Github", "Gutenberg (PG-19)", "HackerNews", "NIH ExPorter", "OpenSubtitles"),
    *("OpenWebText2", "PhilPapers", "Pile-CC", "PubMed Abstracts", "PubMed Central"),
    *("StackExchange", "USPTO Backgrounds", "Ubuntu IRC", "Wikipedia (en)", "YoutubeSubtitles"),
    "avg",
)
SLIM_PAJAMA = (
    *("ArXiv", "Book", "C4", "CommonCrawl", "Github", "StackExchange", "Wikipedia", "avg"),
)


def tidy(folder: Folder) -> pl.DataFrame:
    """Return the tidy table."""
    data = folder.raw(TIDY)
    try:
        return pl.read_parquet(io.BytesIO(data))
    except Exception as error:  # polars raises several kinds, its panic among them
        raise InputError(
            f"'{folder.path(TIDY)}' is a broken Parquet file: {str(error).splitlines()[0]}.",
            remedy="Get a fresh copy of it.",
        ) from None


def _read(folder: Folder) -> pl.DataFrame:
    rows = tidy(folder).filter(pl.col("source").is_in(["pythia_evals(rebuilt)", "bimix"]))
    scores = pl.col("kind") == "accuracy"
    short = pl.when(scores).then(pl.lit("tasks")).otherwise(pl.col("metric"))
    return rows.select(
        pl.concat_str("family", short, separator="/").alias("family"),
        "metric",
        pl.col("model").alias("run"),
        pl.col("data").alias("recipe"),
        pl.col("n_params").alias("params"),
        pl.col("d_tokens").alias("tokens"),
        "epochs",
        "value",
    )


def _pythia() -> tuple[Family, ...]:
    found: list[Family] = []
    for group in PYTHIA:
        cluster = "pythia" if group.startswith("pythia") else group
        found += [
            Family(
                *(NAME, f"{group}/lambada_openai ppl", "LAMBADA perplexity", "perplexity"),
                *(cluster, "curves", False),
                reason=TASK_PERPLEXITY,
                note="upstream's loss of this family is its log2",
            ),
            Family(
                *(NAME, f"{group}/tasks", "tasks of lm-eval", "score", cluster, "curves", False),
                reason="task accuracies and likelihood differences",
            ),
        ]
        if group in WITH_WIKITEXT:
            word = f"{group}/wikitext word_perplexity"
            found += [
                Family(
                    *(NAME, word, "wikitext perplexity", "perplexity", cluster, "curves"),
                    note="per word; early checkpoints of five of the eight sizes",
                ),
                Family(
                    *(NAME, f"{group}/wikitext byte_perplexity", "wikitext perplexity per byte"),
                    *("perplexity", cluster, "curves"),
                    duplicate_of=f"{NAME}/{word}",
                    note="per byte: its log is nats per byte",
                ),
            ]
    return tuple(found)


PARTS = (
    Part(
        _read,
        (
            *_pythia(),
            *(
                Family(
                    *(NAME, f"bimix-{data}/{text}", f"loss on {text}", "nats", "bimix", "curves"),
                    note="one size, six mixtures",
                )
                for data, texts in (("Pile", PILE), ("SlimPajama", SLIM_PAJAMA))
                for text in texts
            ),
        ),
        needs=TIDY,
    ),
)
