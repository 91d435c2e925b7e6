"""Synthetic languages of exactly known entropy, to check a fitted floor against the truth.

``zipf`` tokens drawn alone · ``markov`` from the few before · ``pairs`` keys and their values ·
``pcfg`` sentences of a grammar · ``language`` what all share · ``endless`` a run's batches.
"""

from __future__ import annotations

from collections.abc import Callable

from kleiber.training.text.languages import markov, pairs, pcfg, zipf
from kleiber.training.text.languages.language import Language

KINDS: dict[str, Callable[[str], Language]] = {
    "zipf": zipf.Zipf.of,
    "markov": markov.Markov.of,
    "pairs": pairs.pairs,
    "pcfg": pcfg.Grammar.of,
}


def is_language(name: str) -> bool:
    """Return whether a text's name is that of a language."""
    return name.partition(":")[0] in KINDS


def language_of(name: str) -> Language:
    """Return a language by its name, or raise UsageError where its numbers mean nothing."""
    return KINDS[name.partition(":")[0]](name)
