"""The choice between laws: by sizes that they had not seen, never by how well they fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from kleiber.errors import FitError, KleiberError, UsageError, ValuesError
from kleiber.fitting import Fit, fit
from kleiber.fitting.intervals import check_level
from kleiber.judging import mixture
from kleiber.judging.cells import grouped
from kleiber.laws import Law, get
from kleiber.runs import Runs
from kleiber.units import format_count, parse_count

# Farseer is tried where it is named: its nine parameters want some 50 runs
OF_BOTH = ("chinchilla", "chinchilla-outer", "kaplan", "overtraining")
OF_PARAMS = ("params-power", "params-power-floor", "params-broken")
STILL = 2.0  # tokens that vary by less than this factor carry no law of both
STARTS, STEPS = 3, 200  # of a fit: held-out errors, not certificates, judge the laws
LEAST_SIZES = 3
ROLLING = 5  # sizes from which the second largest is hidden too: three are left below it


@dataclass(frozen=True)
class Held:
    """What one law said of one hidden size; errors are of the log-loss, predicted - actual.

    ``error`` is the mean magnitude over the size's finals, ``signed`` the mean; ``spread`` is
    the scale that the law's statement had, ``of_reducible`` the mean signed error over actual
    less this law's fitted floor, so that it compares no two laws. ``size`` is the largest of
    ``sizes``, those that count as one.
    """

    size: float
    sizes: tuple[float, ...]
    scale_up: float
    finals: int
    error: float
    signed: float
    of_reducible: float
    spread: float


@dataclass(frozen=True)
class Tried:
    """One law, what it said of every hidden size, and its fit to all runs."""

    law: str
    error: float
    signed: float
    score: float
    weight: float
    held: tuple[Held, ...]
    fit: Fit = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the law's record as plain data, without the fit."""
        named = {k: getattr(self, k) for k in ("law", "error", "signed", "score", "weight")}
        return {**named, "held": [asdict(one) for one in self.held]}


@dataclass(frozen=True)
class Left:
    """A law that could not be tried, and why."""

    law: str
    reason: str


@dataclass(frozen=True)
class Averaged:
    """The loss (nats) of a run by all laws, weighed; the interval includes the choice."""

    params: float | None
    tokens: float | None
    value: float
    lower: float
    upper: float
    level: float
    by_law: Mapping[str, float]

    def sentence(self) -> str:
        """Return the prediction as one line of text."""
        counts = ((self.params, "params"), (self.tokens, "tokens"))
        where = " on ".join(f"{format_count(n)} {word}" for n, word in counts if n is not None)
        return (
            f"{where}: {self.value:.4f} nats, {self.level:.0%} interval "
            f"{self.lower:.4f} to {self.upper:.4f}, the choice of law included"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Choice:
    """Laws ranked by their errors on hidden sizes, the best first.

    ``tied`` are the laws that the hidden sizes do not tell from the best; the choice is decided
    where that is the best alone. ``short`` are laws that could not be tried with the second
    largest size hidden, which was then hidden from none.
    """

    family: str
    sizes: tuple[float, ...]
    hidden: tuple[float, ...]
    tried: tuple[Tried, ...]
    left: tuple[Left, ...]
    tied: tuple[str, ...]
    short: tuple[Left, ...] = ()
    synthetic: bool = False

    @property
    def best(self) -> Tried:
        """The law of the least error on hidden sizes."""
        return self.tried[0]

    @property
    def decided(self) -> bool:
        """Whether the hidden sizes tell the best law from every other."""
        return len(self.tied) == 1

    def predict(
        self,
        params: float | str | None = None,
        tokens: float | str | None = None,
        *,
        level: float = 0.9,
        **more: float | str,
    ) -> Averaged:
        """Predict a run by all laws, with weights from the hidden sizes.

        Every law's statement is widened as it was when it was scored, and the interval is of
        the weighted mixture of them all: where laws disagree it holds them both.
        """
        check_level(level)
        wanted = [None if count is None else parse_count(count) for count in (params, tokens)]
        largest = max(self.sizes)
        scale_up = 1.0 if wanted[0] is None else wanted[0] / largest
        centre, spread = np.empty(len(self.tried)), np.empty(len(self.tried))
        for i, one in enumerate(self.tried):
            found = one.fit.predict(*wanted, level=mixture.ONE_SIGMA, **more)
            centre[i] = np.log(found.value)
            spread[i] = mixture.scale(found.lower, found.upper, scale_up)
        share = np.array([one.weight for one in self.tried])
        tail = 0.5 - 0.5 * level
        middle, low, high = (
            float(np.exp(mixture.quantile(q, share, centre, spread)))
            for q in (0.5, tail, 1.0 - tail)
        )
        by_law = {one.law: float(np.exp(z)) for one, z in zip(self.tried, centre, strict=True)}
        return Averaged(wanted[0], wanted[1], middle, low, high, level, by_law)

    def sentence(self) -> str:
        """Return the verdict as one line."""
        hidden = " and ".join(format_count(size) for size in self.hidden)
        best = f"{self.best.law} ({100 * self.best.error:.2f} % off on hidden {hidden})"
        if len(self.tried) == 1:
            return f"no choice: only {best} could be tried"
        if self.decided:
            return f"{best} is the best law"
        others = ", ".join(name for name in self.tied if name != self.best.law)
        return f"undecided: {best} is the least, and {others} cannot be told from it"

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as plain data."""
        return {
            "schema": "kleiber.choose/1",
            "family": self.family,
            "sizes": list(self.sizes),
            "hidden": list(self.hidden),
            "best": self.best.law,
            "decided": self.decided,
            "tied": list(self.tied),
            "laws": [one.to_dict() for one in self.tried],
            "left": [asdict(one) for one in self.left],
            "short": [asdict(one) for one in self.short],
            "synthetic": self.synthetic,
        }


def choose(
    runs: object,
    laws: Sequence[str | Law] | None = None,
    *,
    group: float = 1.0,
    **options: Any,
) -> Choice:
    """Choose between laws by the largest size hidden, and the second largest where five are.

    Parameters
    ----------
    laws
        The laws to try; by default those of params and tokens (OF_BOTH), or of params alone
        where all runs saw much the same tokens. One that cannot be fitted is left out with the
        reason; the sizes that are hidden are the same for all that remain.
    group
        Sizes within this factor of each other count as one: 1.9 for designs of many sizes.
    options
        Further options of :func:`kleiber.fit`, the same for every law.

    Raises
    ------
    ValuesError
        For runs of fewer than three sizes.
    FitError
        Where no law is left.
    """
    table = Runs.read(runs)
    if laws is None:
        tokens = table.frame["tokens"].to_numpy()
        laws = OF_BOTH if float(tokens.max() / tokens.min()) >= STILL else OF_PARAMS
    wanted = list({law.name: law for law in map(_law, laws)}.values())
    if not wanted:
        raise UsageError("There are no laws to choose between.", remedy="Name some (--laws a,b).")
    options = {"starts": STARTS, "steps": STEPS, "bootstraps": 0, **options}
    groups = grouped(table.points(), group)
    if len(groups) < LEAST_SIZES:
        raise ValuesError(
            f"The runs have {len(groups)} of the {LEAST_SIZES} sizes that a choice needs: one to "
            "hide, and two to fit.",
            remedy="Add runs of other sizes, or fit one law (kleiber fit).",
        )
    left: list[Left] = []
    short: list[Left] = []
    largest = _hide(table, groups, len(groups) - 1, wanted, options, left)
    whole = _fits(table, [law for law in wanted if law.name in largest], options, left)
    folds = [{name: one for name, one in largest.items() if name in whole}]
    if not folds[0]:
        said = "; ".join(f"{one.law}: {one.reason}" for one in left)
        raise FitError(
            f"None of {len(wanted)} laws could be tried. {said}",
            remedy="Add runs, or name laws of fewer parameters (--laws params-power).",
        )
    if len(groups) >= ROLLING:
        kept = [law for law in wanted if law.name in folds[0]]
        second = _hide(table, groups, len(groups) - 2, kept, options, short)
        if len(second) == len(kept):  # else laws would be compared on different sizes
            folds.append(second)
    return replace(_ranked(table, whole, folds), left=tuple(left), short=tuple(short))


def _law(named: str | Law) -> Law:
    """Return a law by its name; the remedy for a wrong one is this verb's."""
    try:
        return get(named)
    except UsageError as error:
        raise UsageError(
            error.message,
            remedy="Use some of those names with laws=(…) (--laws a,b on the command line).",
        ) from None


def _fits(
    runs: Runs, laws: Sequence[Law], options: Mapping[str, Any], left: list[Left]
) -> dict[str, Fit]:
    """Return every law's fit; one that fails is noted with the reason."""
    found: dict[str, Fit] = {}
    for law in laws:
        try:
            made = fit(runs, law, **options)
        except UsageError:
            raise
        except KleiberError as error:
            left.append(Left(law.name, error.message))
            continue
        found[law.name] = made
    return found


def _hide(
    runs: Runs,
    groups: Sequence[tuple[float, ...]],
    place: int,
    laws: Sequence[Law],
    options: Mapping[str, Any],
    left: list[Left],
) -> dict[str, Held]:
    """Hide one group of sizes and all above it; return what each law says of its finals."""
    hidden, below = groups[place], max(groups[place - 1])
    seen = replace(runs, frame=runs.frame.filter(pl.col("params") <= below))
    unseen = replace(runs, frame=runs.frame.filter(pl.col("params").is_in(hidden)))
    finals = unseen.select(points="finals").points()
    found: dict[str, Held] = {}
    for name, made in _fits(seen, laws, options, left).items():
        needed = made.law.predictors
        guess = made.predict_many(
            **dict(zip(needed, finals.predictors(needed), strict=True)), level=mixture.ONE_SIGMA
        )
        error = np.log(guess["value"] / finals.loss)
        if not np.all(np.isfinite(error)):
            left.append(Left(name, "it predicts no finite loss for the hidden size"))
            continue
        scale_up = max(hidden) / below
        spread = [
            mixture.scale(float(low), float(high), scale_up)
            for low, high in zip(guess["lower"], guess["upper"], strict=True)
        ]
        reducible = finals.loss - made.floor
        part = np.where(reducible > 0, (guess["value"] - finals.loss) / reducible, np.nan)
        found[name] = Held(
            size=max(hidden),
            sizes=hidden,
            scale_up=scale_up,
            finals=len(finals),
            error=float(np.abs(error).mean()),
            signed=float(error.mean()),
            of_reducible=float(part.mean()),
            spread=float(np.mean(spread)),
        )
    return found


def _ranked(table: Runs, whole: Mapping[str, Fit], folds: Sequence[Mapping[str, Held]]) -> Choice:
    """Score, weigh and rank the laws, and say which cannot be told from the best."""
    names = list(folds[0])
    score = [
        sum(mixture.log_density(fold[name].error, fold[name].spread) for fold in folds)
        for name in names
    ]
    weight = mixture.weights(np.array(score))
    tried = [
        Tried(
            law=name,
            error=float(np.mean([fold[name].error for fold in folds])),
            signed=float(np.mean([fold[name].signed for fold in folds])),
            score=score[i],
            weight=float(weight[i]),
            held=tuple(fold[name] for fold in folds),
            fit=whole[name],
        )
        for i, name in enumerate(names)
    ]
    tried.sort(key=lambda one: one.error)
    tied = [one.law for one in tried if not _clearly_worse(one, tried[0])]
    return Choice(
        family=table.families[0] if len(table.families) == 1 else table.source,
        sizes=table.sizes,
        hidden=tuple(fold[names[0]].size for fold in folds),
        tried=tuple(tried),
        left=(),
        tied=tuple(tied),
        synthetic=table.synthetic,
    )


def _clearly_worse(one: Tried, best: Tried) -> bool:
    """Whether a law is worse on every hidden size, by more than laws miss one by anyway."""
    return all(
        mine.error - other.error > mixture.missed(mine.scale_up)
        for mine, other in zip(one.held, best.held, strict=True)
    )
