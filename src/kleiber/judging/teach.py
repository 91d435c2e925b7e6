"""Past families taught to a prior, and the prior's intervals calibrated on them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kleiber.errors import ValuesError
from kleiber.fitting import evidence
from kleiber.fitting.bundle import Bundle, Source, prints_of
from kleiber.fitting.learn import WORTH, learn
from kleiber.fitting.prior import WEAK, Prior
from kleiber.judging.calibration import Calibration, calibrate
from kleiber.judging.leave_out import Case, Trials, cells_of, left_out, trials


@dataclass(frozen=True)
class Taught:
    """A bundle and the trials that calibrated it.

    ``others`` are scores of sources that calibrated it before, and are not tried again.
    """

    bundle: Bundle
    trials: Trials
    others: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])


def teach(cases: Sequence[Case], made: Mapping[str, Any], name: str = "bundled") -> Taught:
    """Learn a prior from families of at least two sources, and calibrate it on them.

    Raises
    ------
    ValuesError
        For fewer than two sources, one cannot be left out of itself; for a family of which
        nothing can be hidden.
    """
    clusters = sorted({case.cluster for case in cases})
    if len(clusters) < 2:
        raise ValuesError(
            f"The families are of {len(clusters)} source; a prior is judged by leaving one of "
            "at least two out.",
            remedy="Give runs of more sources, or add them to the bundled prior (--onto bundled).",
        )
    _refuse_unhidable(cases)
    everyone, without = left_out(cases, name)
    tried = trials(cases, without)
    alone = trials(cases, dict.fromkeys(without, WEAK))
    dated = {"date": datetime.date.today().isoformat(), **made}
    table = calibrate(tried).to_dict()
    weak = calibrate(alone).to_dict()
    return Taught(Bundle(everyone, without, _sources(cases), table, weak, dated), tried)


def add(base: Bundle, cases: Sequence[Case], made: Mapping[str, Any]) -> Taught:
    """Learn from a user's own past families on top of a prior, and calibrate it on all.

    Raises
    ------
    ValuesError
        For a family that the prior already has, whose runs would be counted twice, a source
        named like one of the prior's, or a family of which nothing can be hidden.
    """
    _refuse_unhidable(cases)
    for case in cases:
        known = base.source_of(case.points)
        if known is not None:
            raise ValuesError(
                f"The runs of {case.key} are already in the prior '{base.prior.name}', as its "
                f"source {known}.",
                remedy="Leave that table out.",
            )
        if case.cluster in base.sources:
            raise ValuesError(
                f"The prior '{base.prior.name}' has a source named '{case.cluster}' already, of "
                "other runs.",
                remedy="Rename the table: its file's name is its source's.",
            )
    clusters = [case.cluster for case in cases]
    worth = len(base.sources) + WORTH
    rows = evidence.gather([case.row() for case in cases])

    def grown(prior: Prior, skip: str | None = None) -> Prior:
        chosen = np.array([one != skip for one in clusters])
        kept = [one for one in clusters if one != skip]
        if not kept:
            return prior
        name = f"{prior.name} and own"
        found, _ = learn(rows.take(chosen), kept, base=prior, worth=worth, name=name)
        return Prior(
            name,
            found.mean,
            found.covariance,
            found.sigma,
            found.tails,
            prior.sources + found.sources,
        )

    own = {one: grown(base.prior, one) for one in sorted(set(clusters))}
    tried = trials(cases, own)
    table = Calibration.from_dict(base.calibration).joined(calibrate(tried))
    dated = {"date": datetime.date.today().isoformat(), **made}
    return Taught(
        Bundle(
            grown(base.prior),
            {**{name: grown(prior) for name, prior in base.without.items()}, **own},
            {**base.sources, **_sources(cases)},
            table.to_dict(),
            base.calibration_weak,
            dated,
        ),
        tried,
        Calibration.from_dict(base.calibration).scores,
    )


def _refuse_unhidable(cases: Sequence[Case]) -> None:
    """Raise for a family that cannot be judged by hiding its largest size."""
    for case in cases:
        if not cells_of(case):
            sizes = len(np.unique(case.points.params))
            raise ValuesError(
                f"Nothing of {case.key} can be hidden and predicted: it has {sizes} usable "
                f"size{'s' * (sizes != 1)}"
                + (", and no end of a run at the largest." if sizes > 1 else "."),
                remedy="Give families of at least two sizes, with the ends of their runs.",
            )


def _sources(cases: Sequence[Case]) -> dict[str, Source]:
    """Return each source's families with the prints of their runs."""
    return {
        one: Source({case.key: prints_of(case.points) for case in cases if case.cluster == one})
        for one in sorted({case.cluster for case in cases})
    }
