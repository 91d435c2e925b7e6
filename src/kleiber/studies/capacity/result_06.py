"""Result 6: at low exposure the gated architectures, and the one without MLP, store less."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Low, Result
from kleiber.studies.capacity.scale import Scale

NAMES = ("llama", "mistral", "gpt2-quarter", "gpt2-nomlp")


def declare(scale: Scale) -> Result:
    """Declare result 6 at a scale."""
    return Result(
        number=6,
        seeds=scale.seeds,
        title="At low exposure and equal parameters, architectures differ",
        published=(
            "LLaMA and Mistral up to 1.3 times worse, a quarter MLP negligibly, no MLP over 1.5"
        ),
        arms=(
            Arm(name="gpt2", cell=scale.low(), low=True, rates=scale.rates),
            *(
                Arm(
                    name=name,
                    cell=scale.low(architecture=name, heads=scale.heads_low[name]),
                    equal="gpt2",
                    low=True,
                    rates=scale.rates,
                )
                for name in NAMES
            ),
        ),
        compare=(
            Compare(over="gpt2", under="llama", least=1, published="up to 1.3"),
            Compare(over="gpt2", under="mistral", least=1, published="up to 1.3"),
            Compare(over="gpt2", under="gpt2-quarter", least=0.8, most=1.25, published="about 1"),
            Compare(over="gpt2", under="gpt2-nomlp", least=1, published="more than 1.5"),
        ),
        low=Low(control=scale.low(), exposures=scale.exposures),
        notes=scale.notes.get(6, ()),
    )
