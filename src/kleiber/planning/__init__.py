"""Planning: what to train with a budget."""

from __future__ import annotations

from kleiber.planning.allocation import Allocation, allocate
from kleiber.planning.cost import Cost, Prices, prices
from kleiber.planning.design import ModelError
from kleiber.planning.goal import one_goal
from kleiber.planning.isoflop import isoflop
from kleiber.planning.ladder import Plan, PlannedRun
from kleiber.planning.next_run import NextRun
from kleiber.planning.plan import load_plan, plan
from kleiber.planning.profiles import IsoFlop
from kleiber.planning.rules import Rules

__all__ = [
    "Allocation",
    "Cost",
    "IsoFlop",
    "ModelError",
    "NextRun",
    "Plan",
    "PlannedRun",
    "Prices",
    "Rules",
    "allocate",
    "isoflop",
    "load_plan",
    "one_goal",
    "plan",
    "prices",
]
