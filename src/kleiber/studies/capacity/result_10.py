"""Result 10: junk that is never seen again costs useful knowledge."""

from __future__ import annotations

from kleiber.studies.capacity.cells import mixed
from kleiber.studies.capacity.result import Arm, Compare, Low, Result

RATES = (0.5, 1.0, 2.0)
FRESH = {"junk": "fresh", "junk_parts": 7}
RESULT = Result(
    number=10,
    title="7 parts fresh junk of 8 cost useful knowledge at low exposure",
    published="up to 20 times worse at 100 exposures; 3, 1.5 and 1.3 times at 300, 600 and 1000",
    arms=(
        Arm(name="clean", cell=mixed(), low=True),
        Arm(name="fresh junk", cell=mixed(mix=FRESH), low=True, rates=RATES),
    ),
    compare=(Compare(over="clean", under="fresh junk", least=3, published="up to 20"),),
    low=Low(control=mixed()),
    notes=("Useful texts are shown as often in both arms; the junk comes on top of them.",),
)
