"""Result 5: at 1000 exposures architectures store the same."""

from __future__ import annotations

from kleiber.studies.capacity.cells import high
from kleiber.studies.capacity.result import Arm, Compare, Result

HEADS = {"llama": 2, "llama-tied": 2, "mistral": 4, "gpt2-quarter": 1, "gpt2-nomlp": 1}
RESULT = Result(
    number=5,
    title="At 1000 exposures and equal parameters, architectures store the same",
    published="all about 2; LLaMA and Mistral slightly less in small models, cured by tied weights",
    arms=(
        Arm(name="gpt2", cell=high(420)),
        *(
            Arm(name=name, cell=high(420, architecture=name, heads=heads), equal="gpt2")
            for name, heads in HEADS.items()
        ),
    ),
    compare=tuple(
        Compare(over="gpt2", under=name, least=0.8, most=1.25, published="about 1")
        for name in HEADS
    ),
    notes=(
        "One peak rate by the rule of the preset curve, which was found with gpt2. Heads "
        "are as many as bring the width nearest to equal parameters (mistral: four, which share "
        "one head of keys).",
    ),
)
