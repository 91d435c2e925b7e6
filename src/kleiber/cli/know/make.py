"""kleiber know make: people and their texts, for use outside."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from kleiber.cli.know.options import Changes
from kleiber.cli.output import print_json, say
from kleiber.errors import UsageError


def make(
    *,
    out: Annotated[str, Parameter(name=("--out", "-o"))],
    preset: str = "paper",
    seed: int = 0,
    changes: Changes | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Write people and their texts as JSON lines: text, truth, and where each value stands.

    Parameters
    ----------
    out
        The file to write, such as people.jsonl.
    preset
        A preset's name, or a TOML file of your own; --exposures says how many texts a person.
    seed
        Seed of the people and their texts.
    overwrite
        Replace a file that is there.
    json
        Print one JSON object about the file instead of text.
    """
    from dataclasses import replace

    import numpy as np

    from kleiber.knowledge import write_jsonl
    from kleiber.knowledge.preset import preset as named

    settings = {"exposures": 1, **(changes or Changes()).settings()}
    for name in ("people", "exposures"):
        if isinstance(settings.get(name), list):
            raise UsageError(
                f"kleiber know make writes one set of people, and --{name} names several.",
                remedy=f"Give one --{name}.",
            )
    cell = replace(named(preset).cells(seeds=1, **settings)[0], seed=seed)
    source = cell.source()
    shown, people = np.divmod(np.arange(round(cell.exposures * source.count)), source.count)
    written = write_jsonl(source, out, people, shown, overwrite=overwrite)
    bits = {"name": source.name_bits, "values": source.value_bits}
    if json:
        print_json(
            {
                "schema": "kleiber.people/1",
                "path": out,
                "texts": written,
                "people": source.count,
                "exposures": cell.exposures,
                "format": cell.format,
                "rows": source.vocab,
                "bits": bits,
                "tokens_per_text": source.mean_length,
            }
        )
        return
    say(f"wrote {out}: {written:,} texts of {source.count:,} people ({cell.format})")
    say(
        f"a name is one of 2^{bits['name']:.2f}, a person's values hold {bits['values']:.2f} bits; "
        f"{source.vocab:,} rows, {source.mean_length:.1f} tokens a text"
    )
