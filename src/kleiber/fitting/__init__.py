"""Fitting: start, solve, certify, and say how far the optimum may be from the truth."""

from __future__ import annotations

from kleiber.fitting.answers import Certificate, DataFacts, Interval, Prediction, Status
from kleiber.fitting.fit import fit, fit_points
from kleiber.fitting.intervals import METHODS
from kleiber.fitting.objective import OBJECTIVES
from kleiber.fitting.result import Fit
from kleiber.fitting.space import Constraints
from kleiber.fitting.store import load

__all__ = [
    "METHODS",
    "OBJECTIVES",
    "Certificate",
    "Constraints",
    "DataFacts",
    "Fit",
    "Interval",
    "Prediction",
    "Status",
    "fit",
    "fit_points",
    "load",
]
