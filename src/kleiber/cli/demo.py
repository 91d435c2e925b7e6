"""kleiber demo: predict a hidden run, then teach a small model and count the bits it stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def demo(*, out: str = "kleiber-demo") -> None:
    """Predict the hidden run of a sample, then teach a small model and count the bits it stores.

    Parameters
    ----------
    out
        Folder for the picture, the saved fit and the trained model.
    """
    from kleiber.cli.output import findings_text
    from kleiber.fitting.report import summary
    from kleiber.judging import check, hide_largest
    from kleiber.planning import allocate
    from kleiber.runs import Runs
    from kleiber.samples import LADDER

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    runs = Runs.read(LADDER)
    hidden = hide_largest(runs)
    print(runs.describe().text())
    print()
    extra = [
        ("hidden", hidden.sentence()),
        *findings_text(check(hidden.fit)),
    ]
    print(summary(hidden.fit, extra=extra))
    print(f"\n{allocate(hidden.fit, 1e22).text()}")
    saved = hidden.fit.save(folder / "fit.json")
    print(f"\nSYNTHETIC DATA throughout: the sample was generated from a known law.\nsaved {saved}")
    _draw(hidden, folder / "fit.svg")
    _teach(folder / "mini")


def _draw(hidden: object, path: Path) -> None:
    """Draw the picture, or say what is missing for it."""
    from kleiber.charts import draw_fit, save_chart
    from kleiber.errors import MissingExtraError
    from kleiber.judging import Hidden

    assert isinstance(hidden, Hidden)
    try:
        save_chart(
            draw_fit(
                hidden.fit, hidden=hidden, title="The largest run, predicted before it was seen"
            ),
            path,
        )
        print(f"drew {path}")
    except MissingExtraError as error:
        print(f"no picture: {error}")


def _teach(folder: Path, preset: str = "mini") -> None:
    """Teach the smallest preset, its bits shown as they rise; say so where torch is missing."""
    from kleiber.cli.know.watch import train_cells
    from kleiber.errors import MissingExtraError
    from kleiber.knowledge.preset import preset as named

    (cell,) = named(preset).cells(seeds=1)
    print(
        f"\nBITS OF KNOWLEDGE: a small model reads {cell.exposures:,} times each about "
        f"{cell.people:,} people that were made up.",
        flush=True,
    )
    again = (folder / "done").exists()
    try:
        (row,) = train_cells([cell], [folder], glances=10)
    except MissingExtraError as error:
        print(f"not shown: {error}")
        return
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
