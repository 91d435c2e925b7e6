"""What in a table of runs would mislead a fit: found by looking, before anything is fitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kleiber.runs.notes import counted, listing
from kleiber.units import flops_6nd, format_count

FloatArray = NDArray[np.float64]

# A point this far above the median of its neighbours, in log loss, is no noise of training.
FAR = 0.15
# Neighbours looked at, and how many of their own robust spreads a point may lie above them.
NEIGHBOURS, SPREADS = 6, 6.0
# Above this many finals neighbours are not searched: a look must stay instant.
MOST_FINALS = 5000
# Five unknowns need more points than five.
FEW = 6
# Logs that span less than this are one value, rounded.
NARROW = 0.02
# Above this share the far points are no accidents but a second metric or unit.
MANY = 0.2


@dataclass(frozen=True)
class Problem:
    """Something in the data that a fit should not meet unseen."""

    code: str
    message: str
    remedy: str = ""
    family: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the problem as a plain dictionary."""
        return {
            "code": self.code,
            "family": self.family,
            "message": self.message,
            "remedy": self.remedy,
        }


def find_problems(frame: pl.DataFrame, *, family: str = "", named: bool) -> tuple[Problem, ...]:
    """Return the problems of one family's rows of a canonical table."""
    finals = frame.filter(pl.col("final"))
    checks = (
        *_few(finals),
        *_span(frame),
        *_constant(frame),
        *_scale(frame),
        *_repeats(frame, named=named),
        *_outliers(finals),
        *_end_jumps(frame),
        *_early_finals(frame),
    )
    return tuple(replace(one, family=family) for one in checks)


def _few(finals: pl.DataFrame) -> Iterator[Problem]:
    """Look for fewer finished runs than a law needs."""
    if finals.height < FEW:
        yield Problem(
            "few-runs",
            f"{counted(finals.height, 'finished run')}: a law of five values needs at least {FEW}, "
            "and more for an interval.",
            "Train more small runs, use checkpoints (--points all), or fit a law of fewer values "
            "(--law).",
        )


def _span(frame: pl.DataFrame) -> Iterator[Problem]:
    """Look for designs that cannot tell the effect of size from that of tokens."""
    n, d = np.log(frame["params"].to_numpy()), np.log(frame["tokens"].to_numpy())
    if np.ptp(n) == 0:
        size = format_count(float(frame["params"].to_numpy()[0]))
        yield Problem(
            "single-size",
            f"a single size ({size}): nothing says how loss falls with params.",
            "Add runs of other sizes, or fit tokens alone (--law tokens-power-floor).",
        )
    elif np.ptp(d) < NARROW:
        tokens = format_count(float(frame["tokens"].to_numpy()[0]))
        yield Problem(
            "single-tokens",
            f"all points are at {tokens} tokens: nothing says how loss falls with data.",
            "Add runs of other lengths or checkpoints, or fit params alone "
            "(--law params-power-floor).",
        )
    elif np.ptp(d - n) < NARROW:
        ratio = float(np.exp(np.median(d - n)))
        yield Problem(
            "single-ratio",
            f"all points have {ratio:.3g} tokens a param: size and data cannot be told apart.",
            "Add runs at another ratio, or fit one of them alone (--law params-power-floor).",
        )
    elif n.size > 2 and abs(float(np.corrcoef(n, d)[0, 1])) > 0.999:
        yield Problem(
            "single-line",
            "tokens follow params along one line in logs: size and data can hardly be told apart.",
            "Add runs off that line.",
        )


def _constant(frame: pl.DataFrame) -> Iterator[Problem]:
    """Look for a loss that never changes."""
    if frame.height > 1 and frame["loss"].n_unique() == 1:
        yield Problem(
            "constant-loss",
            f"every loss is {frame['loss'][0]:.4g} nats: there is nothing to fit.",
            "Look whether the right column was read (--columns loss=NAME).",
        )


def _scale(frame: pl.DataFrame) -> Iterator[Problem]:
    """Look for counts in millions or billions, and for compute that is another's."""
    params, tokens = frame["params"].to_numpy(), frame["tokens"].to_numpy()
    # Raw tokens at a believable number a param say that so few params are meant as they stand.
    tiny = tokens.max() >= 1e5 and 0.1 <= float(np.median(tokens / params)) <= 1e5
    for name, values, least in (("params", params, 1e4), ("tokens", tokens, 1e6)):
        if values.max() < least and not tiny:
            yield Problem(
                "scale",
                f"the most {name} are {float(values.max()):.4g}: counts are raw numbers here, "
                "and these look like millions or billions.",
                f"Multiply the column {name}, or write its values as 125M or 1.5B.",
            )
    if "flops" in frame.columns and frame["flops"].drop_nulls().len():
        ratio = frame["flops"].to_numpy() / flops_6nd(params, tokens)
        median = float(np.nanmedian(ratio))
        if not 1 / 3 < median < 3:
            yield Problem(
                "flops",
                f"flops are {median:.3g} times 6 params tokens: one of the three counts "
                "something else.",
                "Check the columns that params, tokens and flops were read from.",
            )


def _repeats(frame: pl.DataFrame, *, named: bool) -> Iterator[Problem]:
    """Look for rows that say the same again, and rows that contradict each other."""
    keys = ["run", "params", "tokens"] if named else ["params", "tokens"]
    twins = frame.height - frame.select(*keys, "loss").unique().height
    if twins:
        yield Problem(
            "duplicated",
            f"{counted(twins, 'row')} repeat another row exactly: intervals would be too narrow.",
            "Remove the repeated rows.",
        )
    if not named:
        return
    distinct = frame.select(*keys, "loss").unique()
    other = distinct.filter(pl.struct(keys).is_duplicated())["run"].unique().sort().to_list()
    if other:
        yield Problem(
            "contradicted",
            f"{counted(len(other), 'run')} with several losses at the same tokens "
            f"({listing(other, limit=3)}): several metrics or restarts under one name?",
            "Keep one metric with --where, or tell runs apart with --columns run=A+B.",
        )


def _outliers(finals: pl.DataFrame) -> Iterator[Problem]:
    """Look for finished runs whose loss lies far above that of their neighbours."""
    if not NEIGHBOURS < finals.height <= MOST_FINALS:
        return
    place = np.log(finals.select("params", "tokens").to_numpy())
    loss = np.log(np.maximum(finals["loss"].to_numpy(), 1e-12))
    far = far_above(place, loss)
    if not far.any():
        return
    rows = finals.filter(pl.Series(far)).sort("loss", descending=True)
    each = [f"{run} ({value:.4g} nats)" for run, value in rows.select("run", "loss").iter_rows()]
    said = f"with a loss far above the neighbours': {listing(each, limit=3)}"
    if rows.height > MANY * finals.height:
        yield Problem(
            "two-levels",
            f"{rows.height} of {finals.height} finished runs {said}; so many are no accidents.",
            "Look whether the column holds two metrics or two units, and keep one with --where.",
        )
        return
    yield Problem(
        "outlier",
        f"{counted(rows.height, 'finished run')} {said}.",
        "Look whether they diverged; a robust objective bears a few of them.",
    )


def far_above(place: FloatArray, loss: FloatArray) -> NDArray[np.bool_]:
    """Return which points lie far above what is near; place (n, 2) and loss (n,) in logs.

    A point is compared with its nearest neighbours, and with runs that had no more params and
    no more tokens: a law that falls in both puts it below every one of these.
    """
    far = np.zeros(loss.size, dtype=np.bool_)
    scale = np.maximum(np.ptp(place, axis=0), 1e-12)
    for i in range(loss.size):
        apart = np.abs((place - place[i]) / scale).sum(axis=1)
        apart[i] = np.inf
        near = loss[np.argpartition(apart, NEIGHBOURS - 1)[:NEIGHBOURS]]
        middle = float(np.median(near))
        spread = 1.4826 * float(np.median(np.abs(near - middle)))
        below = np.all(place <= place[i] + 1e-9, axis=1)
        below[i] = False
        beaten = below.sum() >= 3 and loss[i] > float(np.median(loss[below])) + FAR
        far[i] = beaten or loss[i] > middle + max(2 * FAR, SPREADS * spread)
    return far


def _end_jumps(frame: pl.DataFrame) -> Iterator[Problem]:
    """Look for runs whose last reading breaks with those before it."""
    runs: list[str] = []
    for name, loss in _curves(frame):
        changes = np.diff(np.log(np.maximum(loss[-12:], 1e-12)))
        usual = np.abs(changes[:-1] - np.median(changes[:-1]))
        jump = abs(float(changes[-1] - np.median(changes[-4:-1])))
        if jump > max(0.05, 8 * float(np.median(usual)), 2 * float(np.max(usual))):
            runs.append(f"{name} ({loss[-2]:.4g} to {loss[-1]:.4g})")
    if runs:
        yield Problem(
            "end-jump",
            f"{counted(len(runs), 'run')} whose loss jumps at the end: {listing(runs, limit=3)}.",
            "Check the last row: another evaluation, a cooldown, or a divergence.",
        )


def _curves(frame: pl.DataFrame, least: int = 6) -> Iterator[tuple[str, FloatArray]]:
    """Yield each run of at least so many rows with its losses in the order of tokens."""
    long = frame.filter(pl.len().over("run") >= least)
    ordered = long.sort("run", "tokens", "loss")
    for (name,), part in ordered.group_by(["run"], maintain_order=True):
        yield str(name), part["loss"].to_numpy()


def _early_finals(frame: pl.DataFrame) -> Iterator[Problem]:
    """Look for finals that are not the readings with the most tokens of their runs."""
    runs = frame.group_by("run").agg(
        pl.col("tokens").filter(pl.col("final")).max().alias("end"), pl.col("tokens").max()
    )
    early = runs.filter(pl.col("end") < pl.col("tokens"))["run"].sort().to_list()
    if early:
        yield Problem(
            "early-final",
            f"{counted(len(early), 'run')} whose final row has not the most tokens: "
            f"{listing(early, limit=3)}.",
            "Check the column that says which rows are final.",
        )
