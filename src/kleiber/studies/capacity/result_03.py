"""Result 3: the form of knowledge does not matter: values, chunks, pools, lengths, symbols."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Result
from kleiber.studies.capacity.scale import Scale

FORMS = {
    "4 values of 2 chunks": {"K": 4, "C": 2},
    "12 values of pools of 16": {"K": 12, "D": 16},
    "chunks of 2 symbols": {"L": 2},
    "32 symbols": {"D": 32, "T": 32, "K": 10, "name_tokens": 4},
}
PLAIN = "8 values of pools of 64"


def declare(scale: Scale) -> Result:
    """Declare result 3 at a scale."""
    return Result(
        number=3,
        seeds=scale.long_seeds,
        title="The form of knowledge does not matter",
        published="peak R of 2 or more for every K, C, D, L and T that was tried",
        arms=(
            Arm(name=PLAIN, cell=scale.strings()),
            *(
                Arm(name=name, cell=scale.strings(**form), equal=PLAIN)
                for name, form in FORMS.items()
            ),
        ),
        compare=tuple(
            Compare(over=name, under=PLAIN, least=0.8, most=1.25, published="about 1")
            for name in FORMS
        ),
        notes=scale.notes.get(3, ()),
    )
