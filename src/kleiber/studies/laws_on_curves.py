"""Laws on the data that they are for, and what choosing between laws costs or gains.

Four parts: the multi-power law on held-out schedules, as published and at the optimum; the
Farseer law on dense surfaces; the broken law on curves of repeated tokens; and the regret of
the choice, the largest size of every public family hidden from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kleiber.errors import KleiberError
from kleiber.fitting import fit_points
from kleiber.fitting.curves import PRIOR_WEIGHT, Curve, fit_curves
from kleiber.judging import choose
from kleiber.judging.cells import grouped, thin
from kleiber.laws import get
from kleiber.laws import schedules as make
from kleiber.laws.schedule import MULTI_POWER
from kleiber.laws.schedules import Schedule
from kleiber.runs import Runs
from kleiber.runs.collections import Family, cross_entropies, load
from kleiber.studies.families import GROUP, MANY
from kleiber.studies.table import Table

# Luo et al. 2025, the authors' repository: L0, A, alpha, B, C, beta, gamma; mean absolute error
PUBLISHED = {
    25: ((3.04045406, 0.52468604, 0.50786857, 363.78751622, 2.06560812, 0.58279013, 0.64142257),
         0.00376),
    100: ((2.6514477, 0.60115152, 0.45295811, 437.9464276, 2.13245612, 0.59785199, 0.65523644),
          0.00435),
    400: ((2.37474466, 0.65421216, 0.42878731, 523.42464371, 2.02462735, 0.59350493, 0.63472457),
          0.00484),
}  # fmt: skip
WARM: dict[str, Any] = {"peak": 3e-4, "warmup": 2160}
SCHEDULES: tuple[Schedule, ...] = (
    make.cosine(24000, end=3e-5, name="cosine_24000", **WARM),
    make.constant(24000, name="constant_24000", **WARM),
    make.two_stage(16000, second=9e-5, change_at=8000, name="wsdcon_9", **WARM),
    make.constant(72000, name="constant_72000", **WARM),
    make.cosine(72000, end=3e-5, name="cosine_72000", **WARM),
    make.warmup_stable_decay(24000, end=3e-5, decay_from=20000, name="wsd_20000_24000", **WARM),
    make.warmup_stable_decay(
        24000, end=3e-5, decay_from=20000, shape="linear", name="wsdld_20000_24000", **WARM
    ),
    make.two_stage(16000, second=3e-5, change_at=8000, name="wsdcon_3", **WARM),
    make.two_stage(16000, second=18e-5, change_at=8000, name="wsdcon_18", **WARM),
)
FITTED = tuple(one.name for one in SCHEDULES[:3])  # the published protocol
HELD_OUT = tuple(one.name for one in SCHEDULES[3:])
SURFACES = (
    ("misfitting", "best"),
    ("open_athena_isoflop", "llama_3/llama_3/raw_loss"),
    ("open_athena_isoflop", "marin_202603/dclm"),
)
REPEATED = tuple(f"GPT2-c4-{epochs}ep" for epochs in (1, 4, 14, 44))
CURVES, READINGS = 3, 60  # of a family, and of a curve: what is read of them
SEEN = 0.5  # of a curve's tokens
FEWEST = 20  # readings seen of a curve
MOST = 3  # families of one cluster, evenly spaced in its list
LEAST_SIZES = 4  # one to hide from the choice, three to choose by
COLUMNS = ("part", "data", "law", "target", "error", "signed", "beside")


def curves_of(data: Path, size: int) -> dict[str, Curve]:
    """Return the set's curves of one size (in millions) by schedule, as the authors read them."""
    found: dict[str, Curve] = {}
    for schedule in SCHEDULES:
        frame = load("multi_power_law", schedule.name, folder=data).frame
        frame = frame.filter((pl.col("params") == size * 1e6) & (pl.col("step") < len(schedule)))
        frame = frame.sort("step")
        steps = frame["step"].to_numpy().astype(np.int64)
        found[schedule.name] = Curve(schedule, steps, frame["loss"].to_numpy())
    return found


def run(data: Path) -> Table:
    """Return the table of all four parts."""
    rows: list[dict[str, Any]] = []
    claims: list[str] = []
    for part in (_schedules, _surfaces, _repeated, _regret):
        found, said = part(data)
        rows += found
        claims += said
    return Table(
        name="laws_on_curves",
        title="Laws on the data they are for, and the choice between laws",
        command="kleiber study laws-on-curves --out results",
        columns=COLUMNS,
        rows=rows,
        claims=claims,
        notes=(
            "Schedules: mean absolute error in nats, mean over the readings of a curve and then "
            "over curves; fitted to " + ", ".join(FITTED) + ". Elsewhere: mean absolute error of "
            "the log-loss in %, predicted less actual. Surfaces: the largest size hidden, and the "
            "second largest where five are. Repeated: the last reading of a curve, predicted from "
            "the first half of its tokens. Choice: the largest size of a family hidden, the "
            "choice made by hiding sizes among the rest; mean over clusters of the means of at "
            f"most {MOST} of their families.",
        ),
        seed=0,
    )


def _row(part: str, data: str, law: str, target: str, **more: Any) -> dict[str, Any]:
    return {"part": part, "data": data, "law": law, "target": target, **more}


def _schedules(data: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Fit the multi-power law at each size, and predict the held-out schedules."""
    rows: list[dict[str, Any]] = []
    means: dict[str, list[float]] = defaultdict(list)
    again: list[float] = []
    left_out: dict[str, list[float]] = defaultdict(list)
    for size, (printed, said) in PUBLISHED.items():
        curves = curves_of(data, size)
        fitted = [curves[name] for name in FITTED]
        makers = {"optimum": 0.0, "default": PRIOR_WEIGHT}
        made = {name: fit_curves(fitted, prior_weight=weight) for name, weight in makers.items()}
        values = dict(zip(MULTI_POWER.names, printed, strict=True))
        made["published"] = replace(made["optimum"], values=values)
        for name, weight in makers.items():
            for i, one in enumerate(fitted):
                rest = [other for j, other in enumerate(fitted) if j != i]
                error = fit_curves(rest, prior_weight=weight).errors(one).mean_absolute
                left_out[name].append(error)
        for name, one in made.items():
            errors = [one.errors(curves[schedule]) for schedule in HELD_OUT]
            rows += [
                _row(
                    "schedule", f"{size}M", f"multi-power, {name}", error.schedule,
                    error=f"{error.mean_absolute:.5f}", signed=f"{error.bias:+.5f}",
                )
                for error in errors
            ]  # fmt: skip
            mean = float(np.mean([error.mean_absolute for error in errors]))
            means[name].append(mean)
            rows.append(
                _row(
                    "schedule", f"{size}M", f"multi-power, {name}", "mean of six",
                    error=f"{mean:.5f}", beside=f"published {said:.5f}",
                )
            )  # fmt: skip
        again.append(abs(means["published"][-1] - said))

    def listed(name: str) -> str:
        return ", ".join(f"{mean:.5f}" for mean in means[name])

    return rows, [
        f"Multi-power law, 25M, 100M and 400M: the published values give {listed('published')} "
        f"nats on the held-out schedules, within {max(again):.5f} of what was published.",
        f"The optimum of the published objective gives {listed('optimum')}; the published fits "
        "had stopped before it.",
        f"kleiber's default, with its prior on how a decay comes in, gives {listed('default')}: "
        f"mean {np.mean(means['default']):.5f} beside {np.mean(means['published']):.5f}. Each "
        f"training curve left out in turn: {np.mean(left_out['default']):.5f} with the prior, "
        f"{np.mean(left_out['optimum']):.5f} without.",
    ]


def _surfaces(data: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Hide the largest sizes of dense surfaces from Farseer and from Chinchilla."""
    rows: list[dict[str, Any]] = []
    wins = 0
    for name, family in SURFACES:
        runs = load(name, family, folder=data)
        many = len(runs.sizes) > MANY
        found = choose(
            runs, ("chinchilla", "chinchilla-outer", "farseer"), group=GROUP if many else 1.0
        )
        errors = {one.law: one.error for one in found.tried}
        wins += errors.get("farseer", np.inf) < errors.get("chinchilla", np.inf)
        rows += [
            _row(
                "surface", f"{name}/{family}", one.law, f"{len(one.held)} largest sizes",
                error=f"{100 * one.error:.2f} %", signed=f"{100 * one.signed:+.2f} %",
                beside=one.fit.status.code,
            )
            for one in found.tried
        ]  # fmt: skip
    return rows, [
        f"Farseer is nearer than Chinchilla on {wins} of {len(SURFACES)} surfaces whose largest "
        "sizes are hidden."
    ]


def _repeated(data: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Predict the end of curves from their first half by laws with and without a break."""
    rows: list[dict[str, Any]] = []
    names = ("tokens-power-floor", "tokens-broken")
    means: dict[str, list[float]] = defaultdict(list)
    for family in REPEATED:
        errors: dict[str, list[float]] = defaultdict(list)
        points = thin(load("colpret", family, folder=data).points(), READINGS)
        codes = np.unique(points.run)
        for code in codes[np.unique(np.linspace(0, len(codes) - 1, CURVES).astype(int))]:
            one = points.take(points.run == code)
            seen = one.tokens <= SEEN * one.tokens.max()
            if seen.sum() < FEWEST:
                continue
            last = int(np.argmax(one.tokens))
            for law in names:
                made = fit_points(one.take(seen), get(law), starts=3, steps=200, bootstraps=0)
                guess = float(made.law.loss(made.values, tokens=one.tokens[last]))
                errors[law].append(float(np.log(guess / one.loss[last])))
        for law, signed in errors.items():
            mean = float(np.abs(signed).mean())
            means[law].append(mean)
            rows.append(
                _row(
                    "repeated", f"colpret/{family}", law, f"ends of {len(signed)} curves",
                    error=f"{100 * mean:.2f} %", signed=f"{100 * np.mean(signed):+.2f} %",
                )
            )  # fmt: skip
    said = ", ".join(f"{law} {100 * np.mean(found):.2f} %" for law, found in means.items())
    return rows, [f"Ends of curves from their first half, mean over families: {said}."]


def _evenly(families: Sequence[tuple[Family, Runs]]) -> list[tuple[Family, Runs]]:
    """Return at most MOST families, evenly spaced."""
    places = np.unique(np.linspace(0, len(families) - 1, MOST).round().astype(int))
    return [families[place] for place in places]


def _regret(data: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Choose a law by the smaller sizes of every family, and predict its largest."""
    clusters: dict[str, list[tuple[Family, Runs]]] = defaultdict(list)
    for family, runs in cross_entropies(data, least_sizes=LEAST_SIZES):
        if not family.apart and len(runs.families) <= 1:
            clusters[family.cluster].append((family, runs))
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    inside: list[bool] = []
    decided = chosen_other = 0
    for cluster, families in clusters.items():
        for _, runs in _evenly(families):
            one = _hidden(runs)
            if one is None:
                continue
            for name, error in one["errors"].items():
                found[name][cluster].append(error)
            inside.append(one["inside"])
            decided += one["decided"]
            chosen_other += one["best"] != "chinchilla"
    means = {
        name: [float(np.mean(errors)) for errors in by_cluster.values()]
        for name, by_cluster in found.items()
    }
    rows = [
        _row(
            "choice", f"{len(inside)} families of {len(errors)} clusters", name, "largest size",
            error=f"{100 * np.mean(errors):.2f} %",
            beside=f"median {100 * np.median(errors):.2f} %",
        )
        for name, errors in means.items()
    ]  # fmt: skip
    average = {name: 100 * float(np.mean(errors)) for name, errors in means.items()}
    return rows, [
        f"Over {len(inside)} families of {len(means['chosen'])} clusters the chosen law misses "
        f"the hidden largest size by {average['chosen']:.2f} %, Chinchilla always by "
        f"{average['chinchilla']:.2f} %, all laws weighed by {average['weighed']:.2f} %, and the "
        f"best law in hindsight by {average['oracle']:.2f} %.",
        f"The choice was decided in {decided} families and another law than Chinchilla came "
        f"first in {chosen_other}; the 90 % interval of all laws held the most-trained hidden "
        f"run in {sum(inside)} of {len(inside)}.",
    ]


def _hidden(runs: Runs) -> dict[str, Any] | None:
    """Hide a family's largest size, choose by the rest, and return every law's error on it."""
    factor = GROUP if len(runs.sizes) > MANY else 1.0
    groups = grouped(runs.points(), factor)
    if len(groups) < LEAST_SIZES:
        return None
    below = max(groups[-2])
    seen = replace(runs, frame=runs.frame.filter(pl.col("params") <= below))
    unseen = replace(runs, frame=runs.frame.filter(pl.col("params") > below))
    finals = unseen.select(points="finals").points()
    try:
        choice = choose(seen, group=factor)
    except KleiberError:
        return None
    errors: dict[str, float] = {}
    for one in choice.tried:
        columns = {"params": finals.params, "tokens": finals.tokens}
        loss = one.fit.law.loss(one.fit.values, **columns)
        errors[one.law] = float(np.abs(np.log(loss / finals.loss)).mean())
    if "chinchilla" not in errors:
        return None
    places = zip(finals.params, finals.tokens, strict=True)
    weighed = [choice.predict(float(n), float(d)) for n, d in places]
    main = int(np.argmax(finals.tokens))
    off = np.log([said.value for said in weighed]) - np.log(finals.loss)
    return {
        "best": choice.best.law,
        "decided": choice.decided,
        "inside": weighed[main].lower <= finals.loss[main] <= weighed[main].upper,
        "errors": {
            "chosen": errors[choice.best.law],
            "chinchilla": errors["chinchilla"],
            "weighed": float(np.abs(off).mean()),
            "oracle": min(errors.values()),
        },
    }
