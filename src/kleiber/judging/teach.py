"""Past families taught to a prior, and the prior's intervals calibrated on them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.errors import ValuesError
from kleiber.fitting import evidence
from kleiber.fitting.bundle import Bundle, Source, prints_of
from kleiber.fitting.learn import WORTH, learn
from kleiber.fitting.prior import Prior
from kleiber.judging.calibration import Calibration, calibrate
from kleiber.judging.leave_out import Case, Trials, left_out, trials


@dataclass(frozen=True)
class Taught:
    """A bundle and the trials that calibrated it."""

    bundle: Bundle
    trials: Trials


def teach(cases: Sequence[Case], made: Mapping[str, Any]) -> Taught:
    """Learn a prior from families of at least two sources, and calibrate it on them.

    Raises
    ------
    ValuesError
        For fewer than two sources: one cannot be left out of itself.
    """
    clusters = sorted({case.cluster for case in cases})
    if len(clusters) < 2:
        raise ValuesError(
            f"The families are of {len(clusters)} source; a prior is judged by leaving one of "
            "at least two out.",
            remedy="Give runs of more sources, or add them to the bundled prior (--onto bundled).",
        )
    everyone, without = left_out(cases)
    tried = trials(cases, without)
    dated = {"date": datetime.date.today().isoformat(), **made}
    table = calibrate(tried).to_dict()
    return Taught(Bundle(everyone, without, _sources(cases), table, dated), tried)


def add(base: Bundle, cases: Sequence[Case], made: Mapping[str, Any]) -> Taught:
    """Learn from a user's own past families on top of a prior, and calibrate it on all.

    A family that the prior already has is refused: its runs would be counted twice.
    """
    for case in cases:
        known = base.source_of(case.points)
        if known is not None:
            raise ValuesError(
                f"The runs of {case.key} are already in the prior '{base.prior.name}', as its "
                f"source {known}.",
                remedy="Leave that table out.",
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
            dated,
        ),
        tried,
    )


def _sources(cases: Sequence[Case]) -> dict[str, Source]:
    """Return each source's families with the prints of their runs."""
    return {
        one: Source({case.key: prints_of(case.points) for case in cases if case.cluster == one})
        for one in sorted({case.cluster for case in cases})
    }
