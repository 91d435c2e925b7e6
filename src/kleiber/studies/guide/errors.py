"""The error of the hidden largest size by the number of sizes seen, every method side by side.

Means are over source clusters of the means over their families; no prior ever saw the source
that it predicts. The methods see the same cells: the prior's blend and the weak prior, the exact
robust fit without a prior, the guide's one-start fit, and two baselines.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.judging.calibration import CAPPED, NEAR, by_source
from kleiber.judging.leave_out import Case, Cell, Trials, left_out, trials
from kleiber.judging.subsets import enough, fit_subsets
from kleiber.laws import CHINCHILLA, TOKENS_POWER_FLOOR, Law, published
from kleiber.laws.base import Array, Mask
from kleiber.runs import Points, Runs
from kleiber.runs.collections import Family

SIZES = ("1", "2", "3", "4", "5", "all")
COMMON = 4  # the number of sizes up to which "the same clusters" reach
WORSE = 1.2  # times the weak prior's error that no cluster should reach
SAMPLED = 4  # of so many cells one is fitted again to time curve_fit on thinned points
DRAWS = 2000  # of the cluster bootstrap
CUT = 1e10  # tokens that the guide drops, where enough rows remain
METHODS = {
    "prior": "the learnt prior and the weak one, blended",
    "weak": "the weak prior alone",
    "plain": "the exact robust fit, no prior (one size: tokens alone)",
    "guide": "curve_fit from the guide's one start (one size: its borrowed A and alpha)",
    "best": "the best loss seen",
    "most": "the loss of the run of most compute",
}
# Means and medians of an earlier trial of the same idea on the same clusters, percent.
EARLIER = {
    "1": (5.76, 4.59),
    "2": (3.19, 2.89),
    "3": (3.52, 1.49),
    "4": (2.38, 1.23),
    "5": (2.10, 1.42),
    "all": (1.60, 1.42),
}


@dataclass(frozen=True)
class Errors:
    """Every cell's absolute relative error by method, (cells,) each; NaN where one cannot be.

    ``seconds`` are CPU seconds: "learn" of the priors, "prior" of both batches, "plain",
    "guide" of curve_fit on the files' own points, "guide, thinned" on those that the priors'
    fits see (of every fourth cell, times four).
    """

    trials: Trials
    relative: dict[str, Array]
    laws: int
    seconds: dict[str, float]

    def over(self, method: str, chosen: Mask) -> Array:
        """Return the errors over clusters of a method on chosen cells, percent."""
        values = np.minimum(self.relative[method], CAPPED)
        sound = chosen & np.isfinite(values)
        return 100.0 * np.array(list(by_source(values, sound, self.trials.clusters).values()))

    def cells(self, sizes: str) -> Mask:
        """Return the cells of "3" sizes or of "all" smaller ones."""
        cells = self.trials.cells
        return np.array([c.whole if sizes == "all" else c.k == int(sizes) for c in cells])


def measure(families: Sequence[tuple[Family, Runs]]) -> Errors:
    """Predict every cell of every family with every method."""
    cases = [Case.of(family.key, family.cluster, runs.points()) for family, runs in families]
    seconds: dict[str, float] = {}
    start = time.process_time()
    _, without = left_out(cases)
    seconds["learn"] = time.process_time() - start
    start = time.process_time()
    tried = trials(cases, without)
    seconds["prior"] = time.process_time() - start
    start = time.process_time()
    plain = _plain(tried.cells)
    seconds["plain"] = time.process_time() - start
    raw = {family.key: runs.points() for family, runs in families}
    start = time.process_time()
    guide = _guide(tried.cells, raw)
    seconds["guide"] = time.process_time() - start
    start = time.process_time()
    sample = tried.cells[::SAMPLED]
    _guide(sample, {case.key: case.points for case in cases})
    seconds["guide, thinned"] = (time.process_time() - start) * len(tried.cells) / len(sample)
    relative = {
        "prior": tried.relative(tried.error),
        "weak": tried.relative(tried.weak),
        "plain": plain,
        "guide": guide,
        "best": tried.relative(tried.best),
        "most": tried.relative(tried.most),
    }
    fitted = int(np.isfinite(plain).sum() + np.isfinite(guide).sum())
    laws = 2 * len(tried.cells) + fitted + len(cases) * (1 + len(without)) - len(cases)
    return Errors(tried, relative, laws, seconds)


def contract(found: Errors, method: str) -> dict[str, dict[str, float]]:
    """Return the errors by k for scripts: median, mean, p90 in percent, and how many clusters."""
    rows: dict[str, dict[str, float]] = {}
    for sizes in SIZES:
        errors = found.over(method, found.cells(sizes))
        if len(errors):
            rows[sizes] = {
                "median": float(np.median(errors)),
                "mean": float(errors.mean()),
                "p90": float(np.quantile(errors, 0.9)),
                "clusters": len(errors),
            }
    return rows


def by_sizes(found: Errors) -> list[dict[str, Any]]:
    """Return one row a number of sizes: mean | median over clusters by method."""
    rows = [_row(found, s, found.cells(s)) for s in SIZES if found.cells(s).any()]
    near = np.array([c.scale_up <= NEAR for c in found.trials.cells])
    three = np.array([c.k >= 3 for c in found.trials.cells])
    for name, chosen in (("3", found.cells("3") & near), ("3 or more", three & near)):
        if chosen.any():
            rows.append(_row(found, f"{name}, up to {NEAR:g}x", chosen))
    return rows


def same_clusters(found: Errors) -> list[dict[str, Any]]:
    """Return the rows of the families that have every number of sizes up to four."""
    keys = np.array([c.case.key for c in found.trials.cells])
    full = {
        str(key)
        for key in np.unique(keys)
        if all((found.cells(str(k)) & (keys == key)).any() for k in range(1, COMMON + 1))
    }
    alike = np.isin(keys, sorted(full))
    wanted = [*(str(k) for k in range(1, COMMON + 1)), "all"]
    if not full:
        return []
    return [_row(found, sizes, found.cells(sizes) & alike, earlier=False) for sizes in wanted]


def by_cluster(found: Errors) -> list[dict[str, Any]]:
    """Return one row a cluster and number of sizes: the prior beside the weak prior and none."""
    rows: list[dict[str, Any]] = []
    clusters = np.array(found.trials.clusters)
    for sizes in SIZES:
        for cluster in np.unique(clusters[found.cells(sizes)]):
            chosen = found.cells(sizes) & (clusters == cluster)
            errors = {name: found.over(name, chosen) for name in METHODS}
            ours, weak = float(errors["prior"][0]), float(errors["weak"][0])
            rows.append(
                {
                    "sizes seen": sizes,
                    "cluster": str(cluster),
                    "families": int(chosen.sum()),
                    **{k: f"{v[0]:.2f}" if len(v) else None for k, v in errors.items()},
                    "prior / weak": f"{ours / weak:.2f}",
                    "worse": "worse" if ours > WORSE * weak else "",
                }
            )
    return rows


def paired(found: Errors, seed: int = 0) -> list[dict[str, Any]]:
    """Return geometric means of error ratios by cluster with 90 % cluster-bootstrap bounds."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for sizes in ("1", "2", "3", "all"):
        row: dict[str, Any] = {"sizes seen": sizes}
        for other in ("weak", "plain", "guide"):
            chosen = found.cells(sizes) & np.isfinite(found.relative[other])
            if not chosen.any():
                continue
            ratio = np.log(found.over("prior", chosen) / found.over(other, chosen))
            draws = ratio[rng.integers(len(ratio), size=(DRAWS, len(ratio)))].mean(axis=1)
            low, high = np.exp(np.quantile(draws, (0.05, 0.95)))
            row[f"prior / {other}"] = f"{np.exp(ratio.mean()):.2f} [{low:.2f}, {high:.2f}]"
            row["clusters"] = len(ratio)
        rows.append(row)
    return rows


def _row(found: Errors, name: str, chosen: Mask, *, earlier: bool = True) -> dict[str, Any]:
    """Return the means and medians over clusters on chosen cells."""
    row: dict[str, Any] = {
        "sizes seen": name,
        "families": int(chosen.sum()),
        "clusters": len(found.over("prior", chosen)),
    }
    for method in METHODS:
        errors = found.over(method, chosen)
        row[method] = f"{errors.mean():.2f}, {np.median(errors):.2f}" if len(errors) else None
    row["worst"] = f"{found.over('prior', chosen).max():.2f}"
    if earlier:
        before = EARLIER.get(name)
        row["earlier trial"] = f"{before[0]:.2f}, {before[1]:.2f}" if before else None
    return row


def _plain(cells: Sequence[Cell]) -> Array:
    """Return the errors of the exact robust fit without a prior, one batch a family."""
    out = np.full(len(cells), np.nan)
    for key in dict.fromkeys(cell.case.key for cell in cells):
        own = np.array([i for i, cell in enumerate(cells) if cell.case.key == key])
        single = np.array([cells[i].k == 1 for i in own])
        for law, some in ((TOKENS_POWER_FLOOR, own[single]), (CHINCHILLA, own[~single])):
            if not len(some):
                continue
            first = cells[int(some[0])]
            points, hidden = first.case.points, first.hidden
            seen = np.stack([_seen(cells[i], law) for i in some])
            sound = enough(seen, law)
            if not sound.any():
                continue
            fits = fit_subsets(points, law, seen[sound])
            missed = np.abs(fits.predicted[:, hidden] / points.loss[hidden] - 1.0)
            out[some[sound]] = missed.mean(axis=1)
    return out


def _seen(cell: Cell, law: Law) -> Mask:
    """Return the points (n,) that the default fit takes: finals where they suffice for the law."""
    points = cell.case.points
    finals = cell.seen & points.final
    enough_of_them = int(finals.sum()) > len(law.parameters)
    wide = enough_of_them and np.ptp(np.log(points.tokens[finals])) >= np.log(2.0)
    return finals if wide else cell.seen


def _guide(cells: Sequence[Cell], raw: dict[str, Points]) -> Array:
    """Return the errors of the guide's fit: scipy's curve_fit, one start, one cell at a time."""
    from scipy.optimize import curve_fit

    start = published("muennighoff-2023-c4").values
    first = np.array(
        [np.log(start["B"]), np.log(start["E"]), start["beta"], np.log(start["A"]), start["alpha"]]
    )
    low = np.array([-np.inf, -np.inf, 0.0, -np.inf, 0.0])

    def law(x: Array, b: float, e: float, beta: float, a: float, alpha: float) -> Array:
        return np.exp(e) + np.exp(a - alpha * x[0]) + np.exp(b - beta * x[1])

    def borrowed(x: Array, b: float, e: float, beta: float) -> Array:
        return law(x, b, e, beta, first[3], first[4])

    out = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        points = raw[cell.case.key]
        seen = np.isin(points.params, cell.sizes)
        late = seen & (points.tokens > CUT)
        free = 3 if cell.k == 1 else 5
        seen = late if late.sum() > free and len(np.unique(points.params[late])) == cell.k else seen
        x = np.log(np.stack([points.params, points.tokens]))
        hidden = cell.case.points.take(cell.hidden)
        to = np.log(np.stack([hidden.params, hidden.tokens]))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                form = borrowed if cell.k == 1 else law
                values = curve_fit(
                    form,
                    x[:, seen],
                    points.loss[seen],
                    p0=first[:free],
                    bounds=(low[:free], np.inf),
                )[0]
            except (RuntimeError, ValueError):
                continue
            out[i] = float(np.mean(np.abs(form(to, *values) / hidden.loss - 1.0)))
    return out
