"""A fit as text that a person reads: law, data, values, floor, noise, how sure the optimum is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kleiber.fitting.objective import DESCRIPTIONS
from kleiber.units import format_count

if TYPE_CHECKING:
    from kleiber.fitting.answers import Interval
    from kleiber.fitting.result import Fit

WIDTH = 96
LABEL = 11


def summary(
    fit: Fit,
    level: float = 0.9,
    method: str | None = None,
    extra: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the fit as designed text; ``extra`` appends labelled lines."""
    bounds = fit.intervals(level, method)
    how = next(iter(bounds.values())).method
    lines = [f"{fit.law.title}: {fit.law.equation}", f"  {fit.law.source}", ""]
    if fit.data.synthetic:
        lines.insert(0, "SYNTHETIC DATA: generated from a known law, no model was trained")
    lines += _labelled("data", data_line(fit))
    lines += _labelled("objective", objective_line(fit))
    lines += _labelled("status", str(fit.status))
    lines += ["", *_table(fit, bounds, level, how), ""]
    if fit.law.floor:
        lines += _labelled("floor", _floor_line(fit, bounds[fit.law.floor]))
    lines += _labelled("noise", _noise_line(fit))
    for label, text in extra:
        lines += _labelled(label, text)
    return "\n".join(lines)


def _labelled(label: str, text: str) -> list[str]:
    """Wrap a text beside its label."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and LABEL + 2 + len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip() if line else word
    lines.append(line)
    return [f"  {label if i == 0 else '':<{LABEL}}{line}" for i, line in enumerate(lines)]


def data_line(fit: Fit) -> str:
    """Return what was fitted: runs, points, spans."""
    points, facts = fit.points, fit.data
    rows = (
        f"{fit.n_runs} runs"
        if len(points) == fit.n_runs
        else (f"{len(points)} points of {fit.n_runs} runs, each run worth one")
    )
    where = f" of {facts.family}" if facts.family else ""
    spans = "; ".join(
        f"{fit.law.words.get(name, name)} {_span(values)}"
        for name, values in (
            *(("params", points.params), ("tokens", points.tokens)),
            *((n, points.predictor(n)) for n in fit.law.predictors if n in points.more),
        )
    )
    convention = "" if facts.params_are == "unknown" else f" ({facts.params_are})"
    source = f"{facts.source}: " if facts.source else ""
    return f"{source}{rows}{where} ({facts.selection}); {spans}{convention}; read as {facts.unit}"


def _span(values: np.ndarray) -> str:
    """Return a range of counts with its decades."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return f"{format_count(low)} only"
    return f"{format_count(low)} to {format_count(high)} ({np.log10(high / low):.1f} decades)"


def objective_line(fit: Fit) -> str:
    """Return the objective's value, what it is a sum of, and the delta."""
    text = f"{fit.objective:.8g}, {DESCRIPTIONS[fit.objective_name]}"
    if fit.delta is None:
        return text
    rule = "auto: 1.345 robust scales" if fit.delta_rule == "auto" else "given"
    return f"{text}, delta {fit.delta:.3g} ({rule})"


def _table(fit: Fit, bounds: dict[str, Interval], level: float, how: str) -> list[str]:
    """Return the parameters' table."""
    centre = fit.reference()
    words = fit.law.words
    at = ", ".join(f"{words.get(n, n)} {format_count(centre[n])}" for n in fit.law.predictors)
    heads = (
        f"  {'parameter':<11}{'value':>12}   {f'{level:.0%} interval, {how}':<30}"
        f"{'relative':<10}at {at}"
    )
    rows = [heads]
    for p in fit.law.parameters:
        value, box = fit.values[p.name], bounds[p.name]
        term = f"{centre[p.name]:.4g} nats" if p.name in centre else ""
        if p.name in fit.constraints.fix:
            interval, relative = "fixed", ""
        else:
            interval = f"{number(box.lower)} to {number(box.upper)}"
            relative = _relative(value, box)
        if p.name in fit.at_bound:
            interval += "  (at a bound)"
        rows.append(f"  {p.name:<11}{number(value):>12}   {interval:<30}{relative:<10}{term}")
    for first, second in fit.constraints.tie:
        rows.append(f"  {first} = {second} (tied)")
    return [row.rstrip() for row in rows]


def _relative(value: float, box: Interval) -> str:
    """Return half the interval's width in per cent of the value."""
    half = 50.0 * (box.upper - box.lower) / abs(value) if value else np.nan
    if not np.isfinite(half):
        return ""
    if half > 1000:
        return "> 1,000 %"
    return f"± {half:.2g} %" if half < 100 else f"± {half:,.0f} %"


def number(value: float) -> str:
    """Return five significant digits, thousands separated; a dash for the unknown."""
    if not np.isfinite(value):
        return "-"
    if value != 0 and (abs(value) >= 1e7 or abs(value) < 1e-4):
        return f"{value:.3e}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.5g}"


def _floor_line(fit: Fit, box: Interval) -> str:
    """Return the irreducible loss and its share at the centre of the data."""
    share = fit.floor / fit.reference()["loss"]
    return (
        f"{fit.floor:.4g} nats per token ({number(box.lower)} to {number(box.upper)}), "
        f"{share:.0%} of the loss at the centre of the data"
    )


def _noise_line(fit: Fit) -> str:
    """Return the scatter of a run around the law."""
    if not np.isfinite(fit.noise):
        return "unknown: the runs are worth no more observations than there are free parameters"
    unit = f"{fit.noise:.2g} nats" if fit.objective_name == "raw" else f"{100 * fit.noise:.2g} %"
    dof = float(fit.spread.dof[0])
    worth = dof + fit.problem.free
    seen = "" if len(fit.points) == fit.n_runs else f", checkpoints worth {worth:.0f} observations"
    return f"a run lies {unit} from the law (robust scale, {dof:.0f} degrees of freedom{seen})"
