"""kleiber: the laboratory for the scaling laws of language models.

Predict the run you cannot afford from the runs you can, and say how far to trust it::

    import kleiber

    runs = kleiber.Runs.read("runs.csv")
    fit = kleiber.fit(runs, law="chinchilla")
    print(fit.summary())
    run = fit.predict(params="7B", tokens="140B")
    print(run.value, run.lower, run.upper)

Everything below is imported on first use, so that ``import kleiber`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PLACES = {
    "kleiber.errors": (
        "ColumnError",
        "FitError",
        "InputError",
        "KleiberError",
        "MissingExtraError",
        "UnitError",
        "UsageError",
        "ValuesError",
    ),
    "kleiber.runs": ("Points", "Runs"),
    "kleiber.laws": ("LAWS", "PUBLISHED", "Law", "Published", "published"),
    "kleiber.fitting": (
        "Constraints",
        "Fit",
        "Interval",
        "Prediction",
        "fit",
        "fit_points",
        "load",
    ),
    "kleiber.judging": (
        "Backtest",
        "Choice",
        "Comparison",
        "Finding",
        "Forecast",
        "Hidden",
        "backtest",
        "check",
        "choose",
        "compare",
        "forecast",
        "hide_largest",
    ),
    "kleiber.planning": (
        "Allocation",
        "Cost",
        "IsoFlop",
        "Plan",
        "Prices",
        "allocate",
        "isoflop",
        "load_plan",
        "plan",
        "prices",
    ),
    "kleiber.charts": ("draw_fit", "save_chart"),
    "kleiber.units": ("format_count", "parse_count"),
}
_HOME = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "LAWS",
    "PUBLISHED",
    "Allocation",
    "Backtest",
    "Choice",
    "ColumnError",
    "Comparison",
    "Constraints",
    "Cost",
    "Finding",
    "Fit",
    "FitError",
    "Forecast",
    "Hidden",
    "InputError",
    "Interval",
    "IsoFlop",
    "KleiberError",
    "Law",
    "MissingExtraError",
    "Plan",
    "Points",
    "Prediction",
    "Prices",
    "Published",
    "Runs",
    "UnitError",
    "UsageError",
    "ValuesError",
    "__version__",
    "allocate",
    "backtest",
    "check",
    "choose",
    "compare",
    "draw_fit",
    "fit",
    "fit_points",
    "forecast",
    "format_count",
    "hide_largest",
    "isoflop",
    "load",
    "load_plan",
    "parse_count",
    "plan",
    "prices",
    "published",
    "save_chart",
]

if TYPE_CHECKING:
    from kleiber.charts import draw_fit, save_chart
    from kleiber.errors import (
        ColumnError,
        FitError,
        InputError,
        KleiberError,
        MissingExtraError,
        UnitError,
        UsageError,
        ValuesError,
    )
    from kleiber.fitting import Constraints, Fit, Interval, Prediction, fit, fit_points, load
    from kleiber.judging import (
        Backtest,
        Choice,
        Comparison,
        Finding,
        Forecast,
        Hidden,
        backtest,
        check,
        choose,
        compare,
        forecast,
        hide_largest,
    )
    from kleiber.laws import LAWS, PUBLISHED, Law, Published, published
    from kleiber.planning import (
        Allocation,
        Cost,
        IsoFlop,
        Plan,
        Prices,
        allocate,
        isoflop,
        load_plan,
        plan,
        prices,
    )
    from kleiber.runs import Points, Runs
    from kleiber.units import format_count, parse_count


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'kleiber' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
