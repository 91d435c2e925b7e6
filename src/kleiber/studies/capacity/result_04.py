"""Result 4: few exposures store less."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Low, Result
from kleiber.studies.capacity.scale import Scale


def declare(scale: Scale) -> Result:
    """Declare result 4 at a scale."""
    return Result(
        number=4,
        seeds=scale.seeds,
        title="1000 exposures store more than few",
        published="R of 1 or more at 100 exposures; 1000 store at most 2 times as much",
        arms=(
            Arm(name="1000 exposures", cell=scale.paired()),
            Arm(name="low exposure", cell=scale.low(), low=True),
        ),
        compare=(
            Compare(
                over="1000 exposures",
                under="low exposure",
                least=1,
                published="1.4 to 2 at the peak",
            ),
        ),
        low=Low(control=scale.low(), exposures=scale.exposures),
        notes=(
            *scale.notes.get(4, ()),
            "The direction decides the verdict; how large the effect is here, beside the published "
            "one, is the ratio above.",
        ),
    )
