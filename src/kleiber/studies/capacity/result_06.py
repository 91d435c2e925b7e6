"""Result 6: at low exposure the gated architectures, and the one without MLP, store less."""

from __future__ import annotations

from kleiber.studies.capacity.cells import low
from kleiber.studies.capacity.result import Arm, Compare, Low, Result

RATES = (0.5, 1.0, 2.0)
HEADS = {"llama": 3, "mistral": 4, "gpt2-quarter": 2, "gpt2-nomlp": 2}
RESULT = Result(
    number=6,
    title="At low exposure and equal parameters, architectures differ",
    published="LLaMA and Mistral up to 1.3 times worse, a quarter MLP negligibly, no MLP over 1.5",
    arms=(
        Arm(name="gpt2", cell=low(), low=True, rates=RATES),
        *(
            Arm(
                name=name,
                cell=low(architecture=name, heads=heads),
                equal="gpt2",
                low=True,
                rates=RATES,
            )
            for name, heads in HEADS.items()
        ),
    ),
    compare=(
        Compare(over="gpt2", under="llama", least=1, published="up to 1.3"),
        Compare(over="gpt2", under="mistral", least=1, published="up to 1.3"),
        Compare(over="gpt2", under="gpt2-quarter", least=0.8, most=1.25, published="about 1"),
        Compare(over="gpt2", under="gpt2-nomlp", least=1, published="more than 1.5"),
    ),
    low=Low(control=low()),
    notes=("Heads are as many as bring the width near to equal parameters.",),
)
