"""kleiber demo: hide the largest run of the sample, predict it, and look."""

from __future__ import annotations

from pathlib import Path


def demo(*, out: str = "kleiber-demo") -> None:
    """Fit the sample's small runs, predict its largest, and draw what came true.

    Parameters
    ----------
    out
        Folder for the picture and the saved fit.
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
