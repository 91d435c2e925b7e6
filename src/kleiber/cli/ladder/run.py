"""kleiber ladder run: train what is not yet trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from kleiber.cli.output import print_json

FAILED = 1


def run(
    file: str,
    /,
    *,
    out: Annotated[str, Parameter(name=("--out", "-o"))],
    jobs: int | None = None,
    device: str = "cpu",
    micro_batches: int = 1,
    retry: bool = False,
    json: bool = False,
) -> int:
    """Train a ladder's rungs, each in a folder; the same command goes on where it stopped.

    A rung that cannot be trained leaves the others alone, and the exit code is 1.

    Parameters
    ----------
    file
        The ladder's TOML file.
    out
        The folder of all rungs, which kleiber runs and kleiber fit read as a table.
    jobs
        Processes at once [default: one a core].
    device
        Where to train: cpu or cuda.
    micro_batches
        Parts that a step takes its batch in, so that it needs less memory.
    retry
        Train again, from their start, rungs whose loss was no number.
    json
        Print one JSON object instead of text.
    """
    from kleiber.cli.ladder.screen import watched
    from kleiber.launching.index import save_index
    from kleiber.launching.ladder import train_ladder
    from kleiber.recipes.ladder import ladder

    made = ladder(file)
    save_index(made.name, made.rungs, Path(out))
    results, errors = train_ladder(
        made.rungs,
        Path(out),
        jobs=jobs,
        device=device,
        micro_batches=micro_batches,
        retry=retry,
        watch=watched(made.rungs, quiet=json),
    )
    if json:
        print_json(
            {
                "schema": "kleiber.ladder-run/1",
                "name": made.name,
                "fingerprint": made.fingerprint,
                "runs": results,
                "failed": [{"run": name, **why} for name, why in errors.items()],
            }
        )
    else:
        print(table(results))
        for name, why in errors.items():
            print(f"  failed    {name}: {why['message']} {why['remedy']}".rstrip())
    return FAILED if errors else 0


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return finished rungs as a table."""
    from kleiber.units import format_count

    if not results:
        return "no rung is done"
    wide = max(len(row["run"]) for row in results)
    titles = f"{'params':>8} {'tokens':>8} {'FLOPs':>9} {'loss':>8} {'train':>8} {'lr':>9}"
    lines = [f"{'run':<{wide}} {titles}"]
    for row in results:
        lines.append(
            f"{row['run']:<{wide}} {format_count(row['params']):>8} "
            f"{format_count(row['tokens']):>8} {row['flops']:>9.3g} {row['loss']:>8.4f} "
            f"{row['train_loss']:>8.4f} {row['lr']:>9.4g}"
        )
    lines.append("losses in nats a token, on text held out and in training; FLOPs exact")
    return "\n".join(lines)
