"""Charts: data in, an Altair chart out, and a file of it by its suffix.

Nothing here computes a fit. Altair is loaded on the first chart; without it every function
raises MissingExtraError with the command that installs it.
"""

from __future__ import annotations

from kleiber.charts.capacity import draw_capacity
from kleiber.charts.crossovers import draw_difference
from kleiber.charts.draw import draw_fit, draw_residuals
from kleiber.charts.filling import draw_filling
from kleiber.charts.fit import fit_chart
from kleiber.charts.knowledge import draw_accuracy, draw_learning, draw_rounding
from kleiber.charts.paradigms import draw_paradigm
from kleiber.charts.promises import draw_promises
from kleiber.charts.ratios import draw_ratios
from kleiber.charts.residuals import residual_chart
from kleiber.charts.save import SUFFIXES, save_chart

__all__ = [
    "SUFFIXES",
    "draw_accuracy",
    "draw_capacity",
    "draw_difference",
    "draw_filling",
    "draw_fit",
    "draw_learning",
    "draw_paradigm",
    "draw_promises",
    "draw_ratios",
    "draw_residuals",
    "draw_rounding",
    "fit_chart",
    "residual_chart",
    "save_chart",
]
