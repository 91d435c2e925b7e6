"""Result 11: junk of few persons, often repeated, costs nothing."""

from __future__ import annotations

from kleiber.studies.capacity.cells import mixed
from kleiber.studies.capacity.result import Arm, Compare, Low, Result

RATES = (0.5, 1.0, 2.0)
REPEATED = {"junk": "repeated", "junk_parts": 7}
RESULT = Result(
    number=11,
    title="7 parts repeated junk of 8 cost no useful knowledge",
    published="the same as without junk at 100 exposures",
    arms=(
        Arm(name="clean", cell=mixed(), low=True),
        Arm(name="repeated junk", cell=mixed(mix=REPEATED), low=True, rates=RATES),
    ),
    compare=(
        Compare(over="repeated junk", under="clean", least=0.85, most=1.15, published="about 1"),
    ),
    low=Low(control=mixed()),
    notes=("The junk is of max(8, N / 100) persons. Useful texts are shown as often in both.",),
)
