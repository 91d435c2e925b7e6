"""kleiber ladder from-plan: the runs of a plan as rungs of a recipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from kleiber.cli.output import command, print_json, say
from kleiber.errors import InputError, UsageError


def from_plan(
    plan: str,
    /,
    *,
    recipe: str,
    out: Annotated[str, Parameter(name=("--out", "-o"))],
    params_are: Literal["total", "nonembedding"] = "total",
    json: bool = False,
) -> None:
    """Make a ladder of the plan that kleiber plan wrote: of each run the nearest width.

    Parameters
    ----------
    plan
        The plan's TOML file.
    recipe
        A shipped recipe or a TOML file, with a formula for layers.
    out
        The ladder's TOML file.
    params_are
        What the plan counts: all params, or those without embedding and head.
    json
        Print one JSON object instead of text.
    """
    from kleiber.launching.sized import sized_rows
    from kleiber.planning.ladder import read_plan, to_toml
    from kleiber.recipes.recipe import recipe as named

    target = Path(out)
    if target.is_dir() or not target.parent.is_dir():
        what = "is a folder" if target.is_dir() else "lies in a folder that does not exist"
        raise UsageError(f"'{out}' {what}.", remedy="Name a file, such as ladder.toml.")
    content = read_plan(plan)
    runs = content.get("runs", [])
    if not runs:
        raise InputError(f"'{plan}' has no run to train.", remedy="Plan with a larger budget.")
    used = named(recipe)
    rows = sized_rows(runs, used, params_are=params_are, source=f"'{plan}'")
    place = os.path.relpath(recipe, target.parent) if recipe.endswith(".toml") else recipe
    held = {
        "about": f"The runs of {Path(plan).name}; params are {params_are}.",
        "recipe": place,
        "rung": [row.to_dict() for row in rows],
    }
    target.write_text(to_toml(held), encoding="utf-8")
    say(f"wrote {target}")
    if json:
        asked = [{**row.to_dict(), "asked": row.asked, "params": row.params} for row in rows]
        print_json({"schema": "kleiber.ladder-file/1", "rungs": asked, "command": command()})
        return
    for row in rows:
        print(
            f"D={row.width} L={row.layers}: {row.params:,} params for {row.asked:,.0f} "
            f"({row.params / row.asked - 1:+.1%}), {row.tokens:,} tokens, seeds "
            f"{', '.join(map(str, row.seeds))}"
        )
