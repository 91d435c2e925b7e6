"""Result 9: a mixture of experts stores less per parameter, by little."""

from __future__ import annotations

from kleiber.studies.capacity.cells import high, low
from kleiber.studies.capacity.result import Arm, Compare, Low, Result

EXPERTS = {"experts": 8}
RATES = (1.0, 2.0)
RESULT = Result(
    number=9,
    title="A mixture of experts stores less per parameter, all experts counted",
    published="1.3 times less at 1000 exposures, 1.5 at 100, with 32 experts",
    arms=(
        Arm(name="gpt2", cell=high(580, 24), rates=RATES),
        Arm(
            name="experts", cell=high(580, 24, architecture="gpt2-moe", changed=EXPERTS),
            equal="gpt2", rates=RATES,
        ),
        Arm(name="gpt2, low exposure", cell=low(), low=True, rates=RATES),
        Arm(
            name="experts, low exposure", cell=low(architecture="gpt2-moe", changed=EXPERTS),
            equal="gpt2", low=True, rates=RATES,
        ),
    ),
    compare=(
        Compare(over="gpt2", under="experts", least=1, published="1.3"),
        Compare(
            over="gpt2, low exposure", under="experts, low exposure", least=1, published="1.5"
        ),
    ),
    low=Low(control=low()),
    notes=("8 experts of which a token passes one; equal total parameters.",),
)  # fmt: skip
