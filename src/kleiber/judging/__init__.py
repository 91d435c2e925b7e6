"""Judging: what is wrong with a fit, and how it does on runs that it has not seen."""

from __future__ import annotations

from kleiber.judging.backtest import Backtest, Outcome, backtest
from kleiber.judging.capacity import Plateau, fit_plateau, fit_plateaus
from kleiber.judging.cells import Cell, Cut
from kleiber.judging.choice import Averaged, Choice, choose
from kleiber.judging.compare import Comparison, compare
from kleiber.judging.finding import Finding
from kleiber.judging.findings import CHECKS, check
from kleiber.judging.forecast import Forecast, forecast
from kleiber.judging.hide import Hidden, hidden_line, hide_as, hide_largest

__all__ = [
    "CHECKS",
    "Averaged",
    "Backtest",
    "Cell",
    "Choice",
    "Comparison",
    "Cut",
    "Finding",
    "Forecast",
    "Hidden",
    "Outcome",
    "Plateau",
    "backtest",
    "check",
    "choose",
    "compare",
    "fit_plateau",
    "fit_plateaus",
    "forecast",
    "hidden_line",
    "hide_as",
    "hide_largest",
]
