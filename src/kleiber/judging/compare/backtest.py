"""The back-test card: top rungs hidden, predicted by the same rule, beside rank-at-the-top."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from kleiber.errors import KleiberError
from kleiber.judging.compare.ladders import Ladders
from kleiber.judging.compare.resample import Draws, draw
from kleiber.judging.compare.verdict import between
from kleiber.laws.base import Array

MOST_HIDDEN = 3
LEAST_LEFT = 3  # rungs of a ladder that stay
REPLICATES = 300
CERTAIN = 2.0  # standard errors from which a hidden difference's sign is known
ODD = 4.0  # half-widths over 1.64 by which no honest interval misses
_NORMAL = 1.6449  # half of a 90 % interval in standard deviations

Of = Literal["difference", "A", "B"]


@dataclass(frozen=True)
class Held:
    """One hidden rung: what was said of it and what it was (nats).

    ``of`` is the difference A - B, or the loss of the arm that is a ladder where the other is a
    single run. ``sign_right`` and ``rank_right`` (by the top of the rungs that were seen) are
    None where the hidden difference's sign is not known itself.
    """

    flops: float
    scale_up: float
    of: Of
    predicted: float
    lower: float
    upper: float
    actual: float
    inside: bool
    sign_right: bool | None
    rank_right: bool | None
    held_error: float


@dataclass(frozen=True)
class Card:
    """All hidden rungs, and whether the rule passed on them."""

    rows: tuple[Held, ...]

    @property
    def covered(self) -> float:
        """The share of 90 % intervals that held what was hidden."""
        return float(np.mean([row.inside for row in self.rows])) if self.rows else np.nan

    @property
    def failed(self) -> bool:
        """Whether more intervals missed than held, or one missed beyond all chance."""
        worst = max((_odds(row) for row in self.rows), default=0.0)
        return bool(self.rows) and (self.covered < 0.5 or worst > ODD)

    def signs(self) -> tuple[int, int, int]:
        """Return how many signs this rule had right, rank-at-the-top had, and were known."""
        known = [row for row in self.rows if row.sign_right is not None]
        ours, rank = (
            sum(map(bool, v))
            for v in ([r.sign_right for r in known], [r.rank_right for r in known])
        )
        return ours, rank, len(known)

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain data."""
        ours, rank, known = self.signs()
        return {
            "covered": self.covered,
            "failed": self.failed,
            "signs_right": ours,
            "signs_right_by_rank": rank,
            "signs_known": known,
            "rows": [asdict(row) for row in self.rows],
        }


def _odds(row: Held) -> float:
    """Return by how many standard deviations an interval missed."""
    half = 0.5 * (row.upper - row.lower) / _NORMAL
    return abs(row.actual - 0.5 * (row.upper + row.lower)) / max(half, 1e-12)


@dataclass(frozen=True)
class _Asked:
    """What can be hidden: a quantity at k rungs, in the order of compute.

    It is ``weights`` (k, n) times the losses (n,); to hide it, entries from ``cut`` (k,) on go.
    """

    of: Of
    flops: Array
    weights: Array
    cut: Array


def backtest(data: Ladders, rng: np.random.Generator, replicates: int = REPLICATES) -> Card:
    """Hide the top rung, the top two and the top three, and predict each hidden rung."""
    asked = _asked(data)
    if asked is None:
        return Card(())
    rows: list[Held] = []
    for hidden in range(1, min(MOST_HIDDEN, len(asked.flops) - LEAST_LEFT) + 1):
        kept = data.below(float(asked.cut[-hidden:].min()) * 0.999)
        try:
            draws = draw(kept, rng, replicates)
        except (KleiberError, np.linalg.LinAlgError):  # too few rungs are left of one arm
            continue
        rows += _held(data, draws, asked, hidden, rng)
    return Card(tuple(rows))


def _asked(data: Ladders) -> _Asked | None:
    """Return the difference, or a ladder's own loss where the other arm is a single run."""
    both = data.common
    if len(both) > LEAST_LEFT:
        return _Asked("difference", both.flops, both.weights, data.flops[both.nearest].min(axis=1))
    sides = [np.flatnonzero(data.arm == side) for side in (0.5, -0.5)]
    if min(map(len, sides)) > 1:
        return None
    ladder = max(sides, key=len)
    if len(ladder) <= LEAST_LEFT:
        return None
    flops = data.flops[ladder]
    of: Of = "A" if data.arm[ladder[0]] > 0 else "B"
    return _Asked(of, flops, np.eye(len(data))[ladder], flops)


def _held(
    data: Ladders, draws: Draws, asked: _Asked, hidden: int, rng: np.random.Generator
) -> list[Held]:
    """Return a row for each of the hidden rungs."""
    at = asked.flops[-hidden:]
    if asked.of == "difference":
        said = draws.difference(at)
    else:
        said = draws.curve(at, 0.5 if asked.of == "A" else -0.5)
    # the noise as the rungs that are left tell it, since what was hidden is measured with it too
    covariance = data.as_noisy_as(draws.data).covariance()
    error = np.sqrt(np.einsum("ki,ij,kj->k", asked.weights, covariance, asked.weights))[-hidden:]
    said = said + rng.normal(size=said.shape) * error
    actual = asked.weights @ data.mean
    seen, scale = float(actual[-hidden - 1]), float(asked.flops[-hidden - 1])
    rows: list[Held] = []
    for i, true in enumerate(actual[-hidden:].tolist()):
        row = between(said[:, i], 0.9)
        known = asked.of == "difference" and abs(true) > CERTAIN * error[i]
        rows.append(
            Held(
                flops=float(at[i]),
                scale_up=float(at[i]) / scale,
                of=asked.of,
                predicted=row.median,
                lower=row.lower,
                upper=row.upper,
                actual=true,
                inside=row.lower <= true <= row.upper,
                sign_right=bool(np.sign(row.median) == np.sign(true)) if known else None,
                rank_right=bool(np.sign(seen) == np.sign(true)) if known else None,
                held_error=seen - true,
            )
        )
    return rows
