"""The accuracy-to-bits curve: what share of values is right, and how many bits that is.

A pair is one attribute of one model, in float or rounded. Below lies Fano's bound and above
Jensen's, for a model whose probabilities hold; between them the line of values known for certain
or not at all (:mod:`kleiber.knowledge.accuracy`). A rounded model's probabilities need not hold.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kleiber.laws.knowledge import FLOAT
from kleiber.studies.table import Table

EDGES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
NEAR = 0.02  # bits within which a pair counts as on a bound: accuracy is of a few texts

Pair = dict[str, Any]


def pairs_of(rows: Iterable[Mapping[str, Any]]) -> list[Pair]:
    """Return every attribute of every row that has them, with its two bounds."""
    from kleiber.knowledge.accuracy import all_or_none, bounds

    found: list[Pair] = []
    for row in rows:
        for most, bits, accuracy in row.get("attributes") or ():
            lower, upper = bounds(accuracy, most)
            found.append(
                {
                    "accuracy": accuracy,
                    "bits": bits,
                    "most": most,
                    "fano": lower,
                    "jensen": upper if np.isfinite(upper) else None,
                    "all_or_none": all_or_none(accuracy, most),
                    "weight_bits": row["weight_bits"],
                    "exposures": row["exposures"],
                }
            )
    return found


def drawn(pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the pairs as columns and the bounds as lines, for a picture."""
    from kleiber.knowledge.accuracy import all_or_none, bounds

    if not pairs:
        return {}
    most = pairs[0]["most"]
    lines: list[Pair] = []
    for accuracy in np.linspace(2.0**-most, 1.0, 60).tolist():
        lower, upper = bounds(accuracy, most)
        kinds = {"fano": lower, "all_or_none": all_or_none(accuracy, most), "jensen": upper}
        lines += [
            {"accuracy": accuracy, "bits": bits, "line": kind} for kind, bits in kinds.items()
        ]
    own = [pair for pair in pairs if pair["most"] == most]
    return {
        "most": most,
        "lines": lines,
        **{
            name: [round(pair[name], 4) for pair in own]
            for name in ("accuracy", "bits", "weight_bits")
        },
    }


def inside(pair: Mapping[str, Any]) -> bool:
    """Whether a pair lies between the bounds, but for what a few texts err."""
    upper = -np.inf if pair["jensen"] is None else pair["jensen"]
    return pair["fano"] - NEAR <= pair["bits"] <= upper + NEAR


def claims(pairs: Sequence[Pair]) -> list[str]:
    """Return how many pairs lie between the bounds, in float and at each number of bits."""
    if not pairs:
        return []
    said: list[str] = []
    plain = [pair for pair in pairs if pair["weight_bits"] == FLOAT]
    if plain:
        off = [pair["bits"] - pair["all_or_none"] for pair in plain]
        short = [p for p in plain if p["bits"] < p["fano"] - NEAR]
        unsure = (
            f" ({len(short)} lie below, by {max(p['fano'] - p['bits'] for p in short):.2f} bits at "
            f"most, where {min(p['accuracy'] for p in short):.0%} and more are right: likeliest, "
            "not certain)"
            if short
            else ""
        )
        said.append(
            f"Accuracy to bits, float weights: {sum(map(inside, plain))} of {len(plain)} pairs lie "
            f"between Fano's and Jensen's bounds{unsure}; bits less the all-or-none line: "
            f"{np.percentile(off, 5):+.2f} to {np.percentile(off, 95):+.2f} of "
            f"{plain[0]['most']:.3g} (90% of pairs)."
        )
    widths = sorted({pair["weight_bits"] for pair in pairs} - {FLOAT}, reverse=True)
    if widths:
        each = ", ".join(
            f"{sum(map(inside, own))} of {len(own)} at {width:g}"
            for width in widths
            for own in ([pair for pair in pairs if pair["weight_bits"] == width],)
        )
        said.append(f"Between the bounds at fewer bits a weight: {each}.")
    return said


def table(pairs: Sequence[Pair]) -> Table:
    """Return the pairs by accuracy, float and rounded apart."""
    rows: list[dict[str, Any]] = []
    for name, chosen in (
        ("float", [pair for pair in pairs if pair["weight_bits"] == FLOAT]),
        ("rounded", [pair for pair in pairs if pair["weight_bits"] != FLOAT]),
    ):
        for low, high in itertools.pairwise(EDGES):
            last = high == EDGES[-1]
            own = [p for p in chosen if low <= p["accuracy"] and (p["accuracy"] < high or last)]
            if own:
                rows.append(_row(name, f"{low:g} to {high:g}", own))
    return Table(
        name="accuracy",
        title="Accuracy and bits of an attribute",
        command="kleiber study capacity-law --out results",
        columns=(
            *("weights", "accuracy from", "pairs", "accuracy", "Fano", "bits", "sd"),
            *("all or none", "Jensen", "between"),
        ),
        rows=rows,
        notes=(
            "Means over pairs, bits a value; between is the share of pairs between the bounds "
            f"within {NEAR} bits. An accuracy is the share of people whose whole value is the "
            "likeliest, over four fresh texts each.",
        ),
    )


def _row(name: str, span: str, own: Sequence[Pair]) -> dict[str, Any]:
    bits = np.array([pair["bits"] for pair in own])
    above = [pair["jensen"] for pair in own if pair["jensen"] is not None]
    return {
        "weights": name,
        "accuracy from": span,
        "pairs": len(own),
        "accuracy": float(np.mean([pair["accuracy"] for pair in own])),
        "Fano": float(np.mean([pair["fano"] for pair in own])),
        "bits": float(bits.mean()),
        "sd": float(bits.std(ddof=1)) if len(own) > 1 else float("nan"),
        "all or none": float(np.mean([pair["all_or_none"] for pair in own])),
        "Jensen": float(np.mean(above)) if above else None,
        "between": sum(map(inside, own)) / len(own),
    }
