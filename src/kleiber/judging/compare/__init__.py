"""Comparing two recipes across scale: which wins at the target, and with what probability."""

from __future__ import annotations

from kleiber.judging.compare.comparison import Comparison
from kleiber.judging.compare.crossing import Crossover
from kleiber.judging.compare.power import Power, power, seeds_needed
from kleiber.judging.compare.verb import compare

__all__ = ["Comparison", "Crossover", "Power", "compare", "power", "seeds_needed"]
