"""Planning: what to train with a budget."""

from __future__ import annotations

from kleiber.planning.allocation import Allocation, allocate
from kleiber.planning.cost import Cost, Prices, prices
from kleiber.planning.goal import one_goal
from kleiber.planning.isoflop import isoflop
from kleiber.planning.profiles import IsoFlop

__all__ = [
    "Allocation",
    "Cost",
    "IsoFlop",
    "Prices",
    "allocate",
    "isoflop",
    "one_goal",
    "prices",
]
