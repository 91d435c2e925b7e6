"""Result 9: a mixture of experts stores less per parameter, by little."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Low, Result
from kleiber.studies.capacity.scale import Scale

RATES = (1.0, 2.0)


def declare(scale: Scale) -> Result:
    """Declare result 9 at a scale."""
    of = {"architecture": "gpt2-moe", "changed": {"experts": scale.experts}}
    return Result(
        number=9,
        seeds=scale.long_seeds,
        title="A mixture of experts stores less per parameter, all experts counted",
        published="1.3 times less at 1000 exposures, 1.5 at 100, with 32 experts",
        arms=(
            Arm(name="gpt2", cell=scale.paired(), rates=RATES),
            Arm(
                name="experts",
                cell=scale.paired(**of),
                equal="gpt2",
                rates=RATES,
            ),
            Arm(name="gpt2, low exposure", cell=scale.low(), low=True, rates=RATES),
            Arm(
                name="experts, low exposure",
                cell=scale.low(**of),
                equal="gpt2",
                low=True,
                rates=RATES,
            ),
        ),
        compare=(
            Compare(over="gpt2", under="experts", least=1, published="1.3"),
            Compare(
                over="gpt2, low exposure", under="experts, low exposure", least=1, published="1.5"
            ),
        ),
        low=Low(control=scale.low(), exposures=scale.exposures),
        notes=(f"{scale.experts} experts of which a token passes one; equal total parameters.",),
    )
