"""Result 10: junk that is never seen again costs useful knowledge."""

from __future__ import annotations

from typing import Any

from kleiber.studies.capacity.result import Arm, Compare, Low, Result
from kleiber.studies.capacity.scale import Scale


def declare(scale: Scale) -> Result:
    """Declare result 10 at a scale: a clean arm, and one for each mix."""
    *fewer, most = scale.mixes
    arms = [Arm(name="clean", cell=scale.mixed(), low=True, rates=scale.rates_mixed)]
    compare = [Compare(over="clean", under=f"1:{most}", least=3, published="up to 20")]
    for parts in scale.mixes:
        cell = scale.mixed(mix=fresh(parts))
        arms.append(Arm(name=f"1:{parts}", cell=cell, low=True, rates=scale.rates_mixed))
    for parts in fewer:
        compare.append(Compare(over="clean", under=f"1:{parts}", least=1))
    if scale.long_mixed is not None:
        name = f"1:{most}, {scale.long_mixed:g} exposures"
        arms.append(Arm(name=name, cell=scale.mixed(mix=fresh(most), exposures=scale.long_mixed)))
        compare.append(Compare(over="clean", under=name, least=1, published="3"))
    return Result(
        number=10,
        seeds=scale.seeds,
        title="7 parts fresh junk of 8 cost useful knowledge at low exposure",
        published=(
            "up to 20 times worse at 100 exposures; 3, 1.5 and 1.3 times at 300, 600 and 1000"
        ),
        arms=arms,
        compare=compare,
        low=Low(control=scale.mixed(), exposures=scale.exposures),
        notes=(
            "Useful texts are shown as often in every arm, and junk comes on top of them; what "
            "was measured at other exposures says so in its name.",
            *scale.notes.get(10, ()),
        ),
    )


def fresh(parts: int) -> dict[str, Any]:
    """Return so many parts of junk, of a new person in every text, for one useful part."""
    return {"junk": "fresh", "junk_parts": parts}
