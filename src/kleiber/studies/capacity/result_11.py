"""Result 11: junk of few persons, often repeated, costs nothing."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Low, Result
from kleiber.studies.capacity.scale import Scale

REPEATED = {"junk": "repeated", "junk_parts": 7}


def declare(scale: Scale) -> Result:
    """Declare result 11 at a scale."""
    return Result(
        number=11,
        seeds=scale.seeds,
        title="7 parts repeated junk of 8 cost no useful knowledge",
        published="the same as without junk at 100 exposures",
        arms=(
            Arm(name="clean", cell=scale.mixed(), low=True, rates=scale.rates_mixed),
            Arm(
                name="repeated junk",
                cell=scale.mixed(mix=REPEATED),
                low=True,
                rates=scale.rates_mixed,
            ),
        ),
        compare=(
            Compare(
                over="repeated junk", under="clean", least=0.85, most=1.15, published="about 1"
            ),
        ),
        low=Low(control=scale.mixed(), exposures=scale.exposures),
        notes=("The junk is of max(8, N / 100) persons. Useful texts are shown as often in both.",),
    )
