"""kleiber compare: which of two recipes wins at the target, and with what probability."""

from __future__ import annotations

from kleiber.cli.options import Files, Reading, count
from kleiber.cli.output import command, findings_text, print_json, say


def compare(
    files: Files,
    /,
    *,
    target_flops: str | None = None,
    target_params: str | None = None,
    target_tokens: str | None = None,
    margin: float = 0.003,
    recipes: str | None = None,
    level: float = 0.9,
    replicates: int = 2000,
    seed: int = 0,
    power: bool = False,
    reading: Reading | None = None,
    json: bool = False,
) -> None:
    """Say which of two recipes wins at a target compute, where they cross, and how sure that is.

    Give a table or a folder of each recipe, or one table with a column recipe. One of the two may
    be a single run at scale.

    Parameters
    ----------
    target_flops
        Training compute to compare at, such as 1e21.
    target_params
        Instead of it, a size; its compute is counted as the largest rungs' is.
    target_tokens
        Tokens for --target-params.
    margin
        Nats by which a recipe must be ahead to count as better.
    recipes
        Which two of the recipes in the tables, such as dclm,nemotron.
    level
        Probability that the intervals cover.
    replicates
        Resamples behind every probability.
    seed
        Seed of the resamples.
    power
        Also print how many seeds an arm needs to see a difference, from the measured noise.
    json
        Print one JSON object instead of text.
    """
    from kleiber.errors import UsageError
    from kleiber.judging import compare as run
    from kleiber.judging.compare.target import sized

    if len(files) > 2:
        raise UsageError(
            f"A comparison is of two tables, or of one with a column recipe; {len(files)} are "
            "given.",
            remedy="Join each recipe's files first, or use a pattern in quotes ('a/*.csv').",
        )
    if seed < 0:
        raise UsageError(f"--seed got {seed}.", remedy="A seed is 0 or more.")
    asked = reading or Reading()
    tables = [asked.read([file]) for file in files]
    asked_for = _target(target_flops, target_params, target_tokens)
    chosen = _two(recipes)
    size = None
    if isinstance(asked_for, tuple):
        size = sized(*tables, params=asked_for[0], tokens=asked_for[1], recipes=chosen)
        asked_for = size.flops
    found = run(
        *tables,
        target_flops=asked_for,
        margin=margin,
        recipes=chosen,
        level=level,
        replicates=replicates,
        seed=seed,
    )
    if json:
        ratio = size.ratio if size is not None else None
        print_json({**found.to_dict(), "target_over_6nd": ratio, "command": command()})
        return
    for note in dict.fromkeys(note for table in tables for note in table.notes):
        say(f"{note.kind}: {note.message}")
    print(found.text())
    if size is not None:
        print("  target     " + str(size).replace("\n", "\n" + " " * 13))
    if power:
        print("  " + found.power.text().replace("\n", "\n  "))
    for label, text in findings_text(found.findings):
        print(f"  {label}: {text}")
    if found.synthetic:
        print("  SYNTHETIC DATA: generated from a known law, no model was trained")
    print(f"\n  again      {command()}")


def _target(
    flops: str | None, params: str | None, tokens: str | None
) -> float | tuple[float, float]:
    """Return the target's compute, or its params and tokens.

    Raises UsageError where it is not said, or said twice.
    """
    from kleiber.errors import UsageError

    by_size = params is not None and tokens is not None
    if (flops is not None) == by_size or (flops is not None and (params or tokens)):
        raise UsageError(
            "The target's compute is not said, or said twice.",
            remedy="Write --target-flops 1e21, or --target-params 7B --target-tokens 140B.",
        )
    if flops is not None:
        return count(flops, "--target-flops", "1e21")
    assert params is not None and tokens is not None
    size = count(params, "--target-params", "7B")
    return size, count(tokens, "--target-tokens", "140B")


def _two(recipes: str | None) -> tuple[str, str] | None:
    """Return the two names of --recipes."""
    from kleiber.errors import UsageError

    if recipes is None:
        return None
    names = [name.strip() for name in recipes.split(",")]
    if len(names) != 2 or not all(names):
        raise UsageError(
            f"--recipes got '{recipes}', expected two names.",
            remedy="Write for example --recipes dclm,nemotron.",
        )
    return names[0], names[1]
