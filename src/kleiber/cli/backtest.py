"""kleiber backtest: hide a size, predict it from every part of the rest, and compare."""

from __future__ import annotations

from typing import Literal

from kleiber.cli.options import Files, Fitting, Reading, one_number
from kleiber.cli.output import command, print_json, say_notes


def backtest(
    files: Files,
    /,
    *,
    reading: Reading | None = None,
    fitting: Fitting | None = None,
    hide: str | None = None,
    sizes: tuple[str, ...] = (),
    group: float = 1.0,
    order: Literal["smallest", "largest"] = "smallest",
    shares: str = "1.0",
    finals: Literal["no", "only", "both"] = "no",
    cut: str | None = None,
    targets: float = 1.0,
    level: float = 0.9,
    json: bool = False,
) -> None:
    """Hide a size, predict its finals from every part of the rest, and print the errors.

    Parameters
    ----------
    hide
        Size to hide, such as 7B [default: the largest].
    sizes
        Sizes to train on, such as 70M,160M,410M; repeat for several sets [default: the k
        smallest for every k].
    group
        Count sizes within this factor as one, such as 1.9 where there are many.
    order
        Add sizes from the smallest up or from the largest down.
    shares
        Shares of training to see, such as 0.3,0.6,1.0.
    finals
        Train on all points, on finals only, or on both in turn.
    cut
        Drop the start of every run: 10B tokens, 10%, or evidence.
    targets
        Predict the hidden runs from this share of their training on; 1 is their finals.
    level
        Probability that an interval covers.
    json
        Print one JSON object instead of text.
    """
    from kleiber.judging import backtest as run
    from kleiber.judging.report import text

    options = (fitting or Fitting()).keywords()
    runs = (reading or Reading()).read(files)
    kinds = {"no": ("all",), "only": ("finals",), "both": ("all", "finals")}
    found = run(
        runs,
        (fitting or Fitting()).law,
        hide=hide,
        sizes=[group.split(",") for group in sizes] or None,
        group=group,
        order=order,
        shares=[one_number(s, "--shares", "0.3,0.6,1.0") for s in shares.split(",")],
        which=kinds[finals],
        cut=cut,
        targets=targets,
        objective=options["objective"],
        delta=options["delta"],
        fix=options["fix"],
        tie=options["tie"],
        level=level,
    )
    if json:
        print_json({**found.to_dict(), "command": command()})
        return
    say_notes(runs)
    print(text(found))
    print(f"\n  again      {command()}")
