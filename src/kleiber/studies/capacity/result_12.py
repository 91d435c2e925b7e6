"""Result 12: a token, or the name of its domain, on useful data wins knowledge back."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Low, Result
from kleiber.studies.capacity.result_10 import fresh
from kleiber.studies.capacity.scale import Scale

TOKEN = {**fresh(7), "token": True}
DOMAINS = [
    {"name": "library.example", "people": "useful", "parts": 1},
    {"name": "chatter.example", "people": "fresh", "parts": 7},
]


def declare(scale: Scale) -> Result:
    """Declare result 12 at a scale."""
    rates = scale.rates_mixed
    arms = [
        Arm(name="clean", cell=scale.mixed(), low=True, rates=rates),
        Arm(name="fresh junk", cell=scale.mixed(mix=fresh(7)), low=True, rates=rates),
        Arm(name="token", cell=scale.mixed(mix=TOKEN), low=True, rates=rates),
        Arm(name="domains", cell=scale.mixed(domains=DOMAINS), low=True, rates=rates),
    ]
    compare = [
        Compare(over="token", under="fresh junk", least=2, published="10"),
        Compare(over="domains", under="fresh junk", least=1),
        Compare(over="clean", under="token", least=1, published="2"),
    ]
    if scale.long_mixed is not None:
        longer = f"{scale.long_mixed:g} exposures"
        for name, mix in (("fresh junk", fresh(7)), ("token", TOKEN)):
            cell = scale.mixed(mix=mix, exposures=scale.long_mixed)
            arms.append(Arm(name=f"{name}, {longer}", cell=cell))
        compare += [
            Compare(over=f"token, {longer}", under="clean", least=0.8, published="1"),
            Compare(over=f"token, {longer}", under=f"fresh junk, {longer}", least=2),
        ]
    return Result(
        number=12,
        seeds=scale.seeds,
        title="A token on useful data, or a domain's name on all, wins back what junk costs",
        published="with a token 10 times better than without, 2 times worse than clean",
        arms=arms,
        compare=compare,
        low=Low(control=scale.mixed(), exposures=scale.exposures),
        notes=(
            "Useful texts are shown as often in every arm, and junk comes on top of them; the "
            "share won back is one over clean / token. At more exposures one peak rate was tried.",
            *scale.notes.get(12, ()),
        ),
    )
