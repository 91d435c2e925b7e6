"""kleiber plan: the ladder to train for a target."""

from __future__ import annotations

from kleiber.cli.options import Reading, count, count_if, one_number
from kleiber.cli.output import command, print_json, say, say_notes
from kleiber.cli.pricing import Pricing


def plan(
    *,
    target_params: str,
    target_tokens: str,
    budget: str | None = None,
    error: str | None = None,
    given: tuple[str, ...] = (),
    rule: tuple[str, ...] = (),
    prior: str = "bundled",
    trust_law: bool = False,
    worth: float = 0.05,
    pricing: Pricing | None = None,
    reading: Reading | None = None,
    seed: int = 0,
    out: str | None = None,
    json: bool = False,
) -> None:
    """Choose the runs to train so that a target's loss is predicted best.

    Parameters
    ----------
    target_params
        Params of the run to predict, such as 7B.
    target_tokens
        Tokens of the run to predict, such as 140B.
    budget
        FLOPs that the ladder may cost, counted as 6 * params * tokens, such as 1e20.
    error
        Expected error of the target's loss to reach at the least cost, such as 0.02, instead of
        a budget; with --given and a budget, where to stop.
    given
        A table of runs already trained, as kleiber fit reads it; the answer says which run to
        add next, or to stop.
    rule
        Rules of the ladder, NAME=VALUE: sizes=5 (least), seeds=3, runs=12 (most), smallest=10M,
        largest=3B, least_ratio=10, most_ratio=640 (tokens per param), partial=0.8 (of the
        target's tokens), checkpoints=yes.
    prior
        What is known before: bundled, weak, or a file that kleiber calibrate made.
    trust_law
        Take the law as exact, as if it held over any distance.
    worth
        Share of the expected error that the next run must take away, else it is time to stop.
    seed
        Seed of the families drawn from the prior.
    out
        Write the plan to a TOML file, which a ladder is trained from.
    json
        Print one JSON object instead of text.
    """
    from kleiber import planning

    runs = (reading or Reading()).read(list(given)) if given else None
    if runs is not None and not json:
        say_notes(runs)
    made = planning.plan(
        count(target_params, "--target-params", "7B"),
        count(target_tokens, "--target-tokens", "140B"),
        budget=count_if(budget, "--budget", "1e20"),
        error=None if error is None else one_number(error, "--error", "0.02"),
        given=runs,
        rules=_rules(rule),
        prior=prior,
        model=planning.ModelError(0.0, 0.0) if trust_law else None,
        worth=worth,
        rates=(pricing or Pricing()).prices(),
        seed=seed,
    )
    if out:  # before anything is printed: where it cannot be written, only the error is said
        say(f"wrote {made.save(out)}{'' if made.runs else ', which has no run to train'}")
    if json:
        print_json({**made.to_dict(), "command": command()})
    else:
        print(made.text())
        print(f"  again     {command()}")


def _rules(texts: tuple[str, ...]) -> dict[str, object]:
    """Return named values of NAME=VALUE items, repeated or comma-separated."""
    from kleiber.errors import UsageError

    found: dict[str, object] = {}
    for item in ",".join(texts).split(",") if texts else []:
        name, sign, right = item.partition("=")
        if not (sign and name.strip() and right.strip()):
            raise UsageError(
                f"--rule got '{item}', expected NAME=VALUE.",
                remedy="Write for example --rule sizes=5,largest=3B.",
            )
        found[name.strip()] = right.strip()
    return found
