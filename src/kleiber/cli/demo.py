"""kleiber demo: predict a hidden run, then teach a small model and count the bits it stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kleiber.judging import Hidden
    from kleiber.runs import Runs

WITHOUT_FLOOR, LEAST_PARAMS = "kaplan", "10k"  # as the findings of the defaults advise
FLOPS = 1e13  # beyond the largest run, and its tokens are about all that the text has


def demo(*, out: str = "kleiber-demo") -> None:
    """Predict the hidden run of a sample, then teach a small model and count the bits it stores.

    Parameters
    ----------
    out
        Folder for the picture, the saved fit and the trained model.
    """
    from kleiber.fitting.report import summary
    from kleiber.judging import hide_largest
    from kleiber.planning import allocate
    from kleiber.runs import Runs
    from kleiber.samples import LADDER

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    runs = Runs.read(LADDER, unit="nats", params_are="total")
    print(f"{_origin(runs)}\n\n{runs.describe().text()}")
    print("\nTHE LARGEST SIZE IS HIDDEN, and predicted from the others with every default:\n")
    first = hide_largest(runs)
    print(summary(first.fit, extra=_judged(first)))
    print(
        "\nAS THE ISSUES ADVISE, a law without a floor and without the smallest size\n"
        f"(--law {WITHOUT_FLOOR} --min-params {LEAST_PARAMS}):\n"
    )
    second = hide_largest(runs.select(min_params=LEAST_PARAMS), WITHOUT_FLOOR)
    print(summary(second.fit, extra=_judged(second)))
    print(f"\n{allocate(second.fit, FLOPS).text()}")
    print(f"\nsaved {second.fit.save(folder / 'fit.json')}")
    _draw(second, folder / "fit.svg")
    _teach(folder / "mini")


def _origin(runs: Runs) -> str:
    """Return where the sample is from, and how to train it again."""
    import tomllib

    from kleiber.samples import LADDER_FILE

    file = LADDER_FILE.relative_to(Path.cwd()) if LADDER_FILE.is_relative_to(Path.cwd()) else None
    recipe = tomllib.loads(LADDER_FILE.read_text(encoding="utf-8"))["recipe"]
    finals = runs.select(points="finals").frame
    return (
        f"A LADDER THAT KLEIBER TRAINED, on the bytes of Python's standard library: recipe "
        f"{recipe},\n{finals.height} runs of {finals['params'].n_unique()} sizes, "
        f"{finals['flops'].sum():.3g} FLOPs in all. Train it again:\n"
        f"  kleiber ladder run {file or LADDER_FILE} --out kleiber-ladder"
    )


def _judged(hidden: Hidden) -> list[tuple[str, str]]:
    """Return what came of a prediction, and what is wrong with the fit that made it."""
    from kleiber.cli.output import findings_text
    from kleiber.judging import check

    found = findings_text(check(hidden.fit)) or [("check", "no issue and no tip")]
    return [("hidden", hidden.sentence()), *found]


def _draw(hidden: Hidden, path: Path) -> None:
    """Draw the picture, or say what is missing for it."""
    from kleiber.charts import draw_fit, save_chart
    from kleiber.errors import MissingExtraError

    title = "The largest run, predicted before it was seen"
    try:
        save_chart(draw_fit(hidden.fit, hidden=hidden, title=title), path)
        print(f"drew {path}")
    except MissingExtraError as error:
        print(f"no picture: {error}")


def _teach(folder: Path, preset: str = "mini") -> None:
    """Teach the smallest preset, its bits shown as they rise; say so where torch is missing."""
    from kleiber.errors import MissingExtraError
    from kleiber.training.extra import require

    try:
        require()
    except MissingExtraError as error:
        print(f"\nBITS OF KNOWLEDGE: not shown: {error}")
        return
    from kleiber.cli.know.watch import train_cells
    from kleiber.knowledge.preset import preset as named

    (cell,) = named(preset).cells(seeds=1)
    print(
        f"\nBITS OF KNOWLEDGE: a small model reads {cell.exposures:,} times each about "
        f"{cell.people:,} people that were made up.",
        flush=True,
    )
    again = (folder / "done").exists()
    (row,) = train_cells([cell], [folder], glances=10)
    print(_told(row))
    print(f"{'kept from an earlier demo in' if again else 'saved'} {folder}")


def _told(row: dict[str, Any]) -> str:
    """Return what a model stored, against the line and against its controls."""
    from kleiber.cli.know.screen import LINE

    bits, controls = row["bits_per_param"], row["controls"]
    return (
        f"{row['params']:,} parameters stored {bits * row['params']:,.0f} bits: {bits:.2f} a "
        f"parameter, {row['share_of_max']:.0%} of all there was to know;\n"
        f"large models end near {LINE:.0f} (kleiber know capacity --preset cpu comes close).\n"
        f"controls: perfect knowledge {controls['oracle']:.2f}, before training "
        f"{controls['random']:.2f}, on strangers {controls['unseen']:.2f} (no leak: not above 0)"
    )
