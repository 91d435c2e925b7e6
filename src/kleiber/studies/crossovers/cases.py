"""The three cases of arXiv 2409.15156 on ladders that can be afforded, A and B of each as recipes.

C1: what keeps a fixed hot learning rate stable. C2: a fixed rate against one that falls as
1/width, equal at one width by construction, so that where they cross is known. C3: scaled
gradients, a gated and wider MLP and more weight decay against none of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kleiber.errors import UsageError
from kleiber.recipes import Recipe, Rung, recipe

SEEDS = 3
POOL, FRESH = 6, 3  # seeds of C2 a rung, and more at its largest that nothing is fitted to
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """Two recipes and their ladder; ``changes`` are of both, ``a`` and ``b`` of each, by name."""

    name: str
    title: str
    published: str
    a: tuple[str, Settings]
    b: tuple[str, Settings]
    sizes: Sequence[int]
    changes: Settings = field(default_factory=dict[str, Any])
    one_seed: int | None = None  # the width from which a rung has one seed

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
            for seed in range(seeds if self.one_seed is None or width < self.one_seed else 1)
        ]


@dataclass(frozen=True)
class Cases:
    """The cases at one scale: ``pinned`` is the width at which C2's two rules are one."""

    preset: str
    device: str
    c1: Case
    c2: Case
    c3: Case
    pinned: int
    pinned_heads: int

    def __iter__(self) -> Any:
        """Go through the three."""
        return iter((self.c1, self.c2, self.c3))

    @property
    def crossing_flops(self) -> float:
        """The compute at which C2's recipes cross by construction: that of the pinned width."""
        from kleiber.training.count import exact_flops
        from kleiber.training.rung import model_of

        rung = self.c2.recipes()[0].rung({"D": self.pinned, "heads": self.pinned_heads})
        return exact_flops(model_of(rung)) * rung.shown_tokens

    def pool(self) -> list[Rung]:
        """Return C2's pool: POOL seeds a rung of both arms, then the fresh ones of its top."""
        made = self.c2.recipes()
        kept = [
            one.rung({"D": width}, seed=seed)
            for one in made
            for width in self.c2.sizes
            for seed in range(POOL)
        ]
        top, fresh = max(self.c2.sizes), range(POOL, POOL + FRESH)
        return kept + [one.rung({"D": top}, seed=seed) for one in made for seed in fresh]

    def rungs(self) -> list[Rung]:
        """Return every run of the study, from the first case to the last."""
        return [*self.c1.rungs(), *self.pool(), *self.c3.rungs()]


def cases(preset: str = "cpu") -> Cases:
    """Return the cases at a preset; raises UsageError for one that there is not."""
    made = {"cpu": _cpu, "gpu": _gpu}.get(preset)
    if made is None:
        raise UsageError(
            f"There is no preset '{preset}' of the study crossovers.",
            remedy="Use --preset cpu or --preset gpu.",
        )
    return made()


def _cpu() -> Cases:
    """Widths 16 to 64, 2.5 decades of compute: about an hour and a half of two cores."""
    return _three(
        "cpu",
        sizes=(16, 24, 32, 40, 48, 64),
        hot=0.08,  # many times the best rate, at every width
        cold_rule=0.07,  # over the width: a sixth of the best, where a rate matters most
        pinned=28,  # no rung has it
        pinned_heads=7,
        of_c2={"layers": 2, "head_size": 4},
        sizes_c2=(16, 20, 24, 32, 40),
    )


def _gpu() -> Cases:
    """Widths 64 to 320 with heads of 64 channels, the same text up to eight times over.

    A minute a run on a GPU of today, by its FLOPs; none was trained so far. The hot rate is that of
    the preset cpu, times its top width over this one's.
    """
    shared = {
        "head_size": 64, "context": 512, "batch": 64, "precision": "bf16",
        "layers": "max(2, round(D/96))", "epochs": "max(1, T/9.5e6)",
    }  # fmt: skip
    return _three(
        "gpu",
        sizes=(64, 128, 192, 256, 320),
        one_seed=320,
        hot=0.016,
        cold_rule=0.07,
        pinned=160,
        pinned_heads=5,
        of_c2={"layers": 3},
        sizes_c2=(64, 128, 192, 256, 320),
        shared=shared,
        device="cuda",
    )


def _three(
    preset: str,
    *,
    sizes: Sequence[int],
    one_seed: int | None = None,
    hot: float,
    cold_rule: float,
    pinned: int,
    pinned_heads: int,
    of_c2: Settings,
    sizes_c2: Sequence[int],
    shared: Settings | None = None,
    device: str = "cpu",
) -> Cases:
    shared = shared or {}
    c1 = Case(
        name="C1",
        title="QK-norm under a fixed hot learning rate",
        published="without it training becomes unstable with scale, and the recipes cross",
        a=("qk-off", {"qk_norm": False}),
        b=("qk-on", {"qk_norm": True}),
        sizes=sizes,
        changes={**shared, "lr": hot},
        one_seed=one_seed,
    )
    c2 = Case(
        name="C2",
        title="A fixed learning rate against one over the width",
        published=(
            "equal at one width, the fixed rate slightly ahead below it, behind above; here both "
            "lie below the best rate, where it is the other way round"
        ),
        a=("fixed-rate", {"lr": cold_rule / pinned}),
        b=("rate-over-width", {"lr": f"{cold_rule}/D"}),
        sizes=sizes_c2,
        changes={**shared, **of_c2},
    )
    proposal = {"gradient": "rms", "mlp": "gated", "mlp_ratio": 6, "weight_decay": 0.3}
    c3 = Case(
        name="C3",
        title="Scaled gradients, GeGLU, a wider MLP and more weight decay",
        published="better at small scale, overtaken by the baseline at large",
        a=("mini", {}),
        b=("proposal", proposal),
        sizes=sizes,
        changes=shared,
        one_seed=one_seed,
    )
    return Cases(preset, device, c1, c2, c3, pinned, pinned_heads)
