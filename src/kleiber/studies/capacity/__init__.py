"""The twelve results on knowledge capacity (arXiv 2404.05405), each a declared study.

``result`` what a declaration is made of · ``result_01`` to ``result_12`` the declarations ·
``cells`` what they share · ``trained`` their runs · ``ratios`` paired ratios with intervals ·
``study`` one result's table and verdict · ``report`` all of them side by side.
"""

from __future__ import annotations

from importlib import import_module

from kleiber.errors import UsageError
from kleiber.studies.capacity.result import Result

NUMBERS = range(1, 13)
PRESETS = ("cpu",)


def declared(number: int) -> Result:
    """Return a result's declaration by its number."""
    if number not in NUMBERS:
        raise UsageError(
            f"There is no result {number}.", remedy="The results are numbered from 1 to 12."
        )
    return import_module(f"{__name__}.result_{number:02}").RESULT


def check_preset(name: str) -> None:
    """Raise UsageError for a preset at which no result is declared."""
    if name not in PRESETS:
        raise UsageError(
            f"No result is declared at the preset '{name}'.",
            remedy=f"Use --preset {' or '.join(PRESETS)}.",
        )
