"""Result 1: at 1000 exposures a model stores about 2 bits per parameter, however deep."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Result
from kleiber.studies.capacity.scale import Scale


def declare(scale: Scale) -> Result:
    """Declare result 1 at a scale; a size with a published value is held against that."""
    compare: list[Compare] = []
    if scale.peak is not None:
        compare.append(Compare(over=scale.peak, under=2.0, least=0.9, published="2 or more"))
    if scale.overfilled is not None:
        compare.append(
            Compare(over=scale.overfilled, under=2.3, most=1, published="at most 2.3"),
        )
    return Result(
        number=1,
        title="1000 exposures store about 2 bits per parameter, whatever the shape",
        published=(
            "R of 2 or more at the peak, at most 2.3, and depth does not matter from 2 layers on"
        ),
        seeds=scale.long_seeds,
        arms=(
            *(Arm(name=size.name, cell=size.cell) for size in scale.sizes),
            *(Arm(name=one.name, cell=one.cell, equal=one.size) for one in scale.depths),
        ),
        compare=(
            *compare,
            *(
                Compare(
                    over=size.name, under=size.figure, least=0.95, most=1.05,
                    published=f"{size.figure:.3g} bits per parameter in figure 1(a)",
                )
                for size in scale.sizes
                if size.figure is not None
            ),
            *(
                Compare(over=one.name, under=one.size, least=0.8, most=1.25, published="the same")
                for one in scale.depths
            ),
        ),
        notes=scale.notes.get(1, ()),
    )  # fmt: skip
