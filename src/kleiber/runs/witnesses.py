"""Which public families bear witness to how loss scales: every run once, every unit a nat.

Families of one source are one witness however many they are (``Family.cluster``). Left out are
the views that repeat another family's runs, and what stands apart.
"""

from __future__ import annotations

from collections.abc import Callable

from kleiber.errors import InputError
from kleiber.runs.collections import Place, cross_entropies
from kleiber.runs.sets.record import Family
from kleiber.runs.table import Runs

LEAST_SIZES = 3
REPEATS = {
    "misfitting/checkpoints": "every learning rate; misfitting/best has each cell's best",
    "misfitting/finals": "every learning rate; misfitting/best has each cell's best",
    "open_athena_isoflop/misfitting/fineweb_c4": "the runs of misfitting/best",
    "open_athena_isoflop/ml_scalefit/massivetext": "another digitisation of epoch_chinchilla",
    "colpret/gpt3/train_loss": "the runs of colpret/gpt3/val_loss",
    "routing_clark2022/Dense/flops x4": "the sizes of Dense at another width of their layers",
}


def witnesses(
    folder: Place = None, absent: Callable[[str], None] | None = None
) -> list[tuple[Family, Runs]]:
    """Return the families that bear witness, in the order of the sets.

    A family has at least three sizes, or two where its source has no larger one. What of a set
    is not in the folder or cannot be read is passed over and named to ``absent``, and so is a
    file that is not the published one; InputError where nothing is left.
    """
    every = cross_entropies(folder, least_sizes=2, absent=absent or (lambda _: None))
    found = [(f, runs) for f, runs in every if not f.apart and f.key not in REPEATS]
    if not found:
        raise InputError(
            "None of the public sets is there.",
            remedy="Name the folder that holds theirs, or fetch them with kleiber data get.",
        )
    large = {f.cluster for f, runs in found if len(runs.sizes) >= LEAST_SIZES}
    return [
        (f, runs) for f, runs in found if len(runs.sizes) >= LEAST_SIZES or f.cluster not in large
    ]
