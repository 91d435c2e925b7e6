"""A run predicted with borrowed strength, in an interval that past families have earned."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from kleiber.errors import UsageError
from kleiber.fitting import evidence
from kleiber.fitting.borrow import borrow
from kleiber.fitting.bundle import Bundle, bundle, named_bundle
from kleiber.fitting.posterior import Priors
from kleiber.fitting.prior import WEAK
from kleiber.fitting.shares import Design, values
from kleiber.judging.admission import target, usable
from kleiber.judging.calibration import NEAR, Calibration, Typical
from kleiber.judging.cautions import ROUGH, cautions
from kleiber.judging.finding import Finding
from kleiber.runs import Points, Runs
from kleiber.runs.notes import listing
from kleiber.runs.problems import Problem
from kleiber.units import format_count

Width = Literal["calibrated", "model"]
SCHEMA = "kleiber.forecast/1"
# Problems of a table that a prior answers, or that a finding of the forecast says.
ANSWERED = ("single-", "few-runs", "duplicated", "end-jump")


@dataclass(frozen=True)
class Forecast:
    """The loss (nats per token) of a run not yet trained, and what the answer rests on.

    ``learnt`` and ``weak`` are the answers under the two priors, ``followed`` which of them is
    ``value``; ``prior_share`` is the part of what is known that the prior brings. ``left_out``
    names the source that the learnt prior was taught without, because these are its runs.
    ``typical`` says how past ladders of so many sizes missed, None for a target below them.
    ``problems`` are of the table, ``synthetic`` whether it says that no model was trained.
    """

    params: float
    tokens: float
    value: float
    lower: float
    upper: float
    level: float
    interval: Width
    learnt: float
    weak: float
    followed: Literal["learnt", "mean", "weak"]
    prior: str
    prior_share: float
    left_out: str | None
    runs: int
    sizes: int
    scale_up: float
    clusters: int
    typical: Typical | None
    law: dict[str, float]
    sigma: float
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    synthetic: bool

    @property
    def gap(self) -> float:
        """The learnt prior's answer over the weak one's, minus 1."""
        return self.learnt / self.weak - 1.0

    def sentence(self) -> str:
        """Return the forecast as one line."""
        where = f"{format_count(self.params)} params on {format_count(self.tokens)} tokens"
        earned = f"calibrated over {self.clusters} clusters"
        if self.interval == "model":
            earned = "the model's own interval, not calibrated"
        return (
            f"{where}: {self.value:.4f} nats; {self.level:.0%} of new runs lie in "
            f"{self.lower:.4f} to {self.upper:.4f} ({earned})"
        )

    def text(self) -> str:
        """Return the forecast with what it rests on."""
        lines = [self.sentence()]
        sizes = f"{self.sizes} size{'s' * (self.sizes != 1)}"
        if self.typical is not None and self.typical.clusters:
            lines.append(
                f"  over {self.typical.clusters} clusters, ladders like this (of {self._alike()}) "
                f"missed by {100 * self.typical.median:.1f} % in the median, "
                f"{100 * self.typical.worst:.1f} % at worst"
            )
        said = {
            "learnt": "the former is the answer",
            "mean": "the answer is their mean, since they differ by more than either is sure of",
            "weak": "the latter is the answer, since the runs fit the learnt prior less well",
        }
        if self.prior != WEAK.name:
            lines.append(
                f"  prior '{self.prior}' says {self.learnt:.4f}, the weak one {self.weak:.4f} "
                f"({100 * self.gap:+.1f} %); {said[self.followed]}"
            )
        lines.append(
            f"  {100 * self.prior_share:.0f} % of what is known of this answer is the prior's; "
            f"{self.runs} run{'s' * (self.runs != 1)} of {sizes}, "
            f"{self.scale_up:.3g}x the largest"
        )
        law = self.law
        whose = "the learnt prior's law: " if self.followed == "mean" else ""
        lines.append(
            f"  {whose}L = {law['E']:.4g} + {law['A']:.4g}/params^{law['alpha']:.3f} + "
            f"{law['B']:.4g}/tokens^{law['beta']:.3f}, residual scale {100 * self.sigma:.2f} %"
        )
        return "\n".join(lines)

    def _alike(self) -> str:
        """Return which ladders were counted as like this one."""
        assert self.typical is not None
        sizes = f"{self.typical.sizes} size{'s' * (self.typical.sizes != '1')}"
        reach = {"near": f", up to {NEAR:g}x", "far": f", beyond {NEAR:g}x", "any": ""}
        return sizes + reach[self.typical.reach]

    def to_dict(self) -> dict[str, Any]:
        """Return the forecast as plain data."""
        said = {
            "findings": [one.to_dict() for one in self.findings],
            "problems": [one.to_dict() for one in self.problems],
        }
        return {"schema": SCHEMA, **asdict(self), **said, "gap": self.gap}


def forecast(
    runs: object,
    params: float | str,
    tokens: float | str,
    *,
    prior: str | os.PathLike[str] | Bundle = "bundled",
    without: str | None = None,
    level: float = 0.9,
    interval: Width = "calibrated",
) -> Forecast:
    """Predict the loss of a run from one run or more, with a prior and a calibrated interval.

    Parameters
    ----------
    prior
        "bundled", "weak" (nothing learnt), or a file of ``kleiber calibrate``. A source whose
        runs these are is left out of it.
    without
        A source to leave out by name, for runs that are not known again by their losses: another
        evaluation of the same models.
    interval
        "calibrated" multiplies the answer's scale by what other families needed; "model" is the
        posterior's own, which covered 7 to 8 of 10 where it said 9.

    Raises
    ------
    UsageError
        For a table of several families, a count of nothing, or a level that so few sources
        cannot support.
    ValuesError
        For runs of which no point can be on a law of trained models.
    """
    table = Runs.read(runs)
    if len(table.families) > 1:
        raise UsageError(
            f"The table holds {len(table.families)} families ({listing(table.families)}); a "
            "forecast is of one.",
            remedy="Choose one with runs.select(family=…) (--family NAME).",
        )
    if interval not in ("calibrated", "model"):
        raise UsageError(
            f"interval='{interval}' is not a choice; a forecast's is calibrated or model.",
            remedy="Use one of those (--interval).",
        )
    wanted = target(params, tokens)
    known = named_bundle(prior)
    raw = table.points()
    source = _left_out(known, raw, without)
    points, mended = usable(raw)
    learnt = WEAK if known is None else known.leaving_out(source)
    rows = evidence.gather([(points, evidence.weights(points, np.ones(len(points), dtype=bool)))])
    made = borrow(rows, learnt)
    at = Design.finals(*wanted)
    at = Design(at.log_params[None], at.log_tokens[None], at.mid[None])
    found = made.predict(at)
    sizes, scale_up = len(np.unique(points.params)), float(wanted[0] / points.params.max())
    table_of = _calibration(known)
    own = made.weak if made.log_odds[0] < 0 else made.learnt  # whose law and scale are shown
    sigma = float(own.sigma[0])
    doubtful = sizes == 1 or sigma > ROUGH or bool(mended) or not points.final.any()
    factor = _factor(table_of, interval, level, doubtful=doubtful)
    half = factor * float((found.scale if interval == "calibrated" else found.sd)[0, 0])
    z, weak = float(found.z[0, 0]), float(found.weak[0, 0])
    result = Forecast(
        params=wanted[0],
        tokens=wanted[1],
        value=float(np.exp(z)),
        lower=float(np.exp(z - half)),
        upper=float(np.exp(z + half)),
        level=level,
        interval=interval,
        learnt=float(np.exp(made.learnt.predict(at)[0][0, 0])),
        weak=float(np.exp(made.weak.predict(at)[0][0, 0])),
        followed="weak" if weak == 1.0 or known is None else "mean" if weak else "learnt",
        prior=learnt.name,
        prior_share=float(made.prior_share(Priors.same(learnt, 1), at)[0, 0]),
        left_out=source,
        runs=points.n_runs,
        sizes=sizes,
        scale_up=scale_up,
        clusters=table_of.clusters,
        typical=table_of.like(sizes, scale_up) if scale_up > 1.0 else None,
        law=values(own.theta[0]),
        sigma=sigma,
        findings=(),
        problems=tuple(
            one for one in table.describe().problems if not one.code.startswith(ANSWERED)
        ),
        synthetic=table.synthetic,
    )
    return replace(result, findings=tuple(cautions(result, raw, points, mended)))


def _left_out(known: Bundle | None, raw: Points, named: str | None) -> str | None:
    """Return the source to leave out: the runs' own, or the one that was named."""
    if known is None:
        return None
    own = known.source_of(raw)
    if own is not None and named is not None and named != own:
        raise UsageError(
            f"These runs are of the prior's source {own}, which must be left out; '{named}' "
            "cannot be left out as well: a prior is kept without one source at a time.",
            remedy="Leave without='…' out (--without).",
        )
    return own if named is None else named


def _calibration(known: Bundle | None) -> Calibration:
    """Return the calibration of the answers under a prior, None standing for the weak one."""
    content = bundle().calibration_weak if known is None else known.calibration
    if not content:
        raise UsageError(
            "The prior that was given carries no calibration.",
            remedy="Make it with kleiber calibrate, or use prior='bundled'.",
        )
    return Calibration.from_dict(content)


def _factor(table: Calibration, interval: Width, level: float, *, doubtful: bool) -> float:
    """Return the multiple of the scale; doubtful runs get what single sizes needed."""
    if interval == "calibrated":
        return table.factor(level, 1 if doubtful else 2)
    from scipy.special import ndtri

    from kleiber.fitting.intervals import check_level

    return float(ndtri(0.5 + 0.5 * check_level(level)))
