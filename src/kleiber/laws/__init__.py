"""The laws by name. A law is an equation with names, bounds and a gradient; it holds no data.

``LAWS`` are those of a loss, which ``fit`` offers for a table of runs; ``CAPACITY`` is of bits
stored, and is fitted to capacity results (:mod:`kleiber.judging.capacity`); so is ``KNOWLEDGE``,
with exposures, bits a weight and architectures in it (:mod:`kleiber.judging.knowledge`).
"""

from __future__ import annotations

import difflib

from kleiber.errors import UsageError
from kleiber.laws.base import Law, Parameter, Term
from kleiber.laws.broken import PARAMS_BROKEN, TOKENS_BROKEN
from kleiber.laws.capacity import CAPACITY
from kleiber.laws.chinchilla import CHINCHILLA
from kleiber.laws.farseer import FARSEER
from kleiber.laws.kaplan import KAPLAN
from kleiber.laws.knowledge import KNOWLEDGE, knowledge_law
from kleiber.laws.outer import CHINCHILLA_OUTER
from kleiber.laws.overtraining import OVERTRAINING
from kleiber.laws.power import PARAMS_POWER, PARAMS_POWER_FLOOR, TOKENS_POWER, TOKENS_POWER_FLOOR
from kleiber.laws.published import PUBLISHED, Published, published
from kleiber.laws.repetition import REPETITION
from kleiber.laws.routed import ROUTED

LAWS: tuple[Law, ...] = (
    CHINCHILLA,
    CHINCHILLA_OUTER,
    KAPLAN,
    PARAMS_POWER,
    PARAMS_POWER_FLOOR,
    TOKENS_POWER,
    TOKENS_POWER_FLOOR,
    OVERTRAINING,
    REPETITION,
    ROUTED,
    PARAMS_BROKEN,
    TOKENS_BROKEN,
    FARSEER,
)


def get(law: str | Law) -> Law:
    """Return a law by its name (a Law passes through), or raise a UsageError listing the names."""
    if isinstance(law, Law):
        return law
    by_name = {known.name: known for known in LAWS}
    if law == CAPACITY.name:
        return CAPACITY
    if law not in by_name:
        near = difflib.get_close_matches(law, by_name, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UsageError(
            f"There is no law '{law}'; the laws are {', '.join(by_name)}.{hint}",
            remedy="Use one of those names with law=… (--law on the command line).",
        )
    return by_name[law]


__all__ = [
    "CAPACITY",
    "CHINCHILLA",
    "CHINCHILLA_OUTER",
    "FARSEER",
    "KAPLAN",
    "KNOWLEDGE",
    "LAWS",
    "OVERTRAINING",
    "PARAMS_BROKEN",
    "PARAMS_POWER",
    "PARAMS_POWER_FLOOR",
    "PUBLISHED",
    "REPETITION",
    "ROUTED",
    "TOKENS_BROKEN",
    "TOKENS_POWER",
    "TOKENS_POWER_FLOOR",
    "Law",
    "Parameter",
    "Published",
    "Term",
    "get",
    "knowledge_law",
    "published",
]
