"""One result run: its arms trained, compared, judged, and written as a table of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.errors import InputError
from kleiber.launching import Trainer, train_cells
from kleiber.studies.capacity.ratios import FLOOR, LEVEL, paired_ratio
from kleiber.studies.capacity.result import NOT_SHOWN, OPPOSITE, SHOWN, Low, Result
from kleiber.studies.capacity.trained import Found, Runs, Taught
from kleiber.studies.table import Table

COLUMNS = (
    *("arm", "params", "off", "people", "exposures", "steps", "R^max", "rate", "seeds", "R", "sd"),
    *("strangers", "untrained"),
)

AS_FLOOR = {"over": "The first", "under": "The second", "both": "Each of the two"}
BOUND = {
    "over": "the ratio is at most this",
    "under": "the ratio is at least this",
    "both": "they have no ratio",
}


def run(
    result: Result,
    folder: Path,
    *,
    preset: str = "cpu",
    seeds: int | None = None,
    jobs: int | None = None,
    train: Trainer = train_cells,
    device: str = "cpu",
    say: Callable[[str], None] = lambda _: None,
) -> Table:
    """Train what is not yet trained of a result in the folder, and return its table.

    Parameters
    ----------
    seeds
        Seeds an arm [default: as many as the result declares].
    train
        What trains cells, on the device.
    device
        Where trained weights are rounded and measured.
    say
        Who is told, before anything starts, what is to train and about how long that takes.
    """
    seeds = seeds or result.seeds
    runs = Runs(folder, train, jobs=jobs, device=device)
    found = None
    if result.low is not None:
        first = Found(result.low.exposures[0], {}, enough=False)
        _announce(runs, result, first, seeds, preset, say)
        found = runs.lowest(result.low, seeds=seeds)
        if found.exposures != first.exposures:
            say(f"The clean control needs {found.exposures:g} exposures.")
    if found is None or len(found.tried) > 1:
        _announce(runs, result, found, seeds, preset, say)
    return tabulate(result, runs.taught(result, found, seeds=seeds), found, preset=preset)


def tabulate(
    result: Result, taught: Sequence[Taught], found: Found | None = None, *, preset: str = "cpu"
) -> Table:
    """Return a result's arms as rows, its comparisons and verdict as claims."""
    compared = comparisons(result, taught)
    verdict, reason = judged(compared)
    low = [] if found is None or result.low is None else [_low(found, result.low)]
    return Table(
        name=table_name(result.number, preset),
        title=f"Result {result.number}: {result.title}",
        command=f"kleiber study capacity --result {result.number} --preset {preset} --out results",
        columns=COLUMNS,
        rows=[_row(one) for one in taught],
        claims=[
            f"Verdict: {verdict}. {reason}",
            f"Published: {result.published}.",
            *(str(one["says"]) for one in compared),
            *low,
        ],
        notes=(
            f"R is bits per parameter by Definition 4.3 of arXiv 2404.05405, mean and standard "
            f"deviation over seeds. Ratios are paired by seed, on the log scale, with a t interval "
            f"at {LEVEL:.0%}; what stores less than {FLOOR} counts as {FLOOR}. Where several peak "
            "rates were tried the best by its mean counts; rate is its multiple of the cell's. "
            "off: parameters against those of the arm that it is compared with. Strangers and "
            "untrained are controls that should store nothing: theirs are bits per parameter "
            "too.",
            *result.notes,
            *_edges(taught),
        ),
        seed=0,
        extra={
            "result": result.number,
            "preset": preset,
            "published": result.published,
            "verdict": verdict,
            "reason": reason,
            "compared": compared,
            "exposures_low": None if found is None else found.exposures,
            "rates_tried": {one.arm.name: _by_name(one.tried) for one in taught},
            "runs": {one.arm.name: [_kept(each) for each in one.runs] for one in taught},
        },
    )


def _announce(
    runs: Runs,
    result: Result,
    found: Found | None,
    seeds: int,
    preset: str,
    say: Callable[[str], None],
) -> None:
    """Say what is to train, and refuse to begin without the GPU that it is estimated for."""
    estimate = runs.estimate(result, found, seeds=seeds)
    low = "" if found is None else f" at {found.exposures:g} exposures"
    say(f"Result {result.number}, preset {preset}{low}: {estimate}.")
    if estimate.todo and runs.device != "cpu":
        require_gpu(preset, runs.device)


def require_gpu(preset: str, device: str) -> None:
    """Raise InputError where there is no such GPU."""
    from kleiber.training.extra import check_device, require

    require()
    try:
        check_device(device)
    except InputError as error:
        ours = preset != "cpu"  # which trains on one only where that is asked for
        raise InputError(
            f"The preset {preset} trains on an NVIDIA GPU. " * ours + error.message,
            remedy="Run the same command where there is one, or "
            + ("take --preset cpu." if ours else "leave --device out."),
        ) from None


def table_name(number: int, preset: str) -> str:
    """Return the name of a result's table; those of the preset cpu go by the number alone."""
    return f"capacity-result-{number:02}{suffix(preset)}"


def suffix(preset: str) -> str:
    """Return what tells a preset's tables from those of the preset cpu."""
    return "" if preset == "cpu" else f"-{preset}"


def comparisons(result: Result, taught: Sequence[Taught]) -> list[dict[str, Any]]:
    """Return every comparison with its ratio, its verdict and a sentence."""
    bits = {one.arm.name: one.bits for one in taught}
    rows: list[dict[str, Any]] = []
    for one in result.compare:
        under = bits[one.under] if isinstance(one.under, str) else one.under
        ratio = paired_ratio(bits[one.over], under)
        verdict = one.verdict(ratio)
        needed = [ratio.seeds_to_settle(bound) for bound in one.bounds]
        says = f"{one}: {ratio}; {one.wanted} is asked for: {verdict}. "
        says += "Not published." if one.published is None else f"Published: {one.published}."
        if ratio.floored:
            says += (
                f" {AS_FLOOR[ratio.floored]} stores less than {FLOOR}, so {BOUND[ratio.floored]}."
            )
        elif verdict == NOT_SHOWN and ratio.seeds > 1:
            says += _settles(needed)
        rows.append(
            {
                "ratio": str(one),
                "value": ratio.value,
                "lower": ratio.lower,
                "upper": ratio.upper,
                "level": ratio.level,
                "seeds": ratio.seeds,
                "wanted": one.wanted,
                "least": one.least,
                "most": one.most,
                "published": one.published,
                "verdict": verdict,
                "floored": ratio.floored,
                "seeds_to_settle": needed,
                "says": says,
            }
        )
    return rows


def judged(compared: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the verdict of all published comparisons together, and the ones that decide it."""
    compared = [one for one in compared if one["published"] is not None]
    for verdict in (OPPOSITE, NOT_SHOWN):
        held = [one for one in compared if one["verdict"] == verdict]
        if held:
            which = "; ".join(
                f"{one['ratio']} is {span(one)}, {one['wanted']} was asked for" for one in held
            )
            good = sum(one["verdict"] == SHOWN for one in compared)
            return verdict, f"{good} of {len(compared)} comparisons are shown; {which}."
    what = "ratio, of one seed," if all(one.get("seeds") == 1 for one in compared) else "interval"
    return SHOWN, f"Every {what} lies where it should, {len(compared)} of {len(compared)}."


def span(one: Mapping[str, Any], more: str = "") -> str:
    """Return a comparison's ratio with its interval, and what else is said of it."""
    if one["lower"] is None or math.isnan(one["lower"]):
        return f"{one['value']:.3g} (one seed)"
    return f"{one['value']:.3g} ({one['lower']:.3g} to {one['upper']:.3g}{more})"


def _settles(needed: Sequence[int | None]) -> str:
    """Say how many seeds would settle it."""
    if any(seeds is None for seeds in needed):
        return " No number of seeds up to a thousand settles it."
    most = max(seeds for seeds in needed if seeds is not None)
    return f" About {most} seeds of this spread would settle it."


def _low(found: Found, low: Low) -> str:
    """Say what the search for the fewest exposures came to."""
    tried = ", ".join(f"{e:g}: {bits:.2f}" for e, bits in found.tried.items())
    if found.enough:
        return (
            f"Low exposure is {found.exposures:g}: the fewest of {low.exposures} at which the "
            f"clean control stores {low.enough} bits per parameter ({tried})."
        )
    return f"At none of {low.exposures} the clean control stores {low.enough} ({tried})."


def _row(one: Taught) -> dict[str, Any]:
    first, bits = one.runs[0], np.array(one.bits)
    controls = [run.get("controls", {}) for run in one.runs]
    return {
        "arm": one.arm.name,
        "params": first["params"],
        "off": None if one.off is None else f"{one.off:+.1%}",
        "people": first["people"],
        "exposures": first["exposures"],
        "steps": first["steps"],
        "R^max": float(np.mean([run["max_bits_per_param"] for run in one.runs])),
        "rate": one.rate,
        "seeds": len(bits),
        "R": float(bits.mean()),
        "sd": float(bits.std(ddof=1)) if len(bits) > 1 else math.nan,
        "strangers": float(np.mean([each["unseen"] for each in controls])),
        "untrained": float(np.mean([each["random"] for each in controls])),
    }


def _edges(taught: Sequence[Taught]) -> list[str]:
    """Say which arms might store more at a rate beyond those tried."""
    found = [
        f"{one.arm.name} ({one.rate:g})"
        for one in taught
        if len(one.tried) > 2 and one.rate in (min(one.tried), max(one.tried))
    ]
    if not found:
        return []
    return [
        f"Best at the least or the largest rate tried, perhaps short of it: {', '.join(found)}."
    ]


def _by_name(tried: Mapping[float, float]) -> dict[str, float]:
    return {f"{rate:g}": bits for rate, bits in tried.items()}


def _kept(run: Mapping[str, Any]) -> dict[str, Any]:
    left_out = ("accuracy_by_attribute", "seconds", "control_terms")
    return {name: value for name, value in run.items() if name not in left_out}
