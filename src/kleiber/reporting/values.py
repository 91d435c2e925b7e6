"""The law's values with their intervals, and how the fit that gave them was made."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kleiber.fitting.objective import DESCRIPTIONS
from kleiber.reporting.headline import NO_INTERVAL
from kleiber.reporting.text import Shown, counted, minus, power_of_ten, shown, span, symbol
from kleiber.units import format_count

if TYPE_CHECKING:
    from kleiber.fitting import Fit, Interval

TOO_FLAT = 1e5
AT_BOUND = "a bound stopped it"
METHODS = {
    "delta": "delta method with Student's t, from the curvature at the optimum",
    "profile": "profile likelihood: the objective is solved again along each value",
    "bootstrap": "bootstrap over runs: the fit is made again on resampled runs",
    "jackknife": "jackknife: the fit is made again without each run in turn",
}


def value_rows(fit: Fit, bounds: dict[str, Interval]) -> list[dict[str, Any]]:
    """Return one row a parameter: name, meaning, value, interval, width, size at the centre."""
    centre = fit.reference()
    tied = {name: pair for pair in fit.constraints.tie for name in pair}
    rows: list[dict[str, Any]] = []
    for one in fit.law.parameters:
        value, box = fit.values[one.name], bounds[one.name]
        fixed = one.name in fit.constraints.fix
        marks = ["fixed"] if fixed else []
        if one.name in tied:
            first, second = tied[one.name]
            marks.append(f"tied to {second if one.name == first else first}")
        if one.name in fit.at_bound:
            marks.append("at a bound")
        known = (
            Shown("", "")
            if fixed
            else span(box.lower, box.upper, AT_BOUND if one.name in fit.at_bound else NO_INTERVAL)
        )
        rows.append(
            {
                "symbol": symbol(one.name),
                "name": one.name,
                "meaning": one.meaning,
                "value": shown(value, "not found by the fit"),
                "interval": known,
                "relative": "" if fixed else _relative(value, box),
                "centre": f"{centre[one.name]:.4g} nats" if one.name in centre else "",
                "marks": marks,
            }
        )
    return rows


def centre_line(fit: Fit) -> str:
    """Return where the centre of the data is, and the law there."""
    centre = fit.reference()
    at = " and ".join(f"{format_count(centre[name])} {name}" for name in fit.law.predictors)
    return f"{at}, where the law says {centre['loss']:.4f} nats"


def _relative(value: float, box: Interval) -> str:
    """Return half an interval's width in percent of its value."""
    half = 50.0 * (box.upper - box.lower) / value if value else math.nan
    if not math.isfinite(half):
        return ""
    return f"± {half:.2g} %" if half < 100 else f"± {half:,.0f} %"


def made_rows(fit: Fit, how: str, level: float) -> list[tuple[str, str, str]]:
    """Return how the fit was made: label, text, and the glossary's entry that explains it."""
    found = fit.certificate
    rows = [
        ("law", f"{fit.law.title}: {fit.law.source}", ""),
        ("objective", f"{fit.objective:.6g}, {DESCRIPTIONS[fit.objective_name]}", "objective"),
        ("delta", _delta(fit), "delta"),
        ("status", str(fit.status), ""),
        (
            "starts",
            f"{counted(found.starts, 'independent start')}, {found.agreeing} of them ended here; "
            f"{found.optima} distinct {'optimum' if found.optima == 1 else 'optima'} seen",
            "certificate",
        ),
        ("certificate", _certificate(fit), "certificate"),
        ("noise", _noise(fit), "noise"),
        ("degrees of freedom", _freedom(fit), "freedom"),
        ("intervals", f"{level:.0%}, {METHODS[how]}", "interval"),
        ("held", _held(fit), ""),
        ("points", _points(fit), ""),
        ("unit", f"read as {fit.data.unit}, fitted in nats per token", "nat"),
        ("params are", _convention(fit), "params"),
        ("seed", str(fit.seed), ""),
    ]
    return [(label, minus(text), term) for label, text, term in rows]


def _delta(fit: Fit) -> str:
    """Return the Huber threshold and where it came from."""
    if fit.delta is None:
        return "none: this objective has no threshold"
    rule = "1.345 robust scales of the residuals" if fit.delta_rule == "auto" else "given by hand"
    return f"{fit.delta:.3g} of log-loss ({rule})"


def _certificate(fit: Fit) -> str:
    """Return in words why the optimum is believed to be one."""
    found = fit.certificate
    flat = f"condition {found.condition:,.0f}"
    if found.condition >= TOO_FLAT:
        flat = f"condition {power_of_ten(found.condition)}"
    if not math.isfinite(found.condition):
        flat = "a direction in which nothing changes"
    return (
        f"gradient {found.gradient:.1g} after {counted(found.iterations, 'step')}, "
        f"{flat} (beyond {TOO_FLAT:,.0f} exponents trade off against each other)"
    )


def _noise(fit: Fit) -> str:
    """Return how far a run lies from the law."""
    if not math.isfinite(fit.noise):
        return "unknown: the runs are worth no more observations than there are free parameters"
    amount = f"{fit.noise:.2g} nats" if fit.objective_name == "raw" else f"{100 * fit.noise:.2g} %"
    return f"a run lies {amount} from the law (robust standard deviation)"


def _freedom(fit: Fit) -> str:
    """Return what the points are worth beyond the parameters that they determine."""
    dof = float(fit.spread.dof[0])
    said = f"{dof:.0f}: {counted(len(fit.points), 'point')} of {counted(fit.n_runs, 'run')}"
    if len(fit.points) != fit.n_runs:
        said += f" worth {dof + fit.problem.free:.0f} observations"
    return f"{said} less {counted(fit.problem.free, 'free parameter')}"


def _held(fit: Fit) -> str:
    """Return what was fixed, tied or kept in a box."""
    held = fit.constraints
    said = [f"{name} = {value:.6g} fixed" for name, value in held.fix.items()]
    said += [f"{first} = {second} tied" for first, second in held.tie]
    said += [f"{name} in {low:.4g} to {high:.4g}" for name, (low, high) in held.bounds.items()]
    return ", ".join(said) or "nothing: every parameter is free"


def _points(fit: Fit) -> str:
    """Return which points were fitted and what each weighs."""
    where = f" of {fit.data.family}" if fit.data.family else ""
    weighs = "" if len(fit.points) == fit.n_runs else "; each run counts once however often read"
    return f"{fit.data.selection}{where}{weighs}"


def _convention(fit: Fit) -> str:
    """Return what the parameter counts count."""
    if fit.data.params_are == "unknown":
        return "unknown: the table does not say (--params-are total, nonembedding or active)"
    return fit.data.params_are
