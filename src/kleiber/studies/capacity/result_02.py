"""Result 2: one text a person, or texts rewritten, store nearly as much as fresh ones."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Result
from kleiber.studies.capacity.scale import Scale


def declare(scale: Scale) -> Result:
    """Declare result 2 at a scale."""
    return Result(
        number=2,
        seeds=scale.long_seeds,
        title="One text a person, or 40 rewritten ones, store about as much as fresh texts",
        published="peak about 2 bits per parameter, slightly lower than with fresh texts",
        arms=(
            Arm(name="fresh", cell=scale.spoken("bioS")),
            Arm(name="one text", cell=scale.spoken("bioS-simple")),
            Arm(name="rewritten", cell=scale.spoken("bioR"), equal="fresh"),
        ),
        compare=(
            Compare(
                over="one text", under="fresh", least=0.8, most=1.25, published="slightly below 1"
            ),
            Compare(
                over="rewritten", under="fresh", least=0.5, most=1.25,
                published="below 1, more so in small models",
            ),
        ),
        notes=(
            "Rewritten texts are this project's substitute: 40 a person from a richer grammar, "
            "with sentences that tell nothing of the attributes.",
        ),
    )  # fmt: skip
