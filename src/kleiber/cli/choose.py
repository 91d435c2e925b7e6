"""kleiber choose: which law, by sizes that the laws had not seen."""

from __future__ import annotations

from kleiber.cli.options import Files, Reading, count_if
from kleiber.cli.output import command, print_json, say_notes


def choose(
    files: Files,
    /,
    *,
    laws: str | None = None,
    params: str | None = None,
    tokens: str | None = None,
    group: float = 1.0,
    level: float = 0.9,
    reading: Reading | None = None,
    json: bool = False,
) -> None:
    """Rank laws by their errors on hidden sizes, say how decided it is, and predict by all.

    Parameters
    ----------
    laws
        Laws to try, such as chinchilla,kaplan [default: those of params and tokens, or
        of params alone where tokens hardly vary].
    params
        Model size to predict by all laws, weighed, such as 7e9 or 7B.
    tokens
        Training tokens to predict, such as 140e9 or 140B.
    group
        Count sizes within this factor as one, such as 1.9 where there are many.
    level
        Probability that the interval covers.
    json
        Print one JSON object instead of text.
    """
    from kleiber.judging import choose as run
    from kleiber.judging.choice_text import text

    wanted = (count_if(params, "--params"), count_if(tokens, "--tokens", "140B"))
    runs = (reading or Reading()).read(files)
    names = [name.strip() for name in laws.split(",")] if laws else None
    found = run(runs, names, group=group)
    asked = any(count is not None for count in wanted)
    predicted = found.predict(*wanted, level=level) if asked else None
    if json:
        more = {"predicted": predicted.to_dict()} if predicted else {}
        print_json({**found.to_dict(), **more, "synthetic": runs.synthetic, "command": command()})
        return
    say_notes(runs)
    print(text(found))
    if predicted:
        print(f"\n  {predicted.sentence()}")
    if runs.synthetic:
        print("  SYNTHETIC DATA: generated from a known law, no model was trained")
    print(f"\n  again      {command()}")
