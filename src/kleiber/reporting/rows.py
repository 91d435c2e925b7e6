"""The page's tables: the data, and the numbers behind each chart."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.charts.draw import frontier_rows
from kleiber.reporting.again import TABLE, table_csv
from kleiber.reporting.text import counted, minus, power_of_ten, span
from kleiber.units import flops_6nd, format_count

if TYPE_CHECKING:
    from kleiber.fitting import Fit, Prediction
    from kleiber.judging import Hidden

FIRST = 200  # rows in full; the rest wait behind a details element
MOST = 2000  # rows on the page; the file has them all
WORST = 10
DECADES = 8
NO_BAND = "no interval: too few runs"


def data_table(fit: Fit) -> dict[str, Any]:
    """Return the fitted points as rows of text with their raw counts, and the file of them."""
    frame = fit.frame()
    flops = flops_6nd(fit.points.params, fit.points.tokens)
    rows: list[dict[str, Any]] = []
    for r, compute in zip(frame.head(MOST).iter_rows(named=True), flops, strict=False):
        rows.append(
            {
                "run": r["run"],
                "cells": [
                    (format_count(r["params"]), f"{r['params']:.9g}"),
                    (format_count(r["tokens"]), f"{r['tokens']:.9g}"),
                    (power_of_ten(float(compute)), f"{float(compute):.9g}"),
                    (f"{r['loss']:.4f}", ""),
                    (f"{r['fitted']:.4f}", ""),
                    (minus(f"{100 * r['residual']:+.2f}"), ""),
                ],
            }
        )
    content = base64.b64encode(table_csv(fit).encode()).decode()
    return {
        "heads": [
            ("params", ""),
            ("tokens", ""),
            ("compute", "FLOPs"),
            ("loss", "nats"),
            ("law says", "nats"),
            ("residual", "%"),
        ],
        "first": rows[:FIRST],
        "rest": rows[FIRST:],
        "total": f"{frame.height:,}",
        "shown": f"{len(rows):,}" if len(rows) < frame.height else "",
        "href": f"data:text/csv;charset=utf-8;base64,{content}",
        "file": TABLE,
    }


def picture_table(
    fit: Fit, prediction: Prediction | None, hidden: Hidden | None, level: float
) -> dict[str, Any]:
    """Return what the picture draws beside the runs: the frontier with its band, the target."""
    flops = flops_6nd(fit.points.params, fit.points.tokens)
    target = hidden or prediction
    reach = float(flops.max())
    if target is not None and target.params and target.tokens:
        reach = max(reach, float(flops_6nd(target.params, target.tokens)))
    low, high = math.ceil(np.log10(flops.min())), math.floor(np.log10(reach))
    step = max(1, -(-(high - low) // DECADES))
    places = np.array([10.0**p for p in range(low, high + 1, step)])
    rows = [
        [
            power_of_ten(row["flops"]),
            format_count(row["params"]),
            format_count(row["tokens"]),
            f"{row['loss']:.4f}",
            _band(row["lower"], row["upper"]),
            "",
        ]
        for row in (frontier_rows(fit, places, level) if places.size else [])
    ]
    if target is not None and target.params and target.tokens:
        rows.append(_target_row(target))
    return {
        "heads": ["compute, FLOPs", "params", "tokens", "loss", f"{level:.0%} interval", ""],
        "rows": rows,
        "note": "The best division of each compute by the law, and the target. "
        "The runs are in the table of the data.",
    }


def _target_row(target: Prediction | Hidden) -> list[str]:
    """Return the run that is predicted as a row."""
    hidden = hasattr(target, "actual")
    value = getattr(target, "predicted" if hidden else "value")
    actual = f"target; was {getattr(target, 'actual'):.4f}" if hidden else "target"  # noqa: B009
    params, tokens = float(target.params or 0), float(target.tokens or 0)
    return [
        power_of_ten(float(flops_6nd(params, tokens))),
        format_count(params),
        format_count(tokens),
        f"{value:.4f}",
        _band(target.lower, target.upper),
        actual,
    ]


def _band(lower: float, upper: float) -> str:
    """Return an interval as text, a dash with its reason where it is unknown."""
    found = span(lower, upper, NO_BAND, ".4f")
    return found.text if not found.why else f"{found.text} ({found.why})"


def residual_table(fit: Fit) -> dict[str, Any]:
    """Return the points that lie farthest from the law."""
    frame = fit.frame()
    order = np.argsort(-np.abs(frame["residual"].to_numpy()))[:WORST]
    rows = [
        [
            r["run"],
            format_count(r["params"]),
            format_count(r["tokens"]),
            f"{r['loss']:.4f}",
            f"{r['fitted']:.4f}",
            minus(f"{100 * r['residual']:+.2f} %"),
        ]
        for r in frame[order].iter_rows(named=True)
    ]
    return {
        "heads": ["run", "params", "tokens", "loss", "law says", "residual"],
        "rows": rows,
        "note": f"The {counted(len(rows), 'point')} farthest from the law; "
        "all are in the table of the data.",
    }
