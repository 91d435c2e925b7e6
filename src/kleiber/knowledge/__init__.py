"""How many bits does it know: synthetic people, their biographies, and what a model holds of them.

The laboratory of Allen-Zhu & Li 2024, "Knowledge Capacity Scaling Laws" (arXiv 2404.05405), written
anew: people with random names and values, texts that tell them, tokens with what each one tells,
windows to train on.
"""

from __future__ import annotations

from kleiber.knowledge.biographies import Biographies
from kleiber.knowledge.export import write_jsonl
from kleiber.knowledge.packing import Windows
from kleiber.knowledge.people import People
from kleiber.knowledge.pools import Pools
from kleiber.knowledge.strings import Strings
from kleiber.knowledge.texts import Biography, Source, Texts
from kleiber.knowledge.tokens import BytePairs, Words

__all__ = [
    "Biographies",
    "Biography",
    "BytePairs",
    "People",
    "Pools",
    "Source",
    "Strings",
    "Texts",
    "Windows",
    "Words",
    "write_jsonl",
]
