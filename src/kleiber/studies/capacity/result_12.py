"""Result 12: a token, or the name of its domain, on useful data wins knowledge back."""

from __future__ import annotations

from kleiber.studies.capacity.cells import mixed
from kleiber.studies.capacity.result import Arm, Compare, Low, Result

RATES = (0.5, 1.0, 2.0)
FRESH = {"junk": "fresh", "junk_parts": 7}
DOMAINS = [
    {"name": "library.example", "people": "useful", "parts": 1},
    {"name": "chatter.example", "people": "fresh", "parts": 7},
]
RESULT = Result(
    number=12,
    title="A token on useful data, or a domain's name on all, wins back what junk costs",
    published="with a token 10 times better than without, 2 times worse than clean",
    arms=(
        Arm(name="clean", cell=mixed(), low=True),
        Arm(name="fresh junk", cell=mixed(mix=FRESH), low=True, rates=RATES),
        Arm(name="token", cell=mixed(mix={**FRESH, "token": True}), low=True, rates=RATES),
        Arm(name="domains", cell=mixed(domains=DOMAINS), low=True, rates=RATES),
    ),
    compare=(
        Compare(over="token", under="fresh junk", least=2, published="10"),
        Compare(over="domains", under="fresh junk", least=1),
        Compare(over="clean", under="token", least=1, published="2"),
    ),
    low=Low(control=mixed()),
    notes=("Useful texts are shown as often in every arm; junk comes on top of them.",),
)
