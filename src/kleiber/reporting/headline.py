"""The first thing a reader sees: what is predicted, how surely, and whether to believe it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kleiber.reporting.text import counted, equation, minus, shown, span
from kleiber.units import flops_6nd, format_count

if TYPE_CHECKING:
    from kleiber.fitting import Fit, Interval, Prediction
    from kleiber.judging import Finding, Hidden

NO_INTERVAL = "too few runs for an interval"
MARGIN = 0.18  # of the interval's width, left free at the ends of its strip


def headline(
    fit: Fit,
    prediction: Prediction | None,
    hidden: Hidden | None,
    bounds: dict[str, Interval],
    findings: Sequence[Finding],
) -> dict[str, Any]:
    """Return the headline: of a hidden run, of a run to come, or of the law's floor."""
    if hidden is not None:
        top = _hidden(hidden)
    elif prediction is not None:
        top = _predicted(fit, prediction)
    else:
        top = _law(fit, bounds)
    unit = {"unit": "nats per token", "term": "nat"}
    return {**top, **unit, "trust": trust(findings), "facts": _facts(fit)}


def trust(findings: Sequence[Finding]) -> dict[str, str]:
    """Return the findings' verdict: its kind and its words."""
    issues = sum(one.severity == "issue" for one in findings)
    tips = len(findings) - issues
    if issues:
        more = f" and {counted(tips, 'tip')}" if tips else ""
        return {"kind": "issue", "text": f"{counted(issues, 'issue')}{more}: read before use"}
    if tips:
        return {"kind": "tip", "text": f"No issue, {counted(tips, 'tip')}"}
    return {"kind": "ok", "text": "No issue found"}


def _hidden(hidden: Hidden) -> dict[str, Any]:
    """Return the headline of a run that was hidden and came true."""
    verdict = "inside" if hidden.inside else "outside"
    size, seen = format_count(hidden.params), format_count(hidden.tokens)
    return {
        "eyebrow": "Hidden and predicted",
        "title": f"{size} params on {seen} tokens",
        "label": "predicted loss",
        "value": shown(hidden.predicted, "", ".4f"),
        "interval": span(hidden.lower, hidden.upper, NO_INTERVAL, ".4f"),
        "of": f"{hidden.level:.0%} of such runs",
        "strip": strip(hidden.predicted, hidden.lower, hidden.upper, hidden.actual),
        "sentence": minus(
            f"It was {hidden.actual:.4f}, {verdict} the interval: the prediction is off by "
            f"{hidden.error:+.4f} nats, {100 * hidden.relative:+.2g} % of the loss. The run is "
            f"{hidden.scale_up:.2g}× the largest that was fitted."
        ),
    }


def _predicted(fit: Fit, made: Prediction) -> dict[str, Any]:
    """Return the headline of a run not yet trained."""
    counts = (("params", made.params), ("tokens", made.tokens))
    where = " on ".join(f"{format_count(n)} {name}" for name, n in counts if n is not None)
    curve = ""
    if math.isfinite(made.mean_lower) and math.isfinite(made.mean_upper):
        law = span(made.mean_lower, made.mean_upper, NO_INTERVAL, ".4f")
        curve = f"The law itself lies in {law.text}. "
    return {
        "eyebrow": "Predicted",
        "title": where,
        "label": "predicted loss",
        "value": shown(made.value, "", ".4f"),
        "interval": span(made.lower, made.upper, NO_INTERVAL, ".4f"),
        "of": f"{made.level:.0%} of new runs",
        "strip": strip(made.value, made.lower, made.upper),
        "sentence": curve + _reach(fit, made.params, made.tokens),
    }


def _reach(fit: Fit, params: float | None, tokens: float | None) -> str:
    """Return how far a target lies beyond the runs."""
    if params is None or tokens is None:
        return ""
    farthest = float(max(flops_6nd(fit.points.params, fit.points.tokens)))
    times = float(flops_6nd(params, tokens)) / farthest
    if times <= 1:
        return "The run takes no more compute than the largest that was fitted."
    return (
        f"The run takes {format_count(times)}× the compute of the largest that was fitted, "
        f"{math.log10(times):.1f} decades beyond the data."
    )


def _law(fit: Fit, bounds: dict[str, Interval]) -> dict[str, Any]:
    """Return the headline of a law: its floor, or the loss at the centre of the data."""
    title = f"{fit.law.title} law" if fit.law.title == "Chinchilla" else fit.law.title
    if fit.law.floor is None:
        centre = fit.reference()
        at = " and ".join(f"{format_count(centre[n])} {n}" for n in fit.law.predictors)
        return {
            "eyebrow": "Fitted law",
            "title": title,
            "label": "loss at the centre of the data",
            "value": shown(centre["loss"], "", ".4f"),
            "interval": None,
            "of": at,
            "strip": None,
            "sentence": "This law has no floor: it falls towards zero as scale grows.",
        }
    box = bounds[fit.law.floor]
    if fit.law.floor in fit.constraints.fix:
        said = "The floor was fixed by hand."
    else:
        share = fit.floor / fit.reference()["loss"]
        said = (
            f"{share:.0%} of the loss at the centre of the data is floor; scale can win the rest."
        )
    return {
        "eyebrow": "Fitted law",
        "title": title,
        "label": "floor: the loss that no scale removes",
        "value": shown(fit.floor, "", ".4f"),
        "interval": span(box.lower, box.upper, NO_INTERVAL, ".4f"),
        "of": f"{box.level:.0%} interval of the floor",
        "strip": strip(fit.floor, box.lower, box.upper),
        "sentence": said,
    }


def strip(
    value: float, lower: float, upper: float, actual: float | None = None
) -> dict[str, Any] | None:
    """Return places in percent on a line that holds an interval, its value and what came true."""
    marks = [m for m in (value, lower, upper, actual) if m is not None]
    if not all(math.isfinite(m) for m in marks) or max(marks) == min(marks):
        return None
    low, high = min(marks), max(marks)
    margin = MARGIN * (high - low)

    def place(mark: float) -> str:
        return f"{100 * (mark - low + margin) / (high - low + 2 * margin):.2f}"

    return {
        "lower": place(lower),
        "upper": place(upper),
        "width": f"{float(place(upper)) - float(place(lower)):.2f}",
        "value": place(value),
        "actual": None if actual is None else place(actual),
        "texts": {
            "lower": shown(lower, "", ".4f").text,
            "upper": shown(upper, "", ".4f").text,
            "actual": "" if actual is None else f"{actual:.4f}",
        },
    }


def _facts(fit: Fit) -> list[dict[str, Any]]:
    """Return the few numbers by which a fit is judged at a glance."""
    points = fit.points
    sizes = len(set(points.params.tolist()))
    low, high = format_count(points.params.min()), format_count(points.params.max())
    # The noise of objective "raw" is a distance in nats, else a share of the loss.
    noise = fit.noise if fit.objective_name == "raw" else 100 * fit.noise
    unit = "nats" if fit.objective_name == "raw" else "%"
    few = "no degrees of freedom left"
    return [
        {"label": "runs", "value": shown(fit.n_runs, "", ",d"), "unit": _points(fit)},
        {
            "label": "sizes",
            "value": shown(sizes, "", ",d"),
            "unit": low if sizes == 1 else f"{low} to {high}",
        },
        {"label": "noise of a run", "value": shown(noise, few, ".2g"), "unit": unit},
        {
            "label": "optimum",
            "value": shown(fit.certificate.agreeing, "", ",d"),
            "unit": f"of {counted(fit.certificate.starts, 'start')} agree",
        },
    ]


def _points(fit: Fit) -> str:
    """Return how many points stand behind the runs, where they differ."""
    return "" if len(fit.points) == fit.n_runs else f"with {counted(len(fit.points), 'point')}"


def law_lines(fit: Fit) -> dict[str, str]:
    """Return the law's equation in symbols and in numbers, as HTML."""
    return {
        "symbols": equation(fit.law.equation),
        "numbers": equation(fit.law.equation, fit.values),
    }
