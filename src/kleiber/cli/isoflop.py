"""kleiber isoflop: parabolas through isoFLOP profiles, beside a surface through the same runs."""

from __future__ import annotations

from kleiber.cli.options import Files, Fitting, Reading, count, count_if
from kleiber.cli.output import command, print_json, problems_of, problems_text, say_notes


def isoflop(
    files: Files,
    /,
    *,
    target_flops: str | None = None,
    budgets: str | None = None,
    tolerance: float = 0.1,
    reading: Reading | None = None,
    fitting: Fitting | None = None,
    level: float = 0.9,
    bootstraps: int = 1000,
    json: bool = False,
) -> None:
    """Find the best size at every budget by parabolas and by a surface, and state the bias.

    Parameters
    ----------
    target_flops
        Budget in FLOPs to extrapolate both to, such as 1e24.
    budgets
        Budgets in FLOPs, such as 1e19,1e20 [default: wherever compute steps].
    tolerance
        How far compute may step within a budget.
    level
        Probability that an interval covers.
    bootstraps
        Resamples of the runs of each budget; 0 for no intervals of the parabolas.
    json
        Print one JSON object instead of text.
    """
    from kleiber import planning

    target = count_if(target_flops, "--target-flops", "1e24")
    listed = None
    if budgets is not None:
        listed = [count(one, "--budgets", "1e19,1e20") for one in budgets.split(",")]
    chosen = fitting or Fitting()
    runs = (reading or Reading()).read(files)
    if not json:
        say_notes(runs)
    made = chosen.fit(runs, bootstraps)
    found = planning.isoflop(
        runs,
        budgets=listed,
        target_flops=target,
        tolerance=tolerance,
        fit=made,
        level=level,
        bootstraps=bootstraps,
        seed=chosen.seed,
    )
    problems = problems_of(runs, made)
    if json:
        content = {"schema": "kleiber.isoflop/1", **found.to_dict()}
        content["problems"] = [problem.to_dict() for problem in problems]
        print_json({**content, "synthetic": runs.synthetic, "command": command()})
        return
    print(found.text())
    if runs.synthetic:
        print("SYNTHETIC DATA: generated from a known law, no model was trained")
    for label, text in problems_text(problems):
        print(f"{label}: {text}")
    for flaw in found.flaws:
        print(f"{flaw.code} {flaw.severity}: {flaw.title}: {flaw.message} {flaw.remedy}")
