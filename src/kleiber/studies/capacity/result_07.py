"""Result 7: of what makes LLaMA differ, the gated MLP costs knowledge at low exposure."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Low, Result
from kleiber.studies.capacity.scale import Scale

NAMES = ("gpt2-gated", "llama-tied", "llama-standard", "llama-gelu")


def declare(scale: Scale) -> Result:
    """Declare result 7 at a scale."""
    return Result(
        number=7,
        seeds=scale.seeds,
        title="At low exposure the gated MLP stores less than the standard one",
        published=(
            "the gated MLP is the cause of 1.3; activation and norm biases make no difference"
        ),
        arms=(
            Arm(name="gpt2", cell=scale.low(), low=True, rates=scale.rates),
            *(
                Arm(
                    name=name,
                    cell=scale.low(architecture=name),
                    equal="gpt2",
                    low=True,
                    rates=scale.rates,
                )
                for name in NAMES
            ),
        ),
        compare=(
            Compare(over="gpt2", under="gpt2-gated", least=1, published="about 1.3"),
            Compare(over="llama-standard", under="llama-tied", least=1, published="about 1.3"),
            Compare(
                over="llama-gelu", under="llama-standard", least=0.8, most=1.25, published="about 1"
            ),
        ),
        low=Low(control=scale.low(), exposures=scale.exposures),
    )
