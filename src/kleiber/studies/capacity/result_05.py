"""Result 5: at 1000 exposures architectures store the same."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Result
from kleiber.studies.capacity.scale import Scale

NAMES = ("llama", "llama-tied", "mistral", "gpt2-quarter", "gpt2-nomlp")


def declare(scale: Scale) -> Result:
    """Declare result 5 at a scale."""
    return Result(
        number=5,
        seeds=scale.long_seeds,
        title="At 1000 exposures and equal parameters, architectures store the same",
        published=(
            "all about 2; LLaMA and Mistral slightly less in small models, cured by tied weights"
        ),
        arms=(
            Arm(name="gpt2", cell=scale.high()),
            *(
                Arm(
                    name=name,
                    cell=scale.high(architecture=name, heads=scale.heads[name]),
                    equal="gpt2",
                )
                for name in NAMES
            ),
        ),
        compare=tuple(
            Compare(over="gpt2", under=name, least=0.8, most=1.25, published="about 1")
            for name in NAMES
        ),
        notes=scale.notes.get(5, ()),
    )
