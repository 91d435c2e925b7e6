"""kleiber allocate: the best run of a budget, or the cheapest for a loss."""

from __future__ import annotations

from kleiber.cli.options import Files, FitIntervals, Fitting, Reading, count, count_if
from kleiber.cli.output import command, findings_text, print_json, problems_text
from kleiber.cli.pricing import Pricing, ServePricing
from kleiber.cli.source import saved_or_made


def allocate(
    files: Files,
    /,
    *,
    flops: str | None = None,
    gpu_hours: str | None = None,
    money: str | None = None,
    loss: float | None = None,
    serve_tokens: str | None = None,
    pricing: Pricing | None = None,
    serving: ServePricing | None = None,
    reading: Reading | None = None,
    fitting: Fitting | None = None,
    intervals: FitIntervals | None = None,
    json: bool = False,
) -> None:
    """Split a budget into params and tokens for the least loss, with intervals.

    Parameters
    ----------
    flops
        Budget in FLOPs, counted as 6 * params * tokens, such as 1e24.
    gpu_hours
        Budget in GPU-hours instead.
    money
        Budget in money instead.
    loss
        A loss in nats to reach at the least cost, instead of a budget.
    serve_tokens
        Tokens that the model will serve in its life, at 2 * params FLOPs each, such as 1T; the
        budget then pays for them too.
    json
        Print one JSON object instead of text.
    """
    from kleiber import planning
    from kleiber.judging import check

    asked, rates = intervals or FitIntervals(), pricing or Pricing()
    prices, serve_prices = rates.prices(), (serving or ServePricing()).prices(rates)
    goal = {
        "flops": count_if(flops, "--flops", "1e24"),
        "gpu_hours": count_if(gpu_hours, "--gpu-hours", "5000"),
        "money": count_if(money, "--money", "1e6"),
        "loss": loss,
    }
    planning.one_goal(goal)
    served = None if serve_tokens is None else count(serve_tokens, "--serve-tokens", "1T")
    made, problems = saved_or_made(files, reading, fitting, asked.bootstraps, quiet=json)
    best = planning.allocate(
        made,
        **goal,
        serve_tokens=served,
        prices=prices,
        serve_prices=serve_prices,
        level=asked.level,
        method=asked.method,
    )
    findings = check(made)
    if json:
        content = best.to_dict()
        content["findings"] = [finding.to_dict() for finding in findings]
        content["problems"] = [problem.to_dict() for problem in problems]
        print_json({**content, "command": command()})
    else:
        print(best.text())
        if best.synthetic:
            print("SYNTHETIC DATA: generated from a known law, no model was trained")
        for label, text in [*problems_text(problems), *findings_text(findings)]:
            print(f"{label}: {text}")
