"""From a rung's three words of text to its windows: ``text``, ``tokenizer``, ``epochs``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from kleiber.errors import InputError, UsageError
from kleiber.recipes.rung import Rung
from kleiber.training.text.corpus import Corpus
from kleiber.training.text.hub import NAMES, asked, of_hub
from kleiber.training.text.languages import is_language, language_of
from kleiber.training.text.languages.endless import Endless
from kleiber.training.text.local import check_path, gcide, of_path, stdlib
from kleiber.training.text.order import Order
from kleiber.training.text.shards import Shards, shards_of
from kleiber.training.text.tokenizer import rows_of, tokenizer_of
from kleiber.training.text.windows import Windows, available, blocks, check_enough

HERE = {"stdlib": stdlib, "gcide": gcide}
"""Texts of this machine, by their names."""


def open_text(rung: Rung) -> Windows | Endless:
    """Return the windows that a rung trains on, and those that are held out.

    Raises InputError for a text that cannot be read or has fewer tokens than the rung asks for,
    UsageError for names that mean nothing.
    """
    shown = rung.steps * rung.batch
    if is_language(rung.text):
        _check_no_tokenizer(rung)
        order = Order.of(shown, rung.epochs, rung.seed)
        return Endless.of(rung.text, language_of(rung.text), order, rung.context, rung.batch)
    corpus, tokenizer = corpus_of(rung.text), tokenizer_of(rung.tokenizer)
    shards = shards_of(corpus, tokenizer)
    there = available(len(shards.training), rung.context)
    order = Order.of(shown, rung.epochs, rung.seed, there)
    check_enough(order, rung.context, text=rung.text, rung=rung.name)
    about = about_of(corpus, shards, order, rung.context)
    return Windows(order, rung.context, rung.batch, about, shards)


def check_words(rung: Rung) -> None:
    """Raise where the three words mean nothing here; nothing is read but their names.

    So a ladder is refused before anything starts, for what can be known without opening a text.
    """
    if is_language(rung.text):
        _check_no_tokenizer(rung)
        rows = language_of(rung.text).vocab
    else:
        if rung.text.startswith("hf:") or rung.text in NAMES:
            asked(rung.text)
        elif rung.text not in HERE:
            check_path(rung.text)
        tokenizer_of(rung.tokenizer)
        rows = rows_of(rung.tokenizer)
    if rows is not None:
        check_vocab(rung, rows)


def check_vocab(rung: Rung, rows: int) -> None:
    """Raise InputError where a text has more different tokens than a rung has rows."""
    if rows > rung.vocab:
        raise InputError(
            f"The text '{rung.text}' in '{rung.tokenizer}' has {rows:,} different tokens, and the "
            f"recipe's vocab is {rung.vocab:,}.",
            remedy=f"Set vocab = {rows} in the recipe or under [changes].",
        )


def _check_no_tokenizer(rung: Rung) -> None:
    if rung.tokenizer not in ("bytes", "none"):  # bytes: what a recipe has that says nothing
        raise UsageError(
            f"The language '{rung.text}' is made of tokens, and {rung.name} names the tokenizer "
            f"'{rung.tokenizer}'.",
            remedy='Set tokenizer = "none" in the recipe or under [changes].',
        )


def corpus_of(name: str) -> Corpus:
    """Return a corpus by its name: stdlib, gcide, c4, hf:..., or the path of a file or a folder."""
    if name in HERE:
        return HERE[name]()
    if name.startswith("hf:") or name in NAMES:
        return of_hub(name)
    return of_path(name)


def about_of(corpus: Corpus, shards: Shards, order: Order, context: int) -> dict[str, Any]:
    """Return what a run's record says of its text."""
    index, held = shards.index, shards.index["heldout"]
    asked = blocks(shards.heldout, context)
    checksum = hashlib.sha256(b"".join(block.tobytes() for block in asked)).hexdigest()[:16]
    return {
        "name": corpus.name,
        "checksum": corpus.checksum,
        **corpus.about,
        **{key: index[key] for key in ("tokenizer", "tokenizer_checksum", "vocab")},
        "bytes_per_token": held["bytes"] / held["tokens"],
        "available_tokens": (order.available or 0) * context,
        "unique_tokens": order.unique * context,
        "epochs": order.epochs,
        "validation_set": f"{Path(corpus.name).name} {index['tokenizer']} {checksum}",
        "validation_tokens": sum(len(block) - 1 for block in asked),
    }
