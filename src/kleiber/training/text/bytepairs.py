"""Byte-level byte-pair encoding as GPT-2 has it (Radford et al. 2019), by ``tokenizers``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from kleiber.errors import MissingExtraError


def tokenizers(*, instead: str) -> Any:
    """Return the package, or raise MissingExtraError; ``instead`` says what needs none of it."""
    try:
        return import_module("tokenizers")
    except ImportError as error:
        raise MissingExtraError(
            "byte-pair tokens need the package tokenizers, which is not installed.",
            remedy=f"Install it (pip install tokenizers), or take {instead}.",
        ) from error


def byte_level(model: Any, *, instead: str) -> Any:
    """Return a tokenizer of a byte-pair model: cut at spaces, over bytes, nothing added."""
    library = tokenizers(instead=instead)
    tokenizer = library.Tokenizer(model)
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    return tokenizer


def learned(texts: Iterable[str], rows: int, *, instead: str) -> Any:
    """Learn a tokenizer of so many rows, 256 bytes among them, or fewer where texts are short."""
    library = tokenizers(instead=instead)
    tokenizer = byte_level(library.models.BPE(), instead=instead)
    trainer = library.trainers.BpeTrainer(
        vocab_size=rows,
        show_progress=False,
        initial_alphabet=sorted(library.pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
