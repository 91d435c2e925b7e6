"""The guide's study, whole: as published and in kleiber's default mode, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kleiber.errors import InputError
from kleiber.judging.coverage import Coverage, Proof, prove
from kleiber.runs import Runs
from kleiber.runs.collections import Family, cross_entropies
from kleiber.runs.witnesses import witnesses
from kleiber.studies.guide import errors as measured
from kleiber.studies.guide import published as printed
from kleiber.studies.guide.errors import Errors
from kleiber.studies.guide.findings import Defect, defects
from kleiber.studies.guide.published import Published
from kleiber.studies.guide.questions import Answer, ask
from kleiber.studies.table import Book, Table

COMMAND = "kleiber study guide --out results"
Progress = Callable[[str], None]


def run(data: Path, *, as_published: bool = False, progress: Progress | None = None) -> Book:
    """Return the study's tables, and in ``extra`` its contract for scripts."""
    tell = progress or (lambda _: None)
    start = time.process_time()
    remade = _as_published(data, tell)
    if as_published:
        if remade is None:
            raise InputError(
                f"'{data}' has no file of the guide's printed cells.",
                remedy="Name the folder that holds colpret/published_heatmap_cells.csv.",
            )
        table = printed.table(remade)
        return Book([table], extra={"published": remade.counts()})
    absent: list[str] = []
    families = witnesses(data, absent=absent.append)
    tell(f"{len(families)} families, every source left out")
    found = measured.measure(families)
    proofs = prove(found.trials)
    answers = ask(_asked(families, data), tell)
    faults = defects(data, remade) if remade is not None else ()
    laws = found.laws + sum(one.laws for one in answers)
    extra = {
        "laws_fitted": laws,
        "clusters": sorted(set(found.trials.clusters)),
        "error": measured.contract(found, "prior"),
        "error_weak": measured.contract(found, "weak"),
        "error_plain": measured.contract(found, "plain"),
        "coverage": _coverage(proofs[0]),
        "coverage_by": {one.cells: _coverage(one) for one in proofs},
        "published": remade.counts() if remade is not None else None,
        "cpu_s": {"study": time.process_time() - start, **found.seconds},
        "absent": absent,
    }
    tell("")
    return Book(
        [
            _errors(found, extra),
            *_comparisons(found),
            _intervals(proofs),
            *(_answer(one) for one in answers),
            *([_faults(faults), printed.table(remade)] if remade is not None else []),
        ],
        extra=extra,
    )


def _as_published(data: Path, tell: Progress) -> Published | None:
    """Return the printed cells made again; None where their list is not in the folder."""
    try:
        return printed.as_published(data, progress=tell)
    except InputError as error:
        tell(f"not as published: {error.message}")
        return None


def _asked(families: Sequence[tuple[Family, Runs]], data: Path) -> Sequence[tuple[Family, Runs]]:
    """Return the families that the questions are put to: those that stand apart too."""
    names = {family.key for family, _ in families}
    apart: list[tuple[Family, Runs]] = []
    for name in {family.collection for family, _ in families}:
        found = cross_entropies(data, sets=[name])
        apart += [(f, runs) for f, runs in found if f.apart and f.key not in names]
    return [*families, *apart]


def _coverage(one: Proof) -> dict[str, float]:
    """Return an interval's record for scripts; widths and scores in percent of the loss."""
    best: Coverage = one.calibrated
    return {
        "level": best.level,
        "covered": best.covered,
        "low": best.low,
        "high": best.high,
        "clusters": best.clusters,
        "median_width": 100.0 * best.median_width,
        "interval_score": 100.0 * best.score,
        "interval_score_uncalibrated": 100.0 * one.model.score,
        "interval_score_constant": 100.0 * one.constant.score,
    }


def _errors(found: Errors, extra: Mapping[str, Any]) -> Table:
    """Return the first table: the errors by number of sizes, and the study's claims."""
    rows = measured.by_sizes(found)
    best = extra["coverage_by"].get("all smaller sizes", extra["coverage"])
    spent = found.seconds
    cells = len(found.trials.cells)
    weak = [row for row in measured.by_cluster(found) if row["worse"]]
    listed = ", ".join(f"{row['cluster']} at {row['sizes seen']}" for row in weak)
    return Table(
        name="guide",
        title="The guide's study: the hidden largest size by the number of sizes seen",
        command=COMMAND,
        columns=tuple(rows[0]),
        rows=rows,
        claims=[
            f"{extra['laws_fitted']:,} laws, {len(extra['clusters'])} source clusters, "
            f"{extra['cpu_s']['study']:.0f} s of CPU in all.",
            f"{2 * cells} fits under both priors take {spent['prior']:.2f} s; scipy's curve_fit, "
            f"one of the same {cells} cells at a time, {spent['guide']:.1f} s on the files' points "
            f"and {spent['guide, thinned']:.1f} s on the points that the priors' fits see: "
            f"{spent['guide'] / spent['prior']:.0f} and "
            f"{spent['guide, thinned'] / spent['prior']:.0f} times as long for half as many fits. "
            f"Learning the {1 + len(found.trials.priors)} priors takes {spent['learn']:.2f} s.",
            f"More than {measured.WORSE - 1:.0%} worse than the weak prior: {listed or 'none'}.",
            f"90 % intervals with all smaller sizes cover {100 * best['covered']:.0f} % at a "
            f"median full width of {best['median_width']:.1f} % of the loss.",
            *(f"Not there: {one}" for one in extra["absent"]),
        ],
        notes=(
            "Absolute relative error of the hidden finals in percent, mean, median over clusters "
            "of means over their families; errors are capped at 300 %. The source that is "
            "predicted taught its prior nothing. "
            + "; ".join(f"{name}: {said}" for name, said in measured.METHODS.items())
            + ". gzip and the task perplexities stand apart: the first has up to 1.4B parameters "
            "on 10M tokens, the second are no cross-entropies of text.",
        ),
        seed=0,
    )


def _comparisons(found: Errors) -> list[Table]:
    """Return the same clusters at every k, each cluster's errors, and paired ratios."""
    same, each, ratios = (
        measured.same_clusters(found),
        measured.by_cluster(found),
        measured.paired(found),
    )
    tables: list[Table] = []
    if same:
        tables.append(
            _table(
                "guide_same_clusters",
                "The same clusters at every number of sizes",
                same,
                f"Families that have every number of sizes up to {measured.COMMON}.",
            )
        )
    tables.append(_table("guide_by_cluster", "Every cluster, percent", each))
    if ratios:
        tables.append(
            _table(
                "guide_paired",
                "Ratios of errors, paired by cluster",
                ratios,
                "Geometric means with 90 % bounds of a bootstrap over clusters, seed 0.",
            )
        )
    return tables


def _intervals(proofs: Sequence[Proof]) -> Table:
    """Return how the intervals did beside the model's own and a constant."""
    rows: list[dict[str, Any]] = []
    for one in proofs:
        best = one.calibrated
        rows.append(
            {
                "cells": one.cells,
                "clusters": best.clusters,
                "covered": f"{best.covered:.2f} ({best.low:.2f} to {best.high:.2f})",
                "width %": f"{100 * best.median_width:.1f}",
                "score %": f"{100 * best.score:.1f}",
                "model covered": f"{one.model.covered:.2f}",
                "model width %": f"{100 * one.model.median_width:.1f}",
                "model score %": f"{100 * one.model.score:.1f}",
                "constant covered": f"{one.constant.covered:.2f}",
                "constant width %": f"{100 * one.constant.median_width:.1f}",
                "constant score %": f"{100 * one.constant.score:.1f}",
            }
        )
    return _table(
        "guide_intervals",
        "90 % intervals, every source's factor taken from the other sources",
        rows,
        "Every source counts once. Bounds are 95 % Clopper-Pearson with the sources as trials; "
        "width is the full width, median over sources; the score (Gneiting and Raftery 2007) is "
        "lower where an interval is both narrow and right. 'model' is the posterior's own "
        "interval, 'constant' a percentage calibrated in the same way.",
    )


def _answer(one: Answer) -> Table:
    """Return a question's answer as a table."""
    return Table(
        name=one.name,
        title=one.title,
        command=COMMAND,
        columns=one.columns,
        rows=one.rows,
        claims=[one.sentence],
        notes=one.notes,
        seed=0,
    )


def _faults(found: Sequence[Defect]) -> Table:
    """Return the defects of the published analysis beside what is done instead."""
    rows = [{key: value for key, value in asdict(one).items() if key != "numbers"} for one in found]
    return _table("guide_defects", "What the published analysis got wrong", rows)


def _table(name: str, title: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> Table:
    """Return one of the study's later tables."""
    made = Table(name, title, COMMAND, tuple(rows[0]) if rows else (), rows, seed=0)
    return replace(made, notes=(note,)) if note else made
