"""Published parameter values by name, in full precision, with their source and conventions.

Rounded values are not stored where the unrounded ones are public: rounding Chinchilla's
exponents to two digits alone changes the log-likelihood of its data by hundreds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kleiber.errors import UsageError


@dataclass(frozen=True)
class Published:
    """One published fit: values for raw params and raw tokens, loss in nats per token."""

    name: str
    law: str
    values: dict[str, float]
    source: str
    params_are: str
    unit: str = "nats"
    note: str = ""


MUENNIGHOFF_C4 = {
    "E": math.exp(0.6254804),
    "A": math.exp(6.255414),
    "alpha": 0.3526596,
    "B": math.exp(7.3049974),
    "beta": 0.3526596,
}

PUBLISHED: tuple[Published, ...] = (
    Published(
        name="hoffmann-2022",
        law="chinchilla",
        values={
            "E": math.exp(0.5267228),
            "A": math.exp(6.0073404),
            "alpha": 0.33917084,
            "B": math.exp(6.0179186),
            "beta": 0.2849083,
        },
        source="Hoffmann et al. 2022, approach 3, unrounded from the paper's TeX source",
        params_are="total",
        note="Known not to be the optimum of its own data: the optimiser stopped early "
        "(Besiroglu et al. 2024).",
    ),
    Published(
        name="besiroglu-2024",
        law="chinchilla",
        values={"E": 1.8172, "A": 482.01, "alpha": 0.3478, "B": 2085.43, "beta": 0.3658},
        source="Besiroglu et al. 2024, Chinchilla Scaling: A replication attempt",
        params_are="total",
        note="Huber 1e-3 on 240 points digitised from Hoffmann et al.'s figure 4.",
    ),
    Published(
        name="muennighoff-2023-c4",
        law="chinchilla",
        values=MUENNIGHOFF_C4,
        source="Muennighoff et al. 2023, Scaling Data-Constrained Language Models: C4, tied",
        params_are="total",
        note="Also the single start and the borrowed (A, alpha) of Choshen et al. 2024.",
    ),
    Published(
        name="muennighoff-2023-repetition",
        law="repetition",
        values={**MUENNIGHOFF_C4, "R_D": 15.387756, "R_N": 5.309743},
        source="Muennighoff et al. 2023, appendix A: C4 tied, then the decays on 182 runs",
        params_are="total",
        note="A local minimum of its objective; a lower one lies at R_D 95, R_N 1.7.",
    ),
    *(
        Published(
            name=f"clark-2022-{router}",
            law="routed",
            values=dict(zip(("a", "b", "c", "d", "E_start", "E_max"), row, strict=True)),
            source="Clark et al. 2022, table 3",
            params_are="active",
            note="Three digits are all that was published; they move the loss by up to 2 %.",
        )
        for router, row in (
            ("s-base", (-0.082, -0.108, 0.009, 1.104, 1.847, 314.478)),
            ("rl-r", (-0.083, -0.126, 0.012, 1.111, 1.880, 469.982)),
            ("hash", (-0.087, -0.136, 0.012, 1.157, 4.175, 477.741)),
        )
    ),
    Published(
        name="kaplan-2020",
        law="kaplan",
        values={"Nc": 6.4e13, "alpha_N": 0.076, "Dc": 1.8e13, "alpha_D": 0.103},
        source="Kaplan et al. 2020, table 2: the joint fit of eq. 1.5",
        params_are="nonembedding",
        note="Two digits are all that was published.",
    ),
    Published(
        name="kaplan-2020-size",
        law="params-power",
        values={"A": 8.8e13**0.076, "alpha": 0.076},
        source="Kaplan et al. 2020, eq. 1.1: (8.8e13 / N)^0.076 at ample data",
        params_are="nonembedding",
    ),
    Published(
        name="kaplan-2020-data",
        law="tokens-power",
        values={"B": 5.4e13**0.095, "beta": 0.095},
        source="Kaplan et al. 2020, eq. 1.2: (5.4e13 / D)^0.095 at ample size",
        params_are="nonembedding",
    ),
)


def published(name: str) -> Published:
    """Return a published fit by its name, or raise a UsageError that lists the names."""
    for entry in PUBLISHED:
        if entry.name == name:
            return entry
    raise UsageError(
        f"There is no published fit '{name}'; there are {', '.join(p.name for p in PUBLISHED)}."
    )
