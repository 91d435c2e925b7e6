"""False alarms and power of every finding, on simulated ladders.

Clean ladders must raise no issue; a ladder with one fault of a stated strength must raise the
finding of that fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.fitting import Fit, Prediction, fit
from kleiber.judging import check
from kleiber.judging.finding import TITLES
from kleiber.laws import get
from kleiber.laws.base import Array
from kleiber.runs import Runs
from kleiber.studies.table import Table

TRUTH = {"E": 1.82, "A": 482.0, "alpha": 0.3478, "B": 2085.0, "beta": 0.3658}
SMALLEST, SPAN, TOKENS_PER_PARAM, NOISE = 2e7, 75.0, 20.0, 0.01
CLEAN, FAULTY, SIZES, K = 200, 100, (4, 5, 6, 7, 8), 5

Columns = dict[str, Any]
Random = np.random.Generator


def ladder(k: int, rng: Random, *, span: float = SPAN, noise: float = NOISE) -> Columns:
    """Return a clean ladder of k sizes by k token counts."""
    sizes = np.geomspace(SMALLEST, SMALLEST * span, k)
    params, tokens = (axis.ravel() for axis in np.meshgrid(sizes, TOKENS_PER_PARAM * sizes))
    return {"params": params, "tokens": tokens, "loss": _loss(params, tokens, rng, noise)}


def _loss(params: Array, tokens: Array, rng: Random, noise: float = NOISE) -> Array:
    """Return noisy losses of the true law."""
    clean = get("chinchilla").loss(TRUTH, params, tokens)
    return clean * np.exp(noise * rng.standard_normal(len(params)))


@dataclass(frozen=True)
class Fault:
    """One fault: how a ladder gets it, how strong it is, and how it is fitted."""

    code: str
    strength: str
    make: Callable[[Random], Columns]
    options: Mapping[str, Any]
    reading: Mapping[str, Any]
    target: tuple[float, float] | None = None


def _fault(
    code: str,
    strength: str,
    make: Callable[[Random], Columns],
    *,
    reading: Mapping[str, Any] | None = None,
    target: tuple[float, float] | None = None,
    **options: Any,
) -> Fault:
    return Fault(code, strength, make, options, reading or {}, target)


def _changed(rng: Random, change: Callable[[Columns, Random], None], k: int = K) -> Columns:
    columns = ladder(k, rng)
    change(columns, rng)
    return columns


def _no_floor(rng: Random) -> Columns:
    columns = ladder(K, rng, noise=0.0)
    columns["loss"] = (columns["loss"] - 2.2) * np.exp(NOISE * rng.standard_normal(K * K))
    return columns


def _mid_run(rng: Random) -> Columns:
    done = ladder(K, rng)
    parts: list[Columns] = []
    for share in (0.25, 0.5, 0.75, 1.0):
        tokens = share * done["tokens"]
        excess = 1.0 + (0.03 if share < 1.0 else 0.0)
        loss = _loss(done["params"], tokens, rng, 0.002) * excess
        runs = [f"run-{i}" for i in range(K * K)]
        parts.append({"run": runs, "params": done["params"], "tokens": tokens, "loss": loss})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _two_kinds(columns: Columns, rng: Random) -> None:
    other = rng.permutation(K * K) < K * K // 3
    columns["loss"] = columns["loss"] * np.where(other, 1.0 / np.log(2.0), 1.0)


def _task_perplexity(columns: Columns, rng: Random) -> None:
    columns["loss"] = np.log2(np.exp(2.2 * columns["loss"]))


def _bend(columns: Columns, rng: Random) -> None:
    x = np.log(columns["params"])
    unit = (x - x.mean()) / x.std()
    y = np.log(columns["tokens"])
    other = (y - y.mean()) / y.std()
    columns["loss"] = columns["loss"] * np.exp(0.03 * unit * other)


def _dominating(columns: Columns, rng: Random) -> None:
    params, tokens = 30.0 * columns["params"].max(), 30.0 * columns["tokens"].max()
    loss = float(get("chinchilla").loss(TRUTH, params, tokens)) * 1.05
    for name, value in (("params", params), ("tokens", tokens), ("loss", loss)):
        columns[name] = np.append(columns[name], value)


def _one_ratio(rng: Random) -> Columns:
    params = np.geomspace(SMALLEST, 100.0 * SMALLEST, 12)
    tokens = TOKENS_PER_PARAM * params
    return {"params": params, "tokens": tokens, "loss": _loss(params, tokens, rng)}


def _copied(columns: Columns, rng: Random) -> None:
    chosen = rng.integers(0, K * K, 3)
    for name in ("params", "tokens", "loss"):
        columns[name] = np.append(columns[name], columns[name][chosen])


def _too_good(columns: Columns, rng: Random) -> None:
    columns["loss"][rng.integers(K * K)] = 0.85 * TRUTH["E"]


def _one_diverged(columns: Columns, rng: Random) -> None:
    columns["loss"][rng.integers(K * K)] = 11.0


FAR = (SMALLEST * SPAN * 100.0, SMALLEST * SPAN * 100.0 * TOKENS_PER_PARAM)
FAULTS = (
    _fault("K001", "a truth whose floor is negative (-0.38 nats)", _no_floor),
    _fault("K002", "a solver stopped after 3 steps", lambda g: ladder(K, g), steps=3),
    _fault("K003", "params and tokens span 0.8 decades", lambda g: ladder(K, g, span=10**0.8)),
    _fault("K004", "a target 100 times larger", lambda g: ladder(K, g), target=FAR),
    _fault("K005", "mid-run points 3 % above finished ones", _mid_run, points="all"),
    _fault("K006", "a third of the runs in bits", lambda g: _changed(g, _two_kinds)),
    _fault(
        "K007",
        "log2 of a task perplexity, read as nats",
        lambda g: _changed(g, _task_perplexity),
        reading={"unit": "nats"},
    ),
    _fault("K008", "a bend of 3 % in params times tokens", lambda g: _changed(g, _bend)),
    _fault("K009", "one run 30x larger, 5 % off", lambda g: _changed(g, _dominating)),
    _fault("K010", "12 runs at 20 tokens a param", _one_ratio),
    _fault("K011", "3 of 25 rows copied", lambda g: _changed(g, _copied)),
    _fault("K012", "no run repeated", lambda g: ladder(K, g)),
    _fault("K013", "one run 15 % below the floor", lambda g: _changed(g, _too_good)),
    _fault("K014", "one run of loss 11", lambda g: _changed(g, _one_diverged)),
    _fault("K015", "delta 1e-3 at 1 % noise", lambda g: ladder(K, g), delta=1e-3),
)


def findings_of(fault: Fault, rng: Random) -> set[str]:
    """Return the codes that one faulty ladder raises."""
    runs = Runs.read(fault.make(rng), **fault.reading)
    made: Fit = fit(runs, **fault.options)
    asked: Prediction | None = None
    if fault.target is not None:
        asked = made.predict(params=fault.target[0], tokens=fault.target[1])
    return {finding.code for finding in check(made, asked)}


def run(clean: int = CLEAN, faulty: int = FAULTY, seed: int = 0) -> Table:
    """Return false alarms and power of every finding."""
    alarms: Counter[str] = Counter()
    alarmed = 0
    for i in range(clean):
        columns = ladder(SIZES[i % len(SIZES)], np.random.default_rng([seed, 0, i]))
        issues = {f.code for f in check(fit(columns)) if f.severity == "issue"}
        alarms.update(issues)
        alarmed += bool(issues)
    rows: list[dict[str, Any]] = []
    for j, fault in enumerate(FAULTS):
        hits = [
            fault.code in findings_of(fault, np.random.default_rng([seed, 1 + j, i]))
            for i in range(faulty)
        ]
        rows.append(
            {
                "code": fault.code,
                "finding": TITLES[fault.code],
                "fault": fault.strength,
                "power %": round(100.0 * sum(hits) / faulty),
                "false alarms %": 100.0 * alarms[fault.code] / clean,
            }
        )
    weakest = min(rows, key=lambda row: row["power %"])
    return Table(
        name="findings",
        title="Findings: power and false alarms",
        command=f"kleiber study findings --out results --repeats {faulty}"
        + (f" --seed {seed}" if seed else ""),
        columns=("code", "finding", "fault", "power %", "false alarms %"),
        rows=rows,
        claims=[
            f"{alarmed} of {clean} clean ladders (4x4 to 8x8, 1 % noise) raise an issue: "
            f"{100.0 * alarmed / clean:.1f} %.",
            f"Every finding fires on at least {weakest['power %']} % of the ladders that have its "
            f"fault (least: {weakest['code']}).",
        ],
        notes=(
            f"{faulty} ladders a fault, {K}x{K} where nothing else is said, fitted with defaults. "
            "K012 is a tip and is true of every clean ladder too; false alarms count issues.",
        ),
        seed=seed,
    )
