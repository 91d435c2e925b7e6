"""The options that verbs share, grouped as dataclasses; each means the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from kleiber.fitting import Fit
    from kleiber.runs import Runs

Files = Annotated[
    list[str],
    Parameter(help="A table (CSV, JSON lines, Parquet), several run logs, or - for stdin."),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How the table is read."""

    columns: str | None = None
    "Which column is what: params=X,tokens=Y,loss=Z; run=a+b joins two."
    unit: str | None = None
    "Unit of the loss: nats, bits, ppl or bpb:BYTES_PER_TOKEN."
    params_are: Literal["total", "nonembedding", "active"] | None = None
    "What the parameter counts count."
    meta: str | None = None
    "A table of run, params, family … for logs that do not say."
    where: str | None = None
    "Rows to read: metric=val_loss,kind=loss_nats."
    family: str | None = None
    "Keep one family."
    recipe: str | None = None
    "Keep one recipe."
    min_params: str | None = None
    "Keep runs of at least this size, such as 125M."
    max_params: str | None = None
    "Keep runs of at most this size."
    min_tokens: str | None = None
    "Keep points after this many tokens."
    min_fraction: float | None = None
    "Keep points after this share of their run."
    max_fraction: float | None = None
    "Keep points before this share of their run."
    drop_bad: bool = False
    "Leave out rows with impossible values, and say so, instead of stopping."

    def read(self, files: Sequence[str]) -> Runs:
        """Read the files and keep what was asked for."""
        from kleiber.cli import STDIN
        from kleiber.errors import InputError
        from kleiber.runs import Runs

        for file in filter(is_saved_fit, files):
            raise InputError(
                f"'{file}' is a saved fit, not a table of runs.",
                remedy="Give it alone to kleiber predict or kleiber allocate.",
            )
        named = ["-" if file == STDIN else file for file in files]
        source = named[0] if len(named) == 1 else named
        runs = Runs.read(
            source,
            columns=self.columns,
            unit=self.unit,
            params_are=self.params_are,
            meta=self.meta,
            where=self.where,
            drop_bad=self.drop_bad,
        )
        return runs.select(
            family=self.family,
            recipe=self.recipe,
            min_params=count_if(self.min_params, "--min-params", "125M"),
            max_params=count_if(self.max_params, "--max-params", "7B"),
            min_tokens=count_if(self.min_tokens, "--min-tokens", "1B"),
            min_fraction=self.min_fraction,
            max_fraction=self.max_fraction,
        )


@Parameter(name="*")
@dataclass(frozen=True)
class Fitting:
    """What is fitted and how."""

    law: str = "chinchilla"
    (
        "chinchilla, chinchilla-outer, kaplan, overtraining, repetition, routed, farseer, or "
        "params-power, tokens-power, each with -floor, or params-broken, tokens-broken."
    )
    objective: str = "huber"
    "huber (log-loss), log or raw (least squares of the log-loss or the loss)."
    delta: str | None = None
    "Huber's threshold: auto (the default), or a number such as 1e-3 as published."
    fix: tuple[str, ...] = ()
    "Hold parameters: alpha=0.34,beta=0.28."
    tie: tuple[str, ...] = ()
    "Keep two parameters equal: alpha=beta."
    bounds: tuple[str, ...] = ()
    "Keep a parameter in a box: alpha=0.1:0.6."
    points: Literal["auto", "finals", "all", "checkpoints"] = "auto"
    "Fit the ends of runs, or their checkpoints too; auto takes ends where they suffice."
    seed: int = 0
    "Seed of starts and resamples."

    def keywords(self) -> dict[str, Any]:
        """Return the options as keywords of kleiber.fit."""
        return {
            "objective": self.objective,
            "delta": self._delta(),
            "fix": pairs(self.fix, "--fix", "alpha=0.34"),
            "tie": [tie_of(text) for text in self.tie],
            "bounds": boxes(self.bounds),
            "seed": self._seed(),
        }

    def _seed(self) -> int:
        from kleiber.errors import UsageError

        if self.seed < 0:
            raise UsageError(f"--seed got {self.seed}.", remedy="A seed is 0 or more.")
        return self.seed

    def _delta(self) -> Any:
        return "auto" if self.delta in (None, "auto") else one_number(self.delta, "--delta", "1e-3")

    def fit(self, runs: Runs, bootstraps: int) -> Fit:
        """Fit the runs."""
        from kleiber.fitting import fit

        return fit(
            runs, self.law, points=self.points, bootstraps=bootstraps or 1000, **self.keywords()
        )


@Parameter(name="*")
@dataclass(frozen=True)
class FitIntervals:
    """Which intervals of a fit are printed."""

    level: float = 0.9
    "Probability that an interval covers."
    interval: Literal["delta", "profile", "bootstrap", "jackknife"] | None = None
    "Method of the intervals: delta unless --bootstraps is given."
    bootstraps: int | None = None
    "Bootstrap replicates over runs; giving a number chooses --interval bootstrap, 0 does not."

    @property
    def method(self) -> str | None:
        """The method asked for, None for the default."""
        return self.interval or ("bootstrap" if self.bootstraps else None)


@Parameter(name="*")
@dataclass(frozen=True)
class Intervals:
    """Which intervals of a prediction are printed, without a prior or with one."""

    level: float = 0.9
    "Probability that an interval covers."
    interval: (
        Literal["delta", "profile", "bootstrap", "jackknife", "model", "calibrated"] | None
    ) = None
    "Method of the intervals: delta unless --bootstraps is given; with --prior calibrated or model."
    bootstraps: int | None = None
    "Bootstrap replicates over runs; giving a number chooses --interval bootstrap, 0 does not."

    @property
    def method(self) -> str | None:
        """The method asked for, None for the default; UsageError for one that needs a prior."""
        from kleiber.errors import UsageError

        if self.interval == "calibrated":
            raise UsageError(
                "A calibrated interval is of a forecast with a prior, and none is asked for.",
                remedy="Add --prior bundled to kleiber predict, or leave --interval out.",
            )
        chosen = None if self.interval == "model" else self.interval
        return chosen or ("bootstrap" if self.bootstraps else None)

    @property
    def width(self) -> Literal["calibrated", "model"]:
        """The interval of a forecast with a prior; UsageError for a method of fits."""
        from kleiber.errors import UsageError

        if self.interval not in (None, "calibrated", "model") or self.bootstraps:
            method = self.interval or "bootstrap"
            raise UsageError(
                f"With a prior the interval is calibrated or model, and '{method}' was asked for.",
                remedy="Leave --interval and --bootstraps out: calibrated is the default.",
            )
        return "model" if self.interval == "model" else "calibrated"


def is_saved_fit(path: str) -> bool:
    """Whether a file begins as `kleiber fit --out` writes it."""
    try:
        with open(path, "rb") as file:
            return b'"schema": "kleiber.fit/' in file.read(200)
    except (OSError, ValueError):
        return False


def count(text: str, option: str, example: str = "7B") -> float:
    """Return a count such as 7B or raise a UsageError that names the option."""
    from kleiber.errors import KleiberError, UsageError
    from kleiber.units import parse_count

    remedy = f"Write for example {option} {example}."
    try:
        found = parse_count(text)
    except KleiberError as error:
        raise UsageError(f"{option}: {error.message}", remedy=remedy) from None
    if found == 0:
        raise UsageError(f"{option} got {text}, expected more than 0.", remedy=remedy)
    return found


def count_if(text: str | None, option: str, example: str = "7B") -> float | None:
    """Return a count, or None where the option was not given."""
    return None if text is None else count(text, option, example)


def one_number(text: str, option: str, example: str) -> float:
    """Return a number or raise a UsageError that names the option."""
    from kleiber.errors import UsageError

    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"{option} got '{text}', which is not a number.",
            remedy=f"Write for example {option} {example}.",
        ) from None


def _split(texts: Sequence[str], option: str, example: str) -> list[tuple[str, str]]:
    """Return name, value pairs of NAME=VALUE items, repeated or comma-separated."""
    from kleiber.errors import UsageError

    found: list[tuple[str, str]] = []
    for item in ",".join(texts).split(",") if texts else []:
        name, sign, right = item.partition("=")
        if not (sign and name.strip() and right.strip()):
            raise UsageError(
                f"{option} got '{item}', expected NAME=VALUE.",
                remedy=f"Write for example {option} {example}.",
            )
        found.append((name.strip(), right.strip()))
    return found


def pairs(texts: Sequence[str], option: str, example: str) -> dict[str, float]:
    """Return named numbers of --fix."""
    return {
        name: one_number(right, option, example) for name, right in _split(texts, option, example)
    }


def tie_of(text: str) -> tuple[str, str]:
    """Return the two names of one --tie."""
    return _split([text], "--tie", "alpha=beta")[0]


def boxes(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return named boxes of --bounds NAME=LOWER:UPPER."""
    from kleiber.errors import UsageError

    found: dict[str, tuple[float, float]] = {}
    for name, right in _split(texts, "--bounds", "alpha=0.1:0.6"):
        low, sign, high = right.partition(":")
        if not sign:
            raise UsageError(
                f"--bounds got '{name}={right}', expected NAME=LOWER:UPPER.",
                remedy="Write for example --bounds alpha=0.1:0.6.",
            )
        found[name] = (
            one_number(low, "--bounds", "alpha=0.1:0.6"),
            one_number(high, "--bounds", "alpha=0.1:0.6"),
        )
    return found
