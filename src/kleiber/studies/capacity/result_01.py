"""Result 1: at 1000 exposures a model stores about 2 bits per parameter, however deep."""

from __future__ import annotations

from kleiber.studies.capacity.cells import high
from kleiber.studies.capacity.result import Arm, Compare, Result

RESULT = Result(
    number=1,
    title="1000 exposures store about 2 bits per parameter, whatever the shape",
    published="R of 2 or more at the peak, at most 2.3, and depth does not matter from 2 layers on",
    arms=(
        Arm(name="width 16", cell=high(420)),
        Arm(name="width 24", cell=high(870, 24)),
        Arm(name="width 32", cell=high(1500, 32)),
        Arm(name="width 32, over-filled", cell=high(2000, 32)),
        Arm(name="3 layers", cell=high(420, layers=3), equal="width 16"),
        Arm(name="4 layers", cell=high(420, layers=4), equal="width 16"),
    ),
    compare=(
        Compare(over="width 32", under=2.0, least=0.9, published="2 or more"),
        Compare(over="width 32, over-filled", under=2.3, most=1, published="at most 2.3"),
        Compare(over="3 layers", under="width 16", least=0.8, most=1.25, published="the same"),
        Compare(over="4 layers", under="width 16", least=0.8, most=1.25, published="the same"),
    ),
    notes=("Depth is compared at one number of parameters, about 7,760, at 2, 3 and 4 layers.",),
)
