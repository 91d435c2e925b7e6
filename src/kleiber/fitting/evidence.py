"""What the runs of a family say, weighed: finals first, a run as the unit.

The end of a run is worth one; a checkpoint before it is on no law of finals (its learning rate
has not decayed) and is worth little: enough to say how loss falls with tokens where the finals
share one token count, too little to bend the law where they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kleiber.fitting.shares import Design, mid_schedule
from kleiber.laws.base import Array, Index, Mask
from kleiber.runs.points import Points

CHECKPOINT = 0.003  # weight of a checkpoint before the end, the end of a run being worth 1
MOST_CHECKPOINTS = 10  # of one run: log-spaced, those between say nothing new
BEGINNING = 0.08  # the part of a run before which nothing is on a law of its end
LEAST_TOKENS = 5e7  # of a point: warm-up below
LEAST_RATIO = 1.0  # tokens per param below which a model is mostly initialisation
FEW_EPOCHS = 4.0  # up to which repeated tokens are worth fresh ones
ALIKE = 2.0  # times by which the epochs of runs of one law may differ
MOST_LOSS = 8.0  # nats: hardly trained
JUMP = 0.05  # log-loss by which the tail of a run may lie above what precedes it
FAR = 10.0  # usual steps that a jump is at least
LEAST_READINGS = 8  # of a run, to know its usual steps


@dataclass(frozen=True)
class Evidence:
    """Weighed points of one or many rows, padded with weight 0 to one width; each (B, n)."""

    at: Design
    y: Array
    w: Array

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Index | Mask) -> Evidence:
        """Return some rows."""
        at = Design(self.at.log_params[rows], self.at.log_tokens[rows], self.at.mid[rows])
        return Evidence(at, self.y[rows], self.w[rows])

    def widths(self) -> Index:
        """Return how many places (B,) of each row are in use; they come first."""
        return np.count_nonzero(self.w, axis=1)

    def narrowed(self, width: int) -> Evidence:
        """Return the first places of every row."""
        at = Design(
            self.at.log_params[:, :width], self.at.log_tokens[:, :width], self.at.mid[:, :width]
        )
        return Evidence(at, self.y[:, :width], self.w[:, :width])


def usable(points: Points) -> Mask:
    """Return which points can be on a law of models trained on fresh tokens.

    Where the runs differ in how often they saw their data, those past a few epochs are on no
    law of tokens (Muennighoff et al. 2023); where all saw it equally often they share one.
    """
    sound = (
        (points.tokens >= LEAST_TOKENS)
        & (points.tokens >= LEAST_RATIO * points.params)
        & (points.loss <= MOST_LOSS)
    )
    unique = points.more.get("unique_tokens")
    if unique is None:
        return sound
    epochs = np.where(np.isfinite(unique), points.tokens / unique, 1.0)
    ends = epochs[points.final] if points.final.any() else epochs
    alike = ends.max(initial=1.0) <= ALIKE * max(float(ends.min(initial=np.inf)), 1.0)
    return sound if alike else sound & (epochs <= FEW_EPOCHS + 0.01)


def distinct(points: Points) -> Points:
    """Return the points without those that repeat another's params, tokens and loss."""
    order = np.argsort(~points.final, kind="stable")  # of a final and its copy the final stays
    rows = np.stack([points.params, points.tokens, points.loss])[:, order]
    _, first = np.unique(rows, axis=1, return_index=True)
    if len(first) == len(points):
        return points
    keep = np.zeros(len(points), dtype=bool)
    keep[order[first]] = True
    return points.take(keep)


def thinned(points: Points) -> Points:
    """Return the usable points: every final, and a few checkpoints of each run."""
    points = points.take(usable(points))
    keep = points.final.copy()
    for code in range(len(points.names)):
        index = np.flatnonzero(points.run == code)
        if len(index) == 1:  # also where it is no end: a point for little is better than none
            keep[index] = True
            continue
        index = index[np.argsort(points.tokens[index], kind="stable")]
        last = points.tokens[index[-1]]
        late = index[points.tokens[index] >= BEGINNING * last]
        wanted = np.geomspace(BEGINNING * last, last, MOST_CHECKPOINTS + 1)[:-1]
        places = np.searchsorted(points.tokens[late], wanted)
        keep[late[np.unique(np.minimum(places, len(late) - 1))]] = True
    return points.take(keep)


def mended(points: Points) -> tuple[Points, tuple[str, ...]]:
    """Return the points without tails that jumped, and the runs whose end was so cut.

    A tail has jumped where, in the second half of a run, one step leads up by more than ``JUMP``
    in log-loss and by far more than the other steps there, and nothing after comes down again: a
    misread chart, another metric, a diverged run. The reading before it becomes the final, where
    the run had one.
    """
    keep, final, cut = np.ones(len(points), dtype=bool), points.final.copy(), list[str]()
    for code, name in enumerate(points.names):
        index = np.flatnonzero(points.run == code)
        if len(index) < LEAST_READINGS:
            continue
        index = index[np.argsort(points.tokens[index], kind="stable")]
        z = np.log(points.loss[index])
        steps, half = np.diff(z), len(z) // 2
        usual = 1.4826 * float(np.median(np.abs(steps[half - 2 :])))  # a run's start is steep
        after = np.minimum.accumulate(z[::-1])[::-1][1:]  # the least of what follows each
        jumped = (steps > max(JUMP, FAR * usual)) & (after - z[:-1] > JUMP)
        jumped[:half] = False
        if jumped.any():
            tail = index[int(np.flatnonzero(jumped)[0]) + 1 :]
            final[index[int(np.flatnonzero(jumped)[0])]] |= final[tail].any()
            keep[tail] = final[tail] = False
            cut.append(name)
    return (replace(points, final=final).take(keep), tuple(cut)) if cut else (points, ())


def weights(points: Points, seen: Mask) -> Array:
    """Return the weight (n,) of every point that is seen, 0 of the others."""
    return np.where(seen, np.where(points.final, 1.0, CHECKPOINT), 0.0)


def gather(rows: Sequence[tuple[Points, Array]]) -> Evidence:
    """Return rows of (points, weights) as one padded batch."""
    kept = [np.flatnonzero(w > 0) for _, w in rows]
    width = max((len(index) for index in kept), default=0)
    arrays = np.zeros((5, len(rows), width))
    arrays[:2] = np.log(1e9)  # padding must be finite
    for i, ((points, w), index) in enumerate(zip(rows, kept, strict=True)):
        last = np.zeros(len(points.names))
        np.maximum.at(last, points.run, points.tokens)
        fraction = np.where(points.final, 1.0, points.tokens / last[points.run])
        m = len(index)
        arrays[0, i, :m] = np.log(points.params[index])
        arrays[1, i, :m] = np.log(points.tokens[index])
        arrays[2, i, :m] = mid_schedule(fraction[index])
        arrays[3, i, :m] = np.log(points.loss[index])
        arrays[4, i, :m] = w[index]
    return Evidence(Design(arrays[0], arrays[1], arrays[2]), arrays[3], arrays[4])
