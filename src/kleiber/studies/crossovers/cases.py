"""The three cases of arXiv 2409.15156 at the scale of a laptop, A and B of each as recipes.

C1: what keeps a fixed hot learning rate stable. C2: a fixed rate against one that falls as
1/width, equal at one width by construction, so that where they cross is known. C3: scaled
gradients, a gated and wider MLP and more weight decay against none of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kleiber.recipes import Recipe, Rung, recipe

SEEDS = 3
SIZES = (16, 24, 32, 40, 48, 64)
ONE_SEED = 64  # the width from which a rung has one seed


@dataclass(frozen=True)
class Case:
    """Two recipes and their ladder; ``changes`` are of both, ``a`` and ``b`` of each."""

    name: str
    title: str
    published: str
    a: tuple[str, Mapping[str, Any]]
    b: tuple[str, Mapping[str, Any]]
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sizes: Sequence[int] = SIZES

    def recipes(self) -> tuple[Recipe, Recipe]:
        """Return A and B."""
        first, second = (
            recipe("nanodo-mini").changed(
                {**self.changes, **own}, source=f"case {self.name}", name=name
            )
            for name, own in (self.a, self.b)
        )
        return first, second

    def rungs(self, seeds: int = SEEDS) -> list[Rung]:
        """Return every run of both arms, A's first."""
        return [
            made.rung({"D": width}, seed=seed)
            for made in self.recipes()
            for width in self.sizes
            for seed in range(seeds if width < ONE_SEED else 1)
        ]


HOT = 0.08  # C1's rate: many times the best one, at every width
C2 = 1.6  # over the width: four times the best, so that the rule matters
D0 = 28  # where C2's two rules are equal; no rung has it
POOL, FRESH = 6, 3  # seeds of C2 a rung, and more at its largest that nothing is fitted to

C1_CASE = Case(
    name="C1",
    title="QK-norm under a fixed hot learning rate",
    published="without it training becomes unstable with scale, and the recipes cross",
    a=("qk-off", {"qk_norm": False}),
    b=("qk-on", {"qk_norm": True}),
    changes={"lr": HOT},
)
C2_CASE = Case(
    name="C2",
    title="A fixed learning rate against one over the width",
    published="equal at one width, the fixed rate slightly ahead below it, behind above",
    a=("fixed-rate", {"lr": C2 / D0}),
    b=("rate-over-width", {"lr": f"{C2}/D"}),
    changes={"layers": 2, "qk_norm": True},
    sizes=(16, 24, 32, 40, 48),
)
C3_CASE = Case(
    name="C3",
    title="Scaled gradients, GeGLU, a wider MLP and more weight decay",
    published="better at small scale, overtaken by the baseline at large",
    a=("mini", {}),
    b=("proposal", {"gradient": "rms", "mlp": "gated", "mlp_ratio": 6, "weight_decay": 0.3}),
)
CASES = (C1_CASE, C2_CASE, C3_CASE)


def crossing_flops() -> float:
    """Return the compute at which C2's recipes cross by construction: that of width D0."""
    from kleiber.training.count import exact_flops
    from kleiber.training.rung import model_of

    rung = C2_CASE.recipes()[0].rung({"D": D0, "heads": D0 // 4})
    return exact_flops(model_of(rung)) * rung.shown_tokens


def pool() -> list[Rung]:
    """Return C2's pool: POOL seeds of every rung of both arms, then the fresh ones of its top."""
    made = C2_CASE.recipes()
    top = max(C2_CASE.sizes)
    kept = [
        one.rung({"D": width}, seed=seed)
        for one in made
        for width in C2_CASE.sizes
        for seed in range(POOL)
    ]
    return kept + [
        one.rung({"D": top}, seed=seed) for one in made for seed in range(POOL, POOL + FRESH)
    ]
