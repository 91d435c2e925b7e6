"""kleiber ladder show: every rung with its numbers and its price, before a cent is spent."""

from __future__ import annotations

import json as as_json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kleiber.cli.output import command, print_json, say
from kleiber.cli.pricing import Pricing
from kleiber.errors import KleiberError, UsageError

if TYPE_CHECKING:
    from kleiber.launching.expect import Expected, Throughput
    from kleiber.planning.cost import Cost
    from kleiber.recipes.ladder import Ladder
    from kleiber.recipes.rung import Rung

SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))


def show(
    file: str,
    /,
    *,
    throughput: str | None = None,
    micro_batches: int = 1,
    out: Annotated[str | None, Parameter(name=("--out", "-o"))] = None,
    pricing: Pricing | None = None,
    json: bool = False,
) -> None:
    """Print every rung of a ladder: its numbers, FLOPs, memory, time and price.

    Parameters
    ----------
    file
        The ladder's TOML file.
    throughput
        GFLOP/s of a training process, or the word here to measure on this machine [default: 20
        and 2 ms a step, marked as assumed].
    micro_batches
        Parts that a step takes its batch in, so that it needs less memory.
    out
        Write the rungs as JSON lines.
    json
        Print one JSON object instead of text.
    """
    from kleiber.launching.expect import expected
    from kleiber.launching.expect import throughput as known
    from kleiber.planning.cost import Cost, prices
    from kleiber.recipes.ladder import ladder

    made = ladder(file)
    speed = known(throughput, made.rungs)
    rows = [expected(rung, speed, micro_batches=micro_batches) for rung in made.rungs]
    cost = Cost(sum(row.flops for row in rows), (pricing or Pricing()).prices() or prices())
    refused = _refused(made.rungs)
    if out:
        say(f"wrote {_write(out, rows)}")
    if json:
        print_json(
            {
                "schema": "kleiber.ladder/1",
                "name": made.name,
                "about": made.about,
                "fingerprint": made.fingerprint,
                "recipe": made.recipe.name,
                "chosen": dict(made.recipe.chosen),
                "rungs": [row.to_dict() for row in rows],
                "flops": cost.flops,
                "flops_6nd": sum(row.flops_6nd for row in rows),
                "seconds": sum(row.seconds for row in rows),
                "throughput": speed.sentence(),
                "cost": cost.to_dict(),
                "refused": refused,
                "command": command(),
            }
        )
    else:
        print(text(made, rows, speed, cost))
        for said in refused:
            print(f"  refused   {said}")
        print(f"  again     {command()}")


def text(made: Ladder, rows: Sequence[Expected], speed: Throughput, cost: Cost) -> str:
    """Return a ladder as a table, the seeds of a rung in one row."""
    from kleiber.cli.screen import duration
    from kleiber.units import format_count

    by_name = {row.rung.name: row for row in rows}
    groups = [[by_name[rung.name] for rung in group] for group in made.groups()]
    names = [group[0].rung.name.rpartition("-s")[0] for group in groups]
    wide = max(len(name) for name in names)
    head = (
        f"  {'rung':<{wide}} {'seeds':>5} {'params':>8} {'12D²L':>8} {'tokens':>8} {'steps':>8} "
        f"{'batch':>6} {'lr':>9} {'decay':>7} {'FLOPs':>9} {'6ND':>9} {'memory':>8} {'time':>8}"
    )
    lines = [f"ladder {made.name}: {len(rows)} rungs of {made.recipe.source}", head]
    for name, group in zip(names, groups, strict=True):
        one, rung = group[0], group[0].rung
        lines.append(
            f"  {name:<{wide}} {len(group):>5} {format_count(one.params):>8} "
            f"{format_count(one.params_body):>8} {format_count(rung.shown_tokens):>8} "
            f"{rung.steps:>8} {rung.batch:>6} {rung.lr:>9.4g} {rung.weight_decay:>7.3g} "
            f"{one.flops:>9.3g} {one.flops_6nd:>9.3g} {size(one.memory):>8} "
            f"{duration(one.seconds):>8}{'' if one.fits else '   more memory than is free here'}"
        )
    total = sum(row.flops_6nd for row in rows)
    lines += [
        "  a row is of one seed; tokens are those that whole steps show",
        f"  in all    {cost.flops:.4g} FLOPs, attention and head counted; "
        f"{total:.4g} by 6 * 12D²L * tokens",
        f"  time      {duration(sum(row.seconds for row in rows))} one after the other, at "
        f"{speed.sentence()}",
        f"  price     {cost.text()}",
        f"            on {cost.prices.sentence()}",
    ]
    if made.recipe.chosen:
        lines.append(f"  chosen    {', '.join(made.recipe.chosen)}: not published, see the recipe")
    return "\n".join(lines)


def _refused(rungs: Sequence[Rung]) -> list[str]:
    """Return what of the rungs' texts and tokenizers no training opens here, each thing once."""
    from kleiber.launching.text import check_words

    found: dict[str, None] = {}
    for rung in rungs:
        try:
            check_words(rung)
        except KleiberError as error:
            found[str(error)] = None
    return list(found)


def size(amount: float) -> str:
    """Return bytes as people say them."""
    for unit, name in SIZES:
        if amount >= unit:
            return f"{amount / unit:.3g} {name}"
    return f"{amount:.0f} B"


def _write(out: str, rows: Sequence[Any]) -> Path:
    target = Path(out)
    if target.is_dir() or not target.parent.is_dir():
        what = "is a folder" if target.is_dir() else "lies in a folder that does not exist"
        raise UsageError(f"'{out}' {what}.", remedy="Name a file, such as rungs.jsonl.")
    lines = [as_json.dumps(row.to_dict()) + "\n" for row in rows]
    target.write_text("".join(lines), encoding="utf-8")
    return target
