"""What the data say of the guide's analysis: each of its faults as a sentence with numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from kleiber.errors import InputError
from kleiber.runs.collections import values
from kleiber.studies.guide.procedure import (
    CUT,
    START,
    ScaledSet,
    by_size,
    fit,
    is_skipped,
    joined,
    law,
    model_counts,
    number_of_models,
    score,
    target_rows,
    train_rows,
)
from kleiber.studies.guide.published import Published

MANY_SIZES = ("gpt3", "OPT", "chinchilla")  # cross-entropies, OPT's after its repair
OPT_SIZES = (6.7e9, 13e9, 30e9)
ALL_K = (2, 3, 4, 5)  # numbers of models that the common families all have
ZERO_FLOOR = 0.01  # a floor below this part of the lowest value is none
Numbers = dict[str, float]


@dataclass(frozen=True)
class Evidence:
    """What findings are made of: the sets, and each one's errors by number of models."""

    data: Path
    sets: Mapping[str, ScaledSet]
    published: Published
    errors: Mapping[str, Numbers]


def in_nats(one: ScaledSet) -> ScaledSet:
    """Return a set of perplexities as nats."""
    models = (replace(model, values=np.log(model.values)) for model in one.models)
    return replace(one, models=tuple(models))


def by_number(one: ScaledSet) -> Numbers:
    """Return the ARE in % at 100 % of training by number of models, as the figures count."""
    models = by_size(one.models)
    found: dict[int, list[float]] = {}
    if len(models) < 3 or is_skipped(models[-1]):
        return {}
    target = target_rows(models[-1], 1.0)
    for count in model_counts(len(models) - 1):
        train = train_rows(models[:count], 1.0)
        parameters = fit(train) if len(train) else None
        if parameters is not None:
            are = 100 * score(law(target, *parameters), target).are
            found.setdefault(number_of_models(train), []).append(are)
    return {f"{number}": float(np.mean(errors)) for number, errors in sorted(found.items())}


def _one_model(one: ScaledSet, size: float) -> float:
    """Return the ARE in % on the largest from one size, (A, alpha) borrowed."""
    models = by_size(one.models)
    model = min(models, key=lambda m: abs(m.params - size))
    parameters = fit(train_rows([model], 1.0), borrowed=True)
    target = target_rows(models[-1], 0.7, CUT)
    if parameters is None:
        return float("nan")
    return 100 * score(law(target, *parameters), target).are


def opt_units(e: Evidence) -> tuple[str, Numbers]:
    """Return that OPT's values are perplexities, and what errors become in nats."""
    raw, nats = e.sets["OPT"], in_nats(e.sets["OPT"])
    numbers: Numbers = {}
    for size in OPT_SIZES:
        label = f"{size / 1e9:g}B"
        numbers[f"perplexity, from {label}"] = _one_model(raw, size)
        numbers[f"nats, from {label}"] = _one_model(nats, size)
    numbers["perplexity, 5 models"] = by_number(raw)["5"]
    numbers["nats, 5 models"] = by_number(nats)["5"]
    before = ", ".join(f"{numbers[f'perplexity, from {s / 1e9:g}B']:.1f}" for s in OPT_SIZES)
    after = ", ".join(f"{numbers[f'nats, from {s / 1e9:g}B']:.1f}" for s in OPT_SIZES)
    text = (
        f"OPT's loss is a perplexity. From 6.7B, 13B and 30B alone the procedure errs by {before} "
        f"% of it and by {after} % in nats; with five models by "
        f"{numbers['perplexity, 5 models']:.1f} and {numbers['nats, 5 models']:.1f} %."
    )
    return text, numbers


def pythia_units(e: Evidence) -> tuple[str, Numbers]:
    """Return that Pythia's values are perplexities of one task, which rise again at 70M."""
    models = by_size(e.sets["pythia"].models)
    small, large = models[0], models[-1]
    numbers = {
        "largest perplexity": float(2 ** max(model.values.max() for model in models)),
        "70M, lowest bits": float(small.values.min()),
        "70M, last bits": float(small.values[-1]),
        "70M, tokens at the lowest": float(small.tokens[small.values.argmin()]),
        "12B, last bits": float(large.values[-1]),
    }
    text = (
        "Pythia's loss is log2 of the perplexity of one task's last word (LAMBADA), up to "
        f"{numbers['largest perplexity']:.2g} early on. At 70M it is lowest, "
        f"{numbers['70M, lowest bits']:.2f}, after "
        f"{numbers['70M, tokens at the lowest'] / 1e9:.0f}B tokens and "
        f"{numbers['70M, last bits']:.2f} at the end: no falling power of tokens fits that."
    )
    return text, numbers


def t5_units(e: Evidence) -> tuple[str, Numbers]:
    """Return that T5's values are none of a cross-entropy."""
    models = by_size(e.sets["t5-pile"].models)
    late = [model.values[model.tokens > CUT] for model in models]
    borrowed = float(np.exp(START[0] - START[3] * np.log(models[-1].params)))
    cells = [
        row.published
        for row in e.published.rows
        if (row.experiment, row.scope) == ("hist_1m", "t5-pile") and row.ours is not None
    ]
    numbers = {
        "lowest perplexity": float(2 ** min(part.min() for part in late)),
        "highest perplexity": float(2 ** max(part.max() for part in late)),
        "value of 11B at the end": float(models[-1].values[-1]),
        "borrowed A/N^alpha at 11B": borrowed,
        "printed cells of one model": float(len(cells)),
        "their spread": float(np.ptp(cells)) if cells else 0.0,
    }
    text = (
        f"T5's perplexity is {numbers['lowest perplexity']:.3f} to "
        f"{numbers['highest perplexity']:.3f}, divided by a wrong count. At 11B the borrowed "
        f"A/N^alpha alone is {borrowed:.3f}, the value {numbers['value of 11B at the end']:.3f}: "
        f"the fit has nothing left to choose, and {len(cells)} printed cells are one number."
    )
    return text, numbers


def no_floor(e: Evidence) -> tuple[str, Numbers]:
    """Return how many of the published fits end without a floor."""
    floors: Numbers = {}
    fitted = 0
    for one in e.sets.values():
        models = by_size(one.models)
        if len(models) < 3 or is_skipped(models[-1]):
            continue
        train = train_rows(models[:-1], 1.0)
        parameters = fit(train) if len(train) else None
        if parameters is None:
            continue
        fitted += 1
        lowest = float(train.values.min())
        if np.exp(parameters[2]) < ZERO_FLOOR * lowest:
            floors[f"ln E of {one.name}"] = parameters[2]
    worst = ", ".join(f"{name.removeprefix('ln E of ')} {e:.0f}" for name, e in floors.items())
    text = (
        f"Nothing bounds ln E: of {fitted} fits with all smaller models, {len(floors)} end with a "
        f"floor below 1 % of the lowest value (ln E: {worst})."
    )
    return text, {"fits": float(fitted), "without a floor": float(len(floors)), **floors}


def seeds(e: Evidence) -> tuple[str, Numbers]:
    """Return how far the seeds of one size lie apart."""
    dense = values("routing_clark2022", "Dense", e.data)
    last = dense.filter(pl.col("step") == pl.col("step").max().over("run"))
    spread = (
        last.group_by("params", "tokens")
        .agg(n=pl.len(), cv=100 * pl.col("value").std() / pl.col("value").mean())
        .filter(pl.col("n") > 2)
        .sort("n", descending=True)
    )
    ladder = values("olmo_ladder", "c4_en", e.data)
    ends = ladder.filter(pl.col("step") == pl.col("step").max().over("run"))
    by_run = dict(zip(ends["run"], ends["value"], strict=True))
    gaps = [
        100 * abs(value - by_run[f"{run}-rerun"]) / value
        for run, value in by_run.items()
        if f"{run}-rerun" in by_run
    ]
    numbers = {
        "seeds of one dense size": float(spread["n"][0]),
        "their CV in %": float(spread["cv"][0]),
        "OLMo reruns": float(len(gaps)),
        "largest gap of a rerun in %": float(max(gaps)),
    }
    text = (
        f"4 % is no noise of seeds. {numbers['seeds of one dense size']:.0f} seeds of one dense "
        f"size end within a CV of {numbers['their CV in %']:.3f} %; {len(gaps)} OLMo runs trained "
        f"twice end within {numbers['largest gap of a rerun in %']:.3f} % of one another."
    )
    return text, numbers


def mid_schedule(e: Evidence) -> tuple[str, Numbers]:
    """Return how far longer runs lie above one that ended where they pass."""
    ladder = values("olmo_ladder", "c4_en", e.data).filter(~pl.col("run").str.contains("rerun"))
    curves = {
        str(run): (part["params"][0], part["tokens"].to_numpy(), part["value"].to_numpy())
        for (run,), part in ladder.sort("tokens").group_by("run")
    }
    gaps: list[float] = []
    for size, tokens, losses in curves.values():
        for other, along, values_along in curves.values():
            if other == size and along[-1] > 1.5 * tokens[-1]:
                there = float(np.interp(tokens[-1], along, values_along))
                gaps.append(100 * (there / float(losses[-1]) - 1))
    above = sum(gap > 0 for gap in gaps)
    numbers = {
        "pairs": float(len(gaps)),
        "longer run above": float(above),
        "median gap in %": float(np.median(gaps)),
        "largest gap in %": float(max(gaps)),
    }
    text = (
        f"In {above} of {len(gaps)} pairs of OLMo runs of one size, the longer run passes the "
        f"shorter one's last token with a higher loss, by {numbers['median gap in %']:.1f} % in "
        f"the median and up to {numbers['largest gap in %']:.1f} %: the same N and D, and one "
        "learning rate has decayed. A law of N and D alone cannot hold both."
    )
    return text, numbers


def few_families(e: Evidence) -> tuple[str, Numbers]:
    """Return how many families stand behind each row of the published means."""
    names: dict[str, list[str]] = {}
    for name, errors in e.errors.items():
        for label in dict.fromkeys(k if int(k) < 8 else "8+" for k in errors):
            names.setdefault(label, []).append(name)
    counted = ", ".join(f"{k}: {len(names[k])}" for k in sorted(names))
    many = names.get("8+", [])
    text = (
        f"Sets with an error at 100 %, by number of models: {counted}. Of those here the row for 8 "
        f"and more rests on {len(many)} ({', '.join(many)}), beside MAD's; Chinchilla's "
        f"{len(e.sets['chinchilla'].models)} 'models' are sizes of digitised points, rounded to "
        "10M."
    )
    return text, {f"sets with {k}": float(len(one)) for k, one in sorted(names.items())}


def reducible(e: Evidence) -> tuple[str, Numbers]:
    """Return how much larger an error is of the part above the floor."""
    factors: Numbers = {}
    for name in MANY_SIZES:
        if name not in e.sets:
            continue
        whole = in_nats(e.sets[name]) if name == "OPT" else e.sets[name]
        models = by_size(whole.models)
        parameters = fit(joined(models))
        if parameters is None:
            continue
        end = float(target_rows(models[-1], 1.0).values.mean())
        above = end - float(np.exp(parameters[2]))
        if above > 0:
            factors[name] = end / above
    if not factors:
        raise InputError("No set of many sizes is there.")
    middle = float(np.median(list(factors.values())))
    text = (
        "ARE counts the floor, which no decision changes. At the largest model's end the same "
        f"error is {middle:.1f} times as large a part of what lies above the fitted E (median; "
        f"{', '.join(f'{k} {v:.1f}' for k, v in factors.items())})."
    )
    return text, {"median factor": middle, **{f"factor of {k}": v for k, v in factors.items()}}


def different_families(e: Evidence) -> tuple[str, Numbers]:
    """Return the rows by number of models on all families and on the common ones."""
    tables = e.errors
    common = [name for name, table in tables.items() if all(f"{k}" in table for k in ALL_K)]
    numbers: Numbers = {"common families": float(len(common))}
    for k in ALL_K:
        every = [table[f"{k}"] for table in tables.values() if f"{k}" in table]
        numbers[f"families at {k}"] = float(len(every))
        numbers[f"all families at {k}"] = float(np.mean(every))
        if common:
            shared = [tables[name][f"{k}"] for name in common]
            numbers[f"common families at {k}"] = float(np.mean(shared))
    every = ", ".join(f"{numbers[f'all families at {k}']:.1f}" for k in ALL_K)
    counts = ", ".join(f"{numbers[f'families at {k}']:.0f}" for k in ALL_K)
    if not common:
        return f"Rows hold {counts} families; none has all of {ALL_K}.", numbers
    shared = ", ".join(f"{numbers[f'common families at {k}']:.1f}" for k in ALL_K)
    text = (
        f"The rows for 2, 3, 4, 5 models average {counts} families: their means are {every} %. On "
        f"the {len(common)} families that are in all four ({', '.join(common)}) they are "
        f"{shared} %: what the table shows by number of models is in part another set of families."
    )
    return text, numbers
