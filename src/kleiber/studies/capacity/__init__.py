"""The twelve results on knowledge capacity (arXiv 2404.05405), each a declared study.

``result`` what a declaration is made of · ``result_01`` to ``result_12`` the declarations, each a
function of a ``scale`` · ``scale_cpu``, ``scale_gpu`` the scales · ``paper`` the published grid,
``price`` what it costs · ``trained`` a result's runs · ``estimate`` what is still to train, and how
long that takes · ``ratios`` paired ratios with intervals · ``study`` one result's table and verdict
· ``report`` all of them side by side.
"""

from __future__ import annotations

from importlib import import_module

from kleiber.errors import UsageError
from kleiber.studies.capacity.result import Result
from kleiber.studies.capacity.scale import PLANNED, PRESETS, check_preset, scale

__all__ = ["NUMBERS", "PLANNED", "PRESETS", "check_number", "check_preset", "declared"]

NUMBERS = range(1, 13)


def declared(number: int, preset: str = "cpu") -> Result:
    """Return a result's declaration by its number, at the cells of a preset."""
    check_number(number)
    at = scale(preset)
    if number in at.omitted:
        raise UsageError(
            f"Result {number} is not declared at the preset {preset}.",
            remedy=f"Use another of --preset {', '.join(PRESETS)}.",
        )
    return import_module(f"{__name__}.result_{number:02}").declare(at)


def check_number(number: int) -> None:
    """Raise UsageError for a result that there is not."""
    if number not in NUMBERS:
        raise UsageError(
            f"There is no result {number}.", remedy="The results are numbered from 1 to 12."
        )
